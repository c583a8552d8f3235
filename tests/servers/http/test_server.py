"""A server: its sockets, its limit of connections, and three ways to stop."""

import errno
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio

from clients.streams.tcp import SocketStream, connect
from servers.http.connection import Limits
from servers.http.reply import Last, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.http.server import PortBusyError, Server, listen
from servers.http.watch import TICK

from ...ports import free_port
from ...streams import SAFETY, receive_all, receive_until
from ..driving import CLOSE, get, open_files, refusal, replying, running, text, until

ROUTES = Routes({"GET /": replying(Reply("hello\n"))})


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_localhost_is_both_loopbacks() -> None:
    """127.0.0.1 and ::1 with the same port: a client may try either first (RFC 8305)."""
    sockets = listen("localhost", 0)
    names = [sock.getsockname() for sock in sockets]
    for sock in sockets:
        assert sock.getblocking() is False
        sock.close()
    assert [name[0] for name in names] == ["127.0.0.1", "::1"][: 1 + has_ipv6()]
    assert len({name[1] for name in names}) == 1
    assert names[0][1] > 0


def test_one_address() -> None:
    (sock,) = listen("127.0.0.1", 0)
    assert sock.getsockname()[0] == "127.0.0.1"
    sock.close()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_an_ipv6_address_is_not_an_ipv4_address_too() -> None:
    """Otherwise `::` would take the port of 127.0.0.1 on some systems."""
    port = free_port()  # on 127.0.0.1, too
    (sock,) = listen("::", port)
    socket.create_server(("127.0.0.1", port)).close()
    sock.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_busy_port(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortBusyError) as caught:
            listen(host, port)
    assert caught.value.strerror == f"port {port} is in use"


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_port_busy_on_one_loopback() -> None:
    """A server on one address would miss the clients of the other, so its socket is closed."""
    files = open_files()
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortBusyError):
            listen("localhost", port)
    assert open_files() == files


def test_a_port_can_be_used_again_at_once() -> None:
    """A restarted server does not wait for the connections of the last one."""
    (sock,) = listen("127.0.0.1", 0)
    port = sock.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        accepted = sock.accept()[0]
        accepted.close()  # first, so that this side has the port in TIME_WAIT
    sock.close()
    (sock,) = listen("127.0.0.1", port)
    sock.close()


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_not_our_address(host: str) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the system's own words
        listen(host, 0)
    assert not isinstance(caught.value, PortBusyError)


async def test_both_loopbacks_are_served() -> None:
    sockets = listen("localhost", 0)
    port = sockets[0].getsockname()[1]
    server = Server(ROUTES)
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, sockets)
            for host in ["127.0.0.1", "::1"][: len(sockets)]:
                client = await connect(host, port)
                await client.send_all(get("/", "Connection: close"))
                assert await receive_all(client) == text(b"hello\n", CLOSE)
                client.close()
            server.stop()


FULL = refusal(503, "This server has its 2 connections. Try again later.")


async def test_connection_limit() -> None:
    """One more gets a 503 (RFC 9110 §15.6.4). When one disconnects, the next is served."""
    async with running(ROUTES, max_connections=2) as server:
        clients = [await server.connect() for _ in range(2)]
        await until(lambda: server.server.connection_count == 2)
        assert await server.ask(b"") == FULL
        assert await server.ask(b"") == FULL
        assert server.server.connection_count == 2
        for client in clients:  # those that are connected do not notice
            await client.send_all(get())
            assert await receive_until(client, b"hello\n") == text(b"hello\n")
        clients[0].close()
        await until(lambda: server.server.connection_count == 1)
        assert await server.ask(get("/", "Connection: close")) == text(b"hello\n", CLOSE)


