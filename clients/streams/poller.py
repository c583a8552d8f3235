"""Many streams that one task reads: each is called when something has come for it.

    await arrivals.each(stream, take)        in the task of one stream
        take(now) -> True                    what has come was taken: wait for more
        take(now) -> False                   this task goes on, for it must wait for something else

A task that waits for its own socket is woken for every event: the kernel is told anew what it waits
for, the scheduler finds it, it reads, finds nothing more, and waits again. That is three quarters
of the price of relaying a token. Here one task asks the kernel about all sockets at once and calls
whoever has bytes, a plain function; a stream's own task sleeps until there is more to do than that.
"""

import select
from collections.abc import Callable

import trio

from .tcp import CLOSING, ByteStream

__all__ = ["Arrivals", "Take"]

Take = Callable[[float], bool]
"""Is called with the time by trio's clock, and returns whether to call it again."""

# After so many the other tasks have their turn.
AT_ONCE = 64


class Waiter:
    """One stream whose task sleeps."""

    def __init__(self, take: Take) -> None:
        self.take = take
        self.task = trio.lowlevel.current_task()
        self.error: Exception | None = None
        self.done = False  # it was called, and not to be called again


class Arrivals:
    """Calls those for whom something has come, while `run` runs."""

    def __init__(self) -> None:
        self._waiters: dict[int, Waiter] = {}
        # macOS has no epoll; there, and in memory, every task waits for itself.
        self._epoll = select.epoll() if hasattr(select, "epoll") else None

    async def run(self) -> None:
        """Call them until cancelled."""
        if self._epoll is None:
            await trio.sleep_forever()
        try:
            await self._run(self._epoll)
        finally:
            self._epoll.close()
            self._epoll = None
            for fileno in list(self._waiters):
                self._wake(fileno)  # from now on each waits for itself

    async def _run(self, epoll: "select.epoll") -> None:
        while True:
            # An epoll is readable when one of its files has something to report.
            await trio.lowlevel.wait_readable(epoll.fileno())
            now = trio.current_time()
            for fileno, _ in epoll.poll(0, AT_ONCE):
                # One that was called before it in this round may have ended its task.
                if (waiter := self._waiters.get(fileno)) is not None:
                    self._call(fileno, waiter, now)

    def _call(self, fileno: int, waiter: Waiter, now: float) -> None:
        try:
            if waiter.take(now):
                return
        except Exception as error:
            waiter.error = error  # it belongs to that task
        waiter.done = True
        if self._waiters.get(fileno) is waiter:  # else it has closed its own stream
            self._wake(fileno)

    async def each(self, stream: ByteStream, take: Take) -> None:
        """Call `take` each time something has come, until it returns False.

        Args:
            stream: nobody else receives on it, and what came before has been taken.
            take: takes all that `receive_now` gives, and does not wait.

        Raises:
            trio.ClosedResourceError: another task closed the stream.
            trio.BusyResourceError: another task waits for it.
            whatever `take` raises.
        """
        fileno = stream.fileno()
        if self._epoll is None or fileno < 0:
            await _each(stream, take)
            return
        if fileno in self._waiters:
            raise trio.BusyResourceError("another task waits for this stream")
        waiter = self._waiters[fileno] = Waiter(take)
        self._epoll.register(fileno, select.EPOLLIN)
        CLOSING[fileno] = lambda: self._close(fileno)

        def abort(raise_cancel: object) -> trio.lowlevel.Abort:
            self._remove(fileno)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if waiter.error is not None:
            raise waiter.error
        if not waiter.done:
            await _each(stream, take)

    def _close(self, fileno: int) -> None:
        """Another task closes the stream."""
        self._waiters[fileno].error = trio.ClosedResourceError("this stream was closed")
        self._wake(fileno)

    def _wake(self, fileno: int) -> None:
        task = self._waiters[fileno].task
        self._remove(fileno)
        trio.lowlevel.reschedule(task)

    def _remove(self, fileno: int) -> None:
        del self._waiters[fileno]
        del CLOSING[fileno]
        if self._epoll is not None:
            self._epoll.unregister(fileno)


async def _each(stream: ByteStream, take: Take) -> None:
    """The same, for one that waits for itself (test_both_ways_are_the_same)."""
    await stream.wait_readable()
    while take(trio.current_time()):
        await stream.wait_readable()


# What this file does not do: writing. A reader that is slow is waited for by its own task.
