"""The bytes after a streaming reply's head: pieces in, frames out, each in one write.

    yield b"data: hi\\n\\n"      ->   a\\r\\ndata: hi\\n\\n\\r\\n       to HTTP/1.1: one chunk
                               ->   data: hi\\n\\n               to HTTP/1.0: the bytes as they are
    the generator ends         ->   0\\r\\n\\r\\n                  or the end of the connection
"""

import math
from collections.abc import Callable

import trio

from clients.stream import ByteStream
from protocol.chunked import encode_chunk, encode_last_chunk

__all__ = ["Body"]


class Body:
    """The sending side of one streamed body.

    Args:
        stream: where to.
        chunked: frame each piece as a chunk; else the body ends with the connection.
        heartbeat: what `beat` sends, as a piece of its own.

    Attributes:
        pieces, size: what the handler has sent so far, in pieces and in bytes before framing.
        ended: everything, with the end of the body, is in the kernel's hands.
    """

    def __init__(self, stream: ByteStream, *, chunked: bool, heartbeat: bytes = b"") -> None:
        self.pieces = 0
        self.size = 0
        self.ended = False
        self._stream = stream
        self._frame: Callable[[bytes], bytes] = encode_chunk if chunked else bytes
        self._end = encode_last_chunk() if chunked else b""
        self._heartbeat = heartbeat
        self._last_write = trio.current_time()
        self._blocked_since = math.inf
        self._unsent = b""  # the rest of a heartbeat that did not leave whole

    async def send(self, piece: bytes) -> None:
        """Send one piece. Returns when the kernel has all of it."""
        await self._send(self._frame(piece))
        self.pieces += 1
        self.size += len(piece)

    async def end(self, piece: bytes = b"") -> None:
        """End the body, after a last piece that leaves in the same write."""
        await self._send(self._frame(piece) + self._end)
        self.pieces += bool(piece)
        self.size += len(piece)
        self.ended = True

    def beat(self, now: float, interval: float) -> None:
        """Send the heartbeat if nothing was sent for `interval` seconds.

        Never inside a frame: not while a piece waits for a slow reader.
        """
        between_frames = self._blocked_since == math.inf and not self._unsent
        if self._heartbeat and between_frames and now - self._last_write >= interval:
            frame = self._frame(self._heartbeat)
            self._unsent = frame[self._stream.send_now(frame) :]
            self._last_write = now

    def blocked_for(self, now: float) -> float:
        """For how many seconds the reader has taken nothing."""
        return max(0.0, now - self._blocked_since)

    async def _send(self, data: bytes) -> None:
        self._blocked_since = trio.current_time()
        await self._stream.send_all(self._unsent + data)
        self._unsent = b""
        self._blocked_since = math.inf
        self._last_write = trio.current_time()
