"""An observed stream reports what was really sent and received, and how the stream ended."""

import pytest
import trio

from clients.streams.tcp import ByteStream
from clients.tap import ObservedStream, WireObserver

from ..streams import memory_pair, receive_all
from .streams.tls_peers import tls_pair


class Log(WireObserver):
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, bytes]] = []

    def sent(self, layer: str, data: bytes) -> None:
        self.lines.append((layer, "sent", data))

    def received(self, layer: str, data: bytes) -> None:
        self.lines.append((layer, "received", data))


async def test_it_reports_only_bytes_that_were_sent(autojump_clock: object) -> None:
    """Also if a cancellation ends `send_all` halfway."""
    near, far = memory_pair(size=4)
    log = Log()
    stream = ObservedStream(near, log, "tcp")
    with trio.move_on_after(1):
        await stream.send_all(b"abcdef")
    assert log.lines == [("tcp", "sent", b"abcd")]
    assert await far.receive_some() == b"abcd"


async def test_it_reports_each_read_and_the_end() -> None:
    near, far = memory_pair()
    log = Log()
    far.send_now(b"abc")
    far.close()
    assert await receive_all(ObservedStream(near, log, "http")) == b"abc"
    assert log.lines == [("http", "received", b"abc"), ("http", "received", b"")]


@pytest.mark.parametrize("clean", [True, False])
async def test_it_passes_on_how_a_tls_stream_ended(clean: bool) -> None:
    client, server = await tls_pair()
    stream: ByteStream = ObservedStream(client, Log(), "http")
    server.send_now(b"hello")
    assert await stream.receive_some() == b"hello"
    assert not stream.ended
    if clean:
        server.close()
    else:
        await server._stream.send_eof()  # a FIN without close_notify
    assert await stream.receive_some() == b""
    assert (stream.ended, stream.truncated) == (True, not clean)
