"""Lesson 9: a hop between a server and you. Which picture does its fault give?

    server wrote   ●  ●  ●  ●  ●  ●  ●  ●  ●  ●
    you got                                     ●●●●●●●●●●     --mode buffer

The hop is `servers.badproxy`. Like a browser, the client accepts gzip. An event has arrived when
its last byte can be decoded.
"""

import zlib
from collections.abc import AsyncGenerator, Callable
from typing import Literal

import msgspec
import trio

from clients.http.client import request
from clients.http.errors import RequestError
from protocol.sse import EventStreamParser, ServerSentEvent, encode_event
from servers import badproxy
from servers.http.reply import EventStream, Last, Request
from servers.http.routes import Routes

from ..words import Words
from .kit import Figure, Mark, Tell, choices, lanes
from .lab import LOOPBACK, serving

__all__ = ["HOP"]

GAP = 0.15  # seconds from one event to the next
EVENTS = 10
MODES = {
    "none": "none",
    "buffer": "buffer",
    "rechunk": "rechunk=120",
    "lag": "lag=1",
    "gzip": "strip-no-transform,gzip-nosync",
    "truncate": "truncate=150",
}
"""The modes of `servers.badproxy` by their names in the form."""


class Options(msgspec.Struct):
    mode: Literal["none", "buffer", "rechunk", "lag", "gzip", "truncate"]


def form(say: Words) -> str:
    guesses = ["live", "late", "lumps", "end", "cut"]
    return choices(say, "figure.hop.mode", "mode", MODES, "buffer") + choices(
        say, "figure.hop.guess", "guess", guesses
    )


def still(say: Words) -> str:
    seconds = GAP * (EVENTS + 2)
    wrote = [
        Mark(GAP * number, "dot", say("figure.hop.event", number=number))
        for number in range(1, EVENTS + 1)
    ]
    end = seconds - 2 * GAP + 0.02
    got = [Mark(end, "dot", mark.title) for mark in wrote]
    got.append(Mark(end + 0.1, "end", say("figure.hop.complete")))
    names = say("figure.hop.server"), say("figure.hop.you")
    return lanes([(names[0], wrote), (names[1], got)], seconds)


async def run(options: Options, tell: Tell) -> None:
    written: list[float] = []
    held: list[float] = []
    began = trio.current_time()

    async def events() -> AsyncGenerator[bytes | Last, None]:
        for number in range(1, EVENTS + 1):
            await trio.sleep(GAP)
            written.append(trio.current_time())
            await tell({"lane": 0, "at": written[-1] - began, "number": number})
            yield encode_event(ServerSentEvent(data=f'{{"token":{number}}}'))

    async def stream(request: Request) -> EventStream:
        return EventStream(events())

    complete = False
    mode = badproxy.modes(MODES[options.mode])
    async with serving(Routes({"GET /": stream})) as server:
        to = f"http://{LOOPBACK}:{server}"
        async with serving(badproxy.routes(to, mode)) as hop:
            began = trio.current_time()
            parser = EventStreamParser()
            unzip: Callable[[bytes], bytes] = bytes
            fields = (("Accept-Encoding", "gzip"),)
            try:
                async with request("GET", f"http://{LOOPBACK}:{hop}/", fields) as response:
                    if ("content-encoding", "gzip") in response.headers:
                        unzip = zlib.decompressobj(wbits=31).decompress
                    async for piece in response:
                        for _ in parser.receive_data(unzip(piece)):
                            now = trio.current_time()
                            held.append(now - written[len(held)])
                            await tell({"lane": 1, "at": now - began, "number": len(held)})
                complete = True
            except RequestError:
                pass
            at = trio.current_time() - began
    average = sum(held) / len(held) if held else 0.0
    await tell({"end": at, "complete": complete, "held": average, "events": len(held)})


HOP = Figure("hop", Options, form, still, run)
