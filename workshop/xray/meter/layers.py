"""Leads from bytes to the content of events: an anatomy labels the bytes, and two readers take its
spans.

    read 1 at 500 ms     data: {"text":"你"}␊
    read 2 at 540 ms     ␊                        event 1 came in two parts, 40 ms apart

`protocol.anatomy` labels the bytes. Each span goes to the answer (the content of the events) and to
the borders (the events that a chunk cuts). A compressed response has two `Layers`: one for the
bytes as they arrived, and one for the decompressed bytes.
"""

import zlib
from bisect import bisect_right

from protocol.anatomy import ByteSpan, ResponseAnatomy

from .answer import Answer
from .borders import Borders

__all__ = ["Decompressor", "Layers"]

FRAMING_SIZE = 16  # bytes of chunked coding that may follow an event (any event is larger)
LATE = 20.0  # milliseconds: parts of one write arrive closer together than this
ACK_DELAY = range(36, 50)  # milliseconds: Linux delays an acknowledgment by 40 (TCP_DELACK_MIN)

# With 47, the first bytes decide whether it is gzip (RFC 1952) or zlib (RFC 1950, "deflate" in
# HTTP).
GZIP_OR_ZLIB = 47
# Labels of bytes that are not part of a body, and of those that say nothing about an event.
FRAMING = frozenset(["head", "chunk-size", "chunk-ext", "CRLF", "last-chunk", "trailer"])
SEPARATORS = frozenset([":", "space"])

PIECE_SIZE = 256 << 10


class Layers:
    """Takes bytes with their times, and keeps what was found in their chunks, events and tokens.

    Args:
        anatomy: The anatomy that labels the bytes.
        history: Largest number of chunk sizes kept.

    Attributes:
        answer: The content of the events.
        borders: The findings at the borders of chunks.
        coded: Compressed bytes that the caller has not taken yet.
        torn: Number of events of which a part arrived late.
        with_next: Number of torn events that ended in a read with a part of the next event.
        split_by_chunks: Number of torn events that arrived in more than one chunk.
        ack_delays: Number of torn events whose second part came late, by about the delay of a
            delayed TCP acknowledgment.
        after_end: Number of bytes after the end of the body.
    """

    def __init__(self, anatomy: ResponseAnatomy, history: int) -> None:
        self.anatomy = anatomy
        self.answer = Answer()
        self.borders = Borders(history)
        self.coded = b""
        self.torn = self.with_next = self.split_by_chunks = self.ack_delays = 0
        self.after_end = 0
        self._bytes = bytearray()  # the bytes from the first one without a label
        self._start = self._end = 0  # offsets of the first of these bytes, and after the last
        self._reads: list[int] = []  # offset of each read with such bytes
        self._times: list[float] = []  # time of each such read
        # For the event that is arriving: its number, its first chunk, and the time when it began.
        self._event = self._chunk = 0
        self._began = 0.0

    def receive_data(self, now: float, data: bytes) -> list[ByteSpan]:
        """Take the bytes of one read, which arrived at this time. Returns the new spans."""
        self._reads.append(self._end)
        self._times.append(now)
        self._bytes += data
        self._end += len(data)
        spans = self.anatomy.receive_data(data)
        for span in spans:
            self._take(span, now)
        if self.anatomy.complete:
            self.borders.end_chunk()
        self._forget()
        return spans

    def receive_end(self) -> list[ByteSpan]:
        """Report that no more bytes will arrive. Returns the last spans."""
        spans = self.anatomy.receive_eof()
        self.borders.end_chunk()
        return spans

    def _take(self, span: ByteSpan, now: float) -> None:
        label = span.label
        if label in FRAMING:
            return
        start, end = span.start - self._start, span.end - self._start
        if label == "after-end":
            self.after_end += end - start
            return
        if span.event and span.event != self._event:
            self._event, self._chunk = span.event, span.chunk
            self._began = self._time_of(span.start)
        ends_event = False
        if label == "coded":
            self.coded += self._bytes[start:end]
        elif label not in SEPARATORS:
            ends_event = self.answer.take(label, bytes(self._bytes[start:end]))
        if ends_event:
            self._end_event(span, now)
        self.borders.take(span, self._bytes[start], ends_event)

    def _end_event(self, span: ByteSpan, now: float) -> None:
        wait = now - self._began
        if wait >= LATE:
            self.torn += 1
            self.with_next += self._end - span.end > FRAMING_SIZE
            self.split_by_chunks += span.chunk != self._chunk
            self.ack_delays += int(wait) in ACK_DELAY

    def _time_of(self, offset: int) -> float:
        return self._times[bisect_right(self._reads, offset) - 1]

    def _forget(self) -> None:
        """Forget the bytes that have a label, and the times of their reads."""
        labelled = self.anatomy.labelled
        del self._bytes[: labelled - self._start]
        self._start = labelled
        past = max(0, bisect_right(self._reads, labelled) - 1)
        if past:
            del self._reads[:past]
            del self._times[:past]


class Decompressor:
    """Decompresses the bytes of a gzip or deflate body that have arrived so far.

    Attributes:
        flushes: Number of sync flushes seen: a sender makes one to make its text readable at once.
        error: The reason why the rest cannot be read, or "".
    """

    FLUSH = b"\x00\x00\xff\xff"  # an empty uncompressed block (RFC 1951 §3.2.4)

    def __init__(self) -> None:
        self.flushes = 0
        self.error = ""
        self._zlib = zlib.decompressobj(GZIP_OR_ZLIB)

    def receive_data(self, data: bytes) -> list[bytes]:
        """Decompress. Yields blocks of limited size, because a few compressed bytes may become
        megabytes."""
        pieces: list[bytes] = []
        self.flushes += data.count(self.FLUSH)
        try:
            while data and not self.error and not self._zlib.eof:
                pieces.append(self._zlib.decompress(data, PIECE_SIZE))
                data = self._zlib.unconsumed_tail
        except zlib.error as error:
            self.error = str(error)
        return [piece for piece in pieces if piece]


# What this file does not do: measure time itself, or judge (verdicts.py).
