"""The engine: one clock for all tokens (continuous batching).

An inference server does not run one answer after the other, nor each in a thread of its own. It
holds a batch of sequences and steps them together: each step gives every sequence its next token,
finished ones leave, waiting ones take their place. This engine does the same with a clock in place
of a GPU. One task steps all sequences, and each writes its own token to its own socket there and
then, which costs a fifth of waking a task for it.

    submit ─► queue ─► batch ─► wheel           slot 1041: [a, c]     a.step(): token, write
                       (at most (when is the    slot 1043: [b]        c.step(): token, write
                       so many) next token due) slot 1050: [d]

The wheel's slots are 5 ms wide: sequences due within one are stepped together, and the engine
sleeps to the next slot that holds any. A sequence keeps the time its token was due, not the time
it was made, so that lateness does not add up.

Two kinds of sequences could take all the time there is: those that have no gaps, and those whose
tokens are large. They are ready whenever they are due, and are stepped in turn, for `TURN` bytes,
after the tokens of all others that are due. So they slow each other, and nobody else.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from heapq import heappop, heappush
from math import ceil, inf
from typing import NoReturn

import trio

from ..http.body import BodyWriter
from ..http.metrics import Histogram, Metrics
from .admission import CLIENT_GONE, Admission

__all__ = ["SLOT", "Engine", "Sequence", "TokenSource"]

SLOT = 0.005
"""Seconds. Twice as much saves a twentieth of the CPU, for waking up is dear, and makes tokens 5 ms
later."""

TURN = 80_000
"""Bytes written without letting other tasks run; a step costs as much as `STEP` of them beside its
own. That is a millisecond: 64 ordinary tokens, or one of a request for 128 answers with all their
log probabilities. Others wait for no more than this, also when the engine is late: one that did not
yield while it was behind stalled everything."""

STEP = 1000

LARGE = 4096
"""Bytes. A token of more does not keep the time: it is made when all others that are due are."""


class Sequence:
    """One answer under way.

    Args:
        tokens: yields the bytes to write for each token: a plain generator, asked by the engine.
        gaps: yields the seconds from each token to the next.
        prefill: seconds from entering the batch to the first token.
        write: called with the bytes and the time; returns whether the reader took them all.

    Attributes:
        due: when the next token is, or was, due.
        running: it is in the batch.
        left: the engine has left it alone: it has finished, or its reader must catch up first, or
            it has failed.
        finished: all tokens are made.
        error: why it failed, or None.
        measured: where the seconds before the next token are counted, from `since` on.
    """

    __slots__ = (
        "_gaps",
        "_task",
        "_tokens",
        "_write",
        "due",
        "error",
        "finished",
        "left",
        "measured",
        "prefill",
        "running",
        "since",
    )

    def __init__(
        self,
        tokens: Iterator[bytes],
        gaps: Iterator[float],
        prefill: float,
        write: Callable[[bytes, float], bool],
    ) -> None:
        self.prefill = prefill
        self.due = inf
        self.running = False
        self.left = False
        self.finished = False
        self.error: Exception | None = None
        self.measured: Histogram
        self.since: float
        self._tokens = tokens
        self._gaps = gaps
        self._write = write
        self._task: trio.lowlevel.Task | None = None  # who waits until it is left

    def step(self, now: float, stretch: float, gap_histogram: Histogram) -> int:
        """Make one token and write it. If it is not `left` then, the engine goes on with it.

        Args:
            stretch: what its gaps are multiplied by.

        Returns:
            The size of the token, in bytes.
        """
        size = 0
        try:
            token = next(self._tokens, None)
            if token is None:
                self.finished = True
            else:
                size = len(token)
                taken = self._write(token, now)
                self.measured.add(now - self.since)
                self.measured, self.since = gap_histogram, now
                # Without a gap the next is due now, behind those that have waited longer.
                gap = next(self._gaps)
                self.due = self.due + gap * stretch if gap else now
                if taken:
                    return size
        except Exception as error:  # its own task is told; the batch goes on
            self.error = error
        self.left = True
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None
        return size

    async def wait_until_left(self) -> None:
        """Wait for the engine. A `trio.Event` would do the same, and hold 0.7 KB for it."""
        if self.left:
            await trio.lowlevel.checkpoint()
            return
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)

    def _stop_waiting(self, raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class Engine:
    """Steps a batch of sequences.

    Args:
        max_batch: how many run at once; the others wait in the queue.
        max_queue: how many may wait.
        slow_down: how much slower the model is with a full batch: a prefill or a gap that begins
            while n sequences run is 1 + slow_down * n / max_batch times as long.
        metrics: where it counts.

    Attributes:
        admission: has a place for each that may run or wait. Whoever drives a sequence holds one.
    """

    def __init__(
        self,
        max_batch: int = 4096,
        max_queue: int = 1024,
        slow_down: float = 0.0,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self.metrics.active.append(lambda: self.running)
        self.metrics.queued.append(lambda: self.waiting)
        self.admission = Admission(max_batch + max_queue, self.metrics)
        self._max_batch = max_batch
        self._slow_down = slow_down
        self._stretch = 1.0  # what gaps are multiplied by
        self._running = 0
        self._queue: deque[Sequence] = deque()
        self._wheel: dict[float, list[Sequence]] = {}  # large ones half a slot behind the others
        self._slots: list[float] = []  # the wheel's keys, as a heap
        self._ready: deque[Sequence] = deque()  # due, but behind all that keep the time
        self._begun = 0  # of a turn, by first tokens, since `run` has had its own
        self._alarm: trio.CancelScope | None = None  # around the sleep to the first slot

    @property
    def running(self) -> int:
        """How many sequences are in the batch."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait in the queue."""
        return len(self._queue)

    async def drive(self, sequence: Sequence, flush: Callable[[], Awaitable[None]]) -> None:
        """Run a sequence to its end. If this is cancelled, the sequence leaves the batch.

        Args:
            flush: called when the reader did not take all of a token: waits until it has.

        Raises:
            Exception: whatever the sequence's tokens or its writing raised.
        """
        self._submit(sequence)
        try:
            while True:
                await sequence.wait_until_left()
                if sequence.error is not None:
                    raise sequence.error
                if sequence.finished:
                    return
                began = trio.current_time()
                try:
                    await flush()
                finally:
                    self.metrics.back_pressure += trio.current_time() - began
                self._resume(sequence)
        finally:
            self._remove(sequence)

    def _submit(self, sequence: Sequence) -> None:
        sequence.measured, sequence.since = self.metrics.first_token, trio.current_time()
        if self._running < self._max_batch:
            self._start(sequence, sequence.since)
        else:
            self._queue.append(sequence)

    def _start(self, sequence: Sequence, now: float) -> None:
        sequence.running = True
        self._count(1)
        sequence.due = now + sequence.prefill * self._stretch
        # What is due at once is made at once: the first slot may be 5 ms away. Not more than a
        # turn of it, for many may come at once; the others are ready, and get their first token
        # from `run`.
        size = 0
        if not sequence.prefill and self._begun <= TURN:
            size = sequence.step(now, self._stretch, self.metrics.gap)
            self._begun += size + STEP
        if not sequence.left:
            self._place(sequence, now, size)

    def _resume(self, sequence: Sequence) -> None:
        """Go on with a sequence whose reader has caught up: with its next token, if that is due."""
        now = trio.current_time()
        sequence.left = False
        sequence.due = max(sequence.due, now)
        self._place(sequence, now, 0)

    def _remove(self, sequence: Sequence) -> None:
        """Forget a sequence: it has finished, or nobody wants it any more."""
        failed = sequence.error is not None and not isinstance(sequence.error, CLIENT_GONE)
        self.metrics.cancelled += not (sequence.finished or failed)
        if not sequence.running:
            self._queue.remove(sequence)
            return
        sequence.running = False
        self._count(-1)
        while self._queue and self._running < self._max_batch:
            self._start(self._queue.popleft(), trio.current_time())

    def _count(self, change: int) -> None:
        self._running += change
        self._stretch = 1 + self._slow_down * self._running / self._max_batch

    def _place(self, sequence: Sequence, now: float, size: int) -> None:
        """Put a sequence into its slot, or behind those that are ready if it is due already.

        Args:
            size: of its last token. The next will be as large.
        """
        if sequence.due <= now:
            self._ready.append(sequence)
            if self._alarm is not None:
                self._alarm.deadline = -inf
            return
        slot = ceil(sequence.due / SLOT) + (0.5 if size > LARGE else 0)
        try:
            self._wheel[slot].append(sequence)
        except KeyError:
            self._wheel[slot] = [sequence]
            heappush(self._slots, slot)
            if self._alarm is not None and self._slots[0] == slot:
                self._alarm.deadline = slot * SLOT

    async def run(self) -> None:
        """Step sequences until cancelled."""
        gaps = self.metrics.gap
        while True:
            await self._sleep()
            now = trio.current_time()
            work = self._begun = 0
            # All slots that are due, for when others have kept the processor there are several.
            while self._slots and self._slots[0] * SLOT <= now:
                slot = heappop(self._slots)
                if slot % 1:
                    self._ready += self._wheel.pop(slot)
                    continue
                for sequence in self._wheel.pop(slot):
                    if sequence.running:
                        size = sequence.step(now, self._stretch, gaps)
                        if not sequence.left:
                            self._place(sequence, now, size)
                        work += size
                    work += STEP
                    if work > TURN:
                        self.metrics.settle()
                        await trio.lowlevel.checkpoint()
                        now = trio.current_time()
                        work = 0
            while self._ready and work <= TURN:
                sequence = self._ready.popleft()
                if sequence.running:
                    size = sequence.step(now, self._stretch, gaps)
                    if not sequence.left:
                        self._place(sequence, now, size)
                    work += size
                work += STEP
            self.metrics.settle()

    async def _sleep(self) -> None:
        """Sleep to the first slot that holds a sequence; always let other tasks run."""
        deadline = self._slots[0] * SLOT if self._slots else inf
        with trio.CancelScope(deadline=-inf if self._ready else deadline) as self._alarm:
            await trio.sleep_forever()
        self._alarm = None


class TokenSource:
    """Fills a body with the tokens of a sequence: a `Source` for a streaming reply.

    Args:
        engine: makes them.
        tokens: yields the bytes to send for each.
        gaps: yields the seconds between them.
        prefill: seconds to the first.
        last: called at the end: what leaves in one write with the end of the body.
        opening: what leaves at once, before the first token.
    """

    def __init__(
        self,
        engine: Engine,
        tokens: Iterator[bytes],
        gaps: Iterator[float],
        prefill: float,
        last: Callable[[], bytes],
        opening: bytes = b"",
    ) -> None:
        self._engine = engine
        self._tokens = tokens
        self._gaps = gaps
        self._prefill = prefill
        self._last = last
        self._opening = opening

    async def send_to(self, body: BodyWriter) -> None:
        """Send all of it, and the end."""
        try:
            if self._opening:
                await body.send(self._opening)
            sequence = Sequence(self._tokens, self._gaps, self._prefill, body.send_now)
            await self._engine.drive(sequence, body.flush)
            await body.end(self._last())
        finally:
            self._engine.metrics.body_bytes += body.size
