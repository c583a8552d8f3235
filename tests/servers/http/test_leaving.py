"""Clients that disconnect, on real sockets: when the server notices, and that nothing is left.

    the client     and the server notices
    ------------   ------------------------------------------------
    RST            at once, without a write (epoll), or at the next
    close          within two writes; in silence, at the heartbeat
    FIN            it does not: the client may still read, so the stream goes on

No test here waits for a time: each step waits for the effect of the step before it.
"""

import math
import random
import select
import socket
from collections.abc import AsyncGenerator

import pytest
import trio

from clients.streams.tcp import SocketStream
from servers.http.connection import Connection, Limits
from servers.http.reply import EventStream, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes

from ...streams import SAFETY, receive_all, receive_until
from ..driving import Running, get, open_files, running, until

needs_epoll = pytest.mark.skipif(
    not hasattr(select, "epoll"), reason="this system has no epoll: only writing finds out"
)


class Source:
    """A handler whose stream makes a piece each time the test asks for one.

    Attributes:
        made: Number of pieces for which the server asked.
        ended: An event that is set when the generator was closed.
    """

    def __init__(self, piece: bytes = b"data: x\n\n") -> None:
        self.piece = piece
        self.made = 0
        self.begin()

    def begin(self) -> None:
        """Prepare one stream."""
        self.ended = trio.Event()
        self._go, self._gate = trio.open_memory_channel[None](0)

    async def handler(self, request: Request) -> StreamingReply:
        return EventStream(self._pieces())

    async def _pieces(self) -> AsyncGenerator[bytes | Last, None]:
        try:
            async for _ in self._gate:
                self.made += 1
                yield self.piece
        finally:
            self._gate.close()
            self.ended.set()

    async def speak(self) -> None:
        """Make a piece. Raises `trio.BrokenResourceError` when the stream has ended."""
        with trio.fail_after(SAFETY):
            await self._go.send(None)

    async def speak_until_closed(self) -> None:
        """Make pieces until the server asks for no more, which must happen soon."""
        try:
            for _ in range(5):
                await self.speak()
        except trio.BrokenResourceError:
            await self.ended.wait()
        else:
            pytest.fail(f"still streaming, {self.made} pieces")

    def finish(self) -> None:
        self._go.close()


async def listener_of(server: Running, source: Source) -> SocketStream:
    """A client that has read the head and the first piece, so that nothing is unread."""
    client = await server.connect()
    await client.send_all(get())
    await source.speak()
    await receive_until(client, source.piece + b"\r\n")
    return client


async def test_reset_while_streaming() -> None:
    """The generator is closed within two more pieces, and nothing else is left."""
    source = Source()
    async with running(Routes({"GET /": source.handler})) as server:
        client = await listener_of(server, source)
        client.reset()
        await source.speak_until_closed()
        assert source.made <= 3
        await until(lambda: server.server.connection_count == 0)


@needs_epoll
async def test_reset_in_silence() -> None:
    """No write is needed, because the kernel reports it long before a heartbeat."""
    source = Source()
    async with running(Routes({"GET /": source.handler})) as server:
        client = await listener_of(server, source)
        client.reset()
        with trio.fail_after(SAFETY):
            await source.ended.wait()
        assert source.made == 1
        await until(lambda: server.server.connection_count == 0)


async def test_close_is_noticed_within_two_writes() -> None:
    """The first write after a close succeeds, and is answered with an RST."""
    source = Source()
    async with running(Routes({"GET /": source.handler})) as server:
        client = await listener_of(server, source)
        client.close()
        await source.speak_until_closed()
        assert source.made <= 1 + 2
        await until(lambda: server.server.connection_count == 0)


@needs_epoll
async def test_close_in_silence_is_noticed_at_the_heartbeat() -> None:
    """The heartbeat is the write that draws the RST."""
    source = Source()
    limits = Limits(heartbeat_seconds=0.1)
    async with running(Routes({"GET /": source.handler}), limits) as server:
        client = await listener_of(server, source)
        client.close()
        with trio.fail_after(SAFETY):
            await source.ended.wait()
        assert source.made == 1


