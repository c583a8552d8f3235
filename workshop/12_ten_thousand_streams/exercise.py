"""Exercise 12: an engine. One task steps all sequences, each when its next token is due.

    engine = Engine(max_batch=2)
    engine.submit(step)                a new sequence: its first token is due as it enters the batch
    nursery.start_soon(engine.run)

    gap = step()                       makes one token; the next is due so many seconds after this
                                       one was due. None: that was the last

Use trio and the standard library. `trio.current_time()` is the clock.
"""

from collections.abc import Callable

Step = Callable[[], float | None]


class Engine:
    """Steps a batch of sequences.

    Args:
        max_batch: how many may run at once; the others wait in a queue, first come, first served.
    """

    def __init__(self, max_batch: int) -> None:
        self._max_batch = max_batch

    def submit(self, step: Step) -> None:
        """Take a sequence in. If the engine sleeps, this wakes it."""
        raise NotImplementedError("submit")

    async def run(self) -> None:
        """Step sequences until cancelled, without a task for each.

        A token that comes late does not delay the one after it. A step that raises ends its own
        sequence and no other. Other tasks run at least after every 64 steps.
        """
        raise NotImplementedError("run")
