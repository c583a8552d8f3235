"""cancel.*: a client disconnects, and the server stops making what nobody reads.

    client    close      the next write is answered with RST, and the one after it fails
    client    reset      the next write fails
    server               the generator is closed: its `finally` runs, the model is free again

Whether a producer has stopped cannot be seen from the outside. It is read from the target's own
metrics (gauge.py), or from a follow-up that has to wait for it. Otherwise these cases are skipped.
"""

import math

import trio

from ..answer import Answer
from ..case import CUSTOM, Failed, Skipped, case
from ..gauge import read_gauges, risen
from ..reaction import plain_status
from ..target import Pace, Target
from ..wire import Wire

STOPS = "When the client disconnects, the producer stops at its next write, and frees what it held."
CAUSE = (
    "The handler does not learn of the disconnect: check it between pieces (Starlette:"
    " request.is_disconnected(); Node: the response's close event), or let a failed write end it."
)
NOTICE_SECONDS = 1.5  # longest time in which a server that writes notices, besides its own pace


async def begin(target: Target, wire: Wire, pace: Pace, pieces: int) -> Answer:
    """Begin a stream, and read its first pieces."""
    request = target.request()
    answer = Answer(request, target.method)
    await wire.send(request)
    await wire.read(answer, seconds=5 + 2 * max(pace.first, pace.longest), pieces=pieces)
    return answer


async def stops(target: Target, *, reset: bool, pieces: int) -> None:
    """Disconnect from a stream, and see in the metrics that it stops."""
    usual = await target.stream()
    pace = await target.pace()
    bound = NOTICE_SECONDS + 4 * pace.longest + (pace.first if not pieces else 0)
    left = pace.total - (pace.first if pieces else 0.0) - pieces * pace.gap
    left = left if usual.complete else math.inf  # a stream without an end
    before = await calm_gauges(target, min(pace.total, 6.0))
    async with target.wire() as wire:
        answer = await begin(target, wire, pace, pieces)
        if not pieces:
            await trio.sleep(min(0.1, pace.first / 2))
        names = risen(before, await read_gauges(target)) if before else []
        if reset:
            wire.stream.reset()
    begun = trio.current_time()
    if not names:
        await follow_up(target, pace, left)
        raise Skipped("the server has no /metrics with a gauge of its running streams")
    if left < 2 * bound:
        raise Skipped(f"the stream is too short: this needs {2 * bound:.1f} s after the disconnect")
    while any(
        value > before[name] for name, value in (await read_gauges(target)).items() if name in names
    ):
        waited = trio.current_time() - begun
        if waited > bound:
            raise Failed(
                f"{waited:.1f} s after the client disconnected, {names[0]} still counts it.",
                answer,
                came=f"{names[0]}: before {before[names[0]]:g}, and one more since",
            )
        await trio.sleep(0.1)


async def calm_gauges(target: Target, seconds: float) -> dict[str, float]:
    """Read the gauges once the streams of earlier cases have ended, or after these seconds."""
    gauges = await read_gauges(target)
    with trio.move_on_after(seconds):
        while any(gauges.values()):
            await trio.sleep(0.1)
            gauges = await read_gauges(target)
    return gauges


async def follow_up(target: Target, pace: Pace, left: float) -> None:
    """Ask again: on a server that runs one stream at a time, the new stream must not wait."""
    async with target.wire() as wire:
        begun = trio.current_time()
        answer = await begin(target, wire, Pace(pace.total, pace.gap, pace.longest, 0), 1)
        waited = trio.current_time() - begun
    if answer.pieces and waited > pace.first + max(1.0, 0.7 * left):
        raise Failed(
            f"A new stream waited {waited:.1f} s for one whose client had disconnected.", answer
        )


@case(
    "cancel.close-stops-the-producer",
    CUSTOM,
    "lesson 7",
    STOPS,
    code="servers/http/watch.py: How a server learns",
    lesson=7,
    cause=CAUSE,
    alone=True,
)
async def close_stops_the_producer(target: Target) -> None:
    await stops(target, reset=False, pieces=2)


@case(
    "cancel.reset-stops-the-producer",
    CUSTOM,
    "lesson 7",
    STOPS,
    code="servers/http/connection.py: def client_disconnected",
    lesson=7,
    cause=CAUSE,
    alone=True,
)
async def reset_stops_the_producer(target: Target) -> None:
    await stops(target, reset=True, pieces=2)


@case(
    "cancel.before-the-first-piece",
    CUSTOM,
    "lesson 7",
    "A client that gives up before the first piece is noticed at the first writes, too.",
    code="servers/http/watch.py: def gave_up_waiting",
    lesson=7,
    cause=CAUSE,
    alone=True,
)
async def before_the_first_piece(target: Target) -> None:
    await stops(target, reset=False, pieces=0)


@case(
    "cancel.others-go-on",
    CUSTOM,
    "lesson 7",
    "A disconnect ends one stream, and no other.",
    code="servers/http/connection.py: No client can make this method raise",
    lesson=7,
    cause="An error of one connection ended a task, a thread or a queue that others share.",
)
async def others_go_on(target: Target) -> None:
    target.several()
    await target.whole_stream()
    pace = await target.pace()
    async with target.wire() as kept:
        answer = await begin(target, kept, pace, 1)
        if not answer.pieces:
            raise Skipped("the stream did not begin")
        for reset in (False, True):
            async with target.wire() as wire:
                await begin(target, wire, pace, 1)
                if reset:
                    wire.stream.reset()
        await kept.read(answer, seconds=5 + 3 * max(pace.first, pace.longest))
    if not answer.complete:
        raise Failed("A stream broke when other clients disconnected.", answer, at=len(answer.raw))


@case(
    "cancel.server-lives-on",
    CUSTOM,
    "lesson 7",
    "After many disconnects the server answers as before.",
    code="servers/http/server.py: self._connections.discard",
    lesson=7,
    cause="Streams without a client still hold workers, threads or connections to the upstream.",
)
async def server_lives_on(target: Target) -> None:
    target.several()
    await target.stream()
    usual = await plain_status(target)
    pace = await target.pace()
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(abort, target, pace)
    await trio.sleep(min(5.0, NOTICE_SECONDS + 4 * pace.longest))
    answer = await target.ask(target.request(close=True), seconds=10 + 2 * pace.first)
    if answer.status != 200 or not answer.pieces:
        raise Failed(
            "After ten disconnects the server does not stream any more.",
            answer,
            came=f"a plain request was answered with {usual} before",
        )


async def abort(target: Target, pace: Pace) -> None:
    async with target.wire() as wire:
        await begin(target, wire, pace, 1)
        wire.stream.reset()
