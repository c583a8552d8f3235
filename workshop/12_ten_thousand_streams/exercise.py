"""Exercise 12: an engine. One task steps all sequences, each when its next token is due.

    engine = Engine(max_batch=2)
    engine.submit(step)                a new sequence; its first token is due when it enters the
                                       batch
    nursery.start_soon(engine.run)

    gap = step()                       makes one token. The next token is due `gap` seconds after
                                       this one was due; None: this was the last token

Use trio and the standard library. `trio.current_time()` is the clock.
"""

from collections.abc import Callable

Step = Callable[[], float | None]


class Engine:
    """Steps a batch of sequences.

    Args:
        max_batch: Largest number of sequences that run at once. The other sequences wait in a
            queue, in order.
    """

    def __init__(self, max_batch: int) -> None:
        self._max_batch = max_batch

    def submit(self, step: Step) -> None:
        """Add a sequence. If the engine sleeps, this wakes it."""
        raise NotImplementedError("submit")

    async def run(self) -> None:
        """Advance all sequences in this one task, until it is cancelled.

        A late token does not delay the next one. If a step raises an error, only its own sequence
        ends. After at most 64 steps other tasks may run.
        """
        raise NotImplementedError("run")
