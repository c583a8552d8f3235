"""A text that the model has not said before, in tokens: it is made of a client's own words.

    say(question, "one two three")      Answer(text=["one", " two", " three"])

A text of the model's own is cut once, and its tokens are shared by all who get it. One that is made
of a request is held for that request alone, for as long as its stream lasts. So it has a limit in
bytes beside that in tokens: a stream of a hundred thousand short words is a long answer, and a
hundred streams of them would be a gigabyte.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

from .conversation import Answer, Question
from .tokens import tokenized
from .turns import Work

__all__ = ["MAX_SAID", "collect", "say"]

MAX_SAID = 128 << 10
"""Bytes of UTF-8 of a text made for one question. Its tokens take up to 4 MB of memory."""

MAX_SENT = 1 << 20
"""Bytes of all answers to one question together."""

TOKEN_COSTS = 4  # characters, in turns


async def say(
    question: Question, text: str, work: Work, thinking: Sequence[str] = ()
) -> Answer:
    """An answer of this text; if it is too long, of its beginning.

    Args:
        work: gives others their turn.
        thinking: what it thinks first, in tokens.
    """
    tokens, whole = await collect(chain.from_iterable(tokenized(text)), question, work)
    return Answer(thinking, tokens, finish_reason="stop" if whole else "length")


async def collect(
    tokens: Iterable[str], question: Question, work: Work
) -> tuple[list[str], bool]:
    """These tokens, as far as they may be said; and whether these are all. One more than the limit
    in tokens is there, so that its reader sees that there were more."""
    most_tokens = question.token_limit + 1
    most_bytes = min(MAX_SAID, MAX_SENT // question.n)
    collected: list[str] = []
    size = 0
    for token in tokens:
        size += len(token.encode("utf-8", "replace"))
        if size > most_bytes or len(collected) == most_tokens:
            return collected, False
        collected.append(token)
        await work.spend(len(token) + TOKEN_COSTS)
    return collected, True
