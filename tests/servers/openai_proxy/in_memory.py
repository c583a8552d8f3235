"""The proxy between two connections in memory: for trio's autojump clock, and for exact causes.

async with between() as proxy:
    await proxy.client.send_all(post())            the client's end
    api = await proxy.connected()                  the API's end of the connection to it
    await api.send_all(EVENTS)
    proxy.connection.client_disconnected()             what the kernel would tell the server
    await proxy.api_sees_the_end()                 and in no time the API knows
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
from .behind import KEY

WITHIN = 0.1  # seconds between the client's leave and the end of the API's connection


@dataclass
class Between:
    """The proxy, and what is on its two sides.

    Attributes:
        client: the client's end of its connection.
        connection: the proxy's side of it.
        done: set when it has ended.
        opened: the API's ends of the connections that the proxy has opened.
        ours: the proxy's ends of the same.
        relay: what relays.
    """

    client: MemoryStream
    connection: Connection
    done: trio.Event
    opened: list[MemoryStream]
    ours: list[MemoryStream]
    relay: RelayHandlers
    came: trio.Event = field(default_factory=trio.Event)

    async def connected(self) -> MemoryStream:
        """The API's end of the first connection, once there is one."""
        await self.came.wait()
        return self.opened[0]

    async def api_sees_the_end(self, api: ByteStream) -> None:
        """Fail unless the proxy's end of this connection is closed, in time."""
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
    """A proxy with one client.

    Args:
        size: how many unread bytes each direction of each connection holds.
        open_upstream: Opens a connection to the upstream; by default one in memory.
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
