"""Exercise 1: pass on the tokens of a model, one at a time.

The model here never ends, and each token costs it work. The model must not make a token before
somebody asks for it, and it must be closed as soon as its reader stops. Run the check with
`workshop check 1`.
"""

from collections.abc import Generator


def tokens(model: Generator[str, None, None]) -> Generator[str, None, None]:
    """Yield the tokens of the model, without those that are empty. A space is a token.

    For each token that the reader takes, the model makes one token (and the empty ones before it).
    When the reader calls `close()`, the model is closed at once.
    """
    raise NotImplementedError("tokens")
    yield ""
