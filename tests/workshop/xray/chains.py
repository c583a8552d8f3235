"""A chain of hops in memory: a model, bad proxies, and a connection to each of them.

    http://server              http://hop1         http://hop2
    simulated LLM ── memory ── bad proxy ── memory ── bad proxy ── memory ── x-ray

On trio's autojump clock an answer of seconds takes milliseconds, and each time is exact.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import trio

from clients.streams.memory import MemoryStream, memory_pair
from servers import badproxy, chat
from servers.badproxy import modes
from servers.http.connection import Connection
from servers.http.routes import Routes
from servers.http.watch import Watch
from servers.llm.pace import Pace

__all__ = ["chain", "network"]

SERVER = "server"


class Network:
    """Hosts by name, each with its routes. `connect` is a `clients.streams.tcp.Connect`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.asked: list[tuple[str, int]] = []
        self._nursery = nursery
        self._watch = Watch()
        self._hosts: dict[str, Routes] = {}
        nursery.start_soon(self._watch.run)

    def add(self, name: str, routes: Routes) -> None:
        self._hosts[name] = routes
        for task in routes.tasks:
            self._nursery.start_soon(task)

    async def connect(self, host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        self.asked.append((host, port))
        if host not in self._hosts:
            raise OSError(-2, "Name or service not known")
        ours, theirs = memory_pair()
        self._nursery.start_soon(Connection(theirs, self._hosts[host], self._watch).serve)
        return ours

    def close(self) -> None:
        self._watch.close()


@asynccontextmanager
async def network(hosts: Mapping[str, Routes]) -> AsyncIterator[Network]:
    """Hosts that are there until the end of the block."""
    async with trio.open_nursery() as nursery:
        made = Network(nursery)
        for name, routes in hosts.items():
            made.add(name, routes)
        yield made
        nursery.cancel_scope.cancel()
    made.close()


@asynccontextmanager
async def chain(hops: Sequence[str], routes: Routes | None = None) -> AsyncIterator[Network]:
    """The simulated LLM as http://server, and hops with these modes: http://hop1 is next to it."""
    async with network({SERVER: routes or chat.routes(Pace(0.5, 0.03))}) as made:
        upstream = SERVER
        for number, mode in enumerate(hops, 1):
            name = f"hop{number}"
            made.add(name, badproxy.routes(f"http://{upstream}", modes(mode), made.connect))
            upstream = name
        yield made
