"""Tools for the checks of the exercises: tokens that a check releases, and waits with a deadline.

A check controls the model. The check releases token 2 only when the bytes of token 1 have arrived,
so an answer that holds bytes back cannot pass, however fast the machine is. No check sleeps, and
none measures time:

    async def check(exercise: ModuleType, lab: Lab) -> None:
        source = lab.tokens("你", "好")
        ours, theirs = lab.connection()
        async with lab.running(exercise.respond, theirs, aiter(source)):
            for token in source.release_each():
                await lab.receive_until(ours, token.encode(), f"the bytes of {source}")

A wait longer than `DEADLINE` raises a `Failure` that names the missing bytes: "waited 2 s for the
bytes of token 2, '好': the answer holds them back".

The rules this file keeps:

1. Whatever the exercise does, its check ends: it passes, or it raises a `Failure`.
2. All bytes that the exercise was given and returned are kept, so that the learner can look at
   them.
3. The checks run on trio's autojump clock. This clock jumps to the next deadline when every task
   waits, so a deadline that expires takes no real time. A check must use one thread only: neither
   processes nor `trio.to_thread`.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import KW_ONLY, dataclass

import trio

from clients.streams.memory import MemoryStream, memory_pair
from clients.streams.tcp import ByteStream

from ..language import _, n_

__all__ = ["DEADLINE", "Failure", "Lab", "Tokens", "at_a_time", "few", "first_difference"]

DEADLINE = 2.0  # longest time of one wait, in seconds


@dataclass(eq=False)
class Failure(Exception):
    """The exercise does something wrong.

    Args:
        name: Name of the mistake, as in the file `wrong_NAME.py`, with hyphens: "decimal-size".
        message: One sentence that says what is wrong.
        sent: The bytes that the exercise was given.
        received: The bytes that it returned.
        at: Offset of the first wrong byte in `received`, under which a caret is shown. None means
            no caret.
        rule: The broken rule and its source, such as "chunk-size counts bytes (RFC 9112 §7.1)".
        redo: A command with which the learner can see the correct bytes by hand.
    """

    name: str
    message: str
    _: KW_ONLY
    sent: bytes = b""
    received: bytes = b""
    at: int | None = None
    rule: str = ""
    redo: str = ""

    def __str__(self) -> str:
        return self.message


def first_difference(received: bytes, expected: bytes) -> int:
    """Return the offset of the first byte at which `received` differs from `expected`."""
    pairs = zip(received, expected, strict=False)
    shorter = min(len(received), len(expected))
    return next((at for at, (one, other) in enumerate(pairs) if one != other), shorter)


def few(values: Sequence[object], most: int = 10) -> str:
    """Write a list for a message, shortened to its first values: "[0, 3, 42, … 1200 in all]"."""
    if len(values) <= most:
        return str(list(values))
    shown = ", ".join(map(repr, values[:most]))
    return _("[{shown}, … {number} in all]", shown=shown, number=len(values))


def at_a_time(size: int) -> str:
    """Write the size of a stream's pieces in words: "2 bytes at a time"."""
    return n_("one byte at a time", "{n} bytes at a time", size)


class Tokens:
    """A model that generates a token when the check has released it and the exercise asks for it.

    The exercise gets `iter(tokens)` or `aiter(tokens)`, generators like a model's answer. If the
    exercise asks too early, the plain generator raises a `Failure`; the asynchronous one waits.

    Attributes:
        released: Number of tokens that the check has released so far.
        made: Number of tokens that the exercise has taken.
        closed: Whether one of its generators has ended or was closed.
    """

    def __init__(self, tokens: tuple[str, ...], name: str) -> None:
        self.released = 0
        self.made = 0
        self.closed = False
        self._tokens = tokens
        self._name = name
        self._change = trio.lowlevel.ParkingLot()

    def __str__(self) -> str:
        """Write the last released token: "token 2, '好'"."""
        token = self._tokens[self.released - 1]
        return _("token {number}, {token!r}", number=self.released, token=token)

    def release(self, count: int = 1) -> None:
        """Release this many more tokens. The end of the answer needs no release."""
        self.released = min(self.released + count, len(self._tokens))
        self._change.unpark_all()

    def release_each(self) -> Iterator[str]:
        """Release one token at a time, each when the caller asks for it."""
        for token in self._tokens[self.released :]:
            self.release()
            yield token

    async def until_closed(self) -> None:
        """Wait until the exercise has closed the stream, or read it to its end."""
        while not self.closed:
            await self._change.park()

    def __iter__(self) -> Generator[str, None, None]:
        try:
            for number, token in enumerate(self._tokens, 1):
                if number > self.released:
                    early = _("token {n} was asked for before a reader needed it", n=number)
                    if self.released:
                        early = _(
                            "token {n} was asked for before the bytes of {token}, came",
                            n=number,
                            token=self,
                        )
                    raise Failure(self._name, early)
                self.made = number
                yield token
        finally:
            self.closed = True
            self._change.unpark_all()

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        try:
            for number, token in enumerate(self._tokens, 1):
                await trio.lowlevel.checkpoint()
                while number > self.released:
                    await self._change.park()
                self.made = number
                yield token
        finally:
            self.closed = True
            self._change.unpark_all()


