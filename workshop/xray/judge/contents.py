"""Signatures in the bytes: in the head, the framing, the lines of events, and the characters.

HTTP/1.0 200 OK                           http10
Content-Length: 7783                      measured: somebody had the whole body first
xyz␍␊                                     framing-error: not a chunk-size
{"error":{"message":"…"}}                 bad-events: an error that no client of events sees
{"id":"chatcmpl-1",…}                     rewritten: this line has lost its `data: `
data: {"text":"你�"}  data: {"text":"�"}  torn-characters: somebody decoded piece by piece
"""

import re

from protocol.http1 import Coding, response_framing

from ..meter.measure import Meter
from .endings import is_stream
from .sign import Sign

__all__ = [
    "bad_events",
    "framing_error",
    "http10",
    "measured",
    "not_a_stream",
    "retried",
    "rewritten",
    "torn_characters",
    "until_close",
]

BROKEN = "The bytes break the rules of their format"
MAX_ERROR = 200

# Errors about bytes that a grammar allows, but our decoders do not: they keep memory small.
OUR_LIMIT = re.compile(r"\bover \d+ |than the limit$|\bover \d+$|not a Content-Length: b'\d+'$")


def not_a_stream(meter: Meter) -> Sign | None:
    """An error status, JSON or a page of HTML."""
    if meter.switched:
        return Sign(0.95, status=101, type="another protocol follows")
    if meter.head is None or is_stream(meter) or meter.framing_error:
        return None
    kind = meter.field(b"content-type").partition(b";")[0].decode("ascii", "replace")
    return Sign(0.95, status=meter.status, type=kind or "no content type")


def framing_error(meter: Meter) -> Sign | None:
    """The bytes are not HTTP, or there are bytes after the end of the body."""
    if meter.framing_error:
        error = meter.framing_error[:MAX_ERROR]
        if OUR_LIMIT.search(meter.framing_error):
            return Sign(
                0.5, problem="x-ray reads no further, because of a limit of its own", error=error
            )
        return Sign(0.95, problem=BROKEN, error=error)
    if meter.after_end and meter.method != "HEAD" and not meter.switched:
        return Sign(0.9, problem=BROKEN, error=f"{meter.after_end} bytes after the end of the body")
    return None


def rewritten(meter: Meter) -> Sign | None:
    """The events have a form that no server sends, so a hop has put them together again."""
    answer = meter.answer
    if not meter.exact:
        return None
    if answer.bare_events:
        return Sign(0.9, what=f"{answer.bare_events} lines without their `data: `")
    if answer.unnamed:
        return Sign(0.7, what=f"{answer.unnamed} events without their `event` line")
    if answer.lost:
        return Sign(0.8, what=f"{answer.lost} events missing, by the sequence numbers")
    return None


def retried(meter: Meter) -> Sign | None:
    """The answer begins again in mid-stream, or an event arrives twice."""
    answer = meter.answer
    if answer.restarts:
        return Sign(0.9, what="the answer starts again")
    if answer.duplicates:
        return Sign(0.8, what=f"{answer.duplicates} events that came twice")
    if 1 <= answer.twins <= 2:  # a model that repeats itself does so more often
        return Sign(0.4, what=f"{answer.twins} events equal to the one before")
    return None


def bad_events(meter: Meter) -> Sign | None:
    """Some lines are misunderstood by some or all clients."""
    answer = meter.answer
    if not meter.exact:
        return None
    if answer.bare_errors:
        return Sign(0.95, what="an error as a line of JSON without `data:`")
    if answer.broken:
        return Sign(0.95, what=f"{answer.broken} events whose data is not JSON")
    if answer.strange:
        return Sign(0.8, what=f"a line of text outside an event, {answer.strange!r}")
    if answer.bom:
        return Sign(0.9, what="a byte order mark before the first event")
    if answer.cr:
        return Sign(0.9, what=f"{answer.cr} lines that end in CR alone")
    if answer.api in ("chat", "responses"):
        if answer.id_trap:
            return Sign(0.9, what="after an `id`, a comment that ends in a blank line")
        if answer.empty:
            return Sign(0.8, what=f"{answer.empty} events without data")
        if answer.retry_alone:
            return Sign(0.8, what="a `retry` line in a block of its own")
    return None


def torn_characters(meter: Meter) -> Sign | None:
    """Characters are damaged, or chunks end inside them."""
    answer = meter.answer
    if not meter.exact:
        return None
    if answer.invalid:
        what = f"{answer.invalid} events that are not UTF-8: a sender has cut or mixed bytes"
        return Sign(0.95, what=what)
    if answer.replaced:
        what = f"U+FFFD in place of characters, at {answer.replaced} borders of events"
        return Sign(0.9, what=what)
    torn = meter.borders.inside_characters
    if torn and not meter.borders.sizes_are_equal:
        return Sign(0.8, what=f"{torn} chunks that end inside a character")
    return None


def measured(meter: Meter) -> Sign | None:
    """The head of a stream has the length of the body, or names the body's version."""
    if not is_stream(meter) or not (meter.counts.events or meter.answer.api):
        return None
    if meter.field(b"content-length"):
        return Sign(0.9, field="Content-Length")
    return Sign(0.8, field="ETag") if meter.field(b"etag") else None


def http10(meter: Meter) -> Sign | None:
    """The response is HTTP/1.0, although the request was HTTP/1.1."""
    asked = meter.request.partition(b"\r\n")[0].endswith(b"HTTP/1.0")
    if meter.head is None or not meter.head.is_http10 or asked:
        return None
    return Sign(0.9, status=meter.status)


def until_close(meter: Meter) -> Sign | None:
    """An HTTP/1.1 response has no length, so only the end of the connection ends the body."""
    if meter.head is None or meter.head.is_http10 or meter.framing_error:
        return None
    asked = meter.request.partition(b"\r\n")[0].endswith(b"HTTP/1.0")
    framing = response_framing(meter.head, meter.method)
    return Sign(0.9) if framing.coding is Coding.UNTIL_CLOSE and not asked else None


# What this file does not do: look at times (timing.py), or at the end (endings.py).
