"""pressure.*: readers that are slower than the stream, and many of them.

    server -> kernel's buffer -> network -> kernel's buffer -> client that does not read

When both buffers are full, the server's write waits. It must wait for this client alone, lose
nothing, and go on when the client reads again.
"""

import os
import socket
from itertools import pairwise

import trio

from clients.streams.tcp import ByteStream

from ..answer import Answer
from ..case import CUSTOM, Failed, Skipped, case
from ..reaction import plain_request, plain_status
from ..target import Target

SMALL_BUFFER = 4096
STALLED, FEW, MANY = 5, 8, 12
LARGE = 512 << 10  # bytes of a stream that does not fit into the buffers on its way
IN_KERNEL = 128 << 10  # of them, what the kernel may hold for a reader that stalls


def shrink(stream: ByteStream) -> None:
    """Make the kernel's receive buffer small, so that a client that does not read is noticed."""
    if stream.fileno() >= 0:
        with socket.socket(fileno=os.dup(stream.fileno())) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)


@case(
    "pressure.slow-reader-gets-all",
    CUSTOM,
    "lesson 8",
    "A slow reader gets every byte: what it has not read waits, and is not dropped.",
    code="servers/http/body.py: while sent < len(data):",
    lesson=8,
    cause="A write that would block was dropped, or timed out before the reader went on.",
)
async def slow_reader_gets_all(target: Target) -> None:
    await target.whole_stream()
    pace = await target.pace()
    request = target.request()
    answer = Answer(request, target.method)
    async with target.wire() as wire:
        shrink(wire.stream)
        await wire.send(request)
        await wire.read(answer, seconds=5 + 2 * pace.first, pieces=1)
        await trio.sleep(min(3.0, pace.total))
        with trio.move_on_after(20 + 2 * pace.total):
            while not (answer.complete or answer.end):
                await wire.read_some(answer, 512)
                await trio.sleep(0.001)
    if not answer.complete:
        raise Failed(
            "A reader that paused did not get the whole stream.", answer, at=len(answer.raw)
        )


@case(
    "pressure.stalled-readers-slow-nobody",
    CUSTOM,
    "lesson 8",
    "A reader that stalls does not slow down the others.",
    code="servers/http/reply.py: a slow reader slows down its own generator",
    lesson=8,
    cause="One loop writes to all clients, and waits for the slowest. Give each its own task.",
    alone=True,
)
async def stalled_readers_slow_nobody(target: Target) -> None:
    target.several()
    usual = await target.stream()
    pace = await target.pace()
    request = target.request()
    wanted = min(8, len(usual.pieces))
    bound = 2 * usual.pieces[wanted - 1].at / 1000 + 2 + 4 * pace.longest
    answer = Answer(request, target.method)
    async with trio.open_nursery() as nursery:
        for _ in range(STALLED):
            nursery.start_soon(stall, target, request)
        await trio.sleep(min(1.0, pace.first + 4 * pace.gap))
        async with target.wire() as wire:
            await wire.send(request)
            with trio.move_on_after(bound):
                await wire.read(answer, seconds=bound, pieces=wanted)
        nursery.cancel_scope.cancel()
    if answer.status in (429, 503):
        raise Skipped(f"the server limits its streams (status {answer.status})")
    if len(answer.pieces) < wanted and not answer.complete:
        raise Failed(
            f"Beside {STALLED} readers that stall, {len(answer.pieces)} of {wanted} pieces came in"
            f" {bound:.1f} s.",
            answer,
        )


