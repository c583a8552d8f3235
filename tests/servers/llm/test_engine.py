"""The engine: tokens are made when they are due, a full batch queues, no sequence harms another."""

from collections.abc import Callable, Iterator
from itertools import islice, repeat

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from servers.llm.engine import LARGE, SLOT, STEP, TURN, Engine, TokenSequence

Written = list[tuple[float, bytes]]


def numbers(count: int) -> Iterator[bytes]:
    yield from (b"%d" % number for number in range(count))


def sequence(
    written: Written, count: int = 3, gap: float = 0.5, prefill: float = 1.0
) -> TokenSequence:
    def write(piece: bytes, now: float) -> bool:
        written.append((trio.current_time(), piece))
        return True

    return TokenSequence(numbers(count), repeat(gap), prefill, write)


async def never() -> None:
    raise AssertionError("no client was slow")


async def drive_all(engine: Engine, sequences: list[TokenSequence]) -> None:
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as nursery:
            for each in sequences:
                nursery.start_soon(engine.drive, each, never)
        running.cancel_scope.cancel()


async def test_each_token_when_it_is_due(autojump_clock: MockClock) -> None:
    """The first after the prefill, each other one after its gap. The end is a step, too."""
    written: Written = []
    engine = Engine()
    await drive_all(engine, [sequence(written)])
    assert written == [(1.0, b"0"), (1.5, b"1"), (2.0, b"2")]
    assert trio.current_time() == 2.5
    assert (engine.running, engine.waiting) == (0, 0)


async def test_tokens_wait_for_their_slot(autojump_clock: MockClock) -> None:
    """A token that is due between two slots is made in the later one. Delays do not add up."""
    written: Written = []
    await drive_all(Engine(), [sequence(written, count=100, gap=0.0031, prefill=0.001)])
    for number, (time, _) in enumerate(written):
        due = 0.001 + 0.0031 * number
        assert due <= time + 1e-9
        assert time < due + SLOT + 1e-9


async def test_no_gap_at_all(autojump_clock: MockClock) -> None:
    """Tokens are made as fast as possible, but all other tasks run."""
    written: Written = []
    await drive_all(Engine(), [sequence(written, count=1000, gap=0, prefill=0)])
    assert len(written) == 1000
    assert trio.current_time() == 0


async def test_no_prefill(autojump_clock: MockClock) -> None:
    """The first token is made before any other task runs, even the engine. Without a gap, the
    second token does not wait for a slot either."""
    written: Written = []
    autojump_clock.jump(SLOT / 2)
    engine = Engine()
    async with trio.open_nursery() as running:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.drive, sequence(written, gap=0, prefill=0), never)
            await wait_all_tasks_blocked()
            assert written == [(SLOT / 2, b"0")]
            running.start_soon(engine.run)
        running.cancel_scope.cancel()
    assert written == [(SLOT / 2, b"%d" % number) for number in range(3)]


async def test_load_slows_decoding(autojump_clock: MockClock) -> None:
    """While four of eight run, a prefill or gap that begins is longer by half of `slow_down`."""
    outputs: list[Written] = [[], [], [], []]
    engine = Engine(max_batch=8, slow_down=3.0)
    sequences = [sequence(written) for written in outputs]
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as nursery:
            for each in sequences[:3]:
                nursery.start_soon(engine.drive, each, never)
            await wait_all_tasks_blocked()
            nursery.start_soon(engine.drive, sequences[3], never)
        running.cancel_scope.cancel()
    prefill = 1.0 * (1 + 3.0 * 4 / 8)
    gap = 0.5 * (1 + 3.0 * 4 / 8)
    assert outputs[3] == [(prefill, b"0"), (prefill + gap, b"1"), (prefill + 2 * gap, b"2")]


async def test_alone_nothing_is_slower(autojump_clock: MockClock) -> None:
    """Only the current load counts: a finished sequence slows down no other."""
    written: Written = []
    engine = Engine(max_batch=2, slow_down=1.0)
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.drive, sequence([], count=1, gap=0.2), never)
            await wait_all_tasks_blocked()
            nursery.start_soon(engine.drive, sequence(written, gap=0.2), never)
        running.cancel_scope.cancel()
    # Both run until 1.5 + 0.4, when the engine finds the end of the first.
    assert [time for time, _ in written] == pytest.approx([2.0, 2.3, 2.6])


async def test_a_full_batch_queues(autojump_clock: MockClock) -> None:
    """Two run. The third begins its prefill when one has ended, so its first token is later."""
    outputs: list[Written] = [[], [], []]
    engine = Engine(max_batch=2)
    await drive_all(engine, [sequence(written) for written in outputs])
    assert sorted(written[0][0] for written in outputs) == [1.0, 1.0, 3.5]


