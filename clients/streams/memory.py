"""A connection in memory: two byte streams that behave as two ends of a TCP connection.

    client, server = memory_pair(size=64)      each direction holds 64 bytes, no more
    await client.send_all(b"GET / …")          waits while the direction is full
    server.send_now(b"…")                      takes what fits: perhaps fewer bytes, perhaps 0
    server.writes                              what each write handed over, in order

Tests and the checks of exercises talk over it. The kernel's rules that the servers rely on hold
here too, and `tests/clients/streams/test_tcp.py` runs one contract over these streams and over real
sockets:

1. A FIN ends one direction; the other goes on.
2. After a close the peer's next write succeeds and draws an RST; the one after it fails.
3. A close with unread bytes is an RST at once, and so is `reset`.
"""

import trio

from .tcp import LINGER_SECONDS, READ_SIZE

__all__ = ["MemoryStream", "memory_pair"]


class Direction:
    """Bytes from one end to the other, in order, a bounded number at a time."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.buffer = bytearray()
        self.writes: list[bytes] = []
        self.finished = False  # the writer has sent FIN
        self.abandoned = False  # the reader has closed


class Wire:
    """What both ends share: whether it is broken, and who waits for a change."""

    def __init__(self) -> None:
        self.broken = False
        self.waiting = trio.lowlevel.ParkingLot()


class MemoryStream:
    """One end. It keeps the contract of `clients.streams.tcp.ByteStream`.

    Attributes:
        writes: what each write of this end handed over at once, none empty.
        closed: this end was closed, here.
    """

    def __init__(self, wire: Wire, incoming: Direction, outgoing: Direction) -> None:
        self.closed = False
        self.writes = outgoing.writes
        self._wire = wire
        self._incoming = incoming
        self._outgoing = outgoing

    def fileno(self) -> int:
        return -1  # nothing for an epoll to watch

    def send_now(self, data: bytes) -> int:
        if self.closed:
            raise trio.ClosedResourceError("this stream was closed")
        if self._wire.broken or self._outgoing.finished:
            raise trio.BrokenResourceError("the connection is broken")
        if self._outgoing.abandoned:
            self._break()  # nobody is there: the answer to this write is an RST
            return len(data)
        taken = data[: self._outgoing.size - len(self._outgoing.buffer)]
        if taken:
            self._outgoing.buffer += taken
            self.writes.append(bytes(taken))
            self._wire.waiting.unpark_all()
        return len(taken)

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        sent = self.send_now(data)
        while sent < len(data):
            await self.wait_writable()
            sent += self.send_now(data[sent : sent + self._outgoing.size])

    async def wait_writable(self) -> None:
        while not self._writable():
            await self._wire.waiting.park()

    def _writable(self) -> bool:
        """`send_now` would take a byte, or raise."""
        there = self._outgoing
        gone = self.closed or self._wire.broken or there.finished or there.abandoned
        return gone or len(there.buffer) < there.size

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        if self.closed:
            raise trio.ClosedResourceError("this stream was closed")
        buffer = self._incoming.buffer
        if buffer:
            data = bytes(buffer[:max_bytes])
            del buffer[:max_bytes]
            self._wire.waiting.unpark_all()
            return data
        if self._wire.broken:
            raise trio.BrokenResourceError("the connection is broken")
        return b"" if self._incoming.finished else None

    async def wait_readable(self) -> None:
        while not self._readable():
            await self._wire.waiting.park()

    def _readable(self) -> bool:
        """`receive_now` would give something, or raise."""
        there = self._incoming
        return self.closed or self._wire.broken or there.finished or bool(there.buffer)

    async def receive_some(self, max_bytes: int = READ_SIZE) -> bytes:
        await trio.lowlevel.checkpoint()
        while (data := self.receive_now(max_bytes)) is None:
            await self.wait_readable()
        return data

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.closed:
            raise trio.ClosedResourceError("this stream was closed")
        if self._wire.broken:
            raise trio.BrokenResourceError("the connection is broken")
        self._outgoing.finished = True
        self._wire.waiting.unpark_all()

    async def aclose(self) -> None:
        with trio.move_on_after(LINGER_SECONDS, shield=True):
            try:
                await self.send_eof()
                while await self.receive_some():
                    pass
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        self.close()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._outgoing.finished = True
            self._incoming.abandoned = True
            if self._incoming.buffer:
                self._break()
            self._wire.waiting.unpark_all()

    def reset(self) -> None:
        """Close with an RST, as a process that is killed may."""
        self._break()
        self.close()

    def _break(self) -> None:
        self._wire.broken = True
        self._wire.waiting.unpark_all()


def memory_pair(size: int = 64 << 10) -> tuple[MemoryStream, MemoryStream]:
    """Two ends of one connection.

    Args:
        size: how many unread bytes each direction holds.
    """
    wire, there, back = Wire(), Direction(size), Direction(size)
    return MemoryStream(wire, back, there), MemoryStream(wire, there, back)
