"""Measures a response while it arrives: what came when, in each of the four layers.

    at 0 ms      request sent
    at 2 ms      head                                    head_ms 2
    at 503 ms    chunk 1: event 1, event 2 with text     ttft_ms 503
    at 604 ms    chunk 2: event 3 with text              a gap of 101
    …
    at 3506 ms   chunk 31: [DONE], last chunk            complete

A `Meter` is a pure state machine: bytes and times in, numbers out. It stands on
`protocol.anatomy`, so no grammar is parsed here a second time. Its memory stays the same on a
stream without end: totals and histograms run on, and lists keep a limited number of entries.
"""

import zlib
from collections import deque
from typing import NamedTuple

from protocol.anatomy import ByteSpan, ResponseAnatomy
from protocol.head import Head
from protocol.recording import End

from .answer import Answer
from .borders import Borders
from .report import Counts, Gaps
from .rhythm import Histogram

__all__ = ["Arrival", "Meter"]

# The head of an event stream in front of the decompressed bytes: their anatomy needs one.
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\n"

# 47: the header says whether it is gzip (RFC 1952) or zlib (RFC 1950, what "deflate" means).
GZIP_OR_ZLIB = 47


class Arrival(NamedTuple):
    """What one read brought.

    Args:
        at: Milliseconds since the request was sent.
        size: Bytes of the read.
        body: Bytes of the body among them, without framing, still compressed.
        chunks, events, tokens: How many began (chunks) or became readable (events, tokens).
        text: Bytes of text that became readable.
    """

    at: float
    size: int
    body: int
    chunks: int
    events: int
    tokens: int
    text: int