async def test_a_slow_reader_pauses_its_own_sequence_only(autojump_clock: MockClock) -> None:
    """Its own task flushes the rest of the token. Then its next token is due at once."""
    fast: Written = []
    slow: Written = []

    def write(piece: bytes, now: float) -> bool:
        slow.append((trio.current_time(), piece))
        return len(slow) != 1  # the socket takes only a part of the first one

    async def flush() -> None:
        await trio.sleep(10)

    engine = Engine()
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.drive, sequence(fast), never)
            paused = TokenSequence(numbers(3), repeat(0.5), 1.0, write)
            nursery.start_soon(engine.drive, paused, flush)
        running.cancel_scope.cancel()
    assert [time for time, _ in fast] == [1.0, 1.5, 2.0]
    assert slow == [(1.0, b"0"), (11.0, b"1"), (11.5, b"2")]


async def test_a_sequence_that_fails_fails_alone(autojump_clock: MockClock) -> None:
    """Its own task gets the error. The batch goes on."""
    written: Written = []

    def broken(piece: bytes, now: float) -> bool:
        raise trio.BrokenResourceError("the client disconnected")

    engine = Engine()

    async def expect_error() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await engine.drive(TokenSequence(numbers(3), repeat(0.5), 1.0, broken), never)

    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_error)
            nursery.start_soon(engine.drive, sequence(written), never)
        running.cancel_scope.cancel()
    assert [piece for _, piece in written] == [b"0", b"1", b"2"]
    assert engine.running == 0


@pytest.mark.parametrize("batch", [1, 2], ids=["waiting", "running"])
async def test_a_cancelled_sequence_is_removed(batch: int, autojump_clock: MockClock) -> None:
    """From the queue or from the batch. No further token is made, and another can run."""
    first: Written = []
    cancelled: Written = []
    engine = Engine(max_batch=batch)
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.drive, sequence(first), never)
            await wait_all_tasks_blocked()
            with trio.move_on_at(1.2):
                await engine.drive(sequence(cancelled), never)
        running.cancel_scope.cancel()
    assert len(cancelled) == (1 if batch == 2 else 0)
    assert len(first) == 3
    assert (engine.running, engine.waiting) == (0, 0)


async def test_an_earlier_token_wakes_the_engine(autojump_clock: MockClock) -> None:
    """It sleeps until the next slot, but a new sequence may be due earlier."""
    late: Written = []
    early: Written = []
    engine = Engine()
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.drive, sequence(late, prefill=100), never)
            await trio.sleep(1)
            nursery.start_soon(engine.drive, sequence(early, prefill=0.1), never)
        running.cancel_scope.cancel()
    assert early[0][0] == pytest.approx(1.1)
    assert late[0][0] == 100


