"""How a reply ended: its log line, and what its observer is told."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from servers.http.body import Outlet
from servers.http.connection import Limits
from servers.http.reply import CutOff, Ending, EventStream, Reply, Request, StreamingReply
from servers.http.routes import Routes

from ...streams import receive_until
from ..driving import Memory, Pieces, connected, get, running, until

STALL = Limits(stall_seconds=10)


class Ends:
    """An observer that keeps how its reply ended."""

    def __init__(self) -> None:
        self.how: list[Ending] = []

    def wrap(self, outlet: Outlet) -> Outlet:
        return outlet

    def half_closed(self) -> None:
        pass

    def end(self, how: Ending) -> None:
        self.how.append(how)


class ControlledReply:
    """A reply that the test controls after its first piece."""

    def __init__(self, piece: bytes = b"one") -> None:
        self.ends = Ends()
        self._piece = piece
        self._send, self._receive = trio.open_memory_channel[Exception | None](1)
        self.then = self._send.send_nowait
        self.routes = Routes({"GET /": self._stream, "GET /whole": self._whole})

    async def _stream(self, request: Request) -> StreamingReply:
        async def pieces() -> Pieces:
            yield self._piece
            if error := await self._receive.receive():
                raise error
            yield b"two"

        reply = StreamingReply(pieces())
        reply.observer = self.ends
        return reply

    async def _whole(self, request: Request) -> Reply:
        reply = Reply(self._piece)
        reply.observer = self.ends
        return reply


def of_the_client(memory: Memory, reply: ControlledReply) -> None:
    memory.client.reset()
    reply.then(None)  # the write that notices


DOINGS: dict[str, tuple[Ending, Callable[[Memory, ControlledReply], None]]] = {
    "it is complete": (Ending.DONE, lambda memory, reply: reply.then(None)),
    "its source fails": (Ending.FAILED, lambda memory, reply: reply.then(KeyError("x"))),
    "a truncation on purpose": (Ending.CUT_OFF, lambda memory, reply: reply.then(CutOff())),
    "an RST on purpose": (Ending.RESET, lambda memory, reply: reply.then(CutOff(reset=True))),
    "a write notices the disconnect": (Ending.DISCONNECTED, of_the_client),
    "the kernel reports the disconnect": (
        Ending.DISCONNECTED,
        lambda memory, reply: memory.connection.client_disconnected(),
    ),
    "the server stops": (Ending.STOPPED, lambda memory, reply: memory.connection.abort()),
}


@pytest.mark.parametrize(("ending", "do"), DOINGS.values(), ids=DOINGS)
async def test_a_stream_ends(
    ending: Ending,
    do: Callable[[Memory, ControlledReply], None],
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "servers")
    reply = ControlledReply()
    async with connected(reply.routes) as memory:
        await memory.client.send_all(get("/", "Connection: close"))
        await receive_until(memory.client, b"one\r\n")
        do(memory, reply)
        await memory.done.wait()
    assert reply.ends.how == [ending]
    assert caplog.records[-1].getMessage().endswith(f" bytes, {ending.value}")


@pytest.mark.parametrize(
    ("ending", "end"),
    [
        (Ending.DISCONNECTED, lambda memory: memory.connection.client_disconnected()),
        (Ending.STOPPED, lambda memory: memory.connection.abort()),
    ],
    ids=["the client disconnects", "the server stops"],
)
async def test_an_end_before_the_reply(
    ending: Ending,
    end: Callable[[Memory], None],
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client gave up a whole answer, for example: the request has its line in the log too."""
    caplog.set_level("INFO", "servers")

    async def thinking(request: Request) -> Reply:
        await trio.sleep_forever()
        raise AssertionError

    async with connected(Routes({"GET /": thinking})) as memory:
        await memory.client.send_all(get("/"))
        await wait_all_tasks_blocked()
        end(memory)
        await memory.done.wait()
    assert caplog.records[-1].getMessage() == f"GET / no reply, {ending.value}"


@pytest.mark.parametrize("path", ["/", "/whole"])
async def test_a_reader_that_takes_nothing_has_stalled(
    path: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is still connected, so it has not disconnected."""
    caplog.set_level("INFO", "servers")
    reply = ControlledReply(b"x" * 1000)
    async with connected(reply.routes, STALL, size=300) as memory:
        await memory.client.send_all(get(path))
        await memory.done.wait()
    assert reply.ends.how == [Ending.STALLED]
    assert caplog.records[-1].getMessage().endswith(" bytes, the reader stalled")


@pytest.mark.parametrize("path", ["/", "/whole"])
async def test_a_reader_that_disconnects_during_a_write(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "servers")
    reply = ControlledReply(b"x" * 1000)
    async with connected(reply.routes, size=300) as memory:
        await memory.client.send_all(get(path))
        await wait_all_tasks_blocked()
        memory.client.reset()
        await memory.done.wait()
    assert reply.ends.how == [Ending.DISCONNECTED]
    assert caplog.records[-1].getMessage().endswith(" bytes, the client disconnected")


async def test_a_heartbeat_that_notices_the_disconnect(autojump_clock: MockClock) -> None:
    ends = Ends()

    async def silent(request: Request) -> StreamingReply:
        async def pieces() -> Pieces:
            await trio.sleep_forever()
            yield b""

        reply = EventStream(pieces())
        reply.observer = ends
        return reply

    async with connected(Routes({"GET /": silent}), Limits(heartbeat_seconds=5)) as memory:
        await memory.client.send_all(get())
        await receive_until(memory.client, b"\r\n\r\n")
        memory.client.reset()
        await memory.done.wait()
    assert ends.how == [Ending.DISCONNECTED]


@pytest.mark.parametrize("grace", [0.0, 3600.0])
async def test_a_server_that_stops(grace: float) -> None:
    """At the end of the grace time, or at once: the server has stopped, the client is connected."""
    reply = ControlledReply()
    async with running(reply.routes, grace_seconds=grace) as server:
        client = await server.connect()
        await client.send_all(get())
        await receive_until(client, b"one\r\n")
        server.server.stop()
        if grace:
            server.server.abort()
        await until(lambda: bool(reply.ends.how))
    assert reply.ends.how == [Ending.STOPPED]
