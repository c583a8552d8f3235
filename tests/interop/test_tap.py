"""Through a tap, a client cannot tell the difference: the same bytes, the same end, the same error.

The clients, the tap and the simulated faults run in one thread, on real sockets.
"""

import re
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import openai
import pytest
import trio
import trio.testing

from clients.streams.tcp import SocketStream, connect
from protocol.sse import EventStreamParser
from servers.http.server import listen
from servers.llm.faults import FAULTS
from workshop.xray.recordings.masking import Masker
from workshop.xray.tap.tap import Tap, TapOptions, accept
from workshop.xray.tap.watch import Watch

from ..streams import SAFETY
from ..vanishing import needs_vanishing, vanish
from .faults import NONE, answers
from .peers import need
from .relayed import WHEN_ALL_WAIT, Asker, Both, served

NAMES = (NONE, *FAULTS)
PATIENCE = 30.0  # seconds by the clock that jumps, for the faults that never end


@asynccontextmanager
async def tapping(port: int, *, stall_seconds: float = 120.0) -> AsyncIterator[tuple[int, Watch]]:
    """A tap of the server at this port. Yields its own port, and what it sees."""
    origin = f"http://127.0.0.1:{port}"
    watch = Watch(origin, Masker)
    tap = Tap(TapOptions(to=origin, stall_seconds=stall_seconds), watch)
    sockets = listen("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept, tap, sockets)
        nursery.start_soon(watch.run)
        yield sockets[0].getsockname()[1], watch
        nursery.cancel_scope.cancel()


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run with a clock that jumps when all wait."""
    with warnings.catch_warnings():
        # After an error, the client does not close its generators; the garbage collector does.
        warnings.simplefilter("ignore", ResourceWarning)
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=WHEN_ALL_WAIT))


def test_the_official_client() -> None:
    """The same chunks, and the same class of error, for every fault."""
    found: dict[str, Both] = {}

    async def main() -> None:
        http = openai.DefaultAsyncHttpxClient(trust_env=False)
        async with served(answers()) as port, tapping(port) as (tap, _), http:
            asker = Asker(http, (port, tap))
            async with trio.open_nursery() as nursery:
                for name in NAMES:
                    nursery.start_soon(asker.note, name, found)

    run(main)
    assert {name: both for name, both in found.items() if both[0] != both[1]} == {}
    assert found.keys() == set(NAMES)


def test_the_bytes() -> None:
    """The same bytes and the same end: a FIN, an RST, or none."""
    outcomes: dict[tuple[int, str], tuple[bytes, str]] = {}

    async def main() -> None:
        async with served(answers()) as port, tapping(port) as (tap, _):
            await ask_all((port, tap))

    async def ask_all(ports: tuple[int, int]) -> None:
        async with trio.open_nursery() as nursery:
            for name in NAMES:
                for number, port in enumerate(ports):
                    nursery.start_soon(ask, port, name, (number, name))

    async def ask(port: int, name: str, key: tuple[int, str]) -> None:
        stream = await connect("127.0.0.1", port)
        head = f"GET /answer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        await stream.send_all(f"{head}X-Fault: {name}\r\n\r\n".encode())
        received, end = b"", "waits"
        with trio.move_on_after(PATIENCE):
            try:
                while data := await stream.receive_some():
                    received += data
                end = "fin"
            except trio.BrokenResourceError:
                end = "reset"
        stream.reset()
        outcomes[key] = re.sub(rb"\r\nDate: [^\r]*", b"", received), end

    run(main)
    different = [name for name in NAMES if outcomes[0, name] != outcomes[1, name]]
    assert different == []
    assert {end for _, end in outcomes.values()} == {"fin", "reset", "waits"}


async def test_curl() -> None:
    """The same output and the same exit code."""
    curl = need("curl", "curl")
    outputs: dict[str, list[tuple[bytes, int]]] = {}
    async with served(answers()) as port, tapping(port) as (tap, watch):
        for name in (NONE, "rst", "fin-mid-event"):
            for one in (port, tap):
                url = f"http://127.0.0.1:{one}/answer"
                command = [curl, "-sN", "--raw", "-H", f"X-Fault: {name}", url]
                done = await trio.run_process(command, capture_stdout=True, check=False)
                outputs.setdefault(name, []).append((done.stdout, done.returncode))
        while len(watch.finished) < len(outputs):
            await trio.lowlevel.checkpoint()
        assert [one.how for one in watch.finished] == ["done", "cut", "cut"]
    assert {name: both for name, both in outputs.items() if both[0] != both[1]} == {}


async def test_two_hundred_connections_at_once() -> None:
    counts: list[int] = []

    async def ask(port: int) -> None:
        stream = await connect("127.0.0.1", port)
        await stream.send_all(b"GET /answer HTTP/1.0\r\n\r\n")
        parser, events = EventStreamParser(), 0
        body = b""
        while data := await stream.receive_some():
            body += data
        stream.close()
        events = len(parser.receive_data(body.partition(b"\r\n\r\n")[2]))
        counts.append(events)

    with trio.fail_after(SAFETY):
        async with served(answers()) as port, tapping(port) as (tap, watch):
            async with trio.open_nursery() as nursery:
                for _ in range(200):
                    nursery.start_soon(ask, tap)
            while len(watch.running):
                await trio.lowlevel.checkpoint()
            assert sum(watch.verdicts.values()) == 200
    assert counts == [6] * 200


@needs_vanishing
async def test_a_client_that_vanishes() -> None:
    """The client's machine has vanished. After the stall time, the kernel breaks the client's
    connection, and the tap resets the server's connection."""
    with trio.fail_after(SAFETY):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        async with listener, tapping(port, stall_seconds=1.0) as (tap, watch):
            client = await connect("127.0.0.1", tap)
            await client.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with await listener.accept() as server:
                await server.receive_some()
                vanish(client)
                await server.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
                with pytest.raises(trio.BrokenResourceError):
                    await server.receive_some()
            while not watch.finished:
                await trio.lowlevel.checkpoint()
            assert watch.finished[0].how == "left"
            client.reset()


@needs_vanishing
async def test_a_server_that_vanishes() -> None:
    """The client gets an RST, as it would from its own kernel."""
    with trio.fail_after(SAFETY):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        async with listener, tapping(port, stall_seconds=1.0) as (tap, watch):
            client = await connect("127.0.0.1", tap)
            await client.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            server = SocketStream.adopt(await listener.accept())
            await server.receive_some()
            await server.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            assert (await client.receive_some()).endswith(b"half")
            vanish(server)
            await client.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # nobody acknowledges it
            with pytest.raises(trio.BrokenResourceError):
                await client.receive_some()
            while len(watch.finished) < 2:
                await trio.lowlevel.checkpoint()
            first, _ = watch.finished
            assert (first.how, first.meter and first.meter.end) == ("cut", "silent")
            client.close()
            server.reset()
