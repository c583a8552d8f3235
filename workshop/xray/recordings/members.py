"""Keys in JSON, found by the names of their members.

    {"stream":true,"api_key":"abc123"}                          abc123
    {"tools":[{"headers":{"Authorization":"Bearer abc123"}}]}   Bearer abc123
    {"arguments":"{\"password\":\"abc123\"}"}                   abc123: JSON in a JSON text
    {"password":{"type":"string"}}                              nothing: a schema

The rules this file keeps:

1. A name says that its value is a key: `api_key`, `apiKey`, `OPENAI_API_KEY`, `password`,
   `client_secret`, `access_token`, `authorization` and others. Case, `-`, `_` and `.` do not count.
2. A member `token` is a key only in a request: some APIs stream their text in members of that name.
3. Only texts and numbers are keys. If the end of a value has not arrived, the part that has arrived
   is returned.
4. The text may be cut anywhere, so it is searched by patterns and not parsed.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import msgspec

__all__ = ["Member", "find_members"]

HINTS = ("key", "token", "secret", "pass", "pwd", "auth", "cred", "cookie")  # one is in each name
NAMES = re.compile(
    r".*(?:(?:api|access|secret|private|subscription)key|secret|passw(?:or)?d|passphrase)"
    r"|pwd|credentials?|(?:proxy)?authorization|(?:set)?cookie"
    r"|(?:access|auth|session|refresh|id|bearer|api|security|xauth|\w*security)token"
)
REQUEST_NAMES = re.compile(r"token|auth|(?:github|gitlab|slack|bot|user|hf)token")

# In a JSON text within another one, each quote has a backslash; one level deeper it has three.
NAME = re.compile(
    r'(?P<quote>\\{1,7})?"(?P<name>[\w.-]{3,60})(?(quote)(?P=quote))"[ \t\r\n]{0,20}:'
    r'[ \t\r\n]{0,20}(?P<text>(?(quote)(?P=quote))")?'
)
TEXT = re.compile(r'(?:[^"\\\r\n]|\\[^\r\n])*')
NUMBER = re.compile(r"-?[0-9][\w.+-]*")


class Member(NamedTuple):
    """A member whose value is a key.

    Args:
        name: The member's name in lower case.
        value: The key without JSON's escapes, or the part of it that has arrived.
        begin: Offset of the name.
        start, end: Offsets of the value, without quotes.
        is_complete: Whether the end of the value has arrived.
    """

    name: str
    value: str
    begin: int
    start: int
    end: int
    is_complete: bool


def find_members(text: str, *, is_request: bool) -> Iterator[Member]:
    """Find the members whose values are keys.

    Args:
        text: A part of the bytes that one side has sent. Each byte is one character.
        is_request: Whether the client has sent it.
    """
    lowered = text.lower()
    if not any(hint in lowered for hint in HINTS):
        return
    for found in NAME.finditer(text):
        if not _is_key(found["name"], is_request):
            continue
        start = found.end()
        if found["text"]:
            pattern = _nested(len(found["quote"])) if found["quote"] else TEXT
        else:
            pattern = NUMBER
        value = pattern.match(text, start)
        if value:
            # A backslash at the very end of the text is the beginning of an escape.
            rest = text[value.end() : value.end() + 16]
            yield Member(
                found["name"].lower(),
                _decoded(value[0]),
                found.start(),
                start,
                value.end() if rest.strip("\\") else len(text),
                bool(rest.strip("\\")),
            )


@lru_cache(maxsize=1024)
def _is_key(name: str, is_request: bool) -> bool:
    plain = re.sub(r"[-_.]", "", name).lower()
    return bool(NAMES.fullmatch(plain) or (is_request and REQUEST_NAMES.fullmatch(plain)))


@lru_cache(maxsize=8)
def _nested(backslashes: int) -> re.Pattern[str]:
    """Return the pattern of a value whose quotes have this number of backslashes. A quote with more
    backslashes is part of the value."""
    return re.compile(rf'(?:[^"\\\r\n]|\\{{{backslashes + 1},15}}"|\\{{1,15}}[^"\\\r\n])*')


def _decoded(value: str) -> str:
    try:
        return msgspec.json.decode(f'"{value}"', type=str)
    except msgspec.DecodeError:
        return value


# What this file does not do: find a key in a list of keys, or in a body without member names.
