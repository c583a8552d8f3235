"""How fast a model speaks: the time to its first token, and the gaps between the others."""

from collections.abc import Iterator
from itertools import repeat

import msgspec
import trio

__all__ = ["Clock", "Pace"]


class Pace(msgspec.Struct, frozen=True):
    """How fast the model speaks.

    Args:
        ttft: time to first token, in seconds.
        itl: inter-token latency, in seconds.
    """

    ttft: float = 0.2
    itl: float = 0.03

    def gaps(self) -> Iterator[float]:
        """The seconds from each token to the next."""
        return repeat(self.itl)

    def start(self) -> "Clock":
        """The model begins to think: the first token is due after `ttft`."""
        return Clock(trio.current_time() + self.ttft, self.itl)


class Clock:
    """Says when the next token is due. A late token does not delay those after it."""

    def __init__(self, first: float, itl: float) -> None:
        self._due = first
        self._itl = itl

    async def next_token(self) -> None:
        """Wait until the next token is due."""
        await trio.sleep_until(self._due)
        self._due += self._itl
