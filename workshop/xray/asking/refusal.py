"""Quotes an answer that is not a stream: a line of its body, or the URL to which it redirects.

    HTTP/1.1 401 Unauthorized                        It says: "no such key".
    {"error":{"message":"no such key"}}

    HTTP/1.1 301 Moved Permanently                   It points to http://h/chat/.
    Location: http://h/chat/

    15 03 03 00 02 02 46                             The server speaks TLS: ask https://.

The rules this file keeps:

1. Only a sentence is added to the first verdict. No verdict is changed.
2. Only the first MAX_KEPT bytes of the body are examined, which is enough for a refusal.
"""

import re
from html import unescape

import msgspec
from msgspec.structs import replace

from ..recordings.har import Message
from ..report import Report

__all__ = ["MAX_KEPT", "explained"]

MAX_KEPT = 8 << 10
MAX_SHOWN = 120  # characters of the body's line

# The record of a TLS alert (RFC 8446 §5.1, §6), and what nginx and Apache say in plain text.
TLS = re.compile(
    rb"\A\x15\x03[\x00-\x04]|plain HTTP request was sent to HTTPS|"
    rb"speaking plain HTTP to an SSL-enabled"
)
HIDDEN = re.compile(r"<(script|style|head)\b.*?</\1>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)


def explained(report: Report, beginning: bytes, method: str = "GET") -> Report:
    """Return the same report, in which the first verdict quotes the refusal.

    Args:
        report: The report on a response.
        beginning: The first bytes of the response, at most MAX_KEPT, with keys masked.
        method: The method of the request.
    """
    first, *rest = report.verdicts
    said = ""
    if report.url.startswith("http://") and TLS.search(beginning):
        said = "The server speaks TLS at this port: ask https://."
    elif first.code == "not-a-stream":
        message = Message(beginning, is_request=False, method=method)
        location = message.value(b"location")
        body = message.decompressed().decode("utf-8", "replace")
        if location and 300 <= report.status < 400:
            said = f"It points to {location}"
        elif line := _line(body):
            said = f'It says: "{line}"'
    if not said:
        return report
    return replace(report, verdicts=[replace(first, say=f"{first.say} {said}"), *rest])


def _line(body: str) -> str:
    """Return the line of a body that is most useful for a person, or "" if there is none."""
    text = _message(body)
    if not text and body.lstrip().startswith("<"):
        title = TITLE.search(body)
        text = unescape(HIDDEN.sub(" ", title[2] if title else body))
    lines = (" ".join(line.split()) for line in (text or body).splitlines())
    line = next((line for line in lines if line), "")
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
    return line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 1] + "…"


def _message(body: str) -> str:
    """Return the message of an error in JSON."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    for name in ("error", "detail", "message"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return found if isinstance(found, str) else ""


# What this file does not do: follow a redirect. x-ray measures the one answer that was asked for.
