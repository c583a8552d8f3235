"""The harness and the service of the contract tests, in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from clients.http.client import Client, open_client
from clients.streams.tcp import ByteStream
from servers.http.connection import Connection
from servers.http.limits import Limits
from servers.http.routes import Routes
from servers.http.watch import Watch
from workshop.contract.harness import Harness
from workshop.contract.service import ClientService

from ...streams import memory_pair

SERVICE, HARNESS, OTHER = 8010, 8011, 8012

Other = Callable[[Client], Routes]  # makes a service that uses this client for its callbacks


class Network:
    """Servers in memory, by their ports."""

    def __init__(self, nursery: trio.Nursery, watch: Watch) -> None:
        self.servers: dict[int, Routes] = {}
        self._nursery = nursery
        self._watch = watch

    async def connect(self, host: str, port: int, *, stall_seconds: float = 0) -> ByteStream:
        await trio.lowlevel.checkpoint()
        near, far = memory_pair(1 << 20)
        limits = Limits(max_body_size=64 << 20)
        connection = Connection(far, self.servers[port], self._watch, limits)
        self._nursery.start_soon(connection.serve)
        return near


@asynccontextmanager
async def network(other: Other | None = None) -> AsyncIterator[tuple[Harness, ClientService]]:
    """Our service and the harness. If there is another service, the harness
    tests that one."""
    watch = Watch()
    try:
        async with trio.open_nursery() as nursery:
            net = Network(nursery, watch)
            service = ClientService(nursery.cancel_scope.cancel, connect=net.connect)
            net.servers[SERVICE] = service.routes()
            async with open_client(connect=net.connect) as client:
                harness = Harness(
                    f"http://localhost:{SERVICE}", f"http://localhost:{HARNESS}", client
                )
                net.servers[HARNESS] = harness.routes()
                if other is not None:
                    net.servers[OTHER], harness.service = other(client), f"http://localhost:{OTHER}"
                nursery.start_soon(watch.run)
                for task in net.servers[SERVICE].tasks:
                    nursery.start_soon(task)
                yield harness, service
            nursery.cancel_scope.cancel()
    finally:
        watch.close()
