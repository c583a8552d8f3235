"""Lesson 7: a client disconnects in one of three ways; when does its server know?

    the client   ask ─ token 1 ─ FIN, and reads on     the server: token 2, 3, 4, … it never knows
                                 FIN, and closes       token 2: its write is answered with an RST
                                 RST                   at once, without a write

The server sends a token every 0.3 seconds. It is one of ours: its `epoll` reports disconnects
(servers/http/watch.py). So after a close, one write is enough for the server to notice it.
"""

from collections.abc import AsyncGenerator
from typing import Literal

import msgspec
import trio

from clients.streams.tcp import connect
from protocol.sse import ServerSentEvent, encode_event
from servers.http.reply import EventStream, Last, Request
from servers.http.routes import Routes

from ..words import Words
from .kit import Figure, Mark, Tell, choices, lanes
from .lab import LOOPBACK, get, serving

__all__ = ["LEAVING"]

GAP = 0.3  # seconds from one token to the next
TOKENS = 6
WAYS = ["fin", "close", "rst"]


class Options(msgspec.Struct):
    how: Literal["fin", "close", "rst"]


def form(say: Words) -> str:
    guesses = ["at-once", "next-write", "never"]
    return choices(say, "figure.leaving.how", "how", WAYS, "close") + choices(
        say, "figure.leaving.guess", "guess", guesses
    )


def still(say: Words) -> str:
    def mark(at: float, kind: str, key: str, **values: object) -> Mark:
        return Mark(at, kind, say(f"figure.leaving.{key}", **values))

    client = [mark(0.3, "ring", "read", number=1), mark(0.45, "cross", "how.close")]
    server = [mark(0.3, "dot", "write", number=1), mark(0.6, "dot", "write", number=2)]
    server.append(mark(0.66, "end", "stopped"))
    names = say("figure.leaving.client"), say("figure.leaving.server")
    return lanes([(names[0], client), (names[1], server)], GAP * (TOKENS + 1))


async def run(options: Options, tell: Tell) -> None:
    began = trio.current_time()
    stopped = trio.Event()
    ended: dict[str, object] = {}
    left_at = 0.0
    writes = 0

    def now() -> float:
        return trio.current_time() - began

    async def tokens() -> AsyncGenerator[bytes | Last, None]:
        nonlocal writes
        finished = False
        try:
            for number in range(1, TOKENS + 1):
                await trio.sleep(GAP)
                await tell(report("server", now(), "dot", "write", number))
                writes += bool(left_at)
                yield encode_event(ServerSentEvent(data=f"token {number}"))
            finished = True
        finally:
            ended.update(report("server", now(), "end", "finished" if finished else "stopped"))
            stopped.set()

    async def stream(request: Request) -> EventStream:
        return EventStream(tokens())

    async with serving(Routes({"GET /": stream})) as port:
        client = await connect(LOOPBACK, port)
        try:
            await client.send_all(get("/"))
            number, received = 0, b""
            while data := await client.receive_some():
                received += data
                while received.count(b"data: ") > number:
                    number += 1
                    await tell(report("client", now(), "ring", "read", number))
                if number and not left_at:
                    await trio.sleep(GAP / 2)
                    left_at = now()
                    await tell(report("client", left_at, "cross", f"how.{options.how}"))
                    if options.how != "fin":
                        break
                    await client.send_eof()
            if options.how == "rst":
                client.reset()
        finally:
            client.close()
        await stopped.wait()
    await tell(ended)
    await tell({"after": now() - left_at, "writes": writes})


def report(lane: str, at: float, kind: str, key: str, number: int = 0) -> dict[str, object]:
    return {"lane": lane, "at": at, "kind": kind, "key": key, "number": number}


LEAVING = Figure("leaving", Options, form, still, run)
