"""A connection in memory: two byte streams that behave like the two ends of a TCP connection.

    client, server = memory_pair(size=64)      each direction holds at most 64 bytes
    await client.send_all(b"GET / …")          waits while the direction is full
    server.send_now(b"…")                      takes what fits: perhaps fewer bytes, perhaps 0
    server.writes                              the bytes of each write, in order

Tests and the checks of exercises use it. It follows those rules of the kernel on which the servers
rely, and `tests/clients/streams/test_tcp.py` runs the same tests over these streams and real
sockets:

1. A FIN ends one direction; the other stays open.
2. After a close, the peer's next write succeeds and causes an RST; the write after that fails.
3. A close while bytes are unread sends an RST at once, and so does `reset`.
"""

import trio

from .tcp import READ_SIZE, ByteStream

__all__ = ["MemoryStream", "memory_pair"]


class Direction:
    """Carries bytes from one end to the other, in order. At most `size` of them are unread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.buffer = bytearray()
        self.writes: list[bytes] = []
        self.finished = False  # the writer has sent FIN
        self.abandoned = False  # the reader has closed


class Link:
    """The state that both ends share: whether the connection is broken, and which tasks wait for a
    change."""

    def __init__(self) -> None:
        self.broken = False
        self.waiting = trio.lowlevel.ParkingLot()


class MemoryStream(ByteStream):
    """One end of a connection in memory.

    Attributes:
        writes: The bytes that each write of this end has sent. None of them is empty.
        closed: Whether the owner of this end has closed it.
    """

    def __init__(self, link: Link, incoming: Direction, outgoing: Direction) -> None:
        self.closed = False
        self.writes = outgoing.writes
        self._link = link
        self._incoming = incoming
        self._outgoing = outgoing

    def fileno(self) -> int:
        return -1  # there is no socket for an epoll to watch

    def send_now(self, data: bytes) -> int:
        self._check_open()
        if self._link.broken or self._outgoing.finished:
            raise trio.BrokenResourceError("the connection is broken")
        if self._outgoing.abandoned:
            self._break()  # the peer has closed, so it answers this write with an RST
            return len(data)
        taken = data[: self._outgoing.size - len(self._outgoing.buffer)]
        if taken:
            self._outgoing.buffer += taken
            self.writes.append(bytes(taken))
            self._link.waiting.unpark_all()
        return len(taken)

    async def wait_writable(self) -> None:
        while not self._writable():
            await self._link.waiting.park()

    def _writable(self) -> bool:
        """Whether `send_now` would accept a byte, or raise an error."""
        outgoing = self._outgoing
        dead = self.closed or self._link.broken or outgoing.finished or outgoing.abandoned
        return dead or len(outgoing.buffer) < outgoing.size

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        self._check_open()
        buffer = self._incoming.buffer
        if buffer:
            data = bytes(buffer[:max_bytes])
            del buffer[:max_bytes]
            self._link.waiting.unpark_all()
            return data
        if self._link.broken:
            raise trio.BrokenResourceError("the connection is broken")
        return b"" if self._incoming.finished else None

    async def wait_readable(self) -> None:
        while not self._readable():
            await self._link.waiting.park()

    def _readable(self) -> bool:
        """Whether `receive_now` would return bytes, or raise an error."""
        incoming = self._incoming
        return self.closed or self._link.broken or incoming.finished or bool(incoming.buffer)

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check_open()
        if self._link.broken:
            raise trio.BrokenResourceError("the connection is broken")
        self._outgoing.finished = True
        self._link.waiting.unpark_all()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._outgoing.finished = True
            self._incoming.abandoned = True
            if self._incoming.buffer:
                self._break()
            self._link.waiting.unpark_all()

    def reset(self) -> None:
        self._break()
        self.close()

    def _check_open(self) -> None:
        if self.closed:
            raise trio.ClosedResourceError("this stream was closed")

    def _break(self) -> None:
        self._link.broken = True
        self._link.waiting.unpark_all()


def memory_pair(size: int = 64 << 10) -> tuple[MemoryStream, MemoryStream]:
    """Return the two ends of one connection.

    Args:
        size: Largest number of unread bytes that each direction holds.
    """
    link, there, back = Link(), Direction(size), Direction(size)
    return MemoryStream(link, back, there), MemoryStream(link, there, back)
