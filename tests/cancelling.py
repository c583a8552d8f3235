"""Cancel an operation at each of its awaits in turn.

    for cancelled in at_each_await():
        near, far = memory_pair()
        with cancelled:
            await exchange(near, "GET", "/", HEADERS)
        assert near.closed                       wherever it was cancelled

The loop runs once for each await. The first run is cancelled at the first await, the second run at
the second, and so on. The last run is not cancelled. Awaits of tasks that the operation starts in
its own nurseries count too.
"""

from collections.abc import Iterator
from types import TracebackType

import trio

__all__ = ["Cancelled", "at_each_await"]


class Cancelled(trio.abc.Instrument):
    """A block that is cancelled at one of its awaits. It swallows the cancellation.

    Args:
        number: The number of the await; the first is 1. An await counts if it lets other tasks
            run: a cancellation comes from another task, so it can come only there.

    Attributes:
        happened: Whether the block had this many awaits, and so was cancelled at the last of them.
    """

    def __init__(self, number: int) -> None:
        self.happened = False
        self._number = number
        self._awaits = 0
        self._scope = trio.CancelScope()

    def __enter__(self) -> "Cancelled":
        self._task = trio.lowlevel.current_task()
        self._others = list(self._task.child_nurseries)
        trio.lowlevel.add_instrument(self)
        self._scope.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        trio.lowlevel.remove_instrument(self)
        return self._scope.__exit__(kind, error, traceback)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Called by trio when a task has reached an await, or its end."""
        if self._is_within(task):
            self._awaits += 1
            if self._awaits == self._number:
                self.happened = True
                self._scope.cancel()

    def _is_within(self, task: trio.lowlevel.Task) -> bool:
        """Return whether the task runs the block, or was started inside it."""
        while task is not self._task:
            nursery = task.parent_nursery
            if nursery is None or nursery in self._others:
                return False
            task = nursery.parent_task
        return True


def at_each_await(limit: int = 1000) -> Iterator[Cancelled]:
    """Yield a block for each await of an operation, and one that is not cancelled.

    Args:
        limit: Largest number of awaits that the operation may have.

    Raises:
        AssertionError: The operation has more awaits.
    """
    for number in range(1, limit + 1):
        cancelled = Cancelled(number)
        yield cancelled
        if not cancelled.happened:
            return
    raise AssertionError(f"more than {limit} awaits")
