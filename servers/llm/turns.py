"""Large work is split into turns, so that no stream waits for more than one turn.

    task 1 (2 MB to read)       turn   .  .  turn   .  .  turn
    task 2 (2 MB to read)         .  turn   .  .  turn   .  .
    task 3 (one small tool)                 done
    the engine                  tokens  tokens  tokens  tokens  …

A server with one thread is as late as its longest step. A second thread does not help: the
interpreter runs one thread at a time. Each time the event loop makes a system call, which it does
for every token, another thread may get the interpreter for 5 ms.

The rules this file keeps:

1. Small work does not wait, because a request does not queue for its first turn.
2. Between two polls of the sockets, only one turn of large work runs in the whole process, however
   many clients have asked for such work. Work that has had a turn goes to the end of the queue.
3. The unit of work is the time to split one character into tokens. Other work is converted to it.
"""

import msgspec
import trio

__all__ = ["ALONE", "TURN", "Turns", "Work"]

TURN = 4096
"""Units of work in one turn: half a millisecond, or two milliseconds for the worst texts."""


class Work(msgspec.Struct):
    """The work for one request. This class never waits, so use it where nothing else runs."""

    async def spend(self, amount: int) -> None:
        """Call this before doing this much work, to wait while other requests have their turns."""


ALONE = Work()


class Turns:
    """Gives turns to the work of many requests.

    Args:
        size: Units of work in a turn: see `TURN`.
    """

    def __init__(self, size: int = TURN) -> None:
        self.size = size
        self.lock = trio.Lock()

    def work(self) -> "SharedWork":
        """Return a context manager for work that takes turns with all other work."""
        return SharedWork(self)


class SharedWork(Work):
    _turns: Turns
    _done: int = 0  # work done since the last turn began
    _holds: bool = False

    def __enter__(self) -> "SharedWork":
        return self

    def __exit__(self, *exception: object) -> None:
        self._release()

    async def spend(self, amount: int) -> None:
        self._done += amount
        if self._done > self._turns.size:
            self._done = amount
            self._release()
            await self._turns.lock.acquire()  # first come, first served; always yields
            self._holds = True

    def _release(self) -> None:
        if self._holds:
            self._holds = False
            self._turns.lock.release()
