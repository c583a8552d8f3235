"""A text that the model has not said before, in tokens: it is made of a client's own words.

    say(question, "one two three")      Answer(text=["one", " two", " three"])

A text of the model's own is cut once, and its tokens are shared by all who get it. One that is made
of a request is held for that request alone, for as long as its stream lasts. So it has a limit in
bytes beside that in tokens: a stream of a hundred thousand short words is a long answer, and a
hundred streams of them would be a gigabyte.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from protocol.openai.common import InvalidRequest

from ..turns import Work
from .conversation import Answer, Question
from .tokens import tokenized

__all__ = ["MAX_SAID", "check_repeated", "collect", "say"]

MAX_SAID = 128 << 10
"""Bytes of UTF-8 of a text made for one question. Its tokens take up to 4 MB of memory."""

MAX_SENT = 1 << 20
"""Bytes of all answers to one question together."""

MAX_REPEATED = 256 << 10
"""Bytes of a request that its answer holds. The first two events of a stream of the Responses API
and its last hold all of them, each once more."""

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


def check_repeated(repeated: msgspec.Struct) -> None:
    """Refuse to repeat so much of a request.

    Raises:
        InvalidRequest: what the answer holds of the request has more than `MAX_REPEATED` bytes.
    """
    if len(msgspec.json.encode(repeated)) > MAX_REPEATED:
        message = f"what the answer repeats (`instructions`, `tools`, …) is over {MAX_REPEATED}"
        raise InvalidRequest(f"{message} bytes", "instructions")


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
