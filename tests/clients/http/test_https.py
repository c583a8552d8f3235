"""https:// URLs, against a real TLS server: refused certificates, truncation, reuse."""

import errno
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import trio
import trustme

from clients.http.client import open_client, request
from clients.http.errors import (
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    ResponseError,
    TLSError,
)
from clients.streams.tcp import ByteStream, SocketStream
from clients.streams.tls import HandshakeError, TLSStream

from ...streams import SAFETY
from ..streams.tls_peers import CA, PAST, certificate, server_context

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[["Server", TLSStream], Awaitable[None]]


@dataclass
class Server:
    """A TLS server.

    Attributes:
        url: Its URL, with the name that its certificate has.
        requests: The bytes of the requests of each connection.
    """

    port: int
    serve: Serve
    context: ssl.SSLContext
    requests: list[list[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/"

    async def handle(self, opened: trio.SocketStream) -> None:
        stream = TLSStream(SocketStream.adopt(opened), self.context, server_side=True)
        self.requests.append([])
        try:
            await stream.handshake()
            await self.serve(self, stream)
        except (HandshakeError, trio.BrokenResourceError):
            pass
        finally:
            stream.close()

    async def next_request(self, stream: TLSStream) -> bytes:
        """Read one request without a body; b"" if the client has closed."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            if not (more := await stream.receive_some()):
                return b""
            data += more
        self.requests[-1].append(data)
        return data


async def answering(server: Server, stream: TLSStream) -> None:
    """Answer each request with two bytes, until the client closes."""
    while await server.next_request(stream):
        await stream.send_all(OK)


@asynccontextmanager
async def serving(
    serve: Serve = answering, context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    server = Server(port, serve, context or server_context())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, server.handle, [listener])
        with trio.fail_after(SAFETY):
            yield server
        nursery.cancel_scope.cancel()


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)


async def test_a_request(ca_file: str) -> None:
    async with serving() as server, request("GET", server.url + "a?b", ca_file=ca_file) as response:
        assert (response.status, await response.read()) == (200, b"ok")
    host = b"localhost:%d" % server.port
    assert server.requests == [
        [b"GET /a?b HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"]
    ]


async def test_each_piece_is_delivered_as_soon_as_it_comes(ca_file: str) -> None:
    """The server sends the second one only after the test has read the first."""
    read = trio.Event()

    async def serve(server: Server, stream: TLSStream) -> None:
        await server.next_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await read.wait()
        await stream.send_all(b"3\r\ntwo\r\n0\r\n\r\n")

    async with serving(serve) as server, request("GET", server.url, ca_file=ca_file) as response:
        assert await response.receive_some() == b"one"
        assert not response.complete
        read.set()
        assert await response.receive_some() == b"two"
        assert response.complete
        assert await response.receive_some() == b""


EXPIRED = CA.issue_cert("localhost", not_before=PAST, not_after=PAST + timedelta(days=1))
REFUSED = {
    "an unknown CA": (
        lambda: server_context(trustme.CA().issue_cert("localhost")),
        "the certificate of localhost is refused: no CA that is trusted here signed it",
    ),
    "expired": (
        lambda: server_context(EXPIRED),
        "the certificate of localhost is refused: it has expired",
    ),
    "another name": (
        lambda: server_context(certificate("other.example")),
        "the certificate of localhost is refused: it is for another name",
    ),
    # "The Common Name RDN MUST NOT be used to identify a service" (RFC 9525 §2)
    "the name as common name alone": (
        lambda: server_context(CA.issue_cert(common_name="localhost")),
        "the certificate of localhost is refused: it is for another name",
    ),
}


@pytest.mark.parametrize(("context", "message"), REFUSED.values(), ids=REFUSED)
async def test_a_refused_certificate(
    context: Callable[[], ssl.SSLContext], message: str, ca_file: str
) -> None:
    async with serving(context=context()) as server:
        with pytest.raises(TLSError, match=message) as caught:
            async with request("GET", server.url, ca_file=ca_file):
                pass
    assert not caught.value.sent
    assert server.requests == [[]]


async def test_without_ca_file_only_the_systems_cas_are_trusted() -> None:
    async with serving() as server:
        with pytest.raises(TLSError, match="no CA that is trusted here signed it"):
            async with request("GET", server.url):
                pass


@asynccontextmanager
async def plain(answer: bytes) -> AsyncIterator[int]:
    """A TCP server that answers anything with this, and closes."""

    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        if answer:
            await stream.send_all(answer)
        await stream.aclose()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS: its first byte is b'H'"),
        (b"", "closed the connection in the TLS handshake|broke off the TLS handshake"),
    ],
)
async def test_a_port_without_tls(answer: bytes, message: str, ca_file: str) -> None:
    async with plain(answer) as port:
        with pytest.raises(TLSError, match=message):
            async with request("GET", f"https://localhost:{port}/", ca_file=ca_file):
                pass


async def test_no_such_ca_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    reasons = {"none": os.strerror(errno.ENOENT), "empty": "no certificate in it"}
    for name, reason in reasons.items():
        with pytest.raises(ValueError, match=f"the CA file .*/{name}: {reason}"):
            async with request("GET", "https://localhost/", ca_file=str(tmp_path / name)):
                pass


CUTS = {
    "in the head": b"HTTP/1.1 200 OK\r\nConte",
    "in a length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "before the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    "without a length": b"HTTP/1.1 200 OK\r\n\r\nab",
}


@pytest.mark.parametrize("sent", CUTS.values(), ids=CUTS)
async def test_truncated(sent: bytes, ca_file: str) -> None:
    """The framing shows it. If the end of the connection is the framing, close_notify does."""

    async def serve(server: Server, stream: TLSStream) -> None:
        await server.next_request(stream)
        await stream.send_all(sent)
        await stream._stream.send_eof()  # a FIN without close_notify
        await stream._stream.receive_some()

    async with serving(serve) as server:
        with pytest.raises((ResponseError, DisconnectedError)):
            async with request("GET", server.url, ca_file=ca_file) as response:
                await response.read()


async def test_a_body_that_ends_with_close_notify(ca_file: str) -> None:
    async def serve(server: Server, stream: TLSStream) -> None:
        await server.next_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await stream.send_eof()

    async with serving(serve) as server, request("GET", server.url, ca_file=ca_file) as response:
        assert await response.read() == b"all of it"


# ---- Reused connections


async def test_a_connection_is_reused(ca_file: str) -> None:
    async with serving() as server, open_client(ca_file=ca_file) as client:
        for _ in range(3):
            async with client.request("GET", server.url) as response:
                assert await response.read() == b"ok"
    assert [len(requests) for requests in server.requests] == [3]


async def test_a_connection_whose_body_was_not_read_is_not_reused(ca_file: str) -> None:
    async with serving() as server, open_client(ca_file=ca_file) as client:
        for _ in range(2):
            async with client.request("GET", server.url) as response:
                assert response.status == 200
    assert [len(requests) for requests in server.requests] == [1, 1]


async def test_a_server_that_closes_between_two_requests(ca_file: str) -> None:
    """The pool has seen its FIN: the second request opens a new connection at once."""

    async def once(server: Server, stream: TLSStream) -> None:
        await server.next_request(stream)
        await stream.send_all(OK)
        await stream.send_eof()

    async with serving(once) as server, open_client(ca_file=ca_file) as client:
        for _ in range(2):
            async with client.request("GET", server.url) as response:
                await response.read()
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert [len(requests) for requests in server.requests] == [1, 1]


async def test_a_request_is_never_sent_twice(ca_file: str) -> None:
    """The server may have executed it, even if no reply came."""

    async def answer_once(server: Server, stream: TLSStream) -> None:
        await server.next_request(stream)
        await stream.send_all(OK)
        await server.next_request(stream)

    async with serving(answer_once) as server, open_client(ca_file=ca_file) as client:
        async with client.request("POST", server.url) as response:
            await response.read()
        with pytest.raises(DisconnectedError) as caught:
            async with client.request("POST", server.url):
                pass
        assert caught.value.sent
    assert [len(requests) for requests in server.requests] == [2]


async def test_no_connection_in_time(autojump_clock: object) -> None:

    async def never(host: str, port: int, *, stall_seconds: float) -> ByteStream:
        await trio.sleep_forever()
        raise AssertionError("it sleeps for ever")

    async with open_client(connect_seconds=10, connect=never) as client:
        with pytest.raises(ConnectTimeoutError, match="no connection to localhost port 443"):
            async with client.request("GET", "https://localhost/"):
                pass


async def test_no_such_host() -> None:
    with pytest.raises(ConnectError, match=r"no connection to nobody\.invalid: ") as caught:
        async with request("GET", "https://nobody.invalid/"):
            pass
    assert not caught.value.sent