async def test_a_late_engine_lets_others_run(autojump_clock: MockClock) -> None:
    """Even if many sequences are due at once, other tasks run after every TURN.

    Up to twice that may come in a row, because trio shuffles the order of tasks in each round.
    """
    turns: list[str] = []

    def write(piece: bytes, now: float) -> bool:
        turns.append("token")
        return True

    async def other() -> None:
        while True:
            turns.append("other")
            await trio.lowlevel.checkpoint()

    engine = Engine()
    async with trio.open_nursery() as running:
        async with trio.open_nursery() as nursery:
            for _ in range(5 * TURN // STEP):
                each = TokenSequence(numbers(1), repeat(0.0), SLOT, write)
                nursery.start_soon(engine.drive, each, never)
            await trio.sleep(1)  # the engine does not run meanwhile
            running.start_soon(engine.run)
            running.start_soon(other)
        running.cancel_scope.cancel()
    assert longest_run(turns, "token") <= 2 * TURN / STEP


def longest_run(turns: list[str], of: str) -> int:
    longest = length = 0
    for turn in turns:
        length = length + 1 if turn == of else 0
        longest = max(longest, length)
    return longest


def test_longest_run() -> None:
    assert longest_run(["a", "b", "b", "a", "b"], "b") == 2


async def test_gaps_that_vary(autojump_clock: MockClock) -> None:
    written: Written = []

    def write(piece: bytes, now: float) -> bool:
        written.append((trio.current_time(), piece))
        return True

    gaps = iter([0.25, 1.0, 0.5])
    await drive_all(Engine(), [TokenSequence(numbers(3), gaps, 0.5, write)])
    assert [time for time, _ in written] == [0.5, 0.75, 1.75]


async def test_tokens_are_made_one_at_a_time(autojump_clock: MockClock) -> None:
    """The generator pauses between two steps, so no token is made before it is due."""
    made: list[float] = []

    def tokens() -> Iterator[bytes]:
        while True:
            made.append(trio.current_time())
            yield b"x"

    sequence = TokenSequence(tokens(), repeat(1.0), 1.0, lambda piece, now: True)
    engine = Engine()
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        with trio.move_on_at(3.5):
            await engine.drive(sequence, never)
        running.cancel_scope.cancel()
    assert list(islice(made, 4)) == [1.0, 2.0, 3.0]


async def test_a_late_engine_catches_up(autojump_clock: MockClock) -> None:
    """After other tasks have used the processor for long, all slots that are due are stepped."""
    turns: list[str] = []

    def write(piece: bytes, now: float) -> bool:
        turns.append("token")
        return True

    engine = Engine()
    async with trio.open_nursery() as running:
        async with trio.open_nursery() as nursery:
            for number in range(1, 21):  # each in a slot of its own
                each = TokenSequence(numbers(1), repeat(0.0), number * SLOT, write)
                nursery.start_soon(engine.drive, each, never)
            await wait_all_tasks_blocked()
            await trio.sleep(1)  # the engine does not run meanwhile

            async def other() -> None:
                while True:
                    turns.append("other")
                    await trio.lowlevel.checkpoint()

            running.start_soon(engine.run)
            running.start_soon(other)
        running.cancel_scope.cancel()
    assert longest_run(turns, "token") >= 20


async def test_no_gap_does_not_starve_a_newcomer(autojump_clock: MockClock) -> None:
    """Sequences without gaps are always due, but a later sequence still gets its turn."""
    engine = Engine()
    newcomer: Written = []

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        busy = TokenSequence(endless(), repeat(0.0), 0, lambda piece, now: True)
        nursery.start_soon(engine.drive, busy, never)
        await trio.lowlevel.checkpoint()
        autojump_clock.jump(1)
        nursery.start_soon(engine.drive, sequence(newcomer, prefill=0, gap=0), never)
        for _ in range(100):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert len(newcomer) == 3


async def test_a_turn_is_counted_in_bytes(autojump_clock: MockClock) -> None:
    """Only one large token, with or without a gap, is written between two turns of other tasks."""
    between: list[int] = []
    engine = Engine()

    def write(piece: bytes, now: float) -> bool:
        between[-1] += len(piece)
        return True

    async def other() -> None:
        while True:
            between.append(0)
            autojump_clock.jump(SLOT)
            await trio.lowlevel.checkpoint()

    large = b"x" * (TURN + 1)
    async with trio.open_nursery() as running:
        running.start_soon(other)
        await trio.lowlevel.checkpoint()
        async with trio.open_nursery() as nursery:
            for gap in (0.0, SLOT):
                for _ in range(10):
                    each = TokenSequence(iter([large] * 5), repeat(gap), SLOT, write)
                    nursery.start_soon(engine.drive, each, never)
            running.start_soon(engine.run)
        running.cancel_scope.cancel()
    assert sum(between) == 100 * len(large)
    # Two may follow each other: trio shuffles the order of tasks in each round.
    assert max(between) <= 2 * len(large)


@pytest.mark.parametrize("gap", [0.0, SLOT], ids=["no gap", "a gap"])
async def test_large_tokens_make_no_other_late(gap: float, autojump_clock: MockClock) -> None:
    """A hundred sequences with large tokens are due at each moment. At most one of their tokens is
    written before a small token that is due at the same time."""
    order: list[str] = []
    engine = Engine()

    def writing(name: str) -> Callable[[bytes, float], bool]:
        def write(piece: bytes, now: float) -> bool:
            order.append(name)
            return True

        return write

    large = [b"x" * (LARGE + 1)] * 20
    async with trio.open_nursery() as running:
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                each = TokenSequence(iter(large), repeat(gap), SLOT, writing("large"))
                nursery.start_soon(engine.drive, each, never)
            await wait_all_tasks_blocked()
            for number in range(2, 12):
                small = TokenSequence(iter([b"x"]), repeat(0.5), number * SLOT, writing("small"))
                nursery.start_soon(engine.drive, small, never)
            await wait_all_tasks_blocked()
            autojump_clock.jump(SLOT)
            running.start_soon(engine.run)
            await trio.testing.wait_all_tasks_blocked()
            order.clear()  # in the first step, the engine did not know yet that they are large
            autojump_clock.jump(1)  # the engine does not run meanwhile
        running.cancel_scope.cancel()
    assert order.index("small") <= 1 + TURN // LARGE
    first = order.index("small")
    assert order[first : first + 10] == ["small"] * 10
