"""Solution 1: a generator that reads a generator, and closes it."""

from collections.abc import Generator
from contextlib import closing


def tokens(model: Generator[str, None, None]) -> Generator[str, None, None]:
    """Yield the tokens of the model, without those that are empty."""
    with closing(model):  # closed however the block ends: last token, error, GeneratorExit
        for token in model:
            if token:
                yield token
