"""API keys, kept out of logs, error messages, tracebacks and `repr`.

    Secret("sk-proj-abc123…")      shows as  Secret(…)
    "no such key: sk-proj-abc123"  becomes   "no such key: [redacted]"
    "?key=sk%2Dproj%2Dabc123"      becomes   "?key=[redacted]"

A key is wrapped where it is read, and unwrapped only where its header field is written. Any other
text that may quote a key (an upstream's error message, an exception) goes through `redact`, and so
does every line of every log (servers/http/redact.py).

The rules this file keeps:

1. A key is found in every form in which a program may write it into a message: escaped as in JSON
   or by `repr`, percent-encoded, with HTML's character references, with these escapes nested or
   mixed; in base64, alone or within a longer text (`user:key`, `Bearer key`), and in hex.
2. A key that was cut is found by its first MIN_CUT characters. Still, redact first and cut
   afterwards, as `quoted` does with a peer's bytes.
3. A key of fewer than MIN_SIZE characters is not searched for, because a key such as `x` would be
   found in every text.
4. The cost is linear in the size of the text, whatever it holds, because a peer may have written
   it.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import ClassVar

__all__ = [
    "MIN_SIZE",
    "Forms",
    "Range",
    "Secret",
    "find_keys",
    "find_unfinished_key",
    "key_forms",
    "quoted",
    "redact",
]

MIN_SIZE = 8  # characters of the shortest key that is searched for
MIN_CUT = 12  # characters left of a key that was cut: fewer may be an ordinary word
MIN_UNFINISHED = 4  # the same at the end of a text that goes on
UNFINISHED_SIZE = 8192  # longest part of a key at the end of a text that is looked for

REDACTED = "[redacted]"

# Text that looks like a key: OpenAI's form, and credentials in a header field or a URL. Each
# pattern begins with a set of few characters. `re` skips all other characters, so the search takes
# a tenth of the time.
SUSPECTS = (
    (re.compile(r"[sS](?<!\w.)[kK]-[\w-]{6,}"), REDACTED),
    (re.compile(r"([bB](?i:earer|asic) +)[\w.~+/-]+=*"), rf"\1{REDACTED}"),
    (re.compile(r"://[^/\s]+@"), f"://{REDACTED}@"),
)

# An escape is several characters that stand for one: \u003c and \" (JSON, repr), %3C (RFC 3986
# §2.1), &lt; (HTML).
ESCAPE = re.compile(
    r"""(\\(?:u00|x)[0-9a-fA-F]{2}|\\[\\"'/]|%[0-9a-fA-F]{2}"""
    r"|&(?:#[xX]0{0,6}[0-9a-fA-F]{2}|#0{0,6}[0-9]{2,3}|amp|lt|gt|quot|apos);)"
)
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}

# The end of a text may be the beginning of an escape.
ESCAPE_SIZE = 12
UNFINISHED_ESCAPE = re.compile(
    r"(?:\\+(?:u0{0,2}[0-9a-fA-F]?|x[0-9a-fA-F]?)?|%[0-9a-fA-F]?|&(?:#[xX]?)?[0-9a-zA-Z]{0,8})?\Z"
)

DEPTH = 3  # how often a text may have been escaped, as in JSON in JSON in a URL

Range = tuple[int, int]  # start and end of a part of a text
Forms = tuple[str, ...]


class Secret:
    """A text that appears in no message unless `reveal` is called.

    Args:
        value: The secret text. `redact` removes a secret of at least MIN_SIZE characters from any
            text for as long as this process runs.
    """

    known: ClassVar[set[str]] = set()  # all secrets of this process that `redact` searches for

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value) >= MIN_SIZE:
            self.known.add(value)

    def reveal(self) -> str:
        """The text itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


def redact(text: str) -> str:
    """Replace all keys in a text, and everything that looks like a key, by "[redacted]".

    Args:
        text: The whole text, which was not cut before: redact first, cut afterwards (rule 2).
    """
    parts, last = [], 0
    for start, end in find_keys(text, key_forms(frozenset(Secret.known))):
        parts += [text[last:start], REDACTED]
        last = end
    text = "".join([*parts, text[last:]])
    for suspect, replacement in SUSPECTS:
        text = suspect.sub(replacement, text)
    return text


def quoted(data: bytes, size: int = 80) -> str:
    """Write a peer's bytes for an error message, as `b'…'`: redacted first, then cut.

    Args:
        data: Any bytes.
        size: Largest number of characters shown. If there are more, "…" follows them.
    """
    text = redact(repr(data))
    return text if len(text) <= size else text[:size] + "…"


# ---- Find a key in a text


def find_keys(text: str, forms: Forms) -> list[Range]:
    """Find keys, and keys that were cut, in a text.

    Args:
        text: Any text. Bytes can be searched as well if each is one character (ISO 8859-1).
        forms: What to search for, see `key_forms`.

    Returns:
        The offsets (start, end) of each key, in order. They do not overlap.
    """
    return _merged(_find(text, forms, DEPTH))


def find_unfinished_key(text: str, forms: Forms) -> int:
    """Find a key that begins in a text but goes on in the next one.

    Args:
        text: What has arrived so far.
        forms: What to search for, see `key_forms`.

    Returns:
        The offset at which the key begins: at least its first MIN_UNFINISHED characters are at the
        end of the text. If there is none: the size of the text.
    """
    offset = max(0, len(text) - UNFINISHED_SIZE)
    whole = text[offset:-ESCAPE_SIZE] + UNFINISHED_ESCAPE.sub("", text[-ESCAPE_SIZE:], count=1)
    starts = [len(text)]
    inner = whole
    for _ in range(DEPTH + 1):
        for form in forms:
            size = _overlap_size(inner, form)
            if size:
                # The completed key is found, at its offset in the text that still has its escapes.
                found = find_keys(whole + form[size:], (form,))
                starts += [offset + start for start, end in found if end > len(whole)]
        parts = ESCAPE.split(inner)
        if len(parts) == 1:
            break
        inner = "".join(_unescape(parts))
    return min(starts)


def _overlap_size(text: str, form: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a longer form."""
    beginning = form[:MIN_UNFINISHED]
    start = text.find(beginning, max(0, len(text) - len(form) + 1))
    while start >= 0:
        if form.startswith(text[start:]):
            return len(text) - start
        start = text.find(beginning, start + 1)
    return 0


