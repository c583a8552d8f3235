"""Wrong: it counts the gap from the time at which the token was made, so all delays add up."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import trio

Step = Callable[[], float | None]


class Engine:
    def __init__(self, max_batch: int) -> None:
        self._batch: list[tuple[float, int, Step]] = []
        self._order = count()

    def submit(self, step: Step) -> None:
        heappush(self._batch, (trio.current_time(), next(self._order), step))

    async def run(self) -> None:
        while self._batch:
            due, _, step = heappop(self._batch)
            await trio.sleep_until(due)
            gap = step()
            if gap is not None:
                heappush(self._batch, (trio.current_time() + gap, next(self._order), step))
