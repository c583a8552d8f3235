"""Lesson 12: 1, 100 or 1,000 streams on one wheel. How often does the loop wake up?

    streams   tokens a second   wake-ups a second
          1                20                  20     one token each time
        100             2,000                 200     ten
      1,000            20,000                 200     a hundred

The engine is the one of our servers (servers/llm/engine.py). Each token is written to a socket. A
slot is 5 ms wide, so a second has 200 of them, however many streams there are.
"""

import math
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from itertools import repeat
from typing import Literal

import msgspec
import trio

from protocol.sse import ServerSentEvent, encode_event
from servers.llm.engine import SLOT, Engine, TokenSequence

from ..words import Words
from .kit import Figure, Tell, choices

__all__ = ["WHEEL"]

GAP = 0.05  # seconds from one token of a stream to the next
SECONDS = 2.0
TICK = 0.1  # seconds between two reports
SLOTS = round(GAP / SLOT)
FRAME = encode_event(ServerSentEvent(data='{"text":" word"}'))


class Options(msgspec.Struct):
    streams: Literal["1", "100", "1000"]


def form(say: Words) -> str:
    return choices(say, "figure.wheel.streams", "streams", ["1", "100", "1000"], "1000") + choices(
        say, "figure.wheel.guess", "guess", ["20", "200", "20000"]
    )


def still(say: Words) -> str:
    rows = {"tokens": "2,000", "wakes": "200", "together": "10"}
    numbers = "".join(
        f"<li><b>{value}</b> {escape(say(f'figure.wheel.{key}'))}</li>"
        for key, value in rows.items()
    )
    return f'<div class="turning">{wheel([10] * SLOTS)}<ul>{numbers}</ul></div>\n'


def wheel(counts: list[int]) -> str:
    """Return the wheel as SVG: a circle for each slot, with the number of its streams."""
    html = ""
    for slot, count in enumerate(counts):
        angle = 2 * math.pi * slot / len(counts) - math.pi / 2
        x, y = 110 + 82 * math.cos(angle), 110 + 82 * math.sin(angle)
        html += (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="21"></circle>'
            f'<text x="{x:.1f}" y="{y + 4.5:.1f}">{count or ""}</text>'
        )
    return f'<svg viewBox="0 0 220 220" width="220" height="220" aria-hidden="true">{html}</svg>'


class Work:
    """What one run counts.

    Attributes:
        tokens: Number of tokens.
        wakes: Number of times that the engine woke up and made tokens.
        late: The delay of each token, in seconds.
    """

    def __init__(self, out: socket.socket) -> None:
        self.tokens = self.wakes = 0
        self.late: list[float] = []
        self._out = out
        self._out.setblocking(False)
        self._slot = -1

    def stream(self, number: int, of: int) -> TokenSequence:
        """Return a stream. Its tokens are due a little later than those of the previous stream."""
        began = trio.current_time()
        offset = GAP * number / of

        def frames() -> Iterator[bytes]:
            due = began + offset
            while True:
                self.late.append(trio.current_time() - due)
                due += GAP
                yield FRAME

        def write(frame: bytes, now: float) -> bool:
            self.tokens += 1
            slot = round(now / SLOT)  # a slot with many tokens lets other tasks run in between
            self.wakes += slot != self._slot
            self._slot = slot
            # After a pause of the machine, more tokens are due at once than the socket's buffer can
            # hold. The others are dropped: a send that waited would stop the loop, with its reader.
            with suppress(BlockingIOError):
                self._out.send(frame)
            return True

        return TokenSequence(frames(), repeat(GAP), offset, write)


async def run(options: Options, tell: Tell) -> None:
    count = int(options.streams)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        work = Work(ours)
        engine = Engine(max_batch=count)
        processor = time.thread_time()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain, theirs)
            nursery.start_soon(engine.run)
            for number in range(count):
                nursery.start_soon(engine.drive, work.stream(number, count), trio.sleep_forever)
            for tick in range(1, round(SECONDS / TICK) + 1):
                await trio.sleep_until(began + tick * TICK)
                await tell({"seconds": tick * TICK, "tokens": work.tokens, "wakes": work.wakes})
            nursery.cancel_scope.cancel()
        processor = time.thread_time() - processor
    late = sorted(work.late)
    counts = [count // SLOTS + (slot < count % SLOTS) for slot in range(SLOTS)]
    await tell({
        "slots": counts,
        "late": 1000 * late[len(late) * 99 // 100],
        "processor": 1e6 * processor / work.tokens,
    })  # fmt: skip


async def drain(reader: socket.socket) -> None:
    """Read and drop all bytes: no stream of this run waits for its reader."""
    reader.setblocking(False)
    while True:
        await trio.lowlevel.wait_readable(reader)
        reader.recv(1 << 20)


WHEEL = Figure("wheel", Options, form, still, run)
