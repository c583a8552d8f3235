"""Keys kept out of sight: in logs, errors, tracebacks and `repr`.

    Secret("sk-proj-abc123…")      shows as  Secret(…)
    "no such key: sk-proj-abc123"  becomes   "no such key: [redacted]"

A key is wrapped where it is read, and unwrapped only where the header is written that carries it.
What may still quote one (an upstream's error message, an exception's text) goes through `redact`,
and so does every line of every log (servers/redact.py).

The rules this file keeps:

1. A key is found in every form that our own code or a peer gives it: as it is, escaped by JSON,
   `repr` or HTML, percent-encoded, in base64 and in hexadecimal, and escaped twice.
2. A key that was cut is found by its beginning. Still, redact first and cut then (`quoted`).
3. A value of fewer than 8 characters is not looked for: it would be found in ordinary words.
"""

import base64
import json
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import ClassVar
from urllib.parse import quote, quote_plus

__all__ = ["Secret", "quoted", "redact"]

MIN_SIZE = 8  # characters of a value that is looked for
MIN_CUT = 12  # characters of a form that was cut: of fewer it is not known what they are

# What looks like a key wherever it stands: OpenAI's form, credentials in a header or a URL.
SUSPECTS = re.compile(
    r"\bsk-[\w-]{6,}|(?<=bearer )[\w.~+/-]+=*|(?<=basic )[\w+/]+=*|(?<=://)[^/\s@]+(?=@)",
    re.IGNORECASE,
)

REDACTED = "[redacted]"


class Secret:
    """A text that shows nothing of itself unless it is asked to."""

    known: ClassVar[set[str]] = set()  # all there are in this process, for `redact`

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
    # The longer ones first: one may begin with another.
    forms = {form for secret in Secret.known for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, REDACTED)
    for beginning in {form[:MIN_CUT] for form in forms if len(form) > MIN_CUT}:
        text = _without(beginning, [form for form in forms if form.startswith(beginning)], text)
    return SUSPECTS.sub(REDACTED, text)


def quoted(data: bytes, size: int = 80) -> str:
    """A peer's bytes for an error message: redacted, and then cut.

    Args:
        data: any bytes.
        size: how many characters are shown at most.
    """
    text = redact(repr(data))
    return text if len(text) <= size else text[:size] + "…"


def _without(beginning: str, forms: Sequence[str], text: str) -> str:
    """The same text without what begins as one of these forms do, and was cut later on."""
    at = text.find(beginning)
    while at >= 0:
        size = len(beginning)
        while any(form[: size + 1] == text[at : at + size + 1] for form in forms if form[size:]):
            size += 1
        text = text[:at] + REDACTED + text[at + size :]
        at = text.find(beginning, at)
    return text


@cache
def _forms(secret: str) -> frozenset[str]:
    """How a secret may stand in a text."""
    escaped = {secret}
    for _ in range(2):  # JSON within JSON, the `repr` of a JSON text
        escaped |= {form for each in escaped for form in _escaped(each)}
    data = secret.encode(errors="surrogatepass")
    return frozenset(escaped | {data.hex(), data.hex().upper()} | set(_base64(data)))


def _escaped(text: str) -> set[str]:
    ascii_json, json_text = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
    percent = {quote(text, safe="", errors="replace"), quote(text, errors="replace")}
    percent |= {quote_plus(text, errors="replace"), quote_plus(text, safe="/", errors="replace")}
    return {
        ascii_json,
        json_text,
        ascii_json.replace("/", "\\/"),
        repr(text)[1:-1],
        repr(text.encode(errors="surrogatepass"))[2:-1],
        escape(text),
        *percent,
        *(re.sub("%..", lambda hexadecimal: hexadecimal[0].lower(), each) for each in percent),
    }


def _base64(data: bytes) -> set[str]:
    """In base64, behind anything: it depends on how many bytes come before it in a group of three.

    The first and the last characters hold bits of the neighbours, and are left out.
    """
    forms = set()
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        whole = text[(0, 2, 3)[before] : len(text) - ((before + len(data)) % 3 > 0)]
        forms |= {whole, whole.translate(str.maketrans("+/", "-_"))}
    return {form for form in forms if len(form) >= MIN_SIZE}


# What this file does not do: find a key that was encrypted, compressed or written backwards.
