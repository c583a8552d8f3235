"""The bytes after a streaming reply's head: pieces in, frames out, each in one write.

    yield b"data: hi\\n\\n"      ->   a\\r\\ndata: hi\\n\\n\\r\\n       to HTTP/1.1: one chunk
                               ->   data: hi\\n\\n               to HTTP/1.0: the bytes as they are
    the generator ends         ->   0\\r\\n\\r\\n                  or the end of the connection
"""

from collections.abc import Callable
from enum import Enum
from typing import Protocol

import trio

from clients.streams.tcp import SEND_SIZE
from protocol.chunked import encode_chunk, encode_last_chunk

__all__ = ["Body", "Ending", "Outlet"]


class Outlet(Protocol):
    """What a body is sent to: a `ByteStream`, or what stands before one and passes bytes on."""

    def send_now(self, data: bytes) -> int: ...
    async def wait_writable(self) -> None: ...


class Ending(Enum):
    """How a reply ended, in the words of the log, of its recording and of the metrics."""

    DONE = "done"
    FAILED = "cut off"  # by an error after its head
    CUT_OFF = "cut off on purpose"
    RESET = "reset"  # on purpose, with an RST
    DISCONNECTED = "the client disconnected"
    STALLED = "the reader stalled"
    STOPPED = "the server stopped"


class Body:
    """The sending side of one streamed body.

    Args:
        outlet: where to.
        chunked: frame each piece as a chunk; else the body ends with the connection.
        heartbeat: what `beat` sends, as a piece of its own; b"" for nothing.

    Attributes:
        pieces, size: what the handler has sent so far, in pieces and in bytes before framing.
        beats: heartbeats sent so far.
        cause: why its sending is cancelled, if it is cancelled now: the connection says so.
        ended: everything, with the end of the body, is in the kernel's hands.
    """

    __slots__ = (
        "_end",
        "_frame",
        "_last_write",
        "_outlet",
        "_sending",
        "_unsent",
        "beats",
        "cause",
        "ended",
        "heartbeat",
        "pieces",
        "size",
    )

    def __init__(self, outlet: Outlet, *, chunked: bool, heartbeat: bytes = b"") -> None:
        self.pieces = 0
        self.size = 0
        self.beats = 0
        self.ended = False
        self.cause = Ending.STOPPED  # unless the connection knows better
        self._outlet = outlet
        self._frame: Callable[[bytes], bytes] = encode_chunk if chunked else bytes
        self._end = encode_last_chunk() if chunked else b""
        self.heartbeat = heartbeat
        self._last_write = trio.current_time()
        self._sending = False  # a frame waits for the reader to take all of it
        self._unsent = b""  # the rest of a frame that `send_now` or `beat` could not send whole

    @property
    def ending(self) -> Ending:
        """How it ended, to be asked by a source whose sending was cancelled."""
        return self.cause

    async def begin(self, data: bytes) -> None:
        """Send the head, or a whole response. The others' turn comes with what follows: a turn
        between head and first piece would cost as much as both."""
        await self._send(data, give_turn=False)

    async def send_raw(self, data: bytes) -> None:
        """Send bytes as they are, in no frame: what a fault sends in place of a chunk."""
        await self._send(data)

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
            now: the time, which the caller has read for many at once.

        Returns:
            Whether the kernel has all of it. If not, `flush` must be awaited before the next.
        """
        frame = self._frame(piece)
        if self._unsent:
            frame = self._unsent + frame
        sent = self._outlet.send_now(frame)
        self.pieces += 1
        self.size += len(piece)
        self._last_write = now
        whole = sent == len(frame)
        self._unsent = b"" if whole else frame[sent:]
        self._sending = not whole
        return whole

    async def flush(self) -> None:
        """Wait until the kernel has all that was sent."""
        await self._send(b"")

    async def end(self, piece: bytes = b"") -> None:
        """End the body, after a last piece that leaves in the same write. The others' turn comes
        when the next request is waited for."""
        await self._send(self._frame(piece) + self._end, give_turn=False)
        self.pieces += bool(piece)
        self.size += len(piece)
        self.ended = True

    def beat(self, now: float, interval: float) -> None:
        """Send the heartbeat if nothing was sent for `interval` seconds.

        Never inside a frame: not while a piece waits for a slow reader.
        """
        silent = not self._sending and now - self._last_write >= interval
        if self.heartbeat and silent and not self.ended:
            frame = self._unsent or self._frame(self.heartbeat)
            self.beats += 1
            self._unsent = frame[self._outlet.send_now(frame) :]
            self._last_write = now

    def stalled_for(self, now: float) -> float:
        """For how many seconds the reader has taken nothing of what waits for it."""
        return now - self._last_write if self._sending else 0.0

    async def _send(self, data: bytes, *, give_turn: bool = True) -> None:
        data = self._unsent + data
        self._unsent = b""
        self._sending = True
        self._last_write = trio.current_time()
        # First what the kernel takes at once, then the others' turn: nothing waits for them.
        sent = self._outlet.send_now(data)
        if give_turn:
            await trio.lowlevel.checkpoint()
        while sent < len(data):
            await self._outlet.wait_writable()
            taken = self._outlet.send_now(data[sent : sent + SEND_SIZE])
            if taken:
                self._last_write = trio.current_time()
            sent += taken
        self._sending = False
        self._last_write = trio.current_time()
