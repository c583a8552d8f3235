"""A server with TLS: the same bytes, encrypted, and handshakes that may fail."""

import logging

import pytest
import trio

from clients.streams.tls import TLSStream
from servers.http.connection import Limits
from servers.http.reply import CutOff, Reply
from servers.http.routes import Routes

from ...clients.streams.tls_peers import server_context, trusting_context
from ...streams import receive_all, receive_until
from ..driving import Pieces, Running, get, open_files, replying, running, streaming, until

SIZE = 1 << 20


async def three() -> Pieces:
    for piece in (b"one ", b"two ", b"three"):
        yield piece


async def cut() -> Pieces:
    yield b"one "
    raise CutOff


async def megabyte() -> Pieces:
    for _ in range(SIZE >> 14):
        yield bytes(1 << 14)


ROUTES = Routes(
    {
        "GET /": replying(Reply("hello\n")),
        "GET /three": streaming(three),
        "GET /cut": streaming(cut),
        "GET /megabyte": streaming(megabyte),
    }
)


async def connected(server: Running) -> TLSStream:
    stream = await server.connect()
    tls = TLSStream(stream, trusting_context(), server_hostname="localhost")
    await tls.handshake()
    return tls


@pytest.mark.parametrize("path", ["/", "/three", "/cut", "/megabyte"])
async def test_the_same_bytes_and_close_notify(path: str) -> None:
    async with running(ROUTES) as plain, running(ROUTES, tls=server_context()) as server:
        stream = await connected(server)
        await stream.send_all(get(path, "Connection: close"))
        answer = await receive_all(stream)
        assert not stream.truncated
        assert answer == await plain.ask(get(path, "Connection: close"))


async def test_requests_one_after_the_other() -> None:
    async with running(ROUTES, tls=server_context()) as server:
        stream = await connected(server)
        for _ in range(3):
            await stream.send_all(get())
            assert await receive_until(stream, b"\r\n\r\nhello\n")


STRANGERS = {
    "no TLS": get(),
    "nothing, and FIN": b"",
    "half a record": b"\x16\x03\x01\x02",
    "a bad record": b"\x16\x03\x01\x00\x05hello",
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_a_client_without_tls_is_closed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "servers")
    async with running(ROUTES, tls=server_context()) as server:
        client = await server.connect()
        await client.send_all(STRANGERS[name])
        await client.send_eof()
        assert b"HTTP" not in await receive_all(client)
        await until(lambda: server.server.connection_count == 0)
        stream = await connected(server)
        await stream.send_all(get())
        await receive_until(stream, b"hello\n")
    assert [record.message[:6] for record in caplog.records][:1] == ["no TLS"]
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_handshake_has_as_long_as_a_head() -> None:
    async with running(ROUTES, Limits(head_seconds=0.01), tls=server_context()) as server:
        client = await server.connect()
        assert await receive_all(client) == b""


async def test_nothing_is_left_of_unfinished_handshakes() -> None:
    files = open_files()
    async with running(ROUTES, tls=server_context()) as server:
        for _ in range(3):
            await server.connect()
        await until(lambda: server.server.connection_count == 3)
    assert open_files() == files


async def test_one_too_many_is_closed() -> None:
    """A TLS client could not read a 503 without TLS."""
    async with running(ROUTES, max_connections=1, tls=server_context()) as server:
        await connected(server)
        assert await receive_all(await server.connect()) == b""


async def test_a_disconnect_ends_the_stream() -> None:
    closed = trio.Event()

    async def endless() -> Pieces:
        try:
            while True:
                yield bytes(1000)
        finally:
            closed.set()

    async with running(Routes({"GET /": streaming(endless)}), tls=server_context()) as server:
        stream = await connected(server)
        await stream.send_all(get())
        await stream.receive_some()
        stream.reset()
        await closed.wait()
