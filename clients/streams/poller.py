"""One task polls many streams and calls a function for each readable one.

    await poller.poll(stream, callback)      in the task that owns the stream
        callback(now) -> True                it has read what had come: call it again for more
        callback(now) -> False               this task goes on: it must wait for something else

If each task waits for its own socket, every event costs a whole wake-up: the task registers the
socket with the kernel, trio's scheduler resumes the task, the task reads until there is no more
data, and waits again. These steps are three quarters of the cost of relaying a token. Here one task
asks the kernel about all sockets at once and calls a plain function for each readable one. The task
that owns the stream sleeps meanwhile.
"""

import select
from collections.abc import Callable

import trio

from .tcp import CLOSING, ByteStream

__all__ = ["Callback", "Poller"]

Callback = Callable[[float], bool]
"""A function called with the current time of trio's clock. The result says whether to call it
again."""

MAX_EVENTS = 64  # callbacks in one turn; after them, other tasks run


class Waiter:
    """One stream, and the task that sleeps until it is readable."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.task = trio.lowlevel.current_task()
        self.error: Exception | None = None
        self.done = False  # the callback has returned False or raised an error


class Poller:
    """Calls the callbacks of readable streams while `run` runs."""

    def __init__(self) -> None:
        self._waiters: dict[int, Waiter] = {}
        # macOS has no epoll. On macOS, and for streams in memory, every task waits for its own
        # stream.
        self._epoll = select.epoll() if hasattr(select, "epoll") else None

    async def run(self) -> None:
        """Poll until cancelled."""
        if self._epoll is None:
            await trio.sleep_forever()
        try:
            await self._run(self._epoll)
        finally:
            self._epoll.close()
            self._epoll = None
            for fileno in list(self._waiters):
                self._wake(fileno)  # from now on each task must wait for its own stream

    async def _run(self, epoll: "select.epoll") -> None:
        while True:
            # An epoll is readable when one of its files has something to report.
            await trio.lowlevel.wait_readable(epoll.fileno())
            now = trio.current_time()
            for fileno, _ in epoll.poll(0, MAX_EVENTS):
                # An earlier callback of this round may have ended the task of this stream.
                if (waiter := self._waiters.get(fileno)) is not None:
                    self._call(fileno, waiter, now)

    def _call(self, fileno: int, waiter: Waiter, now: float) -> None:
        try:
            if waiter.callback(now):
                return
        except Exception as error:
            waiter.error = error  # the error is raised in the task that owns the stream
        waiter.done = True
        if self._waiters.get(fileno) is waiter:  # otherwise the callback has closed its own stream
            self._wake(fileno)

    async def poll(self, stream: ByteStream, callback: Callback) -> None:
        """Call `callback` each time the stream is readable, until it returns False.

        Args:
            stream: The stream to watch. No other task may receive on it, and all bytes that arrived
                before must have been read.
            callback: A function that reads everything `receive_now` returns, and does not wait.

        Raises:
            trio.ClosedResourceError: Another task closed the stream.
            trio.BusyResourceError: Another task already waits for the stream.
            Exception: Whatever `callback` raised.
        """
        fileno = stream.fileno()
        if self._epoll is None or fileno < 0:
            await _poll_alone(stream, callback)
            return
        if fileno in self._waiters:
            raise trio.BusyResourceError("another task waits for this stream")
        waiter = self._waiters[fileno] = Waiter(callback)
        self._epoll.register(fileno, select.EPOLLIN)
        CLOSING[fileno] = lambda: self._stream_closes(fileno)

        def abort(raise_cancel: object) -> trio.lowlevel.Abort:
            self._remove(fileno)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if waiter.error is not None:
            raise waiter.error
        if not waiter.done:
            await _poll_alone(stream, callback)

    def _stream_closes(self, fileno: int) -> None:
        """Wake the waiting task, because another task closes its stream."""
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


async def _poll_alone(stream: ByteStream, callback: Callback) -> None:
    """Do what `poll` does for one stream, in its own task (test_both_ways_are_the_same)."""
    await stream.wait_readable()
    while callback(trio.current_time()):
        await stream.wait_readable()


# What this file does not do: write. A task that sends to a slow reader waits for that stream
# itself.
