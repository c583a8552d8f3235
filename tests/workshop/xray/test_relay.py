"""A tap on one connection, between two connections in memory: bytes, ends and back pressure."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing

from clients.streams.tcp import ByteStream, SocketStream
from protocol.recording import End
from workshop.xray.meter.framing import Part
from workshop.xray.tap.relay import Relay

from ...clients.streams.tls_peers import tls_pair
from ...streams import SAFETY, MemoryStream, memory_pair, receive_all

GET = b"GET /a HTTP/1.1\r\nHost: tap\r\n\r\n"
SENT = b"GET /a HTTP/1.1\r\nHost: api\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HELLO = b"5\r\nhello\r\n"
LAST = b"0\r\n\r\n"

Seen = list[tuple[str, bytes | End]]


@dataclass
class Log:
    """A `RelayObserver` that keeps what it is told."""

    seen: Seen = field(default_factory=list)

    def sent(self, at: float, parts: list[Part]) -> None:
        self.seen.append(("sent", b"".join(part.data for part in parts)))

    def received(self, at: float, parts: list[Part]) -> None:
        self.seen.append(("received", b"".join(part.data for part in parts)))

    def waited(self, seconds: float) -> None:
        self.seen.append(("waited", b"%d" % seconds))

    def client_ended(self, at: float, end: End) -> None:
        self.seen.append(("client", end))

    def server_ended(self, at: float, end: End) -> None:
        self.seen.append(("server", end))


@dataclass
class Tapped:
    """The far ends of both connections, and what the observer was told."""

    client: MemoryStream
    server: ByteStream
    log: Log
    done: trio.Event


@asynccontextmanager
async def tapped(host: str | None = "api", *, size: int = 1 << 16) -> AsyncIterator[Tapped]:
    client, near = memory_pair(size)
    far, server = memory_pair(size)
    async with relaying(near, far, host) as (log, done):
        yield Tapped(client, server, log, done)


@asynccontextmanager
async def relaying(
    near: ByteStream, far: ByteStream, host: str | None
) -> AsyncIterator[tuple[Log, trio.Event]]:
    log, done = Log(), trio.Event()

    async def run() -> None:
        await Relay(near, far, log, host).run()
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        yield log, done
        nursery.cancel_scope.cancel()


async def test_each_read_is_one_write(autojump_clock: object) -> None:
    async with tapped() as tap:
        assert isinstance(tap.server, MemoryStream)
        await tap.client.send_all(GET)
        assert await tap.server.receive_some() == SENT
        for piece in (HEAD, HELLO[:2], HELLO[2:], LAST):
            await tap.server.send_all(piece)
            assert await tap.client.receive_some() == piece
        assert tap.log.seen == [
            ("sent", SENT),
            ("received", HEAD),
            ("received", HELLO[:2]),
            ("received", HELLO[2:]),
            ("received", LAST),
        ]


async def test_a_half_close_is_relayed(autojump_clock: object) -> None:
    """The client has sent everything. The server continues, and ends its own direction later."""
    async with tapped() as tap:
        await tap.client.send_all(GET)
        await tap.client.send_eof()
        assert await receive_all(tap.server) == SENT
        await tap.server.send_all(HEAD + LAST)
        await tap.server.send_eof()
        assert await receive_all(tap.client) == HEAD + LAST
        await tap.done.wait()
        assert tap.log.seen[-2:] == [("received", b""), ("server", "fin")]
        assert ("client", "fin") in tap.log.seen


async def test_a_reset_of_the_server_is_a_reset_for_the_client(autojump_clock: object) -> None:
    async with tapped() as tap:
        await tap.client.send_all(GET)
        await tap.server.receive_some()
        await tap.server.send_all(HEAD + HELLO)
        await trio.testing.wait_all_tasks_blocked()
        tap.server.reset()
        assert await tap.client.receive_some() == HEAD + HELLO
        with pytest.raises(trio.BrokenResourceError):
            await tap.client.receive_some()
        await tap.done.wait()
        assert tap.log.seen[-1] == ("server", "reset")


async def test_a_reset_of_the_client_is_a_reset_for_the_server(autojump_clock: object) -> None:
    async with tapped() as tap:
        await tap.client.send_all(GET)
        await tap.server.receive_some()
        tap.client.reset()
        with pytest.raises(trio.BrokenResourceError):
            await tap.server.receive_some()
        await tap.done.wait()
        assert tap.log.seen[-1] == ("client", "reset")


async def test_a_client_that_vanished_ends_its_server(autojump_clock: object) -> None:
    """The client has closed, and its FIN looks like a half-close. The first write causes an RST,
    and the second write fails."""
    async with tapped() as tap:
        await tap.client.send_all(GET)
        tap.client.close()
        assert await receive_all(tap.server) == SENT
        for piece in (HEAD, HELLO):
            await tap.server.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BrokenResourceError):
            await tap.server.send_all(LAST)
        await tap.done.wait()
        assert tap.log.seen[-1] == ("client", "reset")


async def test_an_early_answer_reaches_a_client_that_still_sends(autojump_clock: object) -> None:
    """The server refuses an upload and closes. The client gets the answer first, and then the
    reset."""
    async with tapped(size=64) as tap:
        await tap.client.send_all(b"POST / HTTP/1.1\r\nHost: tap\r\nContent-Length: 999\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        tap.server.send_now(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        tap.server.close()
        with pytest.raises(trio.BrokenResourceError):
            await tap.client.send_all(b"x" * 999)
        assert (await tap.client.receive_some()).startswith(b"HTTP/1.1 413 ")


async def test_a_slow_client_slows_its_server(autojump_clock: object) -> None:
    """The tap reads no more while the client's side is full. Each side holds 64 bytes, and the tap
    holds the bytes of its last read."""
    async with tapped(size=64) as tap:
        sent = 0
        with trio.move_on_after(1):
            while True:
                await tap.server.send_all(b"x" * 64)
                sent += 64
        assert sent <= 64 * 3


async def test_the_time_that_a_client_takes_is_told(autojump_clock: object) -> None:
    async with tapped(size=8) as tap, trio.open_nursery() as nursery:
        await tap.server.send_all(b"12345678")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(tap.server.send_all, b"abcdefgh")
        await trio.sleep(3)
        assert await tap.client.receive_some() == b"12345678"
        assert await tap.client.receive_some() == b"abcdefgh"
        await trio.testing.wait_all_tasks_blocked()
        assert tap.log.seen[-1] == ("waited", b"3")


async def test_a_cancelled_relay_truncates(autojump_clock: object) -> None:
    """After Ctrl-C inside a response, no client may take the truncated response for a complete
    one."""
    async with tapped() as tap:
        await tap.client.send_all(GET)
        await tap.server.receive_some()
        await tap.server.send_all(HEAD)
        assert await tap.client.receive_some() == HEAD
    with pytest.raises(trio.BrokenResourceError):
        await tap.client.receive_some()


@pytest.mark.parametrize(("body", "end"), [(HEAD + HELLO, "reset"), (HEAD + HELLO + LAST, "fin")])
async def test_truncated_tls_is_a_reset_inside_a_message(
    body: bytes, end: str, autojump_clock: object
) -> None:
    """Many servers close without close_notify after a complete response. The tap relays this as a
    FIN."""
    far, server = await tls_pair()
    client, near = memory_pair()
    async with relaying(near, far, None) as (log, _):
        await client.send_all(GET)
        assert await server.receive_some() == GET
        await server.send_all(body)
        await server._stream.send_eof()  # a FIN without close_notify
        received = b""
        while received != body:
            received += await client.receive_some()
        if end == "fin":
            assert await client.receive_some() == b""
        else:
            with pytest.raises(trio.BrokenResourceError):
                await client.receive_some()
        assert ("server", "truncated") in log.seen


async def test_a_client_that_closes_is_noticed_at_once() -> None:
    """On real sockets, the client's kernel answers the first write with an RST, and no second write
    is needed."""
    async with socket_pair() as (client, near), socket_pair() as (far, server):
        async with relaying(near, far, None) as (log, done):
            await client.send_all(GET)
            client.close()
            assert await receive_all(server) == GET
            await server.send_all(HEAD)
            with trio.fail_after(SAFETY):
                await done.wait()
            with pytest.raises(trio.BrokenResourceError):
                await server.send_all(HELLO)
        assert log.seen[-1] == ("client", "reset")


async def test_bytes_before_a_reset_are_not_lost() -> None:
    """The client reads only after the server's reset, but gets all bytes that the tap has read."""
    async with (
        socket_pair() as (client, near),
        socket_pair() as (far, server),
        relaying(near, far, None) as (log, done),
    ):
        await client.send_all(GET)
        await server.receive_some()
        await server.send_all(HEAD + HELLO)
        while ("received", HEAD + HELLO) not in log.seen:
            await trio.lowlevel.checkpoint()
        server.reset()
        with trio.fail_after(SAFETY):
            await done.wait()
            assert await client.receive_some() == HEAD + HELLO
            with pytest.raises(trio.BrokenResourceError):
                await client.receive_some()


@asynccontextmanager
async def socket_pair() -> AsyncIterator[tuple[SocketStream, SocketStream]]:
    """The two ends of a TCP connection on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = SocketStream(socket.create_connection(listener.getsockname()))
        far = SocketStream(listener.accept()[0])
    try:
        yield near, far
    finally:
        near.close()
        far.close()
