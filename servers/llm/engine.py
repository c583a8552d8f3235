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
"""

import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from heapq import heappop, heappush

import trio

from ..body import Body

__all__ = ["SLOT", "Engine", "Sequence", "TokenSource"]

SLOT = 0.005
"""Seconds. Half as much costs a quarter more CPU; twice as much makes tokens 5 ms later."""

YIELD_AFTER = 64
"""Sequences stepped without letting other tasks run. New clients wait for no more than these,
also when the engine is late: one that did not yield while it was behind stalled everything."""


class Sequence:
    """One answer under way.

    Args:
        tokens: yields the bytes to write for each token: a plain generator, asked by the engine.
        gaps: yields the seconds from each token to the next.
        prefill: seconds from entering the batch to the first token.
        write: called with the bytes and the time; returns whether the reader took them all.

    Attributes:
        due: when the next token is, or was, due.
        attention: set when the engine has left the sequence: it has finished, or its reader must
            catch up first, or it has failed.
        finished: all tokens are made.
        error: why it failed, or None.
    """

    def __init__(
        self,
        tokens: Iterator[bytes],
        gaps: Iterator[float],
        prefill: float,
        write: Callable[[bytes, float], bool],
    ) -> None:
        self.due = math.inf
        self.attention = trio.Event()
        self.finished = False
        self.error: Exception | None = None
        self._tokens = tokens
        self._gaps = gaps
        self._prefill = prefill
        self._write = write

    def start(self, now: float) -> None:
        """Enter the batch."""
        self.due = now + self._prefill

    def step(self, now: float) -> bool:
        """Make one token and write it. Returns whether the engine should go on with it."""
        try:
            token = next(self._tokens, None)
            if token is None:
                self.finished = True
            elif self._write(token, now):
                # Without a gap the next is due now, behind those that have waited longer.
                gap = next(self._gaps)
                self.due = self.due + gap if gap else now
                return True
        except Exception as error:  # its own task is told; the batch goes on
            self.error = error
        self.attention.set()
        return False


class Engine:
    """Steps a batch of sequences.

    Args:
        max_batch: how many run at once; the others wait in the queue.
        max_queue: how many may wait before `is_full` says so.
    """

    def __init__(self, max_batch: int = 4096, max_queue: int = 1024) -> None:
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._batch: set[Sequence] = set()
        self._queue: deque[Sequence] = deque()
        self._wheel: dict[int, list[Sequence]] = {}
        self._slots: list[int] = []  # the wheel's keys, as a heap
        self._earlier = trio.Event()  # a slot before those has been taken

    @property
    def running(self) -> int:
        """How many sequences are in the batch."""
        return len(self._batch)

    @property
    def waiting(self) -> int:
        """How many wait in the queue."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """A new request should be told to come back later."""
        return len(self._queue) >= self._max_queue and len(self._batch) >= self._max_batch

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
                await sequence.attention.wait()
                if sequence.error is not None:
                    raise sequence.error
                if sequence.finished:
                    return
                await flush()
                self._resume(sequence)
        finally:
            self._remove(sequence)

    def _submit(self, sequence: Sequence) -> None:
        if len(self._batch) < self._max_batch:
            self._start(sequence)
        else:
            self._queue.append(sequence)

    def _resume(self, sequence: Sequence) -> None:
        """Go on with a sequence whose reader has caught up. Its next token is due now."""
        sequence.attention = trio.Event()
        sequence.due = max(sequence.due, trio.current_time())
        self._place(sequence)

    def _remove(self, sequence: Sequence) -> None:
        """Forget a sequence: it has finished, or nobody wants it any more."""
        if sequence in self._batch:
            self._batch.remove(sequence)
            while self._queue and len(self._batch) < self._max_batch:
                self._start(self._queue.popleft())
        elif sequence in self._queue:
            self._queue.remove(sequence)

    async def run(self) -> None:
        """Step sequences until cancelled."""
        while True:
            await self._wait_for_slot()
            now = trio.current_time()
            count = 0
            # All slots that are due, for when others have kept the processor there are several.
            while self._slots and self._slots[0] * SLOT <= now:
                for sequence in self._wheel.pop(heappop(self._slots)):
                    if sequence in self._batch and sequence.step(now):
                        self._place(sequence)
                    count += 1
                    if count % YIELD_AFTER == 0:
                        await trio.lowlevel.checkpoint()
                        now = trio.current_time()

    async def _wait_for_slot(self) -> None:
        """Sleep to the first slot that holds a sequence; always let other tasks run."""
        while True:
            wake_at = self._slots[0] * SLOT if self._slots else math.inf
            if wake_at <= trio.current_time():
                await trio.lowlevel.checkpoint()
                return
            self._earlier = trio.Event()
            with trio.move_on_at(wake_at):
                await self._earlier.wait()

    def _start(self, sequence: Sequence) -> None:
        self._batch.add(sequence)
        sequence.start(trio.current_time())
        self._place(sequence)

    def _place(self, sequence: Sequence) -> None:
        slot = math.ceil(sequence.due / SLOT)
        if slot in self._wheel:
            self._wheel[slot].append(sequence)
            return
        self._wheel[slot] = [sequence]
        heappush(self._slots, slot)
        if self._slots[0] == slot:
            self._earlier.set()


class TokenSource:
    """Fills a body with the tokens of a sequence: a `Source` for a streaming reply.

    Args:
        engine: makes them.
        tokens: yields the bytes to send for each.
        gaps: yields the seconds between them.
        prefill: seconds to the first.
        last: what leaves in one write with the end of the body.
    """

    def __init__(
        self,
        engine: Engine,
        tokens: Iterator[bytes],
        gaps: Iterator[float],
        prefill: float,
        last: bytes,
    ) -> None:
        self._engine = engine
        self._tokens = tokens
        self._gaps = gaps
        self._prefill = prefill
        self._last = last

    async def send_to(self, body: Body) -> None:
        """Send all of it, and the end."""
        sequence = Sequence(self._tokens, self._gaps, self._prefill, body.send_now)
        await self._engine.drive(sequence, body.flush)
        await body.end(self._last)
