"""Servers with one fault each: what the cases must find.

    @mutant("chunked.ends-with-last-chunk")
    class ForgetsTheLastChunk(Good):
        async def send_end(self, stream: ByteStream) -> None:
            stream.close()

A mutant is the correct server of good.py with one method changed. `fails` names the cases that must
find it; `also` names those that cannot pass then either. Any other case must pass or be skipped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from .good import Answering, Good, Large, Slow, SlowEvents

__all__ = [
    "MUTANTS",
    "Answering",
    "Good",
    "Large",
    "Mutant",
    "Slow",
    "SlowEvents",
    "mutant",
]

Server = TypeVar("Server", bound=type[Good])


@dataclass(frozen=True)
class Mutant:
    """A broken server.

    Args:
        server: Its class.
        fails: Slugs of the cases that must fail.
        also: Slugs of cases, or families with a star, that may fail too, because the fault is in
            their way.
        profile: The profile of the cases that are run on it.
    """

    server: type[Good]
    fails: tuple[str, ...]
    also: tuple[str, ...] = ()
    profile: str = "http"

    @property
    def name(self) -> str:
        return self.server.__name__


MUTANTS: dict[str, Mutant] = {}


def mutant(
    *fails: str, also: tuple[str, ...] = (), profile: str = "http"
) -> Callable[[Server], Server]:
    """Register a class as a mutant. See `Mutant` for the arguments."""

    def register(server: Server) -> Server:
        assert server.__name__ not in MUTANTS, f"two mutants are named {server.__name__}"
        MUTANTS[server.__name__] = Mutant(server, fails, also, profile)
        return server

    return register
