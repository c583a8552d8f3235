"""Helpers for tests that read from a byte stream."""

from clients.streams.memory import MemoryStream, memory_pair
from clients.streams.tcp import ByteStream

__all__ = ["SAFETY", "MemoryStream", "memory_pair", "receive_all", "receive_until"]

SAFETY = 180.0
"""Seconds of real time after which a test gives up.

No result depends on it: what tests wait for takes milliseconds, the start of a process a second,
and a few times as long on a busy machine."""


async def receive_until(stream: ByteStream, end: bytes) -> bytes:
    """Receive until the bytes end with `end`. Fail if the stream ends first."""
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
