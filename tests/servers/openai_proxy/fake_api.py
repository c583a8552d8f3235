"""A fake upstream: it sends the bytes that the test gives, and records the requests.

async with fake_api(HEAD, b"data: 1\\n\\n") as api:      one write for each piece
    async with proxied(api) as proxy:
        await proxy.ask(post(stream=True))
api.requests                                          the bytes of each request
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from clients.streams.tcp import ByteStream, SocketStream
from protocol.head import HeadReader
from servers.http.connection import Limits
from servers.http.redact import Secret
from servers.openai_proxy.handlers import Upstream, routes
from servers.openai_proxy.relay import Timeouts

from ..driving import Running, running

KEY = "sk-canary-0123456789abcdef"

EVENTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: req_upstream\r\n"
    b"Set-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(body: bytes, status: str = "200 OK", *fields: str) -> bytes:
    """A response with Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class FakeAPI:
    """The fake upstream.

    Attributes:
        port: The port on which the fake upstream listens.
        requests: The bytes of each request.
        gone: An event that is set when the proxy has closed its connection.
        go: A semaphore. With `held`, the test releases it once for each piece.
        sent: The number of pieces sent.
    """

    port: int
    pieces: Sequence[bytes]
    held: bool = False
    stays: bool = False
    resets: bool = False
    requests: list[bytes] = field(default_factory=list)
    gone: trio.Event = field(default_factory=trio.Event)
    go: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(0))
    sent: int = 0

    async def serve(self, opened: trio.SocketStream) -> None:
        stream = SocketStream.adopt(opened)
        try:
            self.requests.append(await read_request(stream))
            for piece in self.pieces:
                if self.held:
                    await self.go.acquire()
                await stream.send_all(piece)
                self.sent += 1
            if self.resets:
                stream.reset()
            elif not self.stays:
                await stream.send_eof()
            while await stream.receive_some():
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.gone.set()
            stream.close()


async def read_request(stream: ByteStream) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive_some()
    head = HeadReader().receive_data(data)
    assert head is not None
    length = next((int(v) for n, v in head.fields if n == b"content-length"), 0)
    end = data.index(b"\r\n\r\n") + 4 + length
    while len(data) < end:
        data += await stream.receive_some()
    assert len(data) == end, "one request, and nothing after it"
    return data


@asynccontextmanager
async def fake_api(
    *pieces: bytes, held: bool = False, stays: bool = False, resets: bool = False
) -> AsyncIterator[FakeAPI]:
    """Send these pieces in reply to each request.

    Args:
        held: Whether each piece waits for `go`.
        stays: Whether the connection stays open after the last piece.
        resets: Whether the connection is reset after the last piece.
    """
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    api = FakeAPI(listener.socket.getsockname()[1], pieces, held, stays, resets)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, api.serve, [listener])
        yield api
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def proxied(
    port: int, timeouts: Timeouts | None = None, *, fin_is_disconnect: bool = True
) -> AsyncIterator[Running]:
    """Run the proxy, with an API on this port as its upstream."""
    upstream = Upstream(f"http://127.0.0.1:{port}/v1", Secret(KEY), None, timeouts or Timeouts())
    limits = Limits(fin_is_disconnect=fin_is_disconnect, heartbeat_seconds=3600)
    async with running(routes(upstream), limits) as proxy:
        yield proxy
