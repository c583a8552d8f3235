"""Counts the work that a task does in one turn: between two checkpoints, while all others wait.

    with counted_turns() as turns:
        ...                         what is tested calls turns.did(1) for each request it handles,
        ...                         or turns.did(len(data)) for the bytes
    assert turns.most <= 1

It needs no clock: a turn that is short in work is short on any machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

__all__ = ["Turns", "counted_turns"]


class Turns(trio.abc.Instrument):
    """See above.

    Attributes:
        most: The largest amount of work that any task did in one turn.
        most_in_pass: The largest amount that all tasks together did between two polls of the
            sockets.
        total: The sum of all work.
    """

    def __init__(self) -> None:
        self.most = self.total = self._now = 0
        self.most_in_pass = self._pass = 0

    def did(self, amount: int = 1) -> None:
        """Called where the work is done. The test chooses its unit."""
        self.total += amount
        self._now += amount
        self._pass += amount
        self.most = max(self.most, self._now)
        self.most_in_pass = max(self.most_in_pass, self._pass)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._now = 0

    def before_io_wait(self, timeout: float) -> None:
        self._pass = 0


@contextmanager
def counted_turns() -> Iterator[Turns]:
    """Count the turns of every task of this run."""
    turns = Turns()
    trio.lowlevel.add_instrument(turns)
    try:
        yield turns
    finally:
        trio.lowlevel.remove_instrument(turns)
