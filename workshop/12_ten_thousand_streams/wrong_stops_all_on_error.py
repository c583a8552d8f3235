"""Wrong: if one step raises an error, the whole batch ends."""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from math import inf

import trio

Step = Callable[[], float | None]
YIELD_AFTER = 64


class Engine:
    """Steps a batch of sequences."""

    def __init__(self, max_batch: int) -> None:
        self._max_batch = max_batch
        self._queue: deque[Step] = deque()
        self._batch: list[tuple[float, int, Step]] = []  # a heap: (due, order, step)
        self._order = count()
        self._submitted = trio.Event()

    def submit(self, step: Step) -> None:
        """Add a sequence. If the engine sleeps, this wakes it."""
        self._queue.append(step)
        self._submitted.set()

    async def run(self) -> None:
        """Advance all sequences in this one task, until it is cancelled."""
        steps = 0
        while True:
            self._fill_batch()
            due = self._batch[0][0] if self._batch else inf
            if due > trio.current_time():
                steps = 0
                with trio.move_on_at(due):
                    await self._submitted.wait()
                self._submitted = trio.Event()
                continue
            self._step()
            steps += 1
            if steps == YIELD_AFTER:
                steps = 0
                await trio.lowlevel.checkpoint()

    def _fill_batch(self) -> None:
        while self._queue and len(self._batch) < self._max_batch:
            entry = (trio.current_time(), next(self._order), self._queue.popleft())
            heapq.heappush(self._batch, entry)

    def _step(self) -> None:
        """Step the sequence that was due first."""
        due, _, step = heapq.heappop(self._batch)
        gap = step()
        if gap is not None:
            heapq.heappush(self._batch, (due + gap, next(self._order), step))