async def test_a_refused_client_can_read_its_503() -> None:
    """The client has sent its request already. A close that leaves it unread sends an RST, which
    may overtake the 503."""
    async with running(ROUTES, max_connections=0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        sock.sendall(get())  # before the server has accepted
        client = server.adopt(SocketStream(sock))
        assert (await receive_all(client)).startswith(b"HTTP/1.1 503 ")


async def test_few_clients_are_refused_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few get a 503 and a final wait. While they do not close, others are closed at once."""
    monkeypatch.setattr("servers.http.server.MAX_REFUSALS", 2)
    async with running(ROUTES, max_connections=0) as server:
        waiting = [await server.connect() for _ in range(2)]
        for client in waiting:
            assert (await receive_all(client)).startswith(b"HTTP/1.1 503 ")
        assert await server.ask(b"") == b""
        for client in waiting:
            client.close()
        # When the server has seen them disconnect, others get a 503 again.
        with trio.fail_after(SAFETY):
            while not await server.ask(b""):
                pass


class Talk:
    """A stream that the test ends."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.may_end = trio.Event()
        self.closed = False

    async def handler(self, request: Request) -> StreamingReply:
        return StreamingReply(self._pieces())

    async def _pieces(self) -> AsyncGenerator[bytes | Last, None]:
        try:
            yield b"begun"
            self.begun.set()
            await self.may_end.wait()
            yield Last(b"end")
        finally:
            self.closed = True


async def test_stop_lets_a_stream_end() -> None:
    """No new clients, idle ones closed, and the stream goes on to its last chunk."""
    talk = Talk()
    async with running(Routes({"GET /": talk.handler}), grace_seconds=60) as server:
        idle = await server.connect()
        streaming = await server.connect()
        await streaming.send_all(get())
        await talk.begun.wait()
        server.server.stop()
        assert await receive_all(idle) == b""
        with pytest.raises(OSError):  # noqa: PT011 (the words are trio's)
            await server.connect()
        assert not talk.closed
        talk.may_end.set()
        received = await receive_all(streaming)
        assert received.endswith(b"5\r\nbegun\r\n3\r\nend\r\n0\r\n\r\n")


async def test_stop_without_clients() -> None:
    sockets = listen("127.0.0.1", 0)
    server = Server(ROUTES)
    server.stop()
    with trio.fail_after(SAFETY):
        await server.serve(sockets)
    assert [sock.fileno() for sock in sockets] == [-1]


@pytest.mark.parametrize("how", ["abort", "grace time over"])
async def test_running_replies_are_truncated(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """They get no last chunk, so that no client takes them for complete."""
    talk = Talk()
    async with running(Routes({"GET /": talk.handler}), grace_seconds=0.05) as server:
        client = await server.connect()
        await client.send_all(get())
        await talk.begun.wait()
        if how == "abort":
            server.server.abort()
        else:
            server.server.stop()
        with trio.fail_after(SAFETY):
            received = await receive_all(client)
        assert received.endswith(b"5\r\nbegun\r\n")
        assert talk.closed
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_stop_loses_no_request_in_transit() -> None:
    """Neither that of a client that is not accepted yet, nor one on an idle connection."""
    async with running(Routes({"GET /": replying(Reply("hello"))})) as server:
        idle = await server.connect()
        await idle.send_all(get("/"))
        await receive_until(idle, b"hello")
        # The kernel has this client; the server has had no turn in which to accept it.
        new = server.adopt(SocketStream(socket.create_connection(("127.0.0.1", server.port))))
        server.server.stop()
        await idle.send_all(get("/"))
        await new.send_all(get("/"))
        for client in (idle, new):
            assert (await receive_all(client)).endswith(b"hello")


async def test_abort_after_stop() -> None:
    """The second Ctrl-C: it ends the grace time at once."""
    talk = Talk()
    async with running(Routes({"GET /": talk.handler}), grace_seconds=3600) as server:
        client = await server.connect()
        await client.send_all(get())
        await talk.begun.wait()
        server.server.stop()
        server.server.abort()
        with trio.fail_after(SAFETY):
            assert (await receive_all(client)).endswith(b"begun\r\n")


async def test_timeouts_on_real_sockets() -> None:
    """An idle client is closed, within a tick."""
    async with running(ROUTES, Limits(idle_seconds=0.01)) as server:
        client = await server.connect()
        with trio.fail_after(TICK + 5):
            assert await client.receive_some() == b""


async def test_a_bug_in_a_connection_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged as a bug, and the server serves the next client."""

    def broken(head: object) -> None:
        raise AssertionError("a bug")

    async with running(ROUTES) as server:
        with monkeypatch.context() as patch:
            patch.setattr("servers.http.request_head.request_framing", broken)
            client = await server.connect()
            await client.send_all(get())
            await until(lambda: "a connection failed: a bug of this server" in caplog.text)
            await until(lambda: server.server.connection_count == 0)
        assert await server.ask(get("/", "Connection: close")) == text(b"hello\n", CLOSE)


class Listener(socket.socket):
    """A listening socket whose first `accept` calls fail.

    Attributes:
        errors: The errors that these calls raise.
        gone: Number of accepted clients that have disconnected already, as on macOS.
    """

    def __init__(self, errors: Sequence[int] = (), gone: int = 0) -> None:
        super().__init__()
        self.errors = list(errors)
        self.gone = gone
        self.accepted: list[socket.socket] = []

    def close(self) -> None:
        super().close()
        for sock in self.accepted:
            sock.close()

    def accept(self) -> tuple[socket.socket, object]:
        if self.errors:
            raise OSError(self.errors.pop(0), "in this test")
        sock, address = super().accept()
        if self.gone:
            self.gone -= 1
            sock = Gone(fileno=sock.detach())
            self.accepted.append(sock)
        return sock, address


class Gone(socket.socket):
    def setsockopt(self, *arguments: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")


@asynccontextmanager
async def serving_on(listener: Listener) -> AsyncIterator[int]:
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    server = Server(ROUTES)
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, [listener])
            yield listener.getsockname()[1]
            server.abort()


async def is_served(port: int) -> bool:
    client = await connect("127.0.0.1", port)
    try:
        await client.send_all(get("/", "Connection: close"))
        return await receive_all(client) == text(b"hello\n", CLOSE)
    finally:
        client.close()


async def test_out_of_files(caplog: pytest.LogCaptureFixture) -> None:
    """EMFILE and similar errors are logged. Some time later the waiting client is served.

    A client that disconnected before it was accepted is not logged.
    """
    listener = Listener([errno.EMFILE, errno.ECONNABORTED, errno.ENOBUFS])
    async with serving_on(listener) as port:
        assert await is_served(port)
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot accept: [Errno {errno.EMFILE}] in this test",
        f"cannot accept: [Errno {errno.ENOBUFS}] in this test",
    ]


async def test_a_client_that_disconnected_before_it_was_accepted() -> None:
    """macOS: setsockopt fails with EINVAL on its socket. The next client is served."""
    async with serving_on(Listener(gone=1)) as port:
        (await connect("127.0.0.1", port)).close()
        assert await is_served(port)
