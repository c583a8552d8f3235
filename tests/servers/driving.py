"""Two ways to drive a server in a test: a connection in memory, and a server on the loopback.

    async with connected(routes) as memory:        one Connection, no socket; with trio's
        await memory.client.send_all(b"GET / …")   autojump clock an hour passes in no time

    async with running(routes) as server:          a whole Server on real sockets
        client = await server.connect()
"""

import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import trio
import trio.testing

from clients.streams.tcp import SocketStream, connect
from protocol.chunked import ChunkedDecoder
from servers.http.connection import Connection, Limits
from servers.http.reply import Handler, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.http.server import Server, listen
from servers.http.watch import Watch

from ..streams import SAFETY, MemoryStream, memory_pair, receive_all

# The servers' time in these tests (conftest.py), and the fields of every response.
DATE = "Mon, 23 Nov 2026 08:00:00 GMT"
OWN = (
    f"Date: {DATE}\r\n"
    "Server: streaming-workshop\r\n"
    "X-Content-Type-Options: nosniff\r\n"
).encode()  # fmt: skip
TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
CLOSE = b"Connection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

Pieces = AsyncGenerator[bytes | Last, None]


def head(status: int, *fields: bytes) -> bytes:
    """Return a response's head: the status-line, the server's fields, and these fields."""
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    return line + OWN + b"".join(fields) + b"\r\n"


def text(body: bytes, *fields: bytes, status: int = 200) -> bytes:
    """A complete response of plain text with its length."""
    length = b"Content-Length: %d\r\n" % len(body)
    return head(status, TEXT, length, *fields) + body


def refusal(status: int, message: str) -> bytes:
    """The response to a bad request, after which the server closes."""
    body = f"{status} {HTTPStatus(status).phrase}\n\n{message}\n".encode()
    return text(body, CLOSE, status=status)


def get(path: str = "/", *fields: str) -> bytes:
    """A plain GET request."""
    lines = [f"GET {path} HTTP/1.1", "Host: a", *fields, "", ""]
    return "\r\n".join(lines).encode()


def replying(reply: Reply) -> Handler:
    async def handler(request: Request) -> Reply:
        return reply

    return handler


def streaming(
    pieces: Callable[[], Pieces], kind: type[StreamingReply] = StreamingReply
) -> Handler:
    """A handler whose reply is a new run of this generator."""

    async def handler(request: Request) -> StreamingReply:
        return kind(pieces())

    return handler


async def echo(request: Request) -> Reply:
    return Reply(request.body)


@dataclass
class Memory:
    """One connection in memory.

    Args:
        client: The test's end of the connection.
        server: The end that the server serves, with its recorded writes.
        done: An event that is set when the connection has ended.
    """

    client: MemoryStream
    server: MemoryStream
    connection: Connection
    done: trio.Event


@asynccontextmanager
async def connected(
    routes: Routes, limits: Limits | None = None, size: int = 64 << 10
) -> AsyncIterator[Memory]:
    """Serve one connection in memory whose directions hold `size` bytes each."""
    watch = Watch()
    client, server = memory_pair(size)
    connection = Connection(server, routes, watch, limits)
    done = trio.Event()

    async def serve() -> None:
        await connection.serve()
        assert not watch.connections
        done.set()

    virtual = isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)
    try:
        with trio.fail_after(10_000 if virtual else SAFETY):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch.run)
                for task in routes.tasks:
                    nursery.start_soon(task)
                nursery.start_soon(serve)
                yield Memory(client, server, connection, done)
                client.close()
                nursery.cancel_scope.cancel()
    finally:
        watch.close()


async def arrivals(stream: MemoryStream) -> dict[float, bytes]:
    """Return the bytes that arrived at each time, in seconds, until the end of the stream."""
    start = trio.current_time()
    came: dict[float, bytes] = {}
    while data := await stream.receive_some():
        now = trio.current_time() - start
        came[now] = came.get(now, b"") + data
    return came


async def ask(routes: Routes, *requests: bytes, limits: Limits | None = None) -> bytes:
    """Return the server's complete answer to these writes, which a FIN follows."""
    async with connected(routes, limits) as memory:
        for request in requests:
            await memory.client.send_all(request)
            await trio.testing.wait_all_tasks_blocked()
        await memory.client.send_eof()
        return await receive_all(memory.client)


@dataclass
class Running:
    """A server on the loopback, and its clients. `running` closes them."""

    server: Server
    port: int
    clients: list[SocketStream]

    async def connect(self) -> SocketStream:
        return self.adopt(await connect("127.0.0.1", self.port))

    def adopt(self, client: SocketStream) -> SocketStream:
        self.clients.append(client)
        return client

    async def ask(self, request: bytes) -> bytes:
        """The server's complete answer, until it closes."""
        client = await self.connect()
        try:
            with trio.fail_after(SAFETY):
                await client.send_all(request)
                return await receive_all(client)
        finally:
            client.close()


@asynccontextmanager
async def running(
    routes: Routes,
    limits: Limits | None = None,
    *,
    max_connections: int = 10_000,
    max_bodies_size: int = 64 << 20,
    grace_seconds: float = 5.0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Running]:
    """Serve on 127.0.0.1. At the end the server is aborted."""
    server = Server(
        routes,
        limits=limits,
        max_connections=max_connections,
        max_bodies_size=max_bodies_size,
        grace_seconds=grace_seconds,
        tls=tls,
    )
    sockets = listen("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, sockets)
            clients: list[SocketStream] = []
            try:
                yield Running(server, port, clients)
            finally:
                for client in clients:
                    client.close()
                server.abort()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition without an event, such as the kernel's part of a close."""
    with trio.fail_after(SAFETY):
        while not condition():  # noqa: ASYNC110 - without an event
            await trio.sleep(0.01)


def open_files() -> set[str]:
    """Return the numbers of this process's open files, if the system lists them."""
    return set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()


async def timed(routes: Routes, request: bytes) -> tuple[bytes, dict[float, bytes]]:
    """Return the head of a streamed answer, and the chunk-data that arrived at each time (§7.1).

    For the autojump clock, and for chunks whose data has no CRLF in it.
    """
    async with connected(routes) as memory:
        await memory.client.send_all(request)
        await memory.client.send_eof()
        came = await arrivals(memory.client)
    head, _, came[0] = came[0].partition(b"\r\n\r\n")
    assert list(came.values())[-1].endswith(b"\r\n0\r\n\r\n")
    bodies = {time: b"".join(ChunkedDecoder().receive_data(data)) for time, data in came.items()}
    return head + b"\r\n\r\n", {time: body for time, body in bodies.items() if body}
