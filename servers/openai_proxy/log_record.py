"""The summary of one exchange, and its line in the log.

200 gpt-4o-mini 137 events 812 tokens ttft 412 ms gap p50 21 ms done
200 gpt-4o-mini ttft 380 ms gap p50 20 ms client gone after 17 events, upstream closed in 0.2 ms
200 gpt-4o-mini 138 events ttft 412 ms gap p50 21 ms finish_reason came, no end mark
502 gpt-4o-mini upstream_tls_error
"""

import re
from array import array

import msgspec

from protocol.sse import ServerSentEvent

__all__ = ["CLIENT_GONE", "ExchangeSummary"]

MAX_GAPS = 10_000
TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
# Some servers do not send an event name, but only this type in the data. A regular expression finds
# it even in a long event, from which observer.py drops the middle. Inside a string, these quotes
# would be escaped, so the text of an answer does not match.
TYPED = re.compile(r'\s*\{\s*"type"\s*:\s*"([a-z_.]{1,40})"')
USAGE = re.compile(r'"(?:completion|output)_tokens": ?"?([0-9]{1,15})\b')  # some send a text
FINISHED = re.compile(r'"finish_reason"\s*:\s*"(?!"|null")')
KEEPALIVE = '{"type":"keepalive"'  # sent by the Responses API, with or without an event name
CLIENT_GONE = "client gone"


class ExchangeSummary(msgspec.Struct):
    """The facts about one exchange that the log and the metrics show.

    Attributes:
        model: The model that the request names.
        began: Time at which the request arrived, in seconds by trio's clock.
        status: HTTP status of the reply, or 0 before there is a reply.
        size: Number of bytes of the body so far.
        events: Number of events with data so far.
        first, last: Times at which the first and the last of these events arrived, or 0 before the
            first.
        gaps: Seconds between one event and the next. The first MAX_GAPS gaps are kept.
        tokens: The number of tokens in the usage, or None.
        whole: Whether the end mark has arrived.
        answers: How many answers the request asks for (`n`).
        finishes: How many finish_reasons have arrived. A client may stop reading after the last.
        ending: How the exchange ended, as a short label for the metrics.
        closed_after: Seconds from the client's disconnect until we closed the upstream connection.
    """

    model: str
    began: float
    status: int = 0
    size: int = 0
    events: int = 0
    first: float = 0.0
    last: float = 0.0
    gaps: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    tokens: int | None = None
    whole: bool = False
    answers: int = 1
    finishes: int = 0
    ending: str = CLIENT_GONE
    closed_after: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether the answer is complete, so that a client may stop reading here. An end mark may
        still be missing."""
        return self.whole or self.finishes >= self.answers

    def count(self, event: ServerSentEvent, now: float) -> None:
        """Count one event with data. A `keepalive` event brings nothing, so it does not count."""
        data = event.data
        if event.event == "keepalive" or data.startswith(KEEPALIVE):
            return
        self.events += 1
        if self.events == 1:
            self.first = now
        elif len(self.gaps) < MAX_GAPS:
            self.gaps.append(now - self.last)
        self.last = now
        # Clients wait for one of two end marks: `[DONE]`, or a terminal event of a response.
        if data.startswith("[DONE]") or event.event in TERMINAL or _type_in(data) in TERMINAL:
            self.whole = True
        if self.finishes < self.answers:
            self.finishes += len(FINISHED.findall(data))
        if '"usage"' in data and (usage := USAGE.search(data)):
            self.tokens = int(usage[1])

    def line(self) -> str:
        """Return the line, such as "200 gpt-4o-mini 137 events 812 tokens ttft 412 ms gap p50 21 ms
        done"."""
        gone = self.ending == CLIENT_GONE
        words = [str(self.status or "-"), self.model]
        if self.events and not gone:
            words.append(f"{self.events} events")
        elif self.size and not gone:
            words.append(f"{self.size} bytes")
        if self.tokens is not None:
            words.append(f"{self.tokens} tokens")
        if self.events:
            words.append(f"ttft {1000 * (self.first - self.began):.0f} ms")
        if self.gaps:
            words.append(f"gap p50 {1000 * sorted(self.gaps)[len(self.gaps) // 2]:.0f} ms")
        if self.finishes and not self.whole:
            words.append("finish_reason came,")
        words.append(self.ending)
        if gone:
            closed = 1000 * self.closed_after
            words.append(f"after {self.events} events, upstream closed in {closed:.1f} ms")
        return " ".join(words)


class _Typed(msgspec.Struct):
    type: str = ""


def _type_in(data: str) -> str:
    """The `type` in the data of a response's event, or ""."""
    if '"response.' not in data:
        return ""
    if match := TYPED.match(data):
        return match[1]
    try:  # `type` is not the first member of the object
        return msgspec.json.decode(data, type=_Typed).type
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return ""
