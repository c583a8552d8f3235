"""Wrong: each sequence has a task. All times are right, but each token costs a wake-up."""

from collections.abc import Callable

import trio

Step = Callable[[], float | None]


class Engine:
    def __init__(self, max_batch: int) -> None:
        self._limit = trio.Semaphore(max_batch)
        self._new, self._queue = trio.open_memory_channel[Step](1 << 20)

    def submit(self, step: Step) -> None:
        self._new.send_nowait(step)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            async for step in self._queue:
                await self._limit.acquire()
                nursery.start_soon(self._run_one, step)

    async def _run_one(self, step: Step) -> None:
        due = trio.current_time()
        try:
            while (gap := step()) is not None:
                due += gap
                await trio.sleep_until(due)
        except Exception:
            pass
        finally:
            self._limit.release()
