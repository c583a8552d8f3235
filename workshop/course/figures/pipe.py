"""Lesson 1: a program prints five tokens into a pipe. When does the reader of the pipe get them?

    the program prints   ●  ●  ●  ●  ●
    you get                          ●     one read of 28 bytes: the output was buffered

The program is a process of its own. It reports the time of each print on its standard error.
"""

import os
import subprocess
import sys
from typing import Literal

import msgspec
import trio

from ..words import Words
from .kit import Figure, Mark, Tell, choices, lanes

__all__ = ["PIPE"]

GAP = 0.2  # seconds from one token to the next
TOKENS = 5
SECONDS = GAP * (TOKENS + 1)
PROGRAM = """\
import sys, time
for token in ("你好", ", ", "世界", "🌍", "hello"):
    time.sleep({gap})
    print(token{flush})
    print(token, file=sys.stderr, flush=True)
"""


class Options(msgspec.Struct):
    how: Literal["print", "flush"]


def form(say: Words) -> str:
    return choices(say, "figure.pipe.how", "how", ["print", "flush"], "print") + choices(
        say, "figure.pipe.guess", "guess", ["one", "five"]
    )


def still(say: Words) -> str:
    printed = [
        Mark(GAP * number, "dot", say("figure.pipe.printed", number=number))
        for number in range(1, TOKENS + 1)
    ]
    got = [Mark(GAP * TOKENS + 0.05, "dot", say("figure.pipe.read", bytes=28))]
    names = say("figure.pipe.program"), say("figure.pipe.you")
    return lanes([(names[0], printed), (names[1], got)], SECONDS)


async def run(options: Options, tell: Tell) -> None:
    program = PROGRAM.format(gap=GAP, flush=", flush=True" if options.how == "flush" else "")
    # PYTHONUNBUFFERED would hide the surprise. The pipe must carry UTF-8 on every machine.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    environment["PYTHONIOENCODING"] = "utf-8"
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C is meant for the server, not for its child
    )
    assert process.stdout is not None
    assert process.stderr is not None
    began = trio.current_time()
    reads = 0

    async def hear(pipe: trio.abc.ReceiveStream) -> None:
        nonlocal began
        number = 0
        async for piece in pipe:
            if not number:  # the time that Python took to start does not count
                began = trio.current_time() - GAP
            for _ in range(piece.count(b"\n")):  # on a busy machine one read may have two lines
                number += 1
                await tell({"lane": 0, "at": trio.current_time() - began, "number": number})

    async def read(pipe: trio.abc.ReceiveStream) -> None:
        nonlocal reads
        async for piece in pipe:
            reads += 1
            await tell({"lane": 1, "at": trio.current_time() - began, "bytes": len(piece)})

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear, process.stderr)
            nursery.start_soon(read, process.stdout)
        await process.wait()
    finally:
        process.kill()
        await process.stdout.aclose()
        await process.stderr.aclose()
    await tell({"reads": reads})


PIPE = Figure("pipe", Options, form, still, run)
