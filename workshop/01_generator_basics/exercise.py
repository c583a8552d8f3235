"""Exercise 1: hand on the tokens of a model, one at a time.

The model here never ends, and each token costs it work: it must not make one that nobody asked
for, and it must be closed as soon as the reader leaves. Run the check with `workshop check 1`.
"""

from collections.abc import Generator


def tokens(model: Generator[str, None, None]) -> Generator[str, None, None]:
    """Yield the tokens of the model, without those that are empty. A space is a token.

    A reader that takes one token lets the model make one token (and the empty ones before it). A
    reader that calls `close()` closes the model, at once.
    """
    raise NotImplementedError("tokens")
    yield ""
