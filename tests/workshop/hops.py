"""The server and the hops that the pages ask with x-ray, all in one thread of this process.

    8000 simulated LLM ── 8011 a compressor that does not flush
                       └─ 8012 no fault ── 8013 blocks of 1,000 bytes ── 8014 no fault

A page names these ports. Here each is a free one.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread

import trio

from servers import badproxy, chat
from servers.http.server import Server, listen
from servers.llm.pace import Pace

from ..interop.peers import SAFETY

__all__ = ["hops_of_pages"]

MODEL = 8000
HOPS = {
    # port on the page: (mode, its upstream)
    8011: ("strip-no-transform,gzip-nosync", MODEL),
    8012: ("none", MODEL),
    8013: ("rechunk=1000", 8012),
    8014: ("none", 8013),
}
PACE = Pace(0.25, 0.005)
"""Quicker than the default pace, and slow enough to see what a hop holds."""


@contextmanager
def hops_of_pages() -> Iterator[dict[int, int]]:
    """Serve until the end of the block. Yields {port on a page: real port}."""
    ports: dict[int, int] = {}
    servers: list[tuple[Server, list[socket.socket]]] = []
    for usual in (MODEL, *HOPS):
        sockets = listen("localhost", 0)
        ports[usual] = sockets[0].getsockname()[1]
        if usual == MODEL:
            routes = chat.routes(PACE)
        else:
            mode, upstream = HOPS[usual]
            to = f"http://localhost:{ports[upstream]}"
            routes = badproxy.routes(to, badproxy.modes(mode))
        servers.append((Server(routes), sockets))
    tokens: SimpleQueue[trio.lowlevel.TrioToken] = SimpleQueue()

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            for server, sockets in servers:
                nursery.start_soon(server.serve, sockets)
            tokens.put(trio.lowlevel.current_trio_token())

    def abort() -> None:
        for server, _ in servers:
            server.abort()

    thread = Thread(target=trio.run, args=(serve,))
    thread.start()
    token = tokens.get(timeout=SAFETY)
    try:
        yield ports
    finally:
        trio.from_thread.run_sync(abort, trio_token=token)
        thread.join()
