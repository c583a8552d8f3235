"""Check 9: each piece is passed on unchanged before the next one exists, and so is the end."""

from collections.abc import AsyncIterator
from types import ModuleType

import trio

from clients.streams.memory import MemoryStream
from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError
from workshop.language import _
from workshop.runner.check_kit import Failure, Lab, first_difference

HINTS = (
    "Which line of the relay has to wait for the end of the answer before it can run?",
    """Send inside the loop, each piece as one chunk. A piece is bytes: may it end in the middle of
a character? And which side must learn of it when `pieces` raises?""",
    """In the loop: await send(b"%x\\r\\n%b\\r\\n" % (len(piece), piece)). Send the last chunk only
after the loop, and use no `try`.""",
)
PIECES = [b"data: {1}\n\n", b"data: {2", b"}\n", b"\n"]
PIECES += [b"data: \xe4\xbd", b"\xa0\xe5", b"\xa5\xbd\n\n"]  # 你好, cut inside both characters
STREAMS = _(
    "a hop may change the chunks, but must not wait for more (RFC 9112 §7.1, RFC 9110 §7.6)"
)
RULE = {
    "decodes-and-breaks-utf8": _("a hop passes bytes on, not text (RFC 9110 §7.7)"),
    "swallows-the-end": _("the last chunk says that a body is complete (RFC 9112 §8)"),
    "bytes-after-the-end": _(
        "a body ends with the empty line after its last chunk (RFC 9112 §7.1)"
    ),
    "no-last-chunk": _("a body without its last chunk is not complete (RFC 9112 §8)"),
}
MODE = {
    "decodes-and-breaks-utf8": "split-utf8",
    "swallows-the-end": "http10,truncate=300",
    "no-last-chunk": "truncate=300",
    "bytes-after-the-end": "none",
}


async def check(exercise: ModuleType, lab: Lab) -> None:
    await RelayRun(exercise, lab).whole_answer()
    await RelayRun(exercise, lab).broken_upstream()


class RelayRun:
    """The client of one relay, and its upstream."""

    def __init__(self, exercise: ModuleType, lab: Lab) -> None:
        self._exercise = exercise
        self._lab = lab
        self._before = len(lab.received)  # number of bytes that earlier clients received
        self._decoder = ChunkedDecoder()
        self._body = b""
        self._expected = b""
        self._server, self._pieces = trio.open_memory_channel[bytes](0)
        self._cut = False

    async def whole_answer(self) -> None:
        ours, theirs = self._lab.connection()
        async with self._lab.running(self._relay, theirs):
            for number, piece in enumerate(PIECES, 1):
                await self._pass(ours, number, piece)
            self._server.close()
            await self._receive_to_the_end(ours)
        if not self._decoder.complete:
            message = _("the client cannot know that it is complete")
            raise self._failure("no-last-chunk", message)
        if trailing := self._decoder.trailing_data:
            message = _(
                "{bytes!r} follows the last chunk, where the next response begins", bytes=trailing
            )
            raise self._failure("bytes-after-the-end", message)

    async def broken_upstream(self) -> None:
        self._cut = True
        ours, theirs = self._lab.connection()
        async with self._lab.running(self._relay, theirs):
            for number, piece in enumerate(PIECES[:2], 1):
                await self._pass(ours, number, piece)
            self._server.close()
            await self._receive_to_the_end(ours)
        if self._decoder.complete:
            message = _("the upstream broke, and the client is told that the answer is complete")
            raise self._failure("swallows-the-end", message)

    async def _relay(self, client: MemoryStream) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            async for piece in self._pieces:
                yield piece
            if self._cut:
                raise ConnectionError("the connection is broken")

        try:
            await self._exercise.relay(pieces(), client.send_all)
        except ConnectionError:
            pass  # here a real server would reset the client's connection
        client.close()

    async def _pass(self, ours: MemoryStream, number: int, piece: bytes) -> None:
        """Let the server send one piece, and wait until the client has it."""
        taking = _("the relay to take piece {number}", number=number)
        with self._lab.deadline(taking, name="does-not-read"):
            await self._server.send(self._lab.give(piece))
        self._expected += piece
        if number == 1:
            name, why = "flushes-at-end", _("the relay waits for more before it sends anything")
        elif not self._expected.endswith(b"\n") and b"data: {" in piece:
            name = "gathers-lines"
            why = _("the line is not complete, and the relay waits for its end")
        else:
            name, why = "held-back", _("the relay waits for more")
        try:
            waiting_for = _("piece {number}, {piece!r}", number=number, piece=piece)
            with self._lab.deadline(waiting_for, name=name, why=why):
                while len(self._body) < len(self._expected) and await self._receive(ours):
                    pass
        except Failure as held:
            raise self._failure(held.name, held.message) from None
        if self._body != self._expected:
            at = first_difference(self._body, self._expected)
            message = _(
                "piece {number} was {piece!r}, and the client reads {got!r}",
                number=number,
                piece=piece,
                got=self._body[-9:],
            )
            name = "decodes-and-breaks-utf8" if "�".encode() in self._body else "wrong-data"
            raise self._failure(name, message, at)

    async def _receive_to_the_end(self, ours: MemoryStream) -> None:
        with self._lab.deadline(_("the relay to end"), name="does-not-end"):
            while await self._receive(ours):
                pass

    async def _receive(self, ours: MemoryStream) -> bytes:
        data = self._lab.take(await ours.receive_some())
        try:
            self._body += b"".join(self._decoder.receive_data(data))
        except DecodeError as error:
            message = _("not the chunked coding: {error}", error=error)
            raise self._failure("no-chunk", message) from error
        return data

    def _failure(self, name: str, message: str, at: int | None = None) -> Failure:
        return Failure(
            name,
            message,
            sent=self._expected,
            received=self._lab.received[self._before :] if at is None else self._body,
            at=at,
            rule=RULE.get(name, STREAMS),
            redo="python -m servers.badproxy --to http://localhost:8004 --mode "
            + MODE.get(name, "buffer"),
        )