class Lab:
    """One run of one check.

    Attributes:
        log: All bytes that the exercise was given ("sent") and returned ("received"), in order.
    """

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes]] = []

    @property
    def sent(self) -> bytes:
        return b"".join(data for direction, data in self.log if direction == "sent")

    @property
    def received(self) -> bytes:
        return b"".join(data for direction, data in self.log if direction == "received")

    def give(self, data: bytes) -> bytes:
        """Record bytes that the exercise is given. Returns them."""
        self.log.append(("sent", data))
        return data

    def take(self, data: bytes | bytearray) -> bytes:
        """Record bytes that the exercise has returned. Returns them.

        Raises:
            Failure: The failure "no-bytes", if the value is not bytes.
        """
        if not isinstance(data, bytes | bytearray):
            kind, value = type(data).__name__, f"{data!r:.40}"
            message = _("expected bytes, but got {kind}: {value}", kind=kind, value=value)
            raise Failure("no-bytes", message)
        self.log.append(("received", bytes(data)))
        return bytes(data)

    def tokens(self, *tokens: str, name: str = "held-back") -> Tokens:
        """Return a model's answer, of which no token is released yet.

        Args:
            tokens: The tokens of the answer.
            name: Name of the failure if a plain generator is asked for a token too early.
        """
        return Tokens(tokens, name)

    def connection(self, size: int = 64 << 10) -> tuple[MemoryStream, MemoryStream]:
        """Return a connection in memory: the check's end, and the exercise's end.

        Args:
            size: Number of bytes that each direction holds before a writer must wait.
        """
        return memory_pair(size)

    @asynccontextmanager
    async def running(
        self, call: Callable[..., Awaitable[object]], *arguments: object
    ) -> AsyncIterator[None]:
        """Run a function of the exercise while the block runs; cancel it at the block's end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, *arguments)
            yield
            nursery.cancel_scope.cancel()

    @contextmanager
    def deadline(
        self, waiting_for: str, *, name: str = "held-back", why: str = ""
    ) -> Iterator[None]:
        """Fail if the block does not end within `DEADLINE`.

        Args:
            waiting_for: The words for the message "waited 2 s for WAITING_FOR".
            name: Name of the failure.
            why: An explanation that the message adds after a colon.

        Raises:
            Failure: The failure `name`, at the deadline.
        """
        try:
            with trio.fail_after(DEADLINE):
                yield
        except trio.TooSlowError:
            message = _("waited {seconds:g} s for {what}", seconds=DEADLINE, what=waiting_for)
            if why:
                message = _("{message}: {why}", message=message, why=why)
            raise Failure(name, message, sent=self.sent, received=self.received) from None

    async def send(self, stream: ByteStream, data: bytes, waiting_for: str = "") -> None:
        """Send these bytes to the exercise."""
        with self.deadline(waiting_for or _("a reader"), name="does-not-read"):
            await stream.send_all(self.give(data))

    async def receive_until(
        self,
        stream: ByteStream,
        end: bytes,
        waiting_for: str,
        *,
        name: str = "held-back",
        why: str | None = None,
    ) -> bytes:
        """Receive from the exercise until the bytes received in this call contain `end`.

        Args:
            stream: The check's end of the connection.
            end: The bytes that must arrive.
            waiting_for: A description of these bytes, such as "the bytes of token 2, '好'".
            name: Name of the failure if they do not arrive in time.
            why: An explanation that the failure's message adds after a colon. By default, the
                answer holds the bytes back.

        Returns:
            All bytes received in this call.

        Raises:
            Failure: The failure `name` at the deadline, or "cut-off" if the stream ends first.
        """
        data = b""
        why = _("the answer holds them back") if why is None else why
        with self.deadline(waiting_for, name=name, why=why):
            while end not in data:
                more = self.take(await stream.receive_some())
                if not more:
                    message = _("the stream ended before {what} came", what=waiting_for)
                    raise Failure("cut-off", message, sent=self.sent, received=self.received)
                data += more
        return data