class Meter:
    """Takes the bytes of one response as they arrive.

    Args:
        url: The URL that was asked for, or "".
        method: Method of the request.
        request: The request as it was sent, or b"".
        began: When it had been sent: the zero of all times here, in milliseconds on the same clock
            as `at`.
        history: Number of reads kept; the oldest are dropped.

    Attributes:
        head: The response's head, once it is complete.
        head_ms, body_ms, ttft_ms: Milliseconds to the end of the head, to the first byte of the
            body, and to the first text; None if it has not come.
        text_ms, last_ms: Milliseconds to the last text and to the last byte so far.
        reads: Number of reads.
        wire_bytes: Bytes of the response so far, with head and framing.
        end: How the server's side ended: one of `protocol.recording.End`; "" if it has not.
        end_ms: Milliseconds to that end; None if it has not come.
        arrivals: What each of the last reads brought.
        answer: What the events say.
        borders: What lies at the borders of chunks.
        coding: Content coding of the body, such as "gzip"; "" if it has none.
        readable: Whether the text can be read here. False for codings that Python cannot undo.
    """

    def __init__(
        self,
        *,
        url: str = "",
        method: str = "GET",
        request: bytes = b"",
        began: float = 0.0,
        history: int = 5_000,
    ) -> None:
        self.url = url
        self.method = method
        self.request = request
        self.began = began
        self.head_ms: float | None = None
        self.body_ms: float | None = None
        self.ttft_ms: float | None = None
        self.text_ms: float | None = None
        self.last_ms: float | None = None
        self.end: End = ""
        self.end_ms: float | None = None
        self.reads = self.wire_bytes = 0
        self.arrivals: deque[Arrival] = deque(maxlen=history)
        self.coding = ""
        self.readable = True
        self._outer = Layers(ResponseAnatomy(method), history)
        self._inner: Layers | None = None
        self._decompressor: Decompressor | None = None
        self._gaps = Histogram()

    # ---- What it measured

    @property
    def anatomy(self) -> ResponseAnatomy:
        """The anatomy of the response as it came, with its framing."""
        return self._outer.anatomy

    @property
    def content(self) -> ResponseAnatomy:
        """The anatomy of the text: of the decompressed body, if it was compressed."""
        return (self._inner or self._outer).anatomy

    @property
    def answer(self) -> Answer:
        return (self._inner or self._outer).answer

    @property
    def borders(self) -> Borders:
        return self._outer.borders

    @property
    def head(self) -> Head | None:
        return self.anatomy.head

    @property
    def status(self) -> int:
        return int(self.head.start_line[9:12]) if self.head else 0

    @property
    def complete(self) -> bool:
        """Whether the end of the body has arrived, as its framing says."""
        return self.anatomy.complete

    @property
    def counts(self) -> Counts:
        content = self.content
        return Counts(self.reads, self.anatomy.chunks, content.events, content.tokens)

    @property
    def gaps(self) -> Gaps | None:
        """The gaps between reads that brought text; None with fewer than two such reads."""
        gaps = self._gaps
        if not gaps.count:
            return None
        p50, p95, p99 = map(gaps.percentile, (50, 95, 99))
        return Gaps(p50, p95, p99, gaps.max)

    @property
    def text_bytes(self) -> int:
        return self.content.text_size if self.readable else 0

    def field(self, name: bytes) -> bytes:
        """The value of a field of the head, in lower case; b"" if the head does not have it."""
        values = self.head.values(name) if self.head else []
        return b", ".join(values).lower()

    # ---- What arrives

    def receive_data(self, at: float, data: bytes) -> list[ByteSpan]:
        """Take the bytes of one read.

        Args:
            at: When they came, in milliseconds.

        Returns:
            The spans of the response that can be labelled now (`ResponseAnatomy.receive_data`).
        """
        now = at - self.began
        before = self._totals()
        spans = self._outer.receive_data(now, data)
        if self.head_ms is None and self.head is not None:
            self.head_ms = now
            self._expect_coding(self.head)
        if self._inner is not None and self._decompressor is not None:
            coded = self._outer.coded
            self._outer.coded = b""
            self._inner.receive_data(now, self._decompressor.receive_data(coded))
        self.reads += 1
        self.wire_bytes += len(data)
        self.last_ms = now
        news = [after - was for after, was in zip(self._totals(), before, strict=True)]
        self._note(Arrival(now, len(data), *news))
        return spans

    def receive_end(self, at: float, end: End) -> list[ByteSpan]:
        """Say that the server's side has ended, and how. Returns the last spans."""
        self.end, self.end_ms = end, at - self.began
        if self._inner is not None:
            self._inner.receive_end()
        return self._outer.receive_end() if end != "silent" else []

    def _totals(self) -> tuple[int, int, int, int, int]:
        outer, content = self.anatomy, self.content
        return (outer.body_size, outer.chunks, content.events, content.tokens, content.text_size)

    def _expect_coding(self, head: Head) -> None:
        codings = b",".join(head.values(b"content-encoding")).lower().replace(b" ", b"")
        self.coding = codings.decode("ascii", "replace").replace("identity", "")
        if self.coding:
            self.readable = self.coding in ("gzip", "x-gzip", "deflate")
        if self.coding and self.readable:
            kind = b",".join(head.values(b"content-type"))
            self._decompressor = Decompressor()
            self._inner = Layers(ResponseAnatomy(), self.arrivals.maxlen or 0)
            self._inner.receive_data(0.0, PLAIN % kind)

    def _note(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        if arrival.body and self.body_ms is None:
            self.body_ms = arrival.at
        no_tokens = not self.content.tokens
        if arrival.tokens or (no_tokens and (arrival.events or arrival.text)):
            if self.text_ms is not None:
                self._gaps.add(arrival.at - self.text_ms)
            self.ttft_ms = arrival.at if self.ttft_ms is None else self.ttft_ms
            self.text_ms = arrival.at


class Layers:
    """An anatomy together with the readers of its spans.

    Attributes:
        coded: Compressed bytes of the body that nobody has taken yet.
    """

    def __init__(self, anatomy: ResponseAnatomy, history: int) -> None:
        self.anatomy = anatomy
        self.answer = Answer()
        self.borders = Borders(history)
        self.coded = b""
        self._bytes = bytearray()  # from the first byte without a label on
        self._start = 0

    def receive_data(self, now: float, data: bytes) -> list[ByteSpan]:
        self._bytes += data
        spans = self.anatomy.receive_data(data)
        for span in spans:
            self._take(span, now)
        del self._bytes[: self.anatomy.labelled - self._start]
        self._start = self.anatomy.labelled
        return spans

    def receive_end(self) -> list[ByteSpan]:
        spans = self.anatomy.receive_eof()
        self.borders.end_chunk()
        return spans

    def _take(self, span: ByteSpan, now: float) -> None:
        data = bytes(self._bytes[span.start - self._start : span.end - self._start])
        if span.label == "coded":
            self.coded += data
        ends_event = self.answer.take(span.label, data)
        self.borders.take(span, data, ends_event)


class Decompressor:
    """Undoes gzip or deflate as far as the bytes that have come allow.

    Attributes:
        flushes: Number of sync flushes seen: a sender writes one to make its text readable at once.
        error: Why the rest cannot be read, or "".
    """

    FLUSH = b"\x00\x00\xff\xff"  # an empty block without compression (RFC 1951 §3.2.4)

    def __init__(self) -> None:
        self.flushes = 0
        self.error = ""
        self._zlib = zlib.decompressobj(GZIP_OR_ZLIB)

    def receive_data(self, data: bytes) -> bytes:
        self.flushes += data.count(self.FLUSH)
        try:
            return b"" if self.error else self._zlib.decompress(data)
        except zlib.error as error:
            self.error = str(error)
            return b""


# What this file does not do: judge (verdicts.py), or show bytes (view.py).
