"""Cancel an operation at each of its awaits in turn, until it is not cancelled any more.

    for cancelled in at_each_await():
        near, far = memory_pair()
        with cancelled:
            await exchange(near, "GET", "/", HEADERS)
        assert near.closed                       whatever was under way

The loop runs once for each await: the first run is cancelled while the operation waits for the
first time, the second run while it waits for the second time, and so on. The last run is not
cancelled. Awaits of tasks that the operation starts in nurseries of its own count too.
"""

from collections.abc import Iterator
from types import TracebackType

import trio

__all__ = ["Cancelled", "at_each_await"]


class Cancelled(trio.abc.Instrument):
    """A block that is cancelled at one of its awaits. It swallows the cancellation.

    Args:
        number: which one; the first is 1. Counted are the moments at which a task of the block
            lets others run: a cancellation comes from another task, so it comes at these only.

    Attributes:
        happened: the block had so many awaits, and was cancelled at this one.
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
        """Called by trio when a task has come to an await, or to its end."""
        if self._is_within(task):
            self._awaits += 1
            if self._awaits == self._number:
                self.happened = True
                self._scope.cancel()

    def _is_within(self, task: trio.lowlevel.Task) -> bool:
        """It runs the block, or was started by what runs it."""
        while task is not self._task:
            nursery = task.parent_nursery
            if nursery is None or nursery in self._others:
                return False
            task = nursery.parent_task
        return True


def at_each_await(limit: int = 1000) -> Iterator[Cancelled]:
    """A block for each await of an operation: see above.

    Args:
        limit: how many awaits the operation may have.

    Raises:
        AssertionError: it has more.
    """
    for number in range(1, limit + 1):
        cancelled = Cancelled(number)
        yield cancelled
        if not cancelled.happened:
            return
    raise AssertionError(f"more than {limit} awaits")
