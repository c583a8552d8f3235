"""Wrong: a loop does not close the generator that it reads. The model computes for nobody."""

from collections.abc import Generator


def tokens(model: Generator[str, None, None]) -> Generator[str, None, None]:
    for token in model:
        if token:
            yield token
