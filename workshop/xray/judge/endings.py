"""Signatures in the end of a response, or in its absence.

    data: …"finish_reason":"stop"…  data: [DONE]  0␍␊␍␊     the answer and the response ended: fine
    data: …  0␍␊␍␊                                           cut-clean: only the response ended
    data: …  FIN                                             cut-transport: neither has ended
    data: …  60 s of silence  FIN                            idle-timeout
    data: …  data: …  FIN after 60.0 s                       lifetime-timeout
    data: …  silence                                         vanished

A stream has three ends. The answer ends with an event that says so. The response ends where its
framing says. The connection ends with FIN or RST. In a healthy stream, these ends come in this
order, and for each missing end there is a verdict.
"""

from ..meter.measure import Meter
from .sign import Sign

__all__ = [
    "cut_application",
    "cut_clean",
    "cut_transport",
    "deaf",
    "finished_not_closed",
    "idle_timeout",
    "length_limit",
    "lifetime_timeout",
    "stall_behind_heartbeats",
    "vanished",
]

STEP_SECONDS = 5  # timeouts are configured in multiples of this, with few exceptions
SHORT_SECONDS = (2, 3, 4)  # shorter timeouts that are configured, too
SHORT_EARLY = 0.15  # nginx sets a timer again only if it is 300 ms old, so it fires earlier
KNOWN_SECONDS = {10, 15, 20, 30, 50, 60, 75, 90, 100, 120, 180, 240, 300, 600, 900, 3600}
MIN_SECONDS = 4.9


def cut_application(meter: Meter) -> Sign | None:
    """An event says that the answer failed."""
    error = meter.answer.error
    return Sign(0.95, error=error[:200]) if error else None


def cut_transport(meter: Meter) -> Sign | None:
    """The connection ended inside the response."""
    if not meter.cut or meter.answer.error or meter.framing_error or meter.switched:
        return None
    if idle_timeout(meter) or lifetime_timeout(meter):
        return None  # they say the same, and why
    end = END_WORDS[meter.end]
    if meter.end == "truncated" and meter.url.startswith("http:"):
        end = "cut off"  # close_notify belongs to TLS: this is a page, which cannot see the end
    return Sign(0.95, end=end, events=meter.counts.events, place=_place(meter))


END_WORDS = {"fin": "closed", "reset": "reset", "truncated": "closed without close_notify"}


def _place(meter: Meter) -> str:
    if meter.head is None:
        return "before a complete head" if meter.wire_bytes else "before the first byte of a reply"
    if meter.body_ms is None:
        return "after the head"
    if meter.answer.complete:
        return "after the answer had ended, without the end of the response"
    return "in the middle of the response"


def cut_clean(meter: Meter) -> Sign | None:
    """The response ended properly, but the answer did not."""
    if not meter.complete or not is_stream(meter) or meter.answer.error:
        return None
    events = meter.counts.events
    if meter.answer.unfinished:
        return Sign(0.9, events=events, missing="the event that ends the answer")
    if meter.answer.api == "chat" and not meter.answer.done:
        return Sign(0.5, events=events, missing="`data: [DONE]`")  # some servers never send it
    is_empty = not meter.anatomy.body_size and meter.method != "HEAD"
    if is_empty and meter.field(b"content-type").startswith(b"text/event-stream"):
        return Sign(0.9, events=0, missing="the whole answer")
    return None


def idle_timeout(meter: Meter) -> Sign | None:
    """After a silence, the response ended before the answer was complete, or the status is 504."""
    seconds = meter.quiet_ms / 1000
    if meter.body_ms is None and meter.head_ms is not None:
        seconds = max(seconds, meter.head_ms / 1000)
    if meter.status == 504 and meter.head_ms is not None:
        seconds = meter.head_ms / 1000
    elif not _ended_early(meter):
        return None
    if seconds < MIN_SECONDS:
        return _short_idle_timeout(meter, seconds)
    if meter.quiet_ms < 2 * _usual_gap(meter):
        return None
    near = _nearest(seconds, 0.05)
    return Sign(0.9 if near in KNOWN_SECONDS else 0.7, seconds=near or round(seconds, 1))


