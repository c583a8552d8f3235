"""Large work in small pieces, each in a turn of its own: no stream waits for more than one piece.

    task 1 (2 MB to read)       piece  .  .  piece  .  .  piece
    task 2 (2 MB to read)         .  piece  .  .  piece  .  .
    task 3 (one small tool)                 done
    the engine                  tokens  tokens  tokens  tokens  …

A server of one thread is as late as its longest step. A second thread is no way out: the
interpreter runs one thread at a time, and lets another have its way for 5 ms each time the loop
asks the kernel for something, which it does for every token that it writes.

The rules this file keeps:

1. Small work does not wait: the first turn is everybody's own.
2. Of all large work in the process one piece is done between two looks at the sockets, however many
   clients have asked for some. Work that has had its turn queues again, after the others.
3. Work is counted in characters cut into tokens. What costs more, or less, is counted as so many.
"""

import trio

__all__ = ["ALONE", "TURN", "Turns", "Work"]

TURN = 4096
"""Characters: half a millisecond, or two for the worst of texts."""


class Work:
    """The work for one request. This one never waits: it is for who has nobody to wait for."""

    async def spend(self, amount: int) -> None:
        """Called before so much is done: gives others their turn when it is theirs."""


ALONE = Work()


class Turns:
    """Gives turns.

    Args:
        size: of a turn, see `TURN`.
    """

    def __init__(self, size: int = TURN) -> None:
        self.size = size
        self.lock = trio.Lock()

    def work(self) -> "SharedWork":
        """Some work that takes turns with all other: a context manager around it."""
        return SharedWork(self)


class SharedWork(Work):
    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._done = 0  # since the last turn began
        self._holds = False

    def __enter__(self) -> "SharedWork":
        return self

    def __exit__(self, *exception: object) -> None:
        self._give()

    async def spend(self, amount: int) -> None:
        self._done += amount
        if self._done > self._turns.size:
            self._done = amount
            self._give()
            await self._turns.lock.acquire()  # in order; and always lets other tasks run
            self._holds = True

    def _give(self) -> None:
        if self._holds:
            self._holds = False
            self._turns.lock.release()
