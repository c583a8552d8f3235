r"""A raw connection to the server under test: it sends any bytes, also broken ones.

    async with target.wire() as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await wire.answer(seconds=5)

Nothing is added, corrected or read ahead. Every byte in both directions is kept for the report.
"""

import math

import trio

from clients.streams.tcp import READ_SIZE, ByteStream

from .answer import Answer

__all__ = ["Wire"]

AFTER_ERROR = 0.5  # seconds to wait for more, after bytes that break the grammar
MAX_ANSWER = 64 << 20  # bytes of one response: a server under test may send without end


class Wire:
    """One connection.

    Args:
        stream: The open connection. The wire owns it.

    Attributes:
        sent: All bytes that were sent on it.
        half_closed: Whether we have sent our FIN.
        broken: Whether the connection was reset, as far as we know.
    """

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.sent = b""
        self.half_closed = False
        self.broken = False
        self._unread = b""  # bytes after the end of the last response
        self._sent_at = trio.current_time()
        self._ended = False

    async def send(self, data: bytes) -> None:
        """Send bytes. A server that has closed is not an error: its response says more."""
        self.sent += data
        self._sent_at = trio.current_time()
        try:
            with trio.move_on_after(10):
                await self.stream.send_all(data)
        except trio.BrokenResourceError:
            self.broken = True
        self._sent_at = trio.current_time()

    async def send_eof(self) -> None:
        """Send a FIN. The server may still send."""
        self.half_closed = True
        try:
            await self.stream.send_eof()
        except trio.BrokenResourceError:
            self.broken = True

    async def read(self, answer: Answer, *, seconds: float, pieces: int | None = None) -> None:
        """Read a response, or go on with it.

        Args:
            answer: Takes what comes.
            seconds: Longest wait for the next byte. If it expires, the end is not recorded.
            pieces: Stop when the body has come in this many reads; None for its end.
        """
        with trio.CancelScope() as waiting:
            while not (answer.complete or answer.end or len(answer.raw) > MAX_ANSWER):
                if pieces is not None and len(answer.pieces) >= pieces:
                    return
                # After bytes that are not HTTP nothing can be read: no end would be found.
                longest = AFTER_ERROR if answer.error else seconds
                waiting.deadline = trio.current_time() + longest
                await self.read_some(answer)

    async def read_some(self, answer: Answer, max_bytes: int = READ_SIZE) -> None:
        """Read once: some bytes of a response, or the end."""
        data, self._unread = self._unread, b""
        try:
            if not data and not self._ended:
                data = await self.stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            self.broken = self._ended = True
        if data:
            answer.receive_data(self._now(), data)
            self._unread, answer.trailing_data = answer.trailing_data, b""
            return
        self._ended = True
        if self.broken:
            answer.receive_end(self._now(), "reset")
        else:
            answer.receive_end(self._now(), "truncated" if self.stream.truncated else "fin")

    async def answer(
        self, *, seconds: float, method: str = "GET", total: float = math.inf
    ) -> Answer:
        """Read a whole response.

        Args:
            seconds: Longest wait for the next byte. If it expires, the end is "silent".
            method: The method of the request.
            total: Longest time for all of it. If it expires, no end is recorded.
        """
        answer = Answer(self.sent, method)
        with trio.move_on_after(total) as reading:
            await self.read(answer, seconds=seconds)
        if not (answer.complete or answer.end or reading.cancelled_caught):
            answer.receive_end(self._now(), "silent")
        return answer

    async def ends(self, *, seconds: float) -> str:
        """Wait until the server's direction ends. Returns "fin", "reset", or "" if it does not."""
        with trio.move_on_after(seconds):
            try:
                while not self._ended:
                    data = await self.stream.receive_some()
                    self._unread += data
                    self._ended = not data
            except trio.BrokenResourceError:
                self.broken = self._ended = True
        return "reset" if self.broken else "fin" if self._ended else ""

    @property
    def unread(self) -> bytes:
        """Bytes that came after the end of the last response."""
        return self._unread

    def _now(self) -> float:
        return round((trio.current_time() - self._sent_at) * 1000, 3)


# What this file does not do: know what a request should look like (target.py).
