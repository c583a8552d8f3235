"""Clients that vanish without FIN or RST are closed within the stall time, and nothing is left.

    the connection has        the server notices by
    -----------------------   -----------------------------------------------------
    a token in flight         TCP_USER_TIMEOUT: the token is not acknowledged
    a silent stream           keep-alive: the probe is not answered
    an upload, an idle client the same
    a full socket             the server's own `stall_seconds`, or TCP_USER_TIMEOUT

These are the kernel's timers, so this test takes some seconds. It waits up to ten times as long.
"""

import gc
from collections.abc import AsyncGenerator

import trio
from trio.testing import wait_all_tasks_blocked

from clients.streams.tcp import SocketStream
from servers.http.connection import Connection, Limits
from servers.http.reply import EventStream, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes

from ...vanishing import needs_vanishing, vanish
from ..driving import Running, get, open_files, running, until

STALL = 2.0  # seconds
LIMITS = Limits(stall_seconds=STALL, heartbeat_seconds=1000)
HALF_A_BODY = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500


class Site:
    """The handlers that the clients use.

    Attributes:
        go: An event. When it is set, each stream of tokens sends one more.
        open: Number of streams that have begun and not ended.
    """

    def __init__(self) -> None:
        self.go = trio.Event()
        self.open = 0

    def routes(self) -> Routes:
        async def upload(request: Request) -> Reply:
            raise AssertionError("the body never comes whole")

        async def idle(request: Request) -> Reply:
            return Reply("done\n")

        return Routes(
            {
                "GET /tokens": self.tokens,
                "GET /flood": self.flood,
                "GET /idle": idle,
                "POST /upload": upload,
            }
        )

    async def tokens(self, request: Request) -> StreamingReply:
        return EventStream(self._tokens())

    async def _tokens(self) -> AsyncGenerator[bytes | Last, None]:
        self.open += 1
        try:
            yield b"data: 1\n\n"
            await self.go.wait()
            yield b"data: 2\n\n"
            await trio.sleep_forever()
        finally:
            self.open -= 1

    async def flood(self, request: Request) -> StreamingReply:
        return StreamingReply(self._flood())

    async def _flood(self) -> AsyncGenerator[bytes | Last, None]:
        self.open += 1
        try:
            while True:
                yield b"x" * (64 << 10)
        finally:
            self.open -= 1


async def ask(server: Running, request: bytes, is_answered: bool = True) -> SocketStream:
    client = await server.connect()
    await client.send_all(request)
    if is_answered:
        assert await client.receive_some()
    return client


@needs_vanishing
async def test_many_vanish_at_once() -> None:
    """A client that is as silent but still connected is kept."""
    site = Site()
    async with running(site.routes(), limits=LIMITS) as server:
        there = await ask(server, get("/tokens"))
        before = in_use()
        gone = [
            await ask(server, get("/tokens")),
            await ask(server, get("/flood")),
            await ask(server, get("/idle")),
            await ask(server, HALF_A_BODY, is_answered=False),
        ]
        await wait_all_tasks_blocked(0.05)
        for client in gone:
            vanish(client)
        site.go.set()
        with trio.fail_after(10 * (STALL + 1)):
            await until(lambda: server.server.connection_count == 1)
        assert site.open == 1
        for client in gone:
            client.close()
        await wait_all_tasks_blocked()
        assert in_use() == before
        assert there.receive_now() is not None
        there.close()


@needs_vanishing
async def test_one_that_vanishes_in_silence() -> None:
    """Nothing is in flight and nothing will be sent: only a keep-alive probe notices."""
    site = Site()
    async with running(site.routes(), limits=LIMITS) as server:
        client = await ask(server, get("/tokens"))
        assert site.open == 1
        vanish(client)
        with trio.fail_after(10 * (STALL + 1)):
            await until(lambda: server.server.connection_count == 0)
        assert site.open == 0


def in_use() -> tuple[int, int, int]:
    """Open files, tasks, and connections in memory."""
    gc.collect()
    tasks = trio.lowlevel.current_statistics().tasks_living
    connections = sum(isinstance(each, Connection) for each in gc.get_objects())
    return len(open_files()), tasks, connections
