"""The bytes after a streaming reply's head: each piece becomes a frame and is sent in one write.

    yield b"data: hi\\n\\n"      ->   a\\r\\ndata: hi\\n\\n\\r\\n       to HTTP/1.1: one chunk
                               ->   data: hi\\n\\n               to HTTP/1.0: the bytes as they are
    the generator ends         ->   0\\r\\n\\r\\n                  or the end of the connection
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

import trio

from clients.streams.tcp import SEND_SIZE
from protocol.chunked import encode_chunk, encode_last_chunk

__all__ = ["Body", "BodyWriter", "Ending", "Outlet"]


class Outlet(Protocol):
    """The connection on which a body is sent: a `ByteStream`, or a wrapper that passes bytes on."""

    def send_now(self, data: bytes) -> int: ...
    async def wait_writable(self) -> None: ...


class Ending(Enum):
    """How a reply ended. The log, its recording and the metrics use these words."""

    DONE = "done"
    FAILED = "cut off"  # by an error after the head was sent
    CUT_OFF = "cut off on purpose"
    RESET = "reset"  # on purpose, with RST
    DISCONNECTED = "the client disconnected"
    STALLED = "the reader stalled"
    STOPPED = "the server stopped"


class BodyWriter(Protocol):
    """The part of a body that its source may use; see `Body` for each member."""

    heartbeat: bytes

    @property
    def heartbeats(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    @property
    def ending(self) -> Ending: ...
    async def send(self, piece: bytes) -> None: ...
    async def send_raw(self, data: bytes, *, ends: bool = False) -> None: ...
    def send_now(self, piece: bytes, now: float) -> bool: ...
    def send_many_now(self, pieces: Sequence[bytes], now: float) -> bool: ...
    async def flush(self) -> None: ...
    async def end(self, piece: bytes = b"") -> None: ...


class Body:
    """The sending side of one streamed body: the `BodyWriter` that a source gets.

    Args:
        outlet: The connection on which the body is sent.
        chunked: Whether each piece is sent as a chunk. Without chunks, the body ends with the
            connection.
        heartbeat: A piece to send after a silence, or b"" to send nothing.

    Attributes:
        pieces, size: Number of pieces that the source has sent so far, and their bytes before
            framing.
        heartbeats: Number of heartbeats sent so far.
        cause: The `Ending` to report if the sending is cancelled now. The connection sets it.
        ended: Whether the kernel has all of the body, including its end.
    """

    __slots__ = (
        "_end",
        "_frame",
        "_last_write",
        "_outlet",
        "_send_now",
        "_sending",
        "_unsent",
        "cause",
        "ended",
        "heartbeat",
        "heartbeats",
        "pieces",
        "size",
    )

    def __init__(self, outlet: Outlet, *, chunked: bool, heartbeat: bytes = b"") -> None:
        self.pieces = 0
        self.size = 0
        self.heartbeats = 0
        self.ended = False
        self.cause = Ending.STOPPED  # unless the connection sets another cause
        self._outlet = outlet
        self._send_now = outlet.send_now  # looked up once, not for each token
        self._frame: Callable[[bytes], bytes] = encode_chunk if chunked else bytes
        self._end = encode_last_chunk() if chunked else b""
        self.heartbeat = heartbeat
        self._last_write = trio.current_time()
        self._sending = False  # a part of a frame waits until the reader makes room for it
        self._unsent = b""  # the waiting part, if `send_now` or `send_heartbeat` left it

    @property
    def ending(self) -> Ending:
        """How the reply ended, for a source whose sending was cancelled."""
        return self.cause

    def begin(self, data: bytes) -> bool:
        """Send the head, or a whole response, without a task switch. Returns whether the kernel has
        accepted all of it. If not, await `flush`.

        The other tasks get their turn with the first piece, not here, because a turn between head
        and piece would cost as much as sending both.
        """
        self._unsent = data[self._send_now(data) :]
        self._sending = bool(self._unsent)
        return not self._sending

    async def send_raw(self, data: bytes, *, ends: bool = False) -> None:
        """Send bytes without a frame. A fault uses this method to send bytes in place of a chunk.

        Args:
            ends: Whether these bytes contain the end of the body.
        """
        await self._send(data)
        self.ended |= ends

    async def send(self, piece: bytes) -> None:
        """Send one piece. Returns when the kernel has all of it."""
        if not piece:
            await trio.lowlevel.checkpoint()
            return
        await self._send(self._frame(piece))
        self.pieces += 1
        self.size += len(piece)

    def send_now(self, piece: bytes, now: float) -> bool:
        """Send one piece without a task switch.

        Args:
            now: The current time on trio's clock. A caller that sends many pieces reads the clock
                only once.

        Returns:
            Whether the kernel has all of the piece. Otherwise await `flush` before the next piece.
        """
        frame = self._frame(piece)
        if self._unsent:
            frame, self._unsent = self._unsent + frame, b""
        self.pieces += 1
        self.size += len(piece)
        self._last_write = now
        sent = self._send_now(frame)
        if sent == len(frame):
            return True
        self._unsent = frame[sent:]
        self._sending = True
        return False

    def send_many_now(self, pieces: Sequence[bytes], now: float) -> bool:
        """Send several pieces in one write. The bytes are the same as with one `send_now` each."""
        *others, last = pieces
        self._unsent += b"".join(map(self._frame, others))
        self.pieces += len(others)
        self.size += sum(map(len, others))
        return self.send_now(last, now)

    async def flush(self) -> None:
        """Wait until the kernel has everything that was sent."""
        await self._send(b"")

    async def end(self, piece: bytes = b"") -> None:
        """End the body, in one write with a last piece.

        The other tasks get their turn when the connection waits for its next request.
        """
        await self._send(self._frame(piece) + self._end, give_turn=False)
        self.pieces += bool(piece)
        self.size += len(piece)
        self.ended = True

    def send_heartbeat(self, now: float, interval: float) -> None:
        """Send the heartbeat if nothing was sent for `interval` seconds.

        A heartbeat is never sent inside a frame, and so never while a piece waits for a slow
        reader.
        """
        silent = not self._sending and now - self._last_write >= interval
        if self.heartbeat and silent and not self.ended:
            frame = self._unsent or self._frame(self.heartbeat)
            self.heartbeats += 1
            self._unsent = frame[self._send_now(frame) :]
            self._last_write = now

    def stalled_for(self, now: float) -> float:
        """Return for how many seconds the reader has read nothing, although bytes wait for it."""
        return now - self._last_write if self._sending else 0.0

    async def _send(self, data: bytes, *, give_turn: bool = True) -> None:
        data = self._unsent + data
        self._unsent = b""
        self._sending = True
        self._last_write = trio.current_time()
        # First send what the kernel accepts at once. Then give the other tasks a turn.
        sent = self._send_now(data)
        if give_turn:
            await trio.lowlevel.checkpoint()
        while sent < len(data):
            await self._outlet.wait_writable()
            taken = self._send_now(data[sent : sent + SEND_SIZE])
            if taken:
                self._last_write = trio.current_time()
            sent += taken
        self._sending = False
