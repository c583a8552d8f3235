"""What the tests do with a connection in memory, or with any other."""

from clients.streams.memory import MemoryStream, memory_pair
from clients.streams.tcp import ByteStream

__all__ = ["SAFETY", "MemoryStream", "memory_pair", "receive_all", "receive_until"]

SAFETY = 60.0
"""Seconds after which what must happen is called a failure, on the real clock.

It decides nothing: what is waited for takes milliseconds, the start of a process a second, and
a few times as long on a machine that other programs keep busy."""


async def receive_until(stream: ByteStream, end: bytes) -> bytes:
    """Receive until what came ends with these bytes; fail at the end of the stream."""
    data = b""
    while not data.endswith(end):
        more = await stream.receive_some()
        assert more, f"the stream ended with {data[-80:]!r}, not {end!r}"
        data += more
    return data


async def receive_all(stream: ByteStream) -> bytes:
    """Receive until the peer has finished."""
    data = bytearray()
    while more := await stream.receive_some():
        data += more
    return bytes(data)
