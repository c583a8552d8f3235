"""JSON from a server that nobody has checked: any value goes in, the type that is wanted comes out.

    read_json('{"usage":{"total":"12"}}')       >  a dict, list, str, number, bool or None
    as_list({"a": 1})                           >  [{"a": 1}]      one, where a list was expected
    as_object("oops")                           >  {}              as if it had not been there
    as_count("12"), as_count(2.5)               >  12, 2
    as_text(429), as_text(None)                 >  "429", ""
    whole("a\\ud83d")                            >  "a\\ufffd"       half a character has no meaning

The rules this file keeps:

1. Only text that is not JSON is an error. Whatever else a value is, there is an answer of the type
   that was asked for, and nothing is raised.
2. It reads what a browser's `JSON.parse` reads (ECMA-262 §25.5.1): also half a surrogate pair
   (RFC 8259 §8.2), numbers of any size, and any depth. Of two equal names the last one counts.
3. Of a text too deep for the parser, what lies deeper than MAX_DEPTH is read as null: nothing that
   a reader looks for lies there.

servers/page/deltas.js has the same functions for the browser.
"""

import json
import math
import re

import msgspec

__all__ = ["Joiner", "as_count", "as_json", "as_list", "as_object", "as_text", "read_json", "whole"]

MAX_DEPTH = 64
MAX_COUNT = (1 << 53) - 1
"""What is larger is not exact in every reader (RFC 8259 §6)."""

SURROGATE = re.compile("[\ud800-\udfff]")
# A string, perhaps without its end; or where something nested begins or ends.
NESTING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)


def read_json(data: str | bytes) -> object:
    """Any JSON text.

    Raises:
        ValueError: it is none.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # half a character, a number or a depth that it does not take; or no JSON
    text = data if isinstance(data, str) else data.decode("utf-8-sig", "replace")
    try:
        return _loads(text)
    except RecursionError:
        return _loads(_shallow(text))


def _loads(text: str) -> object:
    return json.loads(text, parse_int=_number, parse_constant=_refuse)


def _shallow(text: str) -> str:
    """The same text with null in place of what is too deep."""
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
    """Of any length: `int` refuses more than 4,300 digits."""
    return int(digits) if len(digits) < 17 else float(digits)


def _refuse(name: str) -> None:
    """NaN and Infinity, which Python would take."""
    raise ValueError(f"{name} is not JSON")


def as_object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """A list; or one object in place of a list of one."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def as_count(value: object) -> int:
    """A whole number from 0 to MAX_COUNT; 0 for what is none."""
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
    """A text; a number as its digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_COUNT:
        value = int(value)  # JavaScript knows no 1.0
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def as_json(value: object) -> str:
    """The value as compact JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return "…"


def whole(text: str) -> str:
    """The same text, with two halves of a character joined and U+FFFD for one without the other."""
    if text.isascii() or not SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Joiner:
    """Joins the halves of a character (a surrogate pair) that two pieces of a text bring."""

    def __init__(self) -> None:
        self._half = ""

    def join(self, piece: str) -> str:
        """The next piece; but the first half of a character at its end waits for the next one."""
        if not self._half and piece.isascii():
            return piece
        text, self._half = self._half + piece, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return whole(text)

    def end(self) -> str:
        """U+FFFD if a half waits."""
        half, self._half = self._half, ""
        return whole(half)


# What this file does not do: know any name of the API's (deltas.py).
