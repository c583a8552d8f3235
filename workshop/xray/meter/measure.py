"""Measures a response while it arrives: the reads, chunks, events and tokens, and the time of each.

    at 0 ms      request sent
    at 2 ms      head                                    head_ms 2
    at 503 ms    chunk 1: event 1, event 2 with text     ttft_ms 503
    at 604 ms    chunk 2: event 3 with text              a gap of 101
    …
    at 3506 ms   chunk 31: [DONE], last chunk            complete, done_ms 3506

A `Meter` is a pure state machine: it takes bytes and times, and returns numbers. The class uses
`protocol.anatomy`, so no grammar is implemented here a second time. A meter needs a constant amount
of memory, even for a stream without end: it has totals and histograms, and lists with a limited
number of entries.
"""

from collections import deque
from typing import NamedTuple

from protocol.anatomy import ByteSpan, ResponseAnatomy
from protocol.head import Head
from protocol.recording import End

from ..report import Counts, Gaps
from .answer import Answer
from .borders import Borders
from .layers import Decompressor, Layers
from .rhythm import Histogram, Thinned

__all__ = ["Arrival", "Meter"]

# Decompressed text gets its own anatomy, and each anatomy needs a head.
PLAIN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\n"

SAME_MOMENT = 3.0  # milliseconds; reads that are closer together are one step


class Arrival(NamedTuple):
    """A step: the content of one read, or of several reads at almost the same time.

    Args:
        at: Milliseconds since the request was sent.
        size: Bytes on the wire.
        body: Bytes of the body among these, without framing, still compressed.
        chunks: Number of chunks that began.
        events: Number of events that became readable.
        tokens: Number of tokens that became readable.
        text: Bytes of text that became readable.
    """

    at: float
    size: int
    body: int
    chunks: int
    events: int
    tokens: int
    text: int


class Rhythm:
    """The times at which one kind of content arrived.

    Attributes:
        first_ms: Time of the first arrival, or None if there was none.
        last_ms: Time of the last arrival.
        gaps: The times between one arrival and the next.
        steps: The last steps, with the content of each.
    """

    def __init__(self, history: int) -> None:
        self.first_ms: float | None = None
        self.last_ms: float | None = None
        self.gaps = Histogram()
        self.steps: deque[Arrival] = deque(maxlen=history)

    def add(self, arrival: Arrival) -> None:
        if self.last_ms is not None:
            self.gaps.add(arrival.at - self.last_ms)
        self.first_ms = arrival.at if self.first_ms is None else self.first_ms
        self.last_ms = arrival.at
        if self.steps and arrival.at - self.steps[-1].at <= SAME_MOMENT:
            last = self.steps.pop()
            sums = map(sum, zip(last[1:], arrival[1:], strict=True))
            arrival = Arrival(last.at, *sums)
        self.steps.append(arrival)


