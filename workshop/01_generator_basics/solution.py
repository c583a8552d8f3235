"""Solution 1: a generator over a generator, and who closes the inner one."""

from collections.abc import Generator
from contextlib import closing


def tokens(model: Generator[str, None, None]) -> Generator[str, None, None]:
    """Yield the tokens of the model, without those that are empty."""
    with closing(model):  # on every way out: the end, an error, and GeneratorExit at the `yield`
        for token in model:
            if token:
                yield token
