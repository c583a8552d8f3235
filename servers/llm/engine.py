"""The engine: one clock for all tokens (continuous batching).

An inference server does not run one answer after the other, and it does not run each in its own
thread. An inference server holds a batch of sequences and steps them together. Each step gives
every sequence its next token. Finished sequences leave the batch, and waiting ones take their
places. This engine does the same with a clock instead of a GPU. One task steps all sequences, and
each sequence writes its token to its socket at once. That takes a fifth of the time that it would
take to wake a task for each token.

    submit ─► queue ─► batch ─► wheel           slot 1041: [a, c]     a.step(): token, write
                       (at most (when is the    slot 1043: [b]        c.step(): token, write
                       so many) next token due) slot 1050: [d]

The wheel's slots are 5 ms wide. Sequences that are due within one slot are stepped together, and
the engine sleeps until the next slot that holds a sequence. The next due time is computed from the
last due time, not from the time at which the token was made, so lateness does not add up.

Two kinds of sequences could use up all the time: those without gaps, and those with large tokens.
Such sequences wait in a queue of their own. After the engine has made all other tokens that are
due, it steps these sequences one after the other, until they have written `TURN` bytes. So they
slow down only each other. Where the client has asked for no pace, one step makes the next `AT_ONCE`
tokens, and one call writes them.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from heapq import heappop, heappush
from itertools import islice
from math import ceil, inf
from typing import NoReturn

import trio

from ..http.metrics import Histogram, Metrics
from .admission import CLIENT_GONE, Admission

__all__ = ["SLOT", "Engine", "TokenSequence"]

SLOT = 0.005
"""Width of a slot in seconds. Waking up is expensive: slots of 10 ms would save a twentieth of the
CPU time, but delay tokens by 5 ms more."""

TURN = 160_000
"""Number of bytes written before other tasks run. Each step counts as the bytes that it writes and
`STEP` more. A turn lasts about a millisecond. In that time the engine writes 128 ordinary tokens,
or one token of a request for 128 answers with all their log probabilities. The engine yields even
when it is late, because otherwise a late engine would stall all other tasks."""

STEP = 1000

AT_ONCE = 16
"""Largest number of tokens that are made in one step, where the client has asked for no pace."""

LARGE = 4096
"""Size of a large token, in bytes. A larger token may be late, because it is made after all smaller
tokens that are due."""


class TokenSequence:
    """An answer that the engine runs, or that waits for the engine.

    Args:
        tokens: A plain generator that yields the bytes to write for each token. The engine runs it.
        gaps: An iterator over the seconds from each token to the next.
        prefill: Seconds from the entry into the batch to the first token.
        write: A function called with the bytes and the time, which returns whether the socket
            accepted all bytes.
        write_many: Like `write`, but for the bytes of several tokens. It is used for a sequence
            without gaps: one step makes up to `AT_ONCE` tokens, and one call writes them. None for
            a sequence with gaps.

    Attributes:
        due: The time at which the next token is due, or was due.
        running: Whether the sequence is in the batch.
        stopped: Whether the engine does not step the sequence, because it has finished or failed,
            or must wait for a slow client.
        finished: Whether all its tokens are made.
        error: The exception with which the sequence failed, or None.
        measured: The histogram that counts the seconds before the next token, starting at `since`.
    """

    __slots__ = (
        "_gaps",
        "_task",
        "_tokens",
        "_write",
        "_write_many",
        "due",
        "error",
        "finished",
        "measured",
        "prefill",
        "running",
        "since",
        "stopped",
    )

    def __init__(
        self,
        tokens: Iterator[bytes],
        gaps: Iterator[float],
        prefill: float,
        write: Callable[[bytes, float], bool],
        write_many: Callable[[list[bytes], float], bool] | None = None,
    ) -> None:
        self.prefill = prefill
        self.due = inf
        self.running = False
        self.stopped = False
        self.finished = False
        self.error: Exception | None = None
        self.measured: Histogram
        self.since: float
        self._tokens = tokens
        self._gaps = gaps
        self._write = write
        self._write_many = write_many
        self._task: trio.lowlevel.Task | None = None  # the task in `wait_until_stopped`

    def step(self, now: float, stretch: float, gap_histogram: Histogram) -> int:
        """Make one token and write it, or the tokens that are due together. If the sequence is not
        `stopped` then, the engine continues with it.

        Args:
            stretch: Factor by which the gaps are multiplied.

        Returns:
            The size of what was written, in bytes.
        """
        size = 0
        try:
            token = next(self._tokens, None)
            if token is None:
                self.finished = True
            else:
                if self._write_many is None:
                    size = len(token)
                    taken = self._write(token, now)
                    # Without a gap the next token is due now. Those that waited longer go first.
                    gap = next(self._gaps)
                    self.due = self.due + gap * stretch if gap else now
                else:
                    pieces, size, ended = self._due_with(token)
                    taken = self._write_many(pieces, now)
                    self.due = now
                    self.finished = ended and taken  # otherwise the last bytes still wait
                    gap_histogram.add_many([0.0] * (len(pieces) - 1))
                self.measured.add(now - self.since)
                self.measured, self.since = gap_histogram, now
                if taken and not self.finished:
                    return size
        except Exception as error:  # `drive` raises it in the request's task; the batch continues
            self.error = error
        self.stopped = True
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None
        return size

    def _due_with(self, token: bytes) -> tuple[list[bytes], int, bool]:
        """Return this token and the next ones, their size, and whether they are the last."""
        pieces, size = [token], len(token)
        if size < LARGE:
            for token in islice(self._tokens, AT_ONCE - 1):
                pieces.append(token)
                size += len(token)
                if size >= LARGE:
                    return pieces, size, False
        return pieces, size, size < LARGE and len(pieces) < AT_ONCE

    def wait_until_stopped(self) -> Awaitable[None]:
        """Wait until the engine stops the sequence. A `trio.Event` could be used for this, but
        needs 0.7 KB of memory."""
        self._task = trio.lowlevel.current_task()
        return trio.lowlevel.wait_task_rescheduled(self._stop_waiting)  # noqa: ASYNC105

    def _stop_waiting(self, raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class Engine:
    """Steps a batch of sequences.

    Args:
        max_batch: Largest number of sequences that run at once; the others wait in the queue.
        max_queue: Largest number of sequences that wait.
        slow_down: How much slower the model is with a full batch: a prefill or a gap that begins
            while n sequences run is 1 + slow_down * n / max_batch times as long.
        metrics: The object that receives the measurements.

    Attributes:
        admission: The reservations: one for each sequence that may run or wait. A caller of `drive`
            must have a reservation.
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
        self._stretch = 1.0  # the factor for gaps
        self._running = 0
        self._queue: deque[TokenSequence] = deque()
        self._wheel: dict[float, list[TokenSequence]] = {}  # large tokens go half a slot later
        self._slots: list[float] = []  # the wheel's keys, as a heap
        self._ready: deque[TokenSequence] = deque()  # due, but without gaps, or large
        self._begun = 0  # bytes of first tokens since the last turn of `run`
        self._alarm: trio.CancelScope | None = None  # around the sleep until the first slot
        self._task: trio.lowlevel.Task  # the task of `run`

    @property
    def running(self) -> int:
        """The number of sequences in the batch."""
        return self._running

    @property
    def waiting(self) -> int:
        """The number of sequences in the queue."""
        return len(self._queue)

    async def drive(self, sequence: TokenSequence, flush: Callable[[], Awaitable[None]]) -> None:
        """Run a sequence to its end. If this call is cancelled, the sequence is removed from the
        batch.

        Args:
            flush: A function called when the socket did not accept all of a token, which waits
                until the rest is sent.

        Raises:
            Exception: Any exception of the sequence's `tokens` or `write`.
        """
        self._submit(sequence)
        try:
            while True:
                if not sequence.stopped:
                    await sequence.wait_until_stopped()
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

    def make_at_once(self, tokens: int) -> bool:
        """Count the tokens of an answer that has no pauses and is sent whole. It needs no sequence,
        because there is nothing to wait for or to write (test_a_whole_answer_without_pauses).

        Args:
            tokens: Number of tokens of the answer.

        Returns:
            Whether the batch has room for the answer. If not, nothing is counted: use `drive`.
        """
        if self._running >= self._max_batch:
            return False
        self.metrics.first_token.add_zeros(min(tokens, 1))
        self.metrics.gap.add_zeros(max(tokens - 1, 0))
        return True

    def _submit(self, sequence: TokenSequence) -> None:
        sequence.measured, sequence.since = self.metrics.first_token, trio.current_time()
        if self._running < self._max_batch:
            self._start(sequence, sequence.since)
        else:
            self._queue.append(sequence)

    def _start(self, sequence: TokenSequence, now: float) -> None:
        sequence.running = True
        self._count(1)
        sequence.due = now + sequence.prefill * self._stretch
        # A token that is due at once is made at once, because the first slot may be 5 ms away. But
        # many sequences may start together. When `TURN` bytes were written, the others get their
        # first token from `run`.
        size = 0
        if not sequence.prefill and self._begun <= TURN:
            size = sequence.step(now, self._stretch, self.metrics.gap)
            self._begun += size + STEP
        if not sequence.stopped:
            self._schedule(sequence, now, size)

    def _resume(self, sequence: TokenSequence) -> None:
        """Continue a sequence whose client has caught up."""
        now = trio.current_time()
        sequence.stopped = False
        sequence.due = max(sequence.due, now)
        self._schedule(sequence, now, 0)

    def _remove(self, sequence: TokenSequence) -> None:
        """Remove a sequence: it has finished or failed, or its request was cancelled."""
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

    def _schedule(self, sequence: TokenSequence, now: float, size: int) -> None:
        """Put a sequence into its slot or, if it is already due, at the end of `_ready`.

        Args:
            size: Size of the sequence's last token, in bytes. The next token will probably be as
                large.
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
        """Advance all sequences, until cancelled."""
        gaps = self.metrics.gap
        while True:
            await self._sleep()
            now = trio.current_time()
            work = self._begun = 0
            # If other tasks have used the processor for a long time, several slots are due.
            while self._slots and self._slots[0] * SLOT <= now:
                slot = heappop(self._slots)
                if slot % 1:
                    self._ready += self._wheel.pop(slot)
                    continue
                for sequence in self._wheel.pop(slot):
                    if sequence.running:
                        size = sequence.step(now, self._stretch, gaps)
                        if not sequence.stopped:
                            self._schedule(sequence, now, size)
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
                    if not sequence.stopped:
                        self._schedule(sequence, now, size)
                    work += size
                work += STEP
            self.metrics.settle()

    async def _sleep(self) -> None:
        """Sleep until the first slot that holds a sequence. The other tasks get at least one
        turn."""
        deadline = self._slots[0] * SLOT if self._slots else inf
        if self._ready or deadline <= trio.current_time():
            await trio.lowlevel.checkpoint()
            return
        self._task = trio.lowlevel.current_task()
        with trio.CancelScope(deadline=deadline) as self._alarm:
            await trio.lowlevel.wait_task_rescheduled(self._wake)
        self._alarm = None

    def _wake(self, raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """Wake the task of `run` without an exception, which would take a fifth of a wake-up's
        time."""
        if self._alarm is None or not self._alarm.cancel_called:  # the server is stopping
            return trio.lowlevel.Abort.SUCCEEDED
        trio.lowlevel.reschedule(self._task)
        return trio.lowlevel.Abort.FAILED