@case(
    "pressure.producer-waits",
    CUSTOM,
    "lesson 8",
    "A reader that stops slows down its own producer: what nobody reads is not kept in memory.",
    code="servers/http/reply.py: a slow reader slows down its own generator",
    lesson=8,
    cause="A queue without a limit is between the producer and the socket, or the result of the"
    " write is ignored (Node: if `write()` returns false, wait for `drain`).",
    warns=True,
    alone=True,
    repeats=True,
)
async def producer_waits(target: Target) -> None:
    target.several()
    usual = await target.whole_stream()
    size = len(usual.raw)
    if size < LARGE:
        raise Skipped(
            "the stream fits into the buffers of the kernel: this needs one of"
            f" {LARGE >> 10} KiB or more"
        )
    pace = await target.pace()
    target.memory()
    # What a server needs for so many streams is taken before it is measured.
    async with trio.open_nursery() as nursery:
        for _ in range(FEW):
            nursery.start_soon(ask_whole, target, 10 + 3 * pace.total)
    sizes = [target.memory()]
    request = target.request()
    async with trio.open_nursery() as nursery:
        for _ in range(2):  # a heap may grow once for another reason
            for _ in range(FEW):
                nursery.start_soon(stall, target, request)
            await trio.sleep(1 + pace.total)
            sizes.append(target.memory())
        nursery.cancel_scope.cancel()
    grown = [after - before for before, after in pairwise(sizes)]
    if min(grown) > FEW * (size - IN_KERNEL) / 2:
        raise Failed(
            f"While {FEW} readers of {size >> 10} KiB did not read, the server's memory grew by"
            f" {grown[0] >> 10} KiB, and with {FEW} more by another {grown[1] >> 10} KiB.",
            came="nothing was read",
        )


async def ask_whole(target: Target, seconds: float) -> None:
    await target.ask(seconds=seconds, total=seconds)


async def stall(target: Target, request: bytes) -> None:
    """Ask for a stream, and never read it."""
    async with target.wire(narrow=True) as wire:
        shrink(wire.stream)
        await wire.send(request)
        await trio.sleep_forever()


@case(
    "pressure.half-a-request-slows-nobody",
    CUSTOM,
    "lesson 8",
    "Clients that never finish their request do not keep others from being served (slowloris).",
    code="servers/http/limits.py: head_seconds",
    lesson=8,
    cause="One worker for each connection, and it waits for the whole request. Read requests in an"
    " event loop, or put a proxy in between that does.",
    warns=True,
    alone=True,
)
async def half_a_request_slows_nobody(target: Target) -> None:
    usual = await plain_status(target)
    half = plain_request(target)[:-4]
    data = plain_request(target, "Connection: close")
    async with trio.open_nursery() as nursery:
        for _ in range(MANY):
            nursery.start_soon(stall, target, half)
        await trio.sleep(0.2)
        async with target.wire() as wire:
            await wire.send(data)
            answer = await wire.answer(seconds=5)
        nursery.cancel_scope.cancel()
    if not answer.status:
        raise Failed(
            f"Beside {MANY} unfinished requests another one is not answered in 5 s.",
            answer,
            came=f"the usual answer is {usual}",
        )


@case(
    "pressure.many-readers",
    CUSTOM,
    "lesson 12",
    f"{MANY} streams at the same time all arrive whole.",
    code="servers/http/server.py: max_connections",
    lesson=12,
    cause="A limit of workers, files or memory is reached, and a stream is cut for it. Refuse what"
    " cannot be served with 429 or 503, before its head.",
    alone=True,
)
async def many_readers(target: Target) -> None:
    target.several()
    await target.whole_stream()
    pace = await target.pace()
    answers: list[Answer] = []

    async def read_one() -> None:
        answers.append(await target.ask(seconds=10 + 3 * pace.total))

    async with trio.open_nursery() as nursery:
        for _ in range(MANY):
            nursery.start_soon(read_one)
    served = [answer for answer in answers if answer.status not in (429, 503)]
    if not served:
        raise Skipped("the server limits its streams (429 or 503)")
    broken = [answer for answer in served if answer.status == 200 and not answer.complete]
    if broken:
        raise Failed(f"{len(broken)} of {MANY} streams did not arrive whole.", broken[0])
