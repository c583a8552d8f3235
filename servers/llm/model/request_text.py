"""Builds answers, as lists of tokens, from the text of the request, and limits their length.

    say(question, "one two three")      Answer(text=["one", " two", " three"])

The model's own texts are cut once, and all answers share the tokens. A text made from a request is
kept for that request alone, as long as its stream lasts. So it needs a limit in bytes besides the
limit in tokens: with a hundred thousand short words each, a hundred streams would hold a gigabyte.
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
"""Largest text made for one question, in bytes of UTF-8. The tokens of such a text take up to 4 MB
of memory."""

MAX_SENT = 1 << 20
"""Largest size of all answers to one question together, in bytes."""

MAX_REPEATED = 256 << 10
"""Largest number of bytes of a request that its answer may repeat. In a stream of the Responses
API, the first two events and the last one each repeat all of them."""

TOKEN_COSTS = 4  # work per token, in the unit of turns.py


async def say(
    question: Question, text: str, work: Work, thinking: Sequence[str] = ()
) -> Answer:
    """Return an answer with this text, or with the beginning of it if it is too long.

    Args:
        work: The work for this request, which lets other requests take their turns.
        thinking: The reasoning before the text, in tokens.
    """
    tokens, whole = await collect(chain.from_iterable(tokenized(text)), question, work)
    return Answer(thinking, tokens, finish_reason="stop" if whole else "length")


def check_repeated(repeated: msgspec.Struct) -> None:
    """Refuse a request if the answer would repeat too much of it.

    Raises:
        InvalidRequest: The answer would repeat more than `MAX_REPEATED` bytes.
    """
    if len(msgspec.json.encode(repeated)) > MAX_REPEATED:
        message = f"what the answer repeats (`instructions`, `tools`, …) is over {MAX_REPEATED}"
        raise InvalidRequest(f"{message} bytes", "instructions")


async def collect(
    tokens: Iterable[str], question: Question, work: Work
) -> tuple[list[str], bool]:
    """Return the tokens within the limits, and whether these are all tokens. One token more than
    the limit is returned, so that the caller sees that there were more."""
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