def _short_idle_timeout(meter: Meter, seconds: float) -> Sign | None:
    """A silence of few seconds, many times longer than any other. It may have been a crash."""
    nearest = round(max(seconds, 0.0))
    if nearest not in SHORT_SECONDS or not -SHORT_EARLY <= seconds - nearest <= 0.15:
        return None
    if meter.rhythm.gaps.count < 3 or meter.quiet_ms < 5 * meter.rhythm.gaps.max:
        return None
    return Sign(0.6, seconds=nearest)


def lifetime_timeout(meter: Meter) -> Sign | None:
    """The stream ended in the middle, a round number of seconds after the request."""
    ended = meter.end_ms if meter.cut else meter.done_ms
    if not _ended_early(meter) or ended is None or idle_timeout(meter):
        return None
    seconds = _nearest(ended / 1000, 0.005)
    if seconds < MIN_SECONDS:
        return None
    return Sign(0.85 if seconds in KNOWN_SECONDS else 0.65, seconds=seconds)


def _ended_early(meter: Meter) -> bool:
    if meter.end == "reset" and meter.body_ms is None:
        return False
    answer = meter.answer
    incomplete = answer.unfinished or (not answer.complete and meter.cut)
    return not answer.error and incomplete and (meter.cut or meter.complete)


def _nearest(seconds: float, share: float) -> int:
    """Return the multiple of five seconds that the timeout may have had, or 0 if none is near.

    A client measures a little more than the timeout, because the bytes need time to travel.
    """
    nearest = round(seconds / STEP_SECONDS) * STEP_SECONDS
    late = seconds - nearest
    return nearest if -0.05 <= late <= max(0.15, nearest * share) else 0


def _usual_gap(meter: Meter) -> float:
    return meter.rhythm.gaps.percentile(95)


def finished_not_closed(meter: Meter) -> Sign | None:
    """The answer ended, but neither [DONE] nor the end of the response followed."""
    if _is_silent(meter) and (meter.answer.finish or meter.answer.done):
        missing = "the end of the response" if meter.answer.done else "`data: [DONE]` and the end"
        return Sign(0.95, missing=missing, seconds=round(meter.quiet_ms / 1000))
    return None


def stall_behind_heartbeats(meter: Meter) -> Sign | None:
    """Heartbeats arrive, but no text."""
    answer = meter.answer
    if not answer.unfinished or meter.complete or meter.last_ms is None:
        return None
    since = meter.last_ms - (meter.text_ms or meter.head_ms or 0)
    if answer.silent_heartbeats < 3 or since < max(5000, 10 * _usual_gap(meter)):
        return None
    return Sign(0.8, seconds=round(since / 1000), heartbeats=answer.silent_heartbeats)


def deaf(meter: Meter) -> Sign | None:
    """The connection is alive, but nothing more arrives on it, not even an end."""
    if not _is_silent(meter) or meter.answer.complete or meter.head is None:
        return None
    if meter.acknowledged is False or (meter.acknowledged is None and meter.body_ms is not None):
        return None  # the other end has disconnected, or may have disconnected
    seconds = round(meter.quiet_ms / 1000)
    return Sign(0.9, seconds=seconds, events=meter.counts.events)


def vanished(meter: Meter) -> Sign | None:
    """The bytes stopped, but neither FIN nor RST arrived."""
    if not _is_silent(meter) or meter.answer.complete or deaf(meter):
        return None
    sure = 0.95 if meter.acknowledged is False else 0.8
    return Sign(sure, seconds=round(meter.quiet_ms / 1000), events=meter.counts.events)


def _is_silent(meter: Meter) -> bool:
    """Whether the observer stopped waiting for more of this response."""
    return meter.end == "silent" and not meter.complete and not meter.framing_error


def length_limit(meter: Meter) -> Sign | None:
    """The answer says that it was cut at its limit."""
    return Sign(0.95, finish=meter.answer.finish) if meter.answer.at_limit else None


def is_stream(meter: Meter) -> bool:
    """Whether the response should be a stream: its status is a success, and it is neither JSON nor
    an HTML page."""
    kind = meter.field(b"content-type")
    page = kind.startswith((b"application/json", b"text/html", b"image/", b"application/xml"))
    return 200 <= meter.status < 300 and meter.status not in (204, 205) and not page


# What this file does not do: judge the gaps inside the stream (timing.py).
