"""Servers that vanish without FIN or RST: each wait of a client ends in time with an error."""

import math
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from clients.http.client import open_client, request
from clients.http.errors import DisconnectedError
from clients.http.exchange import exchange
from clients.http.pool import Pool
from clients.streams.tcp import SocketStream, connect

from ..vanishing import needs_vanishing, vanish

STALL = 2.0  # seconds; the kernel's timers, so the tests wait up to ten times as long
HEADERS = (("Host", "h"),)
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"

Client = Callable[[SocketStream, SocketStream], Awaitable[None]]


async def reads_a_body(client: SocketStream, server: SocketStream) -> None:
    server.send_now(HEAD)
    response = await exchange(client, "GET", "/", HEADERS)
    assert await anext(response) == b"abc"
    vanish(server)
    with pytest.raises(DisconnectedError):
        await anext(response)


async def waits_for_a_head(client: SocketStream, server: SocketStream) -> None:
    vanish(server)
    with pytest.raises(DisconnectedError) as caught:
        await exchange(client, "GET", "/", HEADERS)
    assert caught.value.sent


async def uploads(client: SocketStream, server: SocketStream) -> None:
    vanish(server)
    with pytest.raises(DisconnectedError) as caught:
        await exchange(client, "POST", "/", HEADERS, bytes(12 << 20))
    assert caught.value.sent


async def keeps_a_connection(client: SocketStream, server: SocketStream) -> None:
    vanish(server)
    async with trio.open_nursery() as nursery:  # its end waits for the listening task
        pool = Pool(nursery, idle_seconds=1000)
        pool.put("http://h:80", client)
    assert (len(pool), client.fileno()) == (0, -1)


@needs_vanishing
async def test_a_server_vanishes_at_each_stage_of_a_client() -> None:
    """All stages run at once, because each takes the stall time."""

    async def run(do: Client) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = await connect(*listener.getsockname(), stall_seconds=STALL)
            server = SocketStream(listener.accept()[0])
        await do(client, server)
        client.close()
        server.close()

    with trio.fail_after(10 * (STALL + 1)):
        async with trio.open_nursery() as nursery:
            for do in (reads_a_body, waits_for_a_head, uploads, keeps_a_connection):
                nursery.start_soon(run, do)


@needs_vanishing
@pytest.mark.parametrize("has_vanished", [True, False])
async def test_an_upload_that_stalls(has_vanished: bool) -> None:
    """The server has vanished, or reads nothing: the client's `stall_seconds` ends the upload."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/"

    async def serve(opened: trio.SocketStream) -> None:
        server = SocketStream.adopt(opened)
        try:
            await server.receive_some(1)
            if has_vanished:
                vanish(server)
            await trio.sleep_forever()
        finally:
            server.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        with trio.fail_after(10 * (STALL + 1)):
            async with open_client(stall_seconds=STALL) as client:
                for asking in (client.request, partial(request, stall_seconds=STALL)):
                    with pytest.raises(DisconnectedError) as caught:
                        async with asking("POST", url, body=bytes(12 << 20)):
                            pass
                    assert caught.value.sent
        nursery.cancel_scope.cancel()


@needs_vanishing
@pytest.mark.parametrize(
    ("stall_seconds", "options"),
    [
        (120.0, [120_000, 30, 15]),
        (2.0, [2000, 1, 1]),
        (0.001, [1000, 1, 1]),
        (math.inf, [86_400_000, 21_600, 10_800]),
    ],
)
async def test_socket_options(stall_seconds: float, options: list[int]) -> None:
    """Milliseconds to give up; seconds of silence to the first probe, and between probes."""
    near, far = _pair()
    with near, far:
        SocketStream(near, stall_seconds=stall_seconds)
        assert near.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        names = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL")
        asked = [getattr(socket, name) for name in names]
        assert [near.getsockopt(socket.IPPROTO_TCP, option) for option in asked] == options


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        return near, listener.accept()[0]
