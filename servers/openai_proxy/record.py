"""What one exchange came to: the line in the log that a person reads.

    gpt-4o-mini 137 events 812 tokens ttft 412 ms gap p50 21 ms done
    gpt-4o-mini 17 events ttft 380 ms gap p50 20 ms client gone
"""

import re

import msgspec

from protocol.sse import ServerSentEvent

__all__ = ["Record"]

MAX_GAPS = 10_000
TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
USAGE = re.compile(r'"(?:completion|output)_tokens": ?([0-9]{1,15})\b')


class Record(msgspec.Struct):
    """What one exchange came to, for the log and the metrics.

    Attributes:
        model: that was asked for.
        began: when the request came, by trio's clock.
        events: with data, so far.
        first, last: when they came; 0 before there is any.
        gaps: the seconds between them, of the first MAX_GAPS.
        tokens: as the usage says, or None.
        whole: the end mark has come.
    """

    model: str
    began: float
    events: int = 0
    first: float = 0.0
    last: float = 0.0
    gaps: list[float] = []
    tokens: int | None = None
    whole: bool = False

    def see(self, event: ServerSentEvent, now: float) -> None:
        """Count one event with data."""
        self.events += 1
        if self.events == 1:
            self.first = now
        elif len(self.gaps) < MAX_GAPS:
            self.gaps.append(now - self.last)
        self.last = now
        # Both marks are what a client looks for: `[DONE]`, or a terminal event of a response.
        if event.data.startswith("[DONE]") or event.event in TERMINAL:
            self.whole = True
        if '"usage":{' in event.data and (usage := USAGE.search(event.data)):
            self.tokens = int(usage[1])

    def line(self, ending: str) -> str:
        """Such as "gpt-4o-mini 137 events 812 tokens ttft 412 ms gap p50 21 ms done"."""
        words = [self.model, f"{self.events} events"]
        if self.tokens is not None:
            words.append(f"{self.tokens} tokens")
        if self.events:
            words.append(f"ttft {1000 * (self.first - self.began):.0f} ms")
        if self.gaps:
            words.append(f"gap p50 {1000 * sorted(self.gaps)[len(self.gaps) // 2]:.0f} ms")
        return " ".join([*words, ending])