def _find(text: str, forms: Forms, depth: int) -> list[Range]:
    """Find the forms of keys, whole or cut, in a text that was escaped up to `depth` times.

    The text is searched for the beginnings of all forms. The characters after each beginning are
    compared one by one.
    """
    found = []
    for form in forms:
        beginning = form[:MIN_CUT]
        start = text.find(beginning)
        while start >= 0:
            end = start + _common_size(form, text[start : start + len(form)])
            found.append((start, end))
            start = text.find(beginning, end)
    if depth and forms:
        parts = ESCAPE.split(text)  # in turn: a stretch without escapes, an escape
        if len(parts) > 1:
            unescaped = _unescape(parts)
            inner = _find("".join(unescaped), forms, depth - 1)
            found += _escaped_ranges(parts, unescaped, inner) if inner else []
    return found


def _common_size(one: str, other: str) -> int:
    """The length of the longest common prefix of both texts, in characters."""
    size = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        size += 1
    return size


def _escaped_ranges(parts: list[str], unescaped: list[str], ranges: list[Range]) -> list[Range]:
    """Convert ranges of the unescaped text to ranges of the text itself."""
    # The offsets at which each part ends, in the escaped and in the unescaped text.
    ends = list(accumulate(map(len, parts)))
    unescaped_ends = list(accumulate(map(len, unescaped)))
    found = []
    for start, end in ranges:
        first = bisect_right(unescaped_ends, start)  # the part that holds the first character
        last = bisect_right(unescaped_ends, end - 1)
        # If a range begins or ends in an escape, it includes the whole escape. In text between
        # escapes, it may begin or end anywhere.
        size = len(parts[first]) if first % 2 else unescaped_ends[first] - start
        rest = 0 if last % 2 else unescaped_ends[last] - end
        found.append((ends[first] - size, ends[last] - rest))
    return found


def _unescape(parts: list[str]) -> list[str]:
    """The same parts, with each escape replaced by its character.

    Neither this function nor `_escaped_ranges` runs a line of Python per escape, because a text may
    consist of escapes only.
    """
    unescaped = parts.copy()
    unescaped[1::2] = map(_character, parts[1::2])
    return unescaped


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


def _merged(ranges: list[Range]) -> list[Range]:
    """The ranges in order, with overlapping ones merged. Ranges overlap if one key begins with
    another."""
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


# ---- The forms of a key


@lru_cache(maxsize=4)
def key_forms(secrets: frozenset[str]) -> Forms:
    """All texts that `find_keys` has to search for, each of at least MIN_SIZE characters."""
    forms: set[str] = set()
    for secret in secrets:
        data = secret.encode("utf-8", "surrogateescape")
        forms |= {secret, data.decode("latin-1"), data.hex(), data.hex().upper(), *_in_base64(data)}
        forms.add(secret.rstrip("\\"))  # b'key\\"': a backslash at the key's end escapes the quote.
    # If a key contains %41 or \\, unescaping the text also changes the key in it.
    for form in tuple(forms):
        for _ in range(DEPTH):
            form = "".join(_unescape(ESCAPE.split(form)))
            forms.add(form)
    return tuple(form for form in forms if len(form) >= MIN_SIZE)


def _in_base64(data: bytes) -> list[str]:
    """The data in both alphabets of base64 (RFC 4648 §4, §5), as it appears after 0, 1 or 2 other
    bytes (modulo 3). A first or last character that shares bits with other bytes is left out."""
    return [
        encode(b"\0" * before + data)[
            (before * 8 + 5) // 6 : (before + len(data)) * 8 // 6
        ].decode()
        for before in range(3)
        for encode in (b64encode, urlsafe_b64encode)
    ]


# What this file does not do: find a key that was compressed, encrypted, reversed or wrapped into
# lines, or a key that a peer abbreviated (`sk-…abcd`).
