"""A request, the pool and the tunnel, cancelled at every await: no connection stays open."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from clients.http.client import Client, open_client, request
from clients.http.tunnel import Proxy, open_tunnel

from ...cancelling import at_each_await
from ...streams import SAFETY
from ..streams.tls_peers import CA, server_context

ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
REST = b"3\r\ndef\r\n0\r\n\r\n"
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
BODY = b"x" * (1 << 20)  # more than one write takes


class Peer:
    """A server that counts its open connections."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.connections = 0
        self._change = trio.Event()
        self._context = context

    async def serve(self, opened: trio.SocketStream) -> None:
        self.connections += 1
        try:
            stream: trio.abc.Stream = opened
            if self._context is not None:
                stream = trio.SSLStream(opened, self._context, server_side=True)
            async with stream:
                await self._answer(stream)
        except trio.BrokenResourceError:
            pass
        finally:
            self.connections -= 1
            self._change.set()
            self._change = trio.Event()

    async def _answer(self, stream: trio.abc.Stream) -> None:
        data = b""
        while more := await stream.receive_some():
            data += more
            head, end, body = data.partition(b"\r\n\r\n")
            if not end:
                continue
            if head.startswith(b"CONNECT"):
                await stream.send_all(TUNNEL)
                data = b""
            elif not head.startswith(b"POST") or len(body) == len(BODY):
                await stream.send_all(ANSWER)
                await stream.send_all(REST)
                data = b""

    async def until_none_is_open(self) -> None:
        with trio.fail_after(SAFETY):
            while self.connections:
                await self._change.wait()


@asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    peer = Peer(context)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    peer.port = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, peer.serve, [listener])
        yield peer
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_request(scheme: str, method: str, tmp_path: Path) -> None:
    context = server_context() if scheme == "https" else None
    ca_file = str(tmp_path / "ca.pem")
    CA.cert_pem.write_to_path(ca_file)
    async with listening(context) as peer:
        url = f"{scheme}://localhost:{peer.port}/"
        body = BODY if method == "POST" else b""
        for cancelled in at_each_await():
            with cancelled:
                async with request(method, url, (), body, ca_file=ca_file) as response:
                    assert await response.read() == b"abcdef"
            await peer.until_none_is_open()


async def test_a_client_and_its_pool() -> None:
    """Afterwards each open connection is in the pool, at most one, and it can be reused."""
    async with listening() as peer, open_client() as client:
        for cancelled in at_each_await():
            with cancelled:
                await whole_answer(client, peer)
            await wait_all_tasks_blocked()
            with trio.fail_after(SAFETY):
                while peer.connections > len(client._pool):
                    await trio.lowlevel.checkpoint()
            assert len(client._pool) <= 1
            await whole_answer(client, peer)  # a connection in the pool can be used
            assert len(client._pool) == 1


async def whole_answer(client: Client, peer: Peer) -> None:
    async with client.request("GET", f"http://localhost:{peer.port}/") as response:
        assert await response.read() == b"abcdef"


async def test_a_tunnel() -> None:
    async with listening() as peer:
        for cancelled in at_each_await():
            with cancelled:
                stream = await open_tunnel(Proxy("127.0.0.1", peer.port), "api.example.com", 443)
                stream.close()
            await peer.until_none_is_open()
