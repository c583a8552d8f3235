"""Text cut into tokens, as a model makes them.

    "Hi there, 你好 👩🏽‍🚀"  ->  "Hi"  " there"  ","  " "  "你"  "好"  " "  "👩🏽‍🚀"

Words with the space before them, everything else one character at a time. A token is never less
than what a reader sees as one character: an emoji of four code points, or a letter with its
accents, stays whole.
"""

import unicodedata
from collections.abc import Iterator
from itertools import groupby

__all__ = ["clusters", "tokenize"]


def tokenize(text: str) -> list[str]:
    """Cut text into tokens that join to it again: words with the space before them, or one
    character at a time, as models do."""
    tokens: list[str] = []
    for is_word, run in groupby(clusters(text), key=_is_part_of_word):
        if not is_word:
            tokens += run
        elif tokens and tokens[-1] == " ":
            tokens[-1] += "".join(run)
        else:
            tokens.append("".join(run))
    return tokens


def _is_part_of_word(cluster: str) -> bool:
    return cluster.isascii() and cluster.isalnum()


ZERO_WIDTH_JOINER = "\u200d"
EXTENDS = {ZERO_WIDTH_JOINER, *map(chr, [*range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080)])}
REGIONAL_INDICATORS = {chr(code) for code in range(0x1F1E6, 0x1F200)}


def clusters(text: str) -> Iterator[str]:
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
