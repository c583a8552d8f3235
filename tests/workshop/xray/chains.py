"""A chain of hops in memory: a server, bad proxies, and a connection to each of them.

    http://server              http://hop1         http://hop2
    naive server ─── memory ── bad proxy ── memory ── bad proxy ── memory ── x-ray

On trio's autojump clock, an answer of some seconds takes milliseconds, and all times are exact. The
server is naive: it sends neither of the two header fields that protect our own streams.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import trio

from clients.streams.memory import MemoryStream, memory_pair
from servers import badproxy
from servers.badproxy import modes
from servers.http.connection import Connection
from servers.http.reply import Handler, Headers, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.http.watch import Watch

__all__ = ["TEXT", "Naive", "Network", "chain", "network"]

SERVER = "server"
TEXT = [f"{word}{number} " for number in range(8) for word in ("one", "二", "três", "🌍", "five")]


class Naive(Routes):
    """Answers every request with the events of a chat completion.

    Args:
        headers: Further fields of the response.
        role_first: Send an event without text at once, as some APIs do.
    """

    TTFT, ITL = 0.5, 0.05  # seconds to the first text, and from each token to the next

    def __init__(self, headers: Headers = (), *, role_first: bool = True) -> None:
        super().__init__({})
        self._headers = headers
        self._role_first = role_first

    def find(self, method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        return self.answer, {}

    async def answer(self, request: Request) -> StreamingReply:
        return StreamingReply(self.events(), 200, "text/event-stream", self._headers)

    async def events(self) -> AsyncGenerator[bytes | Last, None]:
        if self._role_first:
            yield event(choices=[{"index": 0, "delta": {"role": "assistant"}}])
        await trio.sleep(self.TTFT)
        for word in TEXT:
            yield event(choices=[{"index": 0, "delta": {"content": word}}])
            await trio.sleep(self.ITL)
        yield event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
        yield event(choices=[], usage={"completion_tokens": len(TEXT)})
        yield Last(b"data: [DONE]\n\n")


def event(**fields: object) -> bytes:
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", **fields}
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


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
    """Hosts that exist until the end of the block."""
    async with trio.open_nursery() as nursery:
        made = Network(nursery)
        for name, routes in hosts.items():
            made.add(name, routes)
        yield made
        nursery.cancel_scope.cancel()
    made.close()


@asynccontextmanager
async def chain(hops: Sequence[str], routes: Routes | None = None) -> AsyncIterator[Network]:
    """Start a server as http://server, and hops with these modes. http://hop1 is next to the
    server."""
    async with network({SERVER: routes or Naive()}) as made:
        upstream = SERVER
        for number, mode in enumerate(hops, 1):
            name = f"hop{number}"
            made.add(name, badproxy.routes(f"http://{upstream}", modes(mode), made.connect))
            upstream = name
        yield made
