"""A tap, from the first byte to the summary, in memory and once on real sockets."""

import errno
import io
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from rich.console import Console

from clients.streams.tcp import ByteStream
from clients.streams.tls import TLSStream
from protocol.recording import read_recording
from workshop.xray.tap.tap import Tap, TapError, TapOptions, listen
from workshop.xray.tap.watch import Watch

from ...clients.streams.tls_peers import CA, server_context
from ...streams import SAFETY, MemoryStream, memory_pair, receive_all, receive_until
from .tapping import GET, HEAD, JSON, LAST, POST, NoMask, event

PATH_PROBLEM = (
    "a tap does not change the path of a request, so --to is only {}; "
    "put the rest into the URL of your client"
)
URL = "http://api.example.com:8000"


class Upstream:
    """The far ends of the connections that the tap opens."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.streams: list[MemoryStream] = []
        self.fails: Callable[[], Any] | None = None

    async def connect(self, host: str, port: int, *, stall_seconds: float) -> ByteStream:
        self.asked.append((host, port))
        if self.fails is not None:
            await self.fails()
        near, far = memory_pair()
        self.streams.append(far)
        return near


class Tapped:
    """A tap in memory, that any name may lead to."""

    def __init__(self, nursery: trio.Nursery, **options: Any) -> None:
        self.watch = Watch(URL, NoMask)
        self.upstream = Upstream()
        made = TapOptions(**{"to": URL, "host": "0.0.0.0", **options})
        self._tap = Tap(made, self.watch, self.upstream.connect)
        self._nursery = nursery

    def connect(self) -> MemoryStream:
        """A new client."""
        client, near = memory_pair()
        self._nursery.start_soon(self._tap.serve, near)
        return client


@asynccontextmanager
async def tapped(**options: Any) -> AsyncIterator[Tapped]:
    async with trio.open_nursery() as nursery:
        yield Tapped(nursery, **options)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("keep", "host"), [(False, b"api.example.com:8000"), (True, b"tap")])
async def test_a_request_names_the_upstream(
    keep: bool, host: bytes, autojump_clock: object
) -> None:
    async with tapped(keep_host=keep) as tap:
        client = tap.connect()
        await client.send_all(POST + POST)
        await trio.testing.wait_all_tasks_blocked()
        (server,) = tap.upstream.streams
        assert server.receive_now() == (POST + POST).replace(b"tap", host)
        assert tap.upstream.asked == [("api.example.com", 8000)]
        await server.send_all(JSON)
        assert await client.receive_some() == JSON


@pytest.mark.parametrize(
    ("name", "relayed"),
    [(b"localhost:9000", b"api.example.com:8000"), (b"evil.example", b"evil.example")],
)
async def test_a_page_whose_name_leads_here_keeps_its_name(
    name: bytes, relayed: bytes, autojump_clock: object
) -> None:
    """DNS rebinding: the upstream can refuse it, as without the tap."""
    async with tapped(host="localhost") as tap:
        client = tap.connect()
        await client.send_all(GET.replace(b"tap", name))
        await trio.testing.wait_all_tasks_blocked()
        assert tap.upstream.streams[0].receive_now() == GET.replace(b"tap", relayed)


async def test_tls_to_the_upstream(tmp_path: Path, autojump_clock: object) -> None:
    ca_file = str(tmp_path / "ca.pem")
    CA.cert_pem.write_to_path(ca_file)
    async with tapped(to="https://localhost", ca_file=ca_file) as tap:
        client = tap.connect()
        await client.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
        server = TLSStream(tap.upstream.streams[0], server_context(), server_side=True)
        await server.handshake()
        assert await receive_until(server, b"\r\n\r\n") == GET.replace(b"tap", b"localhost")
        assert tap.upstream.asked == [("localhost", 443)]
        await server.send_all(JSON)
        assert await client.receive_some() == JSON
        server.close()
        assert await client.receive_some() == b""


async def test_an_upstream_that_does_not_answer_is_a_502(autojump_clock: object) -> None:
    async def refused() -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    async with tapped() as tap:
        tap.upstream.fails = refused
        client = tap.connect()
        await client.send_all(GET)
        await client.send_eof()
        answer = await receive_all(client)
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        problem = "no connection to api.example.com:8000: Connection refused"
        assert answer.endswith(f"502 Bad Gateway\n\nworkshop xray: {problem}.\n".encode())
        assert (tap.watch.refused, tap.watch.problem) == (1, problem)


async def test_connecting_has_a_limit(autojump_clock: object) -> None:
    async with tapped(connect_seconds=7) as tap:
        tap.upstream.fails = trio.sleep_forever
        client = tap.connect()
        await client.send_all(GET)
        await client.send_eof()
        began = trio.current_time()
        answer = await receive_all(client)
        assert trio.current_time() - began == pytest.approx(7)
        assert b"workshop xray: no connection to api.example.com:8000 in 7 s.\n" in answer


async def test_one_connection_too_many_is_a_503(autojump_clock: object) -> None:
    async with tapped(max_connections=1) as tap:
        first = tap.connect()
        await trio.testing.wait_all_tasks_blocked()
        second = tap.connect()
        await second.send_all(GET)
        await second.send_eof()
        answer = await receive_all(second)
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert answer.endswith(b"workshop xray: the tap has its 1 connections.\n")
        first.close()
        tap.upstream.streams[0].close()
        await trio.testing.wait_all_tasks_blocked()
        third = tap.connect()
        await trio.testing.wait_all_tasks_blocked()
        assert len(tap.upstream.streams) == 2
        third.close()


async def test_two_hundred_connections_at_once(autojump_clock: object) -> None:
    """Each client gets the answer to its own request."""
    async with tapped() as tap:
        clients = [tap.connect() for _ in range(200)]
        for number, client in enumerate(clients):
            await client.send_all(GET.replace(b"/v1", b"/%d" % number))
        await trio.testing.wait_all_tasks_blocked()
        for server in tap.upstream.streams:
            path = (server.receive_now() or b"").split(b"/")[1]
            await server.send_all(HEAD + event(path.decode()) + LAST)
        await trio.testing.wait_all_tasks_blocked()
        for number, client in enumerate(clients):
            assert client.receive_now() == HEAD + event(str(number)) + LAST
        tap.watch.measure(60)
        assert (tap.watch.tokens, len(tap.watch.running)) == (200, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "ftp://x"}, "not an http:// or https:// URL: 'ftp://x'"),
        ({"to": "http://localhost:8000/v1"}, PATH_PROBLEM.format("http://localhost:8000")),
        ({"to": "https://api.example.com/?x"}, PATH_PROBLEM.format("https://api.example.com")),
        (
            {"to": "https://user:secret@api.example.com"},
            "a name and password belong into the requests of your client, not into --to",
        ),
        (
            {"to": "https://localhost", "ca_file": "/nowhere"},
            f"the CA file /nowhere: {os.strerror(errno.ENOENT)}",
        ),
    ],
)
async def test_what_cannot_be_tapped(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TapError) as caught:
        await listen(TapOptions(**options), Console(file=io.StringIO()))
    assert str(caught.value) == message


@pytest.mark.parametrize("flag", ["--listen", "--metrics"])
async def test_a_busy_port_names_its_flag(flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        field = {"--listen": "port", "--metrics": "metrics_port"}[flag]
        with pytest.raises(TapError) as caught:
            await listen(
                TapOptions(**{"to": URL, "host": "127.0.0.1", field: port}),
                Console(file=io.StringIO()),
            )
    assert str(caught.value) == (
        f"port {port} is in use: choose another with {flag} (0 picks a free one)"
    )


async def test_listening_until_ctrl_c(tmp_path: Path) -> None:
    """On real sockets, the tap gives a line for the stream, a recording, metrics, a summary, and
    exit code 130."""
    upstream = Upstream()
    console = Console(file=io.StringIO(), width=100)
    options = TapOptions(
        to=URL, host="127.0.0.1", metrics_port=0, save=tmp_path / "saved", top=True
    )
    codes: list[int] = []

    async def run(task_status: trio.TaskStatus[int]) -> None:
        code = await listen(options, console, connect=upstream.connect, task_status=task_status)
        codes.append(code)

    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(run)
            client = await trio.open_tcp_stream("127.0.0.1", port)
            await client.send_all(POST.replace(b"tap", b"127.0.0.1"))
            await client.send_eof()
            while not upstream.streams:
                await trio.lowlevel.checkpoint()
            (server,) = upstream.streams
            assert await receive_until(server, b"{}") == POST.replace(b"tap", URL[7:].encode())
            await server.send_all(HEAD + event("one") + LAST)
            await server.send_eof()
            received = b""
            async with client:
                async for data in client:
                    received += data
            assert received == HEAD + event("one") + LAST
            async with await trio.open_tcp_stream("127.0.0.1", port) as second:
                await second.send_all(POST)
                while len(upstream.streams) < 2:
                    await trio.lowlevel.checkpoint()
                await upstream.streams[1].send_all(HEAD)
                assert await second.receive_some() == HEAD
                signal.raise_signal(signal.SIGINT)
                with pytest.raises(trio.BrokenResourceError):
                    await second.receive_some()
    assert codes == [130]
    assert isinstance(console.file, io.StringIO)
    title, line, *summary = console.file.getvalue().splitlines()
    assert title.startswith(f"http://127.0.0.1:{port}/ > {URL} · http://localhost:")
    assert line.startswith("200 POST /v1/chat/completions 1 event 1 token ttft ")
    assert summary[0].startswith("1 still running, 1 finished: 1 ")
    saved = list(read_recording((tmp_path / "saved").read_bytes().splitlines()))
    assert [read.sender for read in saved if read.bytes] == ["client", "server"] * 2
