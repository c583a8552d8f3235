"""The simulated model `sim-1`: what it says, cut into tokens, one after the other.

    prompt  ->  thinking ["The", " user", " says", …]   then text ["#", "#", " One", …]

The same prompt gets the same answer, always: it is chosen by a hash of the prompt. A token is
never less than what a reader sees as one character: an emoji of four code points, or a letter
with its accents, stays whole.
"""

import unicodedata
import zlib
from collections.abc import Iterator
from itertools import groupby, islice, repeat

import msgspec
import trio

__all__ = ["MODEL", "Answer", "Clock", "Pace", "answer", "tokenize"]

MODEL = "sim-1"


class Answer(msgspec.Struct, frozen=True):
    """What the model will say, in tokens."""

    thinking: list[str]
    text: list[str]


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


def answer(prompt: str) -> Answer:
    """The model's answer to a prompt."""
    subject = list(islice(_clusters(" ".join(prompt[:2000].split())), 61))
    quoted = "".join(subject[:60]) + ("…" if len(subject) > 60 else "")
    choice = zlib.crc32(prompt.encode("utf-8", "replace")) % len(TEXTS)
    thinking = f"The user says “{quoted}”. I know one thing well: how this answer travels. "
    thinking += "想清楚再回答。"
    return Answer(tokenize(thinking), tokenize(TEXTS[choice]))


def tokenize(text: str) -> list[str]:
    """Cut text into tokens that join to it again: words with the space before them, or one
    character at a time, as models do."""
    tokens: list[str] = []
    for is_word, clusters in groupby(_clusters(text), key=_is_part_of_word):
        if not is_word:
            tokens += clusters
        elif tokens and tokens[-1] == " ":
            tokens[-1] += "".join(clusters)
        else:
            tokens.append("".join(clusters))
    return tokens


def _is_part_of_word(cluster: str) -> bool:
    return cluster.isascii() and cluster.isalnum()


ZERO_WIDTH_JOINER = "\u200d"
EXTENDS = {ZERO_WIDTH_JOINER, *map(chr, [*range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080)])}
REGIONAL_INDICATORS = {chr(code) for code in range(0x1F1E6, 0x1F200)}


def _clusters(text: str) -> Iterator[str]:
    """Grapheme clusters: what a reader sees as one character (UAX #29 §3.1.1)."""
    cluster = ""
    for character in text:
        if cluster and not _joins(cluster, character):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _joins(cluster: str, character: str) -> bool:
    """Whether a character belongs to the cluster before it: rules GB3, GB6 to GB9, GB11, GB12."""
    if character.isascii():
        return cluster == "\r" and character == "\n"
    return (
        character in EXTENDS  # skin tones, the tags of a region's flag
        or unicodedata.category(character).startswith("M")  # accents
        or cluster.endswith(ZERO_WIDTH_JOINER)  # families, professions
        or (character in REGIONAL_INDICATORS and cluster in REGIONAL_INDICATORS)  # two: a flag
        or ("\u1160" <= character <= "\u11ff" and "HANGUL" in unicodedata.name(cluster[-1], ""))
    )


TEXTS = [
    """\
## One word at a time 🌊

A language model makes **one token at a time**. It could wait until it has them all; instead each
token leaves the moment it exists:

1. the model yields a token,
2. it becomes a `data:` line,
3. the line becomes a *chunk*,
4. your screen shows it. ✨

你现在看到的每一个字，都是这样一块一块到达的。 👩🏽‍🚀
""",
    """\
## What `你好` costs on the wire 🔍

你好 is two characters, and **six bytes** in UTF-8:

| character | bytes |
|---|---|
| 你 | `e4 bd a0` |
| 好 | `e5 a5 bd` |

A chunk's size counts *bytes*, in hexadecimal: `6`, not `2`. 数错了，连接就乱了。 😵‍💫
""",
    """\
## Who is holding my stream? 🕵️

If the words come *all at once*, somebody between us keeps them:

- a proxy that buffers: `X-Accel-Buffering: no`
- a compressor that waits for more: `Cache-Control: no-transform`
- a pipe on your own machine: `curl -N`

流式输出，一路上每一站都要放行。 🚦
""",
]
