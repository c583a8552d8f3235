"""Real servers for the time of one run, and a client that sees each read.

    async with serving(sse.routes(Pace(0.2, 0.2))) as port:       a server on a free port
        async for at, data in reads(port, GET):                   0.2  b"HTTP/1.1 200 OK…"

A browser shows a page the body of a response, but neither its framing nor the times of its reads,
and it cannot be told to stop reading. So a figure's client is here, beside the servers that it
asks, and its page only draws what the client reports.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import trio

from clients.streams.tcp import SocketStream, connect
from servers.http.routes import Routes
from servers.http.server import Server, listen

__all__ = ["LOOPBACK", "get", "reads", "serving"]

LOOPBACK = "127.0.0.1"


@asynccontextmanager
async def serving(routes: Routes, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run a server on a free port of the loopback, which it yields.

    Args:
        routes: The routes of the server.
        tls: TLS settings with the server's certificate, or None for a server without TLS.
    """
    server = Server(routes, tls=tls)
    sockets = listen(LOOPBACK, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, sockets)
        try:
            yield sockets[0].getsockname()[1]
        finally:
            server.abort()
            nursery.cancel_scope.cancel()


def get(path: str, *fields: str) -> bytes:
    """Return the bytes of a GET request that asks the server to close the connection afterwards."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *fields]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


async def reads(port: int, request: bytes) -> AsyncGenerator[tuple[float, bytes], None]:
    """Send a request, and yield the time of each read and its bytes, until the server closes.

    The time is in seconds since the request was sent. If you close the generator before its end,
    close the server too.
    """
    stream: SocketStream = await connect(LOOPBACK, port)
    try:
        await stream.send_all(request)
        began = trio.current_time()
        while data := await stream.receive_some():
            yield trio.current_time() - began, data
    finally:
        stream.close()