async def test_fin_is_a_half_close() -> None:
    """A client that sends FIN still reads: it gets everything, and then a close."""
    source = Source()
    async with running(Routes({"GET /": source.handler})) as server:
        client = await listener_of(server, source)
        await client.send_eof()
        for _ in range(20):
            await source.speak()
        source.finish()
        with trio.fail_after(SAFETY):
            assert await receive_all(client) == b"9\r\ndata: x\n\n\r\n" * 20 + b"0\r\n\r\n"
        client.close()
        await until(lambda: server.server.connection_count == 0)


async def test_one_disconnects_and_another_stays() -> None:
    """The other's stream goes on."""
    one, other = Source(), Source()
    routes = Routes({"GET /one": one.handler, "GET /other": other.handler})
    async with running(routes) as server:
        leaving = await server.connect()
        await leaving.send_all(get("/one"))
        staying = await server.connect()
        await staying.send_all(get("/other"))
        await one.speak()
        await other.speak()
        leaving.reset()
        await one.speak_until_closed()
        await other.speak()
        other.finish()
        body = b"9\r\ndata: x\n\n\r\n" * 2 + b"0\r\n\r\n"
        assert (await receive_until(staying, body)).endswith(body)
        staying.close()


async def test_two_streams_on_one_connection() -> None:
    """Keep-alive: the socket is watched during each stream."""
    source = Source()
    async with running(Routes({"GET /": source.handler})) as server:
        client = await server.connect()
        for _ in range(3):
            source.begin()
            await client.send_all(get())
            await source.speak()
            source.finish()
            assert (await receive_until(client, b"\r\n0\r\n\r\n")).endswith(
                b"\r\n\r\n9\r\ndata: x\n\n\r\n0\r\n\r\n"
            )


class Flood:
    """Streams of large pieces, as fast as each reader takes them; counts the pieces of each."""

    PIECE = b"x" * (64 << 10)
    PIECES = 1000  # 64 MB: more than a kernel buffers for a reader that does not read

    def __init__(self) -> None:
        self.made: dict[str, int] = {}

    async def handler(self, request: Request) -> StreamingReply:
        return StreamingReply(self._pieces(request.query))

    async def _pieces(self, name: str) -> AsyncGenerator[bytes | Last, None]:
        self.made[name] = 0
        for _ in range(self.PIECES):
            self.made[name] += 1
            yield self.PIECE


async def connect_with_small_buffer(server: Running) -> SocketStream:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 10)
    sock.connect(("127.0.0.1", server.port))
    return server.adopt(SocketStream(sock))


async def test_a_slow_reader_slows_down_no_one_else() -> None:
    """It has read nothing when the fast reader has read all. The bytes that wait for it are
    limited: its generator stops when the kernel's buffer is full."""
    flood = Flood()
    async with running(Routes({"GET /": flood.handler})) as server:
        slow = await connect_with_small_buffer(server)
        await slow.send_all(get("/?slow"))
        fast = await server.connect()
        await fast.send_all(get("/?fast"))
        size = 0
        with trio.fail_after(SAFETY):
            tail = b""
            while not tail.endswith(b"\r\n0\r\n\r\n"):
                data = await fast.receive_some()
                assert data
                size += len(data)
                tail = tail[-8:] + data
        assert size > flood.PIECES * len(flood.PIECE)
        assert flood.made["fast"] == flood.PIECES
        # With TCP_NOTSENT_LOWAT, back pressure begins after kilobytes; without it, after megabytes.
        limit = 8 if hasattr(socket, "TCP_NOTSENT_LOWAT") else 200
        assert 1 <= flood.made["slow"] <= limit
        slow.close()
        fast.close()
        await until(lambda: server.server.connection_count == 0)


