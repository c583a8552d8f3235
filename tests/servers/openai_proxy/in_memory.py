"""The proxy between two connections in memory, for the autojump clock and an exact order of events.

async with between() as proxy:
    await proxy.client.send_all(post())            the client's end of its connection
    api = await proxy.connected()                  the API's end of the proxy's connection
    await api.send_all(EVENTS)
    proxy.connection.client_disconnected()          what the kernel would tell the server
    await proxy.api_sees_the_end()                 the API's connection ends at once
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from clients.streams.tcp import ByteStream, Connect
from protocol.secret import Secret
from servers.http.connection import Connection, Limits
from servers.openai_proxy.handlers import RelayHandlers, Upstream, routes
from servers.openai_proxy.relay import Timeouts

from ...streams import MemoryStream, memory_pair
from ..driving import connected
from .fake_api import KEY

WITHIN = 0.1  # seconds from the client's disconnect to the end of the API's connection


@dataclass
class Between:
    """The proxy, and the connections on both sides.

    Attributes:
        client: The client's end of its connection.
        connection: The proxy's end of it.
        done: Set when `connection` has ended.
        opened: The API's ends of the connections that the proxy has opened.
        ours: The proxy's ends of the same connections.
        relay: The object that makes the proxy's handlers.
        came: An event that is set when the proxy has opened a connection.
    """

    client: MemoryStream
    connection: Connection
    done: trio.Event
    opened: list[MemoryStream]
    ours: list[MemoryStream]
    relay: RelayHandlers
    came: trio.Event = field(default_factory=trio.Event)

    async def connected(self) -> MemoryStream:
        """Wait for the first connection. Returns the API's end of it."""
        await self.came.wait()
        return self.opened[0]

    async def api_sees_the_end(self, api: ByteStream) -> None:
        """Fail unless the proxy closes this connection within WITHIN seconds."""
        with trio.fail_after(WITHIN):
            try:
                while await api.receive_some():
                    pass
            except trio.BrokenResourceError:
                pass
            await self.done.wait()


@asynccontextmanager
async def between(
    *,
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    size: int = 64 << 10,
    base_url: str = "http://127.0.0.1/v1",
    ca_file: str | None = None,
    open_upstream: Connect | None = None,
) -> AsyncIterator[Between]:
    """Run a proxy with one client.

    Args:
        size: Number of unread bytes that each direction of each connection can hold.
        open_upstream: The function that opens a connection to the upstream, by default in memory.
    """
    upstream = Upstream(base_url, Secret(KEY), ca_file, timeouts or Timeouts())
    opened: list[MemoryStream] = []
    ours: list[MemoryStream] = []
    came = trio.Event()

    async def connect(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        near, far = memory_pair(size)
        opened.append(far)
        ours.append(near)
        came.set()
        return near

    table = routes(upstream, connect=open_upstream or connect)
    (run,) = table.tasks
    relay = getattr(run, "__self__")  # noqa: B009 - mypy knows no bound methods
    async with connected(table, limits, size) as memory:
        yield Between(memory.client, memory.connection, memory.done, opened, ours, relay, came)
