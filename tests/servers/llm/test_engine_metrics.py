"""What the engine and its streams count, and how `GET /metrics` shows it."""

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import repeat

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from servers.http.body import Body
from servers.http.reply import CutOff, Ending, Reply, Request, StreamingReply
from servers.llm.engine import Engine, TokenSequence
from servers.llm.writers.token_source import TokenSource

from ...streams import memory_pair
from .asking import Written
from .test_engine import never, numbers, sequence


async def test_what_is_counted(autojump_clock: MockClock) -> None:
    """Time to first token including the queue, measured gaps, tokens, and back pressure."""
    engine = Engine(max_batch=1)

    async def flush() -> None:
        await trio.sleep(10)

    slow: list[bytes] = []

    def write(piece: bytes, now: float) -> bool:
        slow.append(piece)
        return len(slow) != 1  # the socket takes only a part of the first one

    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as nursery:
            # Tokens at 1 and 11, its end at 11.5.
            paused = TokenSequence(numbers(2), repeat(0.5), 1.0, write)
            nursery.start_soon(engine.drive, paused, flush)
            await wait_all_tasks_blocked()
            nursery.start_soon(engine.drive, sequence([], count=3), never)  # from 12.5 on
        running.cancel_scope.cancel()
    metrics = engine.metrics
    assert (metrics.first_token.sum, metrics.first_token.count) == (1.0 + 12.5, 2)
    assert (metrics.gap.sum, metrics.gap.count) == (10.0 + 2 * 0.5, 3)
    assert metrics.tokens == 5
    assert metrics.back_pressure == 10.0
    assert metrics.cancelled == 0


@pytest.mark.parametrize("batch", [1, 2], ids=["waiting", "running"])
async def test_cancelled_sequences_are_counted(batch: int, autojump_clock: MockClock) -> None:
    """In the queue, in the batch, or during back pressure. A failed one is not counted here."""
    engine = Engine(max_batch=batch)
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.drive, sequence([]), never)
            await wait_all_tasks_blocked()
            with trio.move_on_at(1.2):
                await engine.drive(sequence([]), never)
        full = TokenSequence(numbers(3), repeat(0.5), 0, lambda piece, now: False)
        with trio.move_on_after(3):
            await engine.drive(full, trio.sleep_forever)
        running.cancel_scope.cancel()
    assert engine.metrics.cancelled == 2
    assert engine.metrics.back_pressure == 3
    assert engine.running == 0


class Raising:
    """Tokens that end with this error, or normally."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        yield b"token"
        if self.error is not None:
            raise self.error


async def held(engine: Engine, source: TokenSource) -> StreamingReply:
    """A reply that holds a reservation of the engine."""

    async def handler(request: Request) -> StreamingReply:
        return StreamingReply(source)

    reply = await engine.admission.guard("GET /x", handler, Reply)(Request("GET", "/x"))
    assert isinstance(reply, StreamingReply)
    return reply


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (None, Ending.DONE),
        (CutOff(), Ending.CUT_OFF),
        (CutOff(reset=True), Ending.RESET),
        (ValueError("a bug"), Ending.FAILED),
        (trio.BrokenResourceError("the client has gone"), Ending.DISCONNECTED),
    ],
    ids=["done", "cut off", "reset", "failed", "left"],
)
async def test_how_a_stream_ended(
    error: Exception | None, ending: Ending, autojump_clock: MockClock
) -> None:
    engine = Engine()
    stream, _ = memory_pair()
    body = Body(stream, chunked=True)
    source = TokenSource(engine, Written(Raising(error), b"end"), repeat(0.5), 0)
    reply = await held(engine, source)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        with pytest.raises(type(error)) if error else nullcontext():
            await reply.send_to(body)
        nursery.cancel_scope.cancel()
    (family, *_) = engine.metrics.collect()
    ended = [(sample.labels, sample.value) for sample in family.samples]
    assert ended == [({"route": "GET /x", "reason": ending.value}, 1)]
    assert engine.metrics.cancelled == (ending is Ending.DISCONNECTED)
    assert engine.metrics.body_bytes == body.size == (8 if error is None else 5)


@pytest.mark.parametrize("ending", [Ending.STOPPED, Ending.STALLED, Ending.DISCONNECTED])
async def test_a_stream_that_was_cancelled(ending: Ending, autojump_clock: MockClock) -> None:
    """It is counted with the reason that its connection knows."""
    engine = Engine()
    source = TokenSource(engine, Written([b"a", b"b"]), repeat(0.5), 10)
    reply = await held(engine, source)
    body = Body(memory_pair()[0], chunked=True)
    body.cause = ending
    with trio.move_on_after(1):
        await reply.send_to(body)
    sample = f'workshop_requests_total{{reason="{ending.value}",route="GET /x"}} 1.0'
    assert sample.encode() in engine.metrics.render()
    assert b"workshop_active_streams 0.0" in engine.metrics.render()
