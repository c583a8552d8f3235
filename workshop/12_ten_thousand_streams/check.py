"""Check 12: an engine on a simulated clock. All times are exact, and an hour on the check's clock
takes no real time."""

from collections.abc import Callable, Sequence
from types import ModuleType

import trio
import trio.testing

from workshop.language import _
from workshop.runner.check_kit import Failure, Lab

HINTS = (
    "Which sequence is next? How long may the engine sleep, if a new sequence can come meanwhile?",
    """Keep (due time, a number, step) in a heap: heapq.heappush, heapq.heappop. Sleep with
`with trio.move_on_at(due): await event.wait()`, and let `submit` set that event.""",
    """Put an `except Exception` around `gap = step()`. Then push (due + gap, …), and not
(trio.current_time() + gap, …). Count the steps, and await trio.lowlevel.checkpoint() at 64.""",
)
MOST = 64  # largest number of steps before other tasks run
Trace = list[tuple[float, str]]


async def check(exercise: ModuleType, lab: Lab) -> None:
    await EngineRun(exercise, lab).due_times()
    await EngineRun(exercise, lab).one_task()
    await EngineRun(exercise, lab).no_drift()
    await EngineRun(exercise, lab).a_new_one_wakes_it()
    await EngineRun(exercise, lab).a_full_batch_queues()
    await EngineRun(exercise, lab).one_fails()
    await EngineRun(exercise, lab).others_may_run()


