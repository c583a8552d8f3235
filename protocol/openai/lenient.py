"""Unchecked JSON from any server: a value of any type goes in, the expected type comes out.

    read_json('{"usage":{"total":"12"}}')       >  a dict, list, str, number, bool or None
    as_list({"a": 1})                           >  [{"a": 1}]      an object in place of a list
    as_object("oops")                           >  {}              as if the field were missing
    as_count("12"), as_count(2.5)               >  12, 2
    as_text(429), as_text(None)                 >  "429", ""
    well_formed("a\\ud83d")                      >  "a\\ufffd"       half of a surrogate pair

The rules this file keeps:

1. Only text that is not JSON is an error. Every JSON value is converted to the type that the caller
   asks for, and nothing is raised.
2. `read_json` accepts everything that a browser's `JSON.parse` accepts (ECMA-262 §25.5.1),
   including half of a surrogate pair (RFC 8259 §8.2), numbers of any size, and any depth. If an
   object has two equal names, the last one counts.
3. If a text is nested too deeply for the parser, values deeper than MAX_DEPTH are read as null: no
   reader looks for anything there.

servers/page/deltas.js has the same functions for the browser.
"""

import json
import math
import re

import msgspec

__all__ = [
    "SurrogateJoiner",
    "as_count",
    "as_json",
    "as_list",
    "as_object",
    "as_text",
    "read_json",
    "well_formed",
]

MAX_DEPTH = 64
MAX_COUNT = (1 << 53) - 1
"""The largest whole number up to which every reader of JSON is exact (RFC 8259 §6)."""

SURROGATE = re.compile("[\ud800-\udfff]")
# A string, perhaps unfinished; or the beginning or end of an array or object.
NESTING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)


def read_json(data: str | bytes) -> object:
    """Parse any JSON text.

    Raises:
        ValueError: The text is not JSON.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # not JSON; or half a surrogate pair, a number or a depth that msgspec refuses
    text = data if isinstance(data, str) else data.decode("utf-8-sig", "replace")
    try:
        return _loads(text)
    except RecursionError:
        return _loads(_shallow(text))


def _loads(text: str) -> object:
    return json.loads(text, parse_int=_number, parse_constant=_refuse)


def _shallow(text: str) -> str:
    """The same text, with null in place of everything deeper than MAX_DEPTH."""
    kept: list[str] = []
    depth = start = 0
    for mark in NESTING.finditer(text):
        if mark[0] in ("[", "{"):
            depth += 1
            if depth == MAX_DEPTH + 1:
                kept += text[start : mark.start()], "null"
        elif mark[0] in ("]", "}"):
            if depth == MAX_DEPTH + 1:
                start = mark.end()
            depth -= 1
    return "".join(kept) + text[start:] if depth <= MAX_DEPTH else ""


def _number(digits: str) -> float:
    """A whole number of any length: `int` refuses more than 4,300 digits."""
    return int(digits) if len(digits) < 17 else float(digits)


def _refuse(name: str) -> None:
    """NaN and Infinity are not JSON, but Python would accept them."""
    raise ValueError(f"{name} is not JSON")


def as_object(value: object) -> dict[str, object]:
    """The value if it is an object, otherwise {}."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The value if it is a list; a list of one if it is an object; otherwise []."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def as_count(value: object) -> int:
    """The value, or the number in a string, rounded down and limited to MAX_COUNT; otherwise 0."""
    if isinstance(value, int):
        return value if 0 <= value <= MAX_COUNT else 0
    if isinstance(value, str) and len(value) < 17:
        try:
            value = float(value)
        except ValueError:
            return 0
    if isinstance(value, float) and 0 <= value <= MAX_COUNT:
        return math.floor(value)
    return 0


def as_text(value: object) -> str:
    """The value if it is a string; the digits of a number; otherwise ""."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_COUNT:
        value = int(value)  # JavaScript writes 1.0 as 1
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def as_json(value: object) -> str:
    """The value as compact JSON; "…" if it is nested too deeply."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return "…"


def well_formed(text: str) -> str:
    """Join surrogate pairs, and replace each lone surrogate by U+FFFD (ECMA-262 §22.1.3.33)."""
    if text.isascii() or not SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class SurrogateJoiner:
    """Joins surrogate pairs whose halves arrive in two pieces of a text."""

    def __init__(self) -> None:
        self._half = ""

    def join(self, piece: str) -> str:
        """Take the next piece. The first half of a pair at its end waits for the next."""
        if not self._half and piece.isascii():
            return piece
        text, self._half = self._half + piece, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return well_formed(text)

    def end(self) -> str:
        """End the text. Returns U+FFFD if half a pair was kept back, otherwise ""."""
        half, self._half = self._half, ""
        return well_formed(half)


# What this file does not do: know the API's field names (deltas.py).
