"""Cuts text into tokens, as models do.

    "Hi there, 你好 👩🏽‍🚀"  ->  "Hi"  " there"  ","  " "  "你"  "好"  " "  "👩🏽‍🚀"

A word is a token together with the space before it. Everything else is cut into single characters,
as a reader sees them: an emoji of four code points, or a letter with its accents, stays whole.

A token has at most `MAX_TOKEN` characters, so a limit on tokens is also a limit on bytes. A word of
a megabyte is many tokens, and so is a letter with a hundred thousand accents.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

__all__ = ["MAX_TOKEN", "PIECE", "clusters", "tokenize", "tokenized"]

MAX_WORD = 64  # letters and digits in one token

# "no more than 30 non-starters in a row": the Stream-Safe Text Format (UAX #15 §13). The longest
# emoji, a flag by tags or a family of four, has ten code points.
MAX_JOINED = 31

MAX_TOKEN = 1 + MAX_WORD
"""Largest length of a token, in characters. Each has at most four bytes in UTF-8."""

PIECE = 4096
"""Number of characters that `tokenized` cuts at a time, in half a millisecond (two for the worst
texts)."""


def _ranges(codes: Iterable[int]) -> str:
    """Return the inside of a regular expression's character class for these code points."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


# These characters join the one before them (UAX #29 §3.1.1): marks and the joiner between emoji
# (GB9; all are in the planes 0, 1 and 14), skin tones, and the tags of a region's flag. After a
# joiner, anything except ASCII joins (GB11); after Hangul, the vowels and final consonants of
# Hangul join (GB6 to GB8). Ideographs (to U+9FFF, and Tangut from U+17000), Hangul syllables and
# private-use characters are never marks. Skipping them halves the time to import this module.
CODES = [*range(0x300, 0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x17000)]
CODES += [*range(0x1AFF0, 0x1F000), *range(0xE0100, 0xE01F0)]
KINDS = map(unicodedata.category, map(chr, CODES))
MARKS = [code for code, kind in zip(CODES, KINDS, strict=True) if kind[0] == "M"]
HANGUL = "\u1100-\u11ff\u302e\u302f\u3131-\u318e\u3200-\u321c\u3260-\u327b\u327e\ua960-\ua97c"
HANGUL += "\uac00-\ud7a3\ud7b0-\ud7c6\ud7cb-\ud7fb\uffa0-\uffbe\uffc2-\uffc7\uffca-\uffcf"
HANGUL += "\uffd2-\uffd7\uffda-\uffdc"
REGIONAL_INDICATOR = "[\U0001f1e6-\U0001f1ff]"  # two of them are a flag (GB12)
OTHER = r"[^\x00-\x7f]"

# For characters beyond U+FFFF, `re` compares a class range by range. There are a hundred ranges of
# such marks, so they are compared only where a mark is possible, and never for ASCII.
JOINS = (
    rf"(?:(?={OTHER})(?:[\u200d{_ranges(code for code in MARKS if code < 0x10000)}]"
    r"|[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f\U000e0100-\U000e01ef]"
    r"|(?=[\U00010000-\U0001efff])"
    rf"[{_ranges(code for code in MARKS if 0x10000 <= code < 0x1F000)}]"
    rf"|(?<=\u200d){OTHER}|(?=[\u1160-\u11ff])(?<=[{HANGUL}]).))"
)
# Most characters have no combining character after them. "\r\n" is one cluster (GB3).
CLUSTER = (
    rf"(?s:(?:\r\n|[^\r])(?!{OTHER})"
    rf"|(?:\r\n|{REGIONAL_INDICATOR}{{2}}|.){JOINS}{{0,{MAX_JOINED}}})"
)
TOKENS = re.compile(rf" ?[A-Za-z0-9]{{1,{MAX_WORD}}}(?!{JOINS})|{CLUSTER}")


def tokenize(text: str) -> list[str]:
    """Cut text into tokens. Joined, they are the text again. A word is one token with the space
    before it; everything else is cut character by character."""
    return TOKENS.findall(text)


def tokenized(text: str, size: int = PIECE) -> Iterator[list[str]]:
    """Yield the same tokens, a list at a time, so that a caller can let other tasks run in between.

    Args:
        size: Number of characters of text cut for one list, which must be more than `MAX_TOKEN`.
    """
    start = 0
    while start < len(text):
        piece = text[start : start + size]
        tokens: list[str] = TOKENS.findall(piece)
        start += len(piece)
        if start < len(text):
            start -= len(tokens.pop())  # this token may continue in the next piece
        yield tokens


def clusters(text: str) -> Iterator[str]:
    """Yield the grapheme clusters: what a reader sees as one character (UAX #29 §3.1.1)."""
    # `re` compiles it at the first call (6 ms), which most programs never make.
    return (found[0] for found in re.finditer(CLUSTER, text))