class EngineRun:
    """One engine, and a record of each step and its time."""

    def __init__(self, exercise: ModuleType, lab: Lab) -> None:
        self._exercise = exercise
        self._lab = lab
        self._start = trio.current_time()
        self._before = len(lab.received)  # by earlier runs
        self._trace: Trace = []
        self._steps = 0
        self._error: Exception | None = None

    @property
    def now(self) -> float:
        """Return the seconds since the start, rounded to 0.05: an engine may have time steps."""
        return round((trio.current_time() - self._start) * 20) / 20

    def sequence(
        self, name: str, gaps: Sequence[float], then: Callable[[int], None] = lambda number: None
    ) -> Callable[[], float | None]:
        """Return a sequence with these gaps between its tokens, which calls `then(number)` at each
        token."""
        made = 0

        def step() -> float | None:
            nonlocal made
            made += 1
            self._steps += 1
            self._trace.append((self.now, name))
            self._lab.take(f"{self.now:g} s  {name}\n".encode())
            then(made)
            return gaps[made - 1] if made <= len(gaps) else None

        return step

    async def run(
        self, steps: Sequence[Callable[[], float | None]], seconds: float, max_batch: int = 1000
    ) -> None:
        """Run an engine with these sequences for this many seconds."""
        engine = self._exercise.Engine(max_batch)
        for step in steps:
            engine.submit(step)
        async with self._lab.running(self._run, engine):
            await trio.sleep(seconds)

    async def _run(self, engine: object) -> None:
        try:
            await engine.run()  # type: ignore[attr-defined]
        except Exception as error:
            self._error = error

    def expect(self, expected: Trace, name: str, message: str, rule: str) -> None:
        """Compare the times of the steps. Steps at the same time may be in any order."""
        if self._error is not None and not isinstance(self._error, StepError):
            raise self._error
        for sequence in dict.fromkeys(sequence for when, sequence in expected):
            due, came = times(expected, sequence), times(self._trace, sequence)
            if due != came:
                message = _(
                    "{message}: {name} was due at {due} s, and stepped at {came}",
                    message=message,
                    name=sequence,
                    due=due,
                    came=came or _("no time"),
                )
                raise Failure(name, message, received=self._lab.received[self._before :], rule=rule)

    async def due_times(self) -> None:
        await self.run([self.sequence("a", [1, 1]), self.sequence("b", [0.5, 2])], 10)
        expected = [(0.0, "a"), (0.0, "b"), (0.5, "b"), (1.0, "a"), (2.0, "a"), (2.5, "b")]
        message = _("not every token came when it was due")
        rule = _("a step's gap says when the next one is due")
        self.expect(expected, "wrong-times", message, rule)

    async def one_task(self) -> None:
        most = before = trio.lowlevel.current_statistics().tasks_living

        def count(number: int) -> None:
            nonlocal most
            most = max(most, trio.lowlevel.current_statistics().tasks_living)

        await self.run([self.sequence("a", [1.0], count) for _ in range(50)], 10)
        if most > before + 25:
            message = _("50 sequences, and {more} tasks more than before", more=most - before)
            raise Failure("one-task-each", message, rule=_("one task steps all sequences"))

    async def no_drift(self) -> None:
        def busy(number: int) -> None:
            if number == 2:  # the machine was busy with something else
                clock = trio.lowlevel.current_clock()
                assert isinstance(clock, trio.testing.MockClock)
                clock.jump(0.5)

        await self.run([self.sequence("a", [1, 1, 1], busy), self.sequence("b", [1.25, 1, 1])], 10)
        expected = [(0.0, "a"), (1.0, "a"), (2.0, "a"), (3.0, "a")]
        expected += [(0.0, "b"), (1.5, "b"), (2.25, "b"), (3.25, "b")]
        message = _("the machine was busy for half a second, and tokens after that stay late")
        rule = _("the next is due a gap after this one was due")
        self.expect(expected, "drifts", message, rule)

    async def a_new_one_wakes_it(self) -> None:
        engine = self._exercise.Engine(1000)
        engine.submit(self.sequence("slow", [1000.0]))
        async with self._lab.running(self._run, engine):
            await trio.sleep(1)
            engine.submit(self.sequence("new", [1.0]))
            await trio.sleep(10)
        expected = [(0.0, "slow"), (1.0, "new"), (2.0, "new")]
        message = _("a sequence was submitted after 1 s, while nothing was due")
        self.expect(expected, "sleeps-through", message, _("submit wakes the engine"))

    async def a_full_batch_queues(self) -> None:
        await self.run([self.sequence(name, [1.0]) for name in "abcde"], 10, max_batch=2)
        expected = [(0.0, "a"), (0.0, "b"), (1.0, "a"), (1.0, "b")]
        expected += [(1.0, "c"), (1.0, "d"), (2.0, "c"), (2.0, "d"), (2.0, "e"), (3.0, "e")]
        message = _("of five sequences only two may run at once, in their order")
        rule = _("if the batch is full, sequences queue")
        self.expect(expected, "ignores-the-batch", message, rule)

    async def one_fails(self) -> None:
        def fail(number: int) -> None:
            if number == 2:
                raise StepError("this step fails on purpose")

        await self.run([self.sequence("a", [1, 1], fail), self.sequence("b", [1.5, 1.5])], 10)
        expected = [(0.0, "a"), (0.0, "b"), (1.0, "a"), (1.5, "b"), (3.0, "b")]
        message = _("the second step of a raised an error, which must not affect b")
        rule = _("a step that raises ends its sequence")
        self.expect(expected, "stops-all-on-error", message, rule)

    async def others_may_run(self) -> None:
        last = most = 0

        async def bystander() -> None:
            nonlocal last, most
            while self._steps < 1000:
                most, last = max(most, self._steps - last), self._steps
                await trio.lowlevel.checkpoint()
            most = max(most, self._steps - last)

        async with self._lab.running(bystander):
            await self.run([self.sequence("a", [0.0] * 9) for _ in range(100)], 10)
        if most > 2 * MOST:
            message = _(
                "1000 tokens were due at once, and another task waited for {most} of them",
                most=most,
            )
            rule = _("let other tasks run after {most} steps", most=MOST)
            raise Failure("never-yields", message, rule=rule)


def times(trace: Trace, name: str) -> str:
    return ", ".join(f"{when:g}" for when, sequence in trace if sequence == name)


class StepError(Exception):
    """Raised on purpose by a step."""