class Meter:
    """Takes the bytes of one response as they arrive.

    Args:
        url: The URL that was asked for, or "".
        method: Method of the request.
        request: The request as it was sent, or b"".
        began: Time at which the request had been sent, in milliseconds on the same clock as `at`
            below. All times of this class are counted from this time.
        exact: Whether the bytes are those that arrived. A trace of `curl --trace-ascii` has lost
            some, so the contents of its events are not judged.
        history: Largest number of reads kept. The oldest are dropped.

    Attributes:
        head_ms: Milliseconds to the end of the head, or None if it has not arrived.
        body_ms: Milliseconds to the first byte of the body, or None if it has not arrived.
        last_ms: Milliseconds to the last byte so far, or None if none has arrived.
        done_ms: Milliseconds to the end of the body, or None if it has not arrived.
        reads: Number of reads.
        wire_bytes: Bytes of the response so far, with head and framing.
        end: How the server's side ended, as in a recording, or "" if it has not ended.
        end_ms: Milliseconds to the end of the server's side, or None if it has not ended.
        acknowledged: Whether the other end was alive in the silence at the end; None if unknown.
        cut: Whether the connection ended inside the response.
        quiet_ms: Milliseconds of silence before the end of the body or the connection.
        framing_error: The reason why the bytes are not HTTP or not an event stream, or "".
        arrivals: The content of each of the last reads.
        coding: Content coding of the body, such as "gzip", or "" if it has none.
        switched: Whether the protocol was switched (101): what follows is not HTTP.
        readable: Whether the text can be read here. Python's library knows gzip and deflate only.
    """

    def __init__(
        self,
        *,
        url: str = "",
        method: str = "GET",
        request: bytes = b"",
        began: float = 0.0,
        exact: bool = True,
        history: int = 5_000,
    ) -> None:
        self.url = url
        self.method = method
        self.request = request
        self.began = began
        self.exact = exact
        self.head_ms: float | None = None
        self.body_ms: float | None = None
        self.last_ms: float | None = None
        self.done_ms: float | None = None
        self.end: End = ""
        self.end_ms: float | None = None
        self.acknowledged: bool | None = None
        self.cut = False
        self.quiet_ms = 0.0
        self.framing_error = ""
        self.switched = False
        self.reads = self.wire_bytes = 0
        self.arrivals: deque[Arrival] = deque(maxlen=history)
        self.coding = ""
        self.readable = True
        self._history = history
        self._outer = self._content = Layers(ResponseAnatomy(method), history)
        self._decompressor: Decompressor | None = None
        self._tokens = Rhythm(history)
        self._events = Rhythm(history)
        self._body_gaps = Thinned()
        self._last_body_ms = 0.0
        self._content_size = 0

    # ---- What it measured

    @property
    def head(self) -> Head | None:
        """The response's head, once it is complete."""
        return self._outer.anatomy.head

    @property
    def status(self) -> int:
        """The status code, or 0 if no complete head has arrived."""
        return int(self.head.start_line[9:12]) if self.head else 0

    @property
    def complete(self) -> bool:
        """Whether the end of the body has arrived, as its framing says."""
        return self.done_ms is not None

    @property
    def anatomy(self) -> ResponseAnatomy:
        """The anatomy of the response as it arrived, framing included."""
        return self._outer.anatomy

    @property
    def answer(self) -> Answer:
        """The content of the events."""
        return self._content.answer

    @property
    def layers(self) -> Layers:
        """The layers of the events. If the response is compressed, these are the layers of its
        decompressed bytes."""
        return self._content

    @property
    def borders(self) -> Borders:
        """The findings at the borders of the chunks that arrived."""
        return self._outer.borders

    @property
    def after_end(self) -> int:
        """Number of bytes after the end of the body."""
        return self._outer.after_end

    @property
    def flushes(self) -> int:
        """Number of sync flushes in a compressed body."""
        return self._decompressor.flushes if self._decompressor else 0

    @property
    def counts(self) -> Counts:
        """The number of reads, chunks, events and tokens so far."""
        content = self._content.anatomy
        return Counts(self.reads, self._outer.anatomy.chunks, content.events, content.tokens)

    @property
    def rhythm(self) -> Rhythm:
        """The times at which text arrived. If no text was recognized, these are the times of the
        events or bytes."""
        return self._tokens if self._content.anatomy.tokens else self._events

    @property
    def event_steps(self) -> deque[Arrival]:
        """The last steps that brought an event."""
        return self._events.steps

    @property
    def ttft_ms(self) -> float | None:
        """Milliseconds to the first text, or None if none has arrived."""
        return self.rhythm.first_ms

    @property
    def text_ms(self) -> float | None:
        """Milliseconds to the last text so far, or None if none has arrived."""
        return self.rhythm.last_ms

    @property
    def gaps(self) -> Gaps | None:
        """The gaps between reads with text, or None if there are fewer than two such reads."""
        gaps = self.rhythm.gaps
        if not gaps.count:
            return None
        p50, p95, p99 = map(gaps.percentile, (50, 95, 99))
        return Gaps(p50, p95, p99, gaps.max)

    @property
    def gap_line(self) -> list[float]:
        """The gaps between reads of the body, in order, thinned to their peaks."""
        return self._body_gaps.values

    @property
    def text_bytes(self) -> int:
        """Number of bytes of text, or 0 if the text cannot be read here."""
        return self._content.anatomy.text_size if self.readable else 0

    def field(self, name: bytes) -> bytes:
        """Return the value of a header field in lower case, or b"" if the head does not have the
        field."""
        return b", ".join(self.head.values(name)).lower() if self.head else b""

    @property
    def may_be_endless(self) -> bool:
        """Whether the head does not tell the length of the body."""
        return self.head is not None and not self.field(b"content-length")

    # ---- What arrives

    def receive_data(self, at: float, data: bytes) -> list[ByteSpan]:
        """Take the bytes of one read.

        Args:
            at: Time at which the bytes arrived, in milliseconds.
            data: The bytes, cut anywhere. No bytes raise an error.

        Returns:
            The spans of the response that can be labelled now (`ResponseAnatomy.receive_data`).
        """
        now = at - self.began
        before = self._totals()
        self.switched |= not self.wire_bytes and data[9:12] == b"101"
        spans = self._outer.receive_data(now, data)
        self.framing_error = self._outer.anatomy.error
        if self.head_ms is None and self.head is not None:
            self.head_ms = now
            self._expect_coding(self.head)
        if self._decompressor is not None and self._outer.coded:
            for piece in self._decompressor.receive_data(self._outer.coded):
                self._content.receive_data(now, piece)
        self._outer.coded = b""
        self.reads += 1
        self.wire_bytes += len(data)
        self.last_ms = now
        news = [after - was for after, was in zip(self._totals(), before, strict=True)]
        self._note(Arrival(now, len(data), *news))
        if self._outer.anatomy.complete and self.done_ms is None:
            self._end_body(now)
        return spans

    def receive_end(
        self, at: float, end: End, *, acknowledged: bool | None = None
    ) -> list[ByteSpan]:
        """Report that the server's side has ended.

        Args:
            at: Time of the end, in milliseconds.
            end: How it ended. "silent" means that the observer stopped waiting.
            acknowledged: Whether, during the silence, the other end still acknowledged what was
                sent to it, such as TCP's keep-alive probes, or None if unknown.

        Returns:
            The last spans. They have the bytes of a line or chunk that did not end.
        """
        now = at - self.began
        self.end, self.end_ms, self.acknowledged = end, now, acknowledged
        was_complete = self.complete
        spans = self._outer.receive_end()
        if not was_complete and end != "silent":
            complete = self._outer.anatomy.complete  # the body ends with its connection
            self.cut = not complete or end != "fin"
            if self.cut:
                self.quiet_ms = now - self._last_body_ms
            else:
                self._end_body(now)
        elif not was_complete:
            self.quiet_ms = now - self._last_body_ms
        return spans

    def _end_body(self, now: float) -> None:
        self.done_ms = now
        # The end of the chunked coding is not content, so only the silence before it is counted.
        self.quiet_ms = now - self._last_body_ms

    def _totals(self) -> tuple[int, int, int, int, int]:
        outer, content = self._outer.anatomy, self._content.anatomy
        return (outer.body_size, outer.chunks, content.events, content.tokens, content.text_size)

    def _expect_coding(self, head: Head) -> None:
        codings = b",".join(head.values(b"content-encoding")).lower().replace(b" ", b"")
        self.coding = codings.decode("ascii", "replace").replace("identity", "")
        if not self.coding:
            return
        self.readable = self.coding in ("gzip", "x-gzip", "deflate")
        if self.readable:
            kind = b",".join(head.values(b"content-type"))
            self._decompressor = Decompressor()
            self._content = Layers(ResponseAnatomy(), self._history)
            self._content.receive_data(0.0, PLAIN_HEAD % kind)

    def _note(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        if arrival.body and self.body_ms is None:
            self.body_ms = arrival.at
        elif arrival.body:
            self._body_gaps.add(arrival.at - self._last_body_ms)
        # The last bytes of a compressed body hold no text, so they do not end a silence.
        size = self._content.anatomy.body_size
        if self.body_ms is None or size > self._content_size or not self.readable:
            self._last_body_ms = arrival.at
        self._content_size = size
        if arrival.tokens:
            self._tokens.add(arrival)
        if arrival.events or arrival.text or (arrival.body and not self.readable):
            self._events.add(arrival)


# What this file does not do: judge (verdicts.py), or show bytes (view.py).
