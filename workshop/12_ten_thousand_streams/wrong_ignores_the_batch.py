"""Wrong: it runs all sequences at once, and never queues any of them."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf

import trio

Step = Callable[[], float | None]


class Engine:
    def __init__(self, max_batch: int) -> None:
        self._batch: list[tuple[float, int, Step]] = []
        self._order = count()
        self._submitted = trio.Event()

    def submit(self, step: Step) -> None:
        heappush(self._batch, (trio.current_time(), next(self._order), step))
        self._submitted.set()

    async def run(self) -> None:
        while True:
            with trio.move_on_at(self._batch[0][0] if self._batch else inf):
                await self._submitted.wait()
            self._submitted = trio.Event()
            while self._batch and self._batch[0][0] <= trio.current_time():
                due, _, step = heappop(self._batch)
                gap = step()
                if gap is not None:
                    heappush(self._batch, (due + gap, next(self._order), step))
