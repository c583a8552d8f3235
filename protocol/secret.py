"""Keys kept out of sight: in logs, errors, tracebacks and `repr`.

    Secret("sk-proj-abc123…")      shows as  Secret(…)
    "no such key: sk-proj-abc123"  becomes   "no such key: [redacted]"
    "?key=sk%2Dproj%2Dabc123"      becomes   "?key=[redacted]"

A key is wrapped where it is read, and unwrapped only where the header is written that carries it.
Any other text that may quote a key (an upstream's error message, an exception) goes through
`redact`, and so does every line of every log (servers/http/redact.py).

The rules this file keeps:

1. A key is found in any form that a program gives it on the way into a message: escaped as in JSON
   or by `repr`, percent-encoded, with HTML's character references, each of them twice or mixed; in
   base64, alone or within a longer text (`user:key`, `Bearer key`), and in hex.
2. A key that was cut is found by its first MIN_CUT characters. Still, redact first and cut
   afterwards: `quoted` does so with a peer's bytes.
3. A key of fewer than MIN_SIZE characters is not searched for: `x` would be found in every text.
4. The cost is linear in the text, whatever is in it: a peer writes it.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import ClassVar

__all__ = ["MIN_SIZE", "Secret", "quoted", "redact"]

MIN_SIZE = 8  # characters of a key
MIN_CUT = 12  # characters of a key that was cut: fewer may be an ordinary word

REDACTED = "[redacted]"

# What looks like a key wherever it stands: OpenAI's form, credentials in a header or a URL. Each
# begins with one of few characters: so `re` skips all others, and takes a tenth of the time.
SUSPECTS = (
    (re.compile(r"[sS](?<!\w.)[kK]-[\w-]{6,}"), REDACTED),
    (re.compile(r"([bB](?i:earer|asic) +)[\w.~+/-]+=*"), rf"\1{REDACTED}"),
    (re.compile(r"://[^/\s]+@"), f"://{REDACTED}@"),
)

# One character in more than one: \u003c and \" (JSON, repr), %3C (RFC 3986 §2.1), &lt; (HTML).
ESCAPE = re.compile(
    r"""(\\(?:u00|x)[0-9a-fA-F]{2}|\\[\\"'/]|%[0-9a-fA-F]{2}"""
    r"|&(?:#[xX]0{0,6}[0-9a-fA-F]{2}|#0{0,6}[0-9]{2,3}|amp|lt|gt|quot|apos);)"
)
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}

DEPTH = 3  # how many times a text may have been escaped: JSON in JSON in a URL

Span = tuple[int, int]
Forms = tuple[str, ...]


class Secret:
    """A text that shows nothing of itself unless it is asked to."""

    known: ClassVar[set[str]] = set()  # all of this process that are long enough, for `redact`

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value) >= MIN_SIZE:
            self.known.add(value)

    def reveal(self) -> str:
        """The text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


def redact(text: str) -> str:
    """The same text without what is a key, or looks like one.

    Args:
        text: not cut yet.
    """
    parts, place = [], 0
    for start, end in _merged(_spans(text, _forms(frozenset(Secret.known)), DEPTH)):
        parts += [text[place:start], REDACTED]
        place = end
    text = "".join([*parts, text[place:]])
    for suspect, replacement in SUSPECTS:
        text = suspect.sub(replacement, text)
    return text


def quoted(data: bytes, size: int = 80) -> str:
    """A peer's bytes for an error message, as `b'…'`: redacted first, and then cut.

    Args:
        data: any bytes.
        size: how many characters are shown at most.
    """
    text = redact(repr(data))
    return text if len(text) <= size else text[:size] + "…"


# ---- Where a key stands


def _spans(text: str, forms: Forms, depth: int) -> list[Span]:
    """Where a form, or the beginning of one, stands in a text that was escaped up to `depth` times.

    The text is searched for beginnings; what follows each is compared character by character.
    """
    spans = []
    for form in forms:
        beginning = form[:MIN_CUT]
        start = text.find(beginning)
        while start >= 0:
            end = start + _common_size(form, text[start : start + len(form)])
            spans.append((start, end))
            start = text.find(beginning, end)
    if depth and forms:
        parts = ESCAPE.split(text)  # stretches without an escape, and escapes, in turn
        if len(parts) > 1:
            undone = _undone(parts)
            found = _spans("".join(undone), forms, depth - 1)
            spans += _outside(parts, undone, found) if found else []
    return spans


def _common_size(one: str, other: str) -> int:
    """How many characters of both are the same, from the first on."""
    size = 0
    for mine, its in zip(one, other, strict=False):
        if mine != its:
            break
        size += 1
    return size


def _outside(parts: list[str], undone: list[str], spans: list[Span]) -> list[Span]:
    """Where spans of a text with its escapes undone stand in the text itself."""
    # Where each part ends, before and after.
    ends = list(accumulate(map(len, parts)))
    undone_ends = list(accumulate(map(len, undone)))
    found = []
    for start, end in spans:
        first = bisect_right(undone_ends, start)  # the part that the first character is in
        last = bisect_right(undone_ends, end - 1)
        # An escape is in the span whole; of a stretch, what is.
        begins = len(parts[first]) if first % 2 else undone_ends[first] - start
        beyond = 0 if last % 2 else undone_ends[last] - end
        found.append((ends[first] - begins, ends[last] - beyond))
    return found


def _undone(parts: list[str]) -> list[str]:
    """The same parts, with a character in place of each escape.

    Neither this nor `_outside` runs a line of Python for an escape: a text may be nothing else.
    """
    undone = parts.copy()
    undone[1::2] = map(_character, parts[1::2])
    return undone


@lru_cache(maxsize=4096)
def _character(escape: str) -> str:
    """The character that an escape stands for."""
    if escape in ENTITIES:
        return ENTITIES[escape]
    if escape.startswith("&"):
        number = escape[2:-1]
        return chr(int(number[1:], 16) if number[0] in "xX" else int(number))
    if escape[1] in "\\\"'/":
        return escape[1]
    return chr(int(escape[-2:], 16))


def _merged(spans: list[Span]) -> list[Span]:
    """In order, and those that overlap as one: a key may begin with another."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


# ---- What a key looks like


@lru_cache(maxsize=4)
def _forms(secrets: frozenset[str]) -> Forms:
    """All the texts to search for, none of them short."""
    forms: set[str] = set()
    for secret in secrets:
        data = secret.encode("utf-8", "surrogateescape")
        forms |= {secret, data.decode("latin-1"), data.hex(), data.hex().upper(), *_in_base64(data)}
        forms.add(secret.rstrip("\\"))  # b'key\\"': the quote behind it makes an escape of its end
    # Where a key has %41 or \\ in it, undoing the escapes of a text changes the key there, too.
    for form in tuple(forms):
        for _ in range(DEPTH):
            form = "".join(_undone(ESCAPE.split(form)))
            forms.add(form)
    return tuple(form for form in forms if len(form) >= MIN_SIZE)


def _in_base64(data: bytes) -> list[str]:
    """In both alphabets (RFC 4648 §4, §5), after a number of bytes that 3 divides, or one or two
    more. Where the first or last character has bits of its neighbour's, it is left out."""
    return [
        encode(b"\0" * before + data)[
            (before * 8 + 5) // 6 : (before + len(data)) * 8 // 6
        ].decode()
        for before in range(3)
        for encode in (b64encode, urlsafe_b64encode)
    ]


# What this file does not do: find a key that was compressed, encrypted, reversed or folded into
# lines, or one that a peer shortened itself (`sk-…abcd`).
