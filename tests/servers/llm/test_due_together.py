"""Tokens that are due together are made in one step and written in one call."""

from itertools import repeat

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from servers.llm.engine import AT_ONCE, LARGE, Engine, TokenSequence

from .test_engine import drive_all, numbers


def no_single_write(piece: bytes, now: float) -> bool:
    raise AssertionError("tokens without a gap are written together")


@pytest.mark.parametrize("count", [1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 100])
@pytest.mark.parametrize("slow", [False, True])
async def test_tokens_that_are_due_together(
    count: int, slow: bool, autojump_clock: MockClock
) -> None:
    """Written together, they are the same tokens in the same order, and counted the same."""
    written: list[list[bytes]] = []

    def write_many(pieces: list[bytes], now: float) -> bool:
        written.append(pieces)
        return not slow

    engine = Engine()
    together = TokenSequence(numbers(count), repeat(0.0), 0.0, no_single_write, write_many)
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        await engine.drive(together, trio.lowlevel.checkpoint)
        running.cancel_scope.cancel()
    assert [piece for pieces in written for piece in pieces] == list(numbers(count))
    assert max(map(len, written)) == min(count, AT_ONCE)
    assert engine.metrics.tokens == count
    assert engine.metrics.gap.count == count - 1


@pytest.mark.parametrize("count", [0, 1, 2, 100])
async def test_a_whole_answer_without_pauses(count: int, autojump_clock: MockClock) -> None:
    """Its tokens are counted as those of a sequence. It needs a place in the batch, too."""
    driven, engine = Engine(), Engine(max_batch=1)
    each = TokenSequence(repeat(b"", count), repeat(0.0), 0.0, no_single_write, lambda *_: True)
    await drive_all(driven, [each])
    assert engine.make_at_once(count)
    assert engine.metrics.render() == driven.metrics.render()
    async with trio.open_nursery() as running:
        slow = TokenSequence(numbers(2), repeat(1.0), 1.0, lambda *_: True)
        running.start_soon(engine.run)
        running.start_soon(engine.drive, slow, trio.lowlevel.checkpoint)
        await trio.testing.wait_all_tasks_blocked()
        assert not engine.make_at_once(count)
        running.cancel_scope.cancel()


async def test_large_tokens_are_not_written_together(autojump_clock: MockClock) -> None:
    written: list[int] = []

    def write_many(pieces: list[bytes], now: float) -> bool:
        written.append(len(pieces))
        return True

    large = (b"x" * LARGE for _ in range(3))
    each = TokenSequence(large, repeat(0.0), 0.0, no_single_write, write_many)
    await drive_all(Engine(), [each])
    assert written == [1, 1, 1]
