"""A tapped connection in memory, with a watch.

async with tapping() as tap:
    await tap.client.send_all(GET)
    await tap.server.send_all(HEAD + event("hi"))
    await tap.settle()
    tap.watch.running, tap.watch.finished
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio
import trio.testing

from workshop.xray.tap.relay import Relay
from workshop.xray.tap.tapped import Sender
from workshop.xray.tap.watch import Watch

from ...interop.held import Bugs
from ...streams import MemoryStream, memory_pair

UPSTREAM = "http://api.example.com"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: tap\r\nContent-Length: 2\r\n\r\n{}"
GET = b"GET /v1/models?key=sk-abcdefghijklmnop HTTP/1.1\r\nHost: tap\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def event(text: str) -> bytes:
    """A chunk with one event of Chat Completions."""
    return chunk(b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text.encode())


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


FINISH = chunk(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
DONE = chunk(b"data: [DONE]\n\n")


class NoMask:
    """A mask for a single word, with as many characters as the word."""

    def mask(self, sender: Sender, data: bytes) -> bytes:
        return data.replace(b"secret", b"******")


@dataclass
class Tapping:
    """The far ends of one tapped connection, and the watch."""

    client: MemoryStream
    server: MemoryStream
    watch: Watch

    async def settle(self) -> None:
        """Wait until all sent bytes have been relayed, and measure them."""
        await trio.testing.wait_all_tasks_blocked()
        self.watch.measure(60)

    async def say(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Let the server send these pieces, each as one read, with this time between them."""
        for piece in pieces:
            await trio.sleep(pause)
            await self.server.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()
            self.client.receive_now()


@asynccontextmanager
async def tapping(watch: Watch | None = None, *, has_bug: bool = False) -> AsyncIterator[Tapping]:
    """A connection through a tap.

    Args:
        has_bug: Whether the watch should log a bug in its own code.
    """
    watch = watch or Watch(UPSTREAM, NoMask)
    bugs = Bugs()
    logging.getLogger("workshop").addHandler(bugs)
    client, near = memory_pair()
    far, server = memory_pair()
    seen = watch.connection()

    async def run() -> None:
        await Relay(near, far, seen, "api.example.com").run()
        seen.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        yield Tapping(client, server, watch)
        nursery.cancel_scope.cancel()
    logging.getLogger("workshop").removeHandler(bugs)
    assert bugs.found.is_set() is has_bug
