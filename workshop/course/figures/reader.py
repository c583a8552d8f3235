"""Lesson 8: a slow reader slows the model. You set how fast it reads, while the stream runs.

    the model can make 50 tokens a second      made         ▓▓▓▓▓▓▓▓▓▓▓▓▓
    the kernels' buffers hold some             on the way             ▒▒▒
    you read 5                                 read         ▓▓▓▓▓▓▓▓▓▓

The server is one of ours. The client has a small receive buffer, so that back pressure begins after
some kilobytes and not after megabytes; each token is padded to a kilobyte for the same reason.
"""

import socket
from collections.abc import AsyncGenerator
from html import escape
from typing import Annotated

import msgspec
import trio

from protocol.chunked import encode_chunk
from protocol.sse import ServerSentEvent, encode_event
from servers.http.reply import EventStream, Last, Request
from servers.http.routes import Routes

from ..words import Words
from .kit import Figure, Tell, axis, choices
from .lab import LOOPBACK, get, serving

__all__ = ["READER"]

MODEL = 50  # tokens that the model can make per second
FASTEST = 40  # tokens per second at the slider's end: the reader is always the slower one
SECONDS = 6.0
TICK = 0.1  # seconds between two reports
TICKS = round(SECONDS / TICK)
HEIGHT = 140  # of the still picture, in pixels
BUFFER = 4096  # the client's receive buffer, in bytes
EVENT = encode_event(ServerSentEvent(data='{"text":"a token"}'.ljust(1000)))
FRAME = len(encode_chunk(EVENT))


class Options(msgspec.Struct):
    """What the page sends.

    Args:
        rate: Tokens that the client reads per second.
        key: The name of this run.
        change: Whether to change the rate of the run with this name, instead of starting a run.
    """

    rate: Annotated[float, msgspec.Meta(ge=1, le=60)]
    key: Annotated[str, msgspec.Meta(max_length=100)] = ""
    change: bool = False


class Reader:
    """The client of one run.

    Attributes:
        rate: Tokens that it reads per second.
        made, read: Number of tokens that the model has made, and that the client has read.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.made = 0
        self.read = 0.0


RUNNING: dict[str, Reader] = {}
"""The client of each run, by the run's name. routes.py limits the number of runs."""


def form(say: Words) -> str:
    return (
        f'<label class="slider">{escape(say("figure.reader.rate"))} <output>10</output>'
        f'<input type="range" name="rate" min="1" max="{FASTEST}" value="10"></label>\n'
    ) + choices(say, "figure.reader.guess", "guess", ["all", "ahead", "same"])


def still(say: Words) -> str:
    """After two seconds at full speed, the client reads 10 tokens a second."""
    bars = ""
    read, most = 0.0, 170
    for tick in range(TICKS):
        read += (MODEL if tick < 20 else 10) * TICK
        made = read + min(20, max(1, tick - 18) * 4)
        bars += _bar(tick, made * HEIGHT / most, read * HEIGHT / most)
    name = escape(say("figure.reader.chart"))
    top = f'<text x="0" y="12">{escape(say("figure.reader.most", most=most))}</text>'
    svg = f'<svg height="{HEIGHT}" role="img" aria-label="{name}">{top}{bars}</svg>'
    legend = "".join(
        f'<li class="{each}">{escape(say(f"figure.reader.{each}"))}</li>'
        for each in ("waiting", "read")
    )
    return f'<div class="flow"><ul>{legend}</ul>{svg}{axis(SECONDS)}</div>\n'


def _bar(tick: int, top: float, low: float) -> str:
    x = f'x="{100 * tick / TICKS:.2f}%" width="1.5%"'
    return (
        f'<rect class="read" {x} y="{HEIGHT - low:.1f}" height="{low:.1f}"></rect>'
        f'<rect class="waiting" {x} y="{HEIGHT - top:.1f}" height="{top - low:.1f}"></rect>'
    )


async def run(options: Options, tell: Tell) -> None:
    if options.change:
        if (running := RUNNING.get(options.key)) is not None:
            running.rate = options.rate
        return
    reader = RUNNING[options.key] = Reader(options.rate)
    try:
        await stream_to(reader, tell)
    finally:
        RUNNING.pop(options.key, None)


async def stream_to(reader: Reader, tell: Tell) -> None:
    async def tokens() -> AsyncGenerator[bytes | Last, None]:
        while True:
            await trio.sleep(1 / MODEL)
            reader.made += 1
            yield EVENT

    async def stream(request: Request) -> EventStream:
        return EventStream(tokens())

    async with serving(Routes({"GET /": stream})) as port, trio.open_nursery() as nursery:
        nursery.start_soon(read, reader, port)
        began = trio.current_time()
        for tick in range(1, TICKS + 1):
            await trio.sleep_until(began + tick * TICK)
            await tell({"tick": tick, "made": reader.made, "read": int(reader.read)})
        nursery.cancel_scope.cancel()


async def read(reader: Reader, port: int) -> None:
    """Read one token after the other, at the reader's rate."""
    with trio.socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        await client.connect((LOOPBACK, port))
        await client.send(get("/"))
        due = trio.current_time()
        while data := await client.recv(FRAME):
            reader.read += len(data) / FRAME
            # A new rate applies from now on. The client does not catch up on earlier delays.
            due = max(due, trio.current_time() - TICK) + len(data) / FRAME / reader.rate
            await trio.sleep_until(due)


READER = Figure("reader", Options, form, still, run)