async def test_two_hundred_clients_disconnect() -> None:
    """At random moments, in every way. No connection, generator or open file is left."""
    dice = random.Random(7)
    files = open_files()
    alive = 0

    async def handler(request: Request) -> StreamingReply:
        async def pieces() -> AsyncGenerator[bytes | Last, None]:
            nonlocal alive
            alive += 1
            try:
                while True:
                    yield b"data: %d\n\n" % alive
                    await trio.lowlevel.checkpoint()
            finally:
                alive -= 1

        return EventStream(pieces())

    async def come_and_go(server: Running) -> None:
        client = await server.connect()
        request = get("/")
        await client.send_all(request[: dice.choice([0, 5, len(request)])])
        for _ in range(dice.randrange(5)):
            with trio.move_on_after(0.01):
                await client.receive_some(dice.randrange(1, 1000))
        match dice.randrange(3):
            case 0:
                client.reset()
            case 1:
                client.close()
            case _:
                await client.send_eof()
                client.close()

    async with running(Routes({"GET /": handler})) as server:
        for _ in range(4):
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(come_and_go, server)
        await until(lambda: server.server.connection_count == 0)
        assert alive == 0
        reply = await server.ask(get("/none", "Connection: close"))
        assert reply.startswith(b"HTTP/1.1 404 ")
    assert open_files() == files


@pytest.mark.parametrize("how", ["fails", "is aborted"])
async def test_a_truncated_http_1_0_stream_is_reset(how: str) -> None:
    """If the close ends the body, a FIN would say that it is complete."""

    async def handler(request: Request) -> StreamingReply:
        async def pieces() -> AsyncGenerator[bytes | Last, None]:
            yield b"one"
            if how == "fails":
                raise ValueError("out of words")
            await trio.sleep_forever()

        return StreamingReply(pieces())

    async with running(Routes({"GET /": handler})) as server:
        client = await server.connect()
        await client.send_all(b"GET / HTTP/1.0\r\n\r\n")
        await receive_until(client, b"one")
        if how == "is aborted":
            server.server.abort()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()


async def test_a_client_disconnects_before_the_reply_begins() -> None:
    """An RST cancels the handler, too, and not only a stream."""
    begun, stopped = trio.Event(), trio.Event()

    async def handler(request: Request) -> Reply:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            stopped.set()

    async with running(Routes({"GET /": handler})) as server:
        client = await server.connect()
        await client.send_all(get())
        await begun.wait()
        client.reset()
        with trio.fail_after(SAFETY):
            await stopped.wait()


GIVING_UP = {
    "later": (get(), -1.0, True),
    "with its request": (get(), math.inf, False),
    "later, but the request says so": (get("/", "Connection: close"), -1.0, False),
    "later, in HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", -1.0, False),
}


@needs_epoll
@pytest.mark.parametrize(("request_", "pipe", "stops"), GIVING_UP.values(), ids=GIVING_UP)
async def test_fin_before_the_reply_begins(
    request_: bytes, pipe: float, stops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that waits for its reply and then sends FIN has given up. This does not hold if the
    FIN comes with the request, like a pipe's, or if the client had nothing more to send."""
    monkeypatch.setattr("servers.http.watch.PIPE_SECONDS", pipe)
    begun, asked, stopped, go = trio.Event(), trio.Event(), trio.Event(), trio.Event()
    means = Connection.fin_is_disconnect

    def asking(connection: Connection, since: float) -> bool:
        asked.set()
        return means(connection, since)

    monkeypatch.setattr(Connection, "fin_is_disconnect", asking)

    async def handler(request: Request) -> Reply:
        begun.set()
        try:
            await go.wait()
        except trio.Cancelled:
            stopped.set()
            raise
        return Reply("the answer")

    async with running(Routes({"GET /": handler})) as server:
        client = await server.connect()
        await client.send_all(request_)
        await begun.wait()
        await client.send_eof()
        with trio.fail_after(SAFETY):
            await asked.wait()
            if stops:
                await stopped.wait()
            go.set()
            reply = await receive_all(client)
    assert reply.endswith(b"\r\n\r\nthe answer") != stops
    assert (reply == b"") == stops
