"""Runs the selected cases in a thread with its own event loop, while pytest asks for the results.

    pytest (main thread)                 this thread (trio)
    start(cases)               ->        cases that measure time, one after the other
    result("chunked.…")  waits           then the others, several at a time
                               <-        Outcome

A stream takes seconds, and a case spends them waiting. So the cases run side by side, and pytest
reports them in its own order. Cases marked `alone` run first, because others would disturb their
times.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import trio

from .case import Case
from .engine import Outcome, run_case
from .target import Target

__all__ = ["WORKERS", "Runner"]

FIRST = {"live.two-at-once"}  # what it finds out, others need to know
WORKERS = 12  # cases that run at the same time; the target limits their connections


class Runner:
    """Runs cases on one target.

    Args:
        target: The server.
        strict: A WARN becomes a FAIL.
        workers: Largest number of cases at the same time.
    """

    def __init__(self, target: Target, *, strict: bool = False, workers: int = WORKERS) -> None:
        self._target = target
        self._strict = strict
        self._workers = workers
        self._outcomes: dict[str, Future[Outcome]] = {}
        self._cases: Sequence[Case] = ()
        self._stopping = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._thread = threading.Thread(target=self._run, name="spec", daemon=True)

    def start(self, cases: Sequence[Case]) -> None:
        """Start with these cases."""
        self._cases = cases
        self._outcomes = {case.slug: Future() for case in cases}
        self._thread.start()

    def result(self, case: Case) -> Outcome:
        """Wait for the outcome of a case."""
        return self._outcomes[case.slug].result()

    def stop(self) -> None:
        """Stop the cases that still run."""
        self._stopping.set()
        if self._token is not None and self._thread.is_alive():
            try:
                self._token.run_sync_soon(self._scope.cancel)
            except trio.RunFinishedError:
                pass
            self._thread.join(5)

    def _run(self) -> None:
        try:
            trio.run(self._run_all)
        except BaseException as error:
            for outcome in self._outcomes.values():
                if not outcome.done():
                    outcome.set_exception(error)

    async def _run_all(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            if self._stopping.is_set():
                return
            first = [case for case in self._cases if case.alone]
            for case in sorted(first, key=lambda case: case.slug not in FIRST):
                await self._try(case)
            free = trio.Semaphore(1 if self._target.serial else self._workers)
            async with trio.open_nursery() as nursery:
                for case in self._cases:
                    if not case.alone:
                        await free.acquire()
                        nursery.start_soon(self._try_one, case, free)

    async def _try_one(self, case: Case, free: trio.Semaphore) -> None:
        try:
            await self._try(case)
        finally:
            free.release()

    async def _try(self, case: Case) -> None:
        waiting = self._outcomes[case.slug]
        try:
            waiting.set_result(await run_case(case, self._target, strict=self._strict))
        except trio.Cancelled:
            waiting.cancel()
            raise
        except Exception as error:  # a bug of the suite
            waiting.set_exception(error)
