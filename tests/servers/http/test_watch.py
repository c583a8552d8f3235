"""The sockets that a server watches, from the first request of a connection to its close."""

from collections.abc import AsyncGenerator

import trio

from servers.http.body import Ending, Outlet
from servers.http.reply import Last, Reply, Request, StreamingReply
from servers.http.routes import Routes

from ...streams import SAFETY, receive_all, receive_until
from ..driving import get, running, until
from .test_leaving import needs_epoll


@needs_epoll
async def test_fin_after_two_requests() -> None:
    """The observer of each request is told about the half-close while the request is handled. A
    socket is no longer watched after its close, even if its client closed it between requests."""
    told = [trio.Event(), trio.Event()]

    class Observer:
        def __init__(self, event: trio.Event) -> None:
            self.half_closed = event.set

        def wrap(self, outlet: Outlet) -> Outlet:
            return outlet

        def end(self, how: Ending) -> None:
            pass

    async def handler(request: Request) -> StreamingReply:
        event = told[int(request.path[1:])]

        async def pieces() -> AsyncGenerator[bytes | Last, None]:
            await event.wait()
            yield b"told"

        reply = StreamingReply(pieces())
        reply.observer = Observer(event)
        return reply

    async def home(request: Request) -> Reply:
        return Reply("home")

    async with running(Routes({"GET /": home, "GET /{number}": handler})) as server:
        idle = await server.connect()
        await idle.send_all(get("/"))
        await receive_until(idle, b"home")
        idle.close()
        client = await server.connect()
        await client.send_all(get("/0") + get("/1"))
        await client.send_eof()
        with trio.fail_after(SAFETY):
            assert (await receive_all(client)).count(b"told") == 2
        client.close()
        await until(lambda: server.server.connection_count == 0)
        assert server.server._watch._requests == {}
