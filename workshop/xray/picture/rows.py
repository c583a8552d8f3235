"""Turns reads and labelled bytes into rows: where each layer begins, continues, and ends.

    read 3   offset 154  "39\\r\\n"                      chunk 2 begins
             offset 158  b'data: {"…":"'               in chunk 2, event 2 begins
             offset 197  b"\\xe4\\xbd"                   in chunk 2 and event 2, token 1 begins
    read 4                                             cuts chunk 2, event 2, token 1 and 你
             offset 199  b"\\xa0"                       in chunk 2 and event 2, token 1 ends
             offset 200  b'"}\\n\\n'                     in chunk 2, event 2 ends
             offset 204  b"\\r\\n"                       chunk 2 ends

The rules this file keeps:

1. All bytes appear once, in order. `ResponseAnatomy` labels a line of an event stream only when the
   line has ended, so the bytes of an unfinished line wait here.
2. If more than `max_held` bytes wait for their labels, the oldest are passed on without a label.
3. Memory does not grow, however long the stream is.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocol.anatomy import ByteSpan
from protocol.recording import End

from ..report import Counts
from .picture import NOWHERE, Border, Item, Mark, Misfits, Place, Row, Skipped
from .torn import TornCharacters

__all__ = ["Rows", "with_spans"]

MAX_HELD = 64 << 10
"""Largest number of bytes that wait for their labels. A line of JSON with an image in it may be
longer."""

# The labels of protocol.anatomy, by layer.
STYLES = {
    "head": "head",
    **dict.fromkeys(["chunk-size", "chunk-ext", "CRLF", "last-chunk", "trailer"], "chunk"),
    **dict.fromkeys(["BOM", "field-name", ":", "space", "field-value"], "event"),
    **dict.fromkeys(["end-of-line", "blank-line"], "event"),
    "comment": "comment",
    "json": "json",
    "token": "token",
    "data": "data",
    "coded": "coded",
    **dict.fromkeys(["after-end", "unfinished", "unreadable"], "bad"),
}
FRAMING = {"head", "chunk-size", "chunk-ext", "CRLF", "last-chunk", "trailer"}
HEAD = "the head"
BY_LINES = {"head", "data", "comment", "bad", None}  # styles whose rows have only one line each
SIZE_LINE = {"chunk-size", "chunk-ext", "last-chunk", "trailer", "CRLF"}


Piece = tuple[ByteSpan, bytes]


class _Read(NamedTuple):
    number: int
    at: float
    gap: float | None
    start: int
    size: int


class Rows:
    """Collects reads and spans, and returns the rows that are ready.

    Args:
        max_held: Largest number of bytes that wait for their labels.

    Attributes:
        counts: Number of reads, chunks, events and tokens so far, skipped reads included.
        size: Size of the response so far, in bytes.
        misfits: Number of borders that did not line up, among the reads that were shown.
        was_skipped: Whether reads were skipped. `misfits` does not count the borders of skipped
            reads.
    """

    def __init__(self, max_held: int = MAX_HELD) -> None:
        self.counts = Counts(0, 0, 0, 0)
        self.size = 0
        self.misfits = Misfits()
        self.was_skipped = False
        self._max_held = max_held
        self._held = bytearray()  # the bytes from `_shown` on
        self._shown = 0  # offset of the first byte that has not been returned
        self._reads: deque[_Read] = deque()  # the reads that begin at `_shown` or later
        self._spans: deque[ByteSpan] = deque()  # spans in order; the first one ends after `_shown`
        self._last_at: float | None = None
        # The chunk, event and token that are unfinished at `_shown`: the number of each, or 0.
        self._chunk = self._event = self._token = 0
        self._ended_event = 0
        self._in_size_line = False
        self._torn = TornCharacters(self._following)

    @property
    def held_size(self) -> int:
        """The number of bytes that wait for their labels."""
        return len(self._held)

    def held(self, size: int) -> bytes:
        """Return the last bytes that wait for their labels."""
        return bytes(self._held[-size:])

    def receive(self, at: float, data: bytes, spans: Sequence[ByteSpan]) -> list[Item]:
        """Take one read, and the spans that it completed. Returns the items that can be shown
        now."""
        if data:
            gap = None if self._last_at is None else at - self._last_at
            number = self.counts.reads + 1
            self._reads.append(_Read(number, at, gap, self.size, len(data)))
            self._last_at = at
            self._held += data
            self.size += len(data)
            self.counts = with_spans(self.counts, 1, spans)
        self._label(spans)
        items = list(self._take())
        if len(self._held) > self._max_held:
            items += self._take(unlabelled=len(self._held) - self._max_held // 2)
        return items

    def skip(self, at: float, reads: int, size: int, counts: Counts) -> list[Item]:
        """Leave out reads. Bytes that still wait for their labels are returned without one.

        Args:
            at: Time of the last skipped read, in milliseconds.
            reads, size: Number of the skipped reads, and of their bytes.
            counts: The highest numbers of chunk, event and token in the skipped reads.
        """
        items = list(self._take(unlabelled=len(self._held)))
        before = self.counts
        self.counts = Counts(
            before.reads + reads,
            max(before.chunks, counts.chunks),
            max(before.events, counts.events),
            max(before.tokens, counts.tokens),
        )
        self.was_skipped = True
        self.size += size
        self._shown, self._last_at = self.size, at
        self._spans.clear()
        self._chunk = self._event = self._token = 0
        self._in_size_line = False
        self._torn.forget()
        return [*items, Skipped(reads, size)]

    def end(self, at: float, end: End, spans: Sequence[ByteSpan]) -> list[Item]:
        """Return all items that wait, and the end of the response."""
        self.counts = with_spans(self.counts, 0, spans)
        self._label(spans)
        items = [*self._take(), *self._take(unlabelled=len(self._held))]
        gap = None if self._last_at is None else at - self._last_at
        read = _Read(0, at, gap, self.size, 0)
        return [*items, self._border(read, end)]

    # ---- Labels

    def _label(self, spans: Sequence[ByteSpan]) -> None:
        """Insert new spans in order, because the chunked coding is labelled earlier than the lines
        that it cuts."""
        in_order = True
        for span in spans:
            if span.end > self._shown:
                in_order = in_order and not (self._spans and span.start < self._spans[-1].start)
                self._spans.append(span)
        if not in_order:
            self._spans = deque(sorted(self._spans, key=lambda span: span.start))

    def _take(self, unlabelled: int = 0) -> Iterator[Item]:
        """Return labelled bytes from the front.

        Args:
            unlabelled: Number of bytes at the front that are returned even without a label.
        """
        until = self._shown + unlabelled
        row: list[Piece] = []
        while True:
            if self._reads and self._reads[0].start == self._shown:
                yield from self._row(row)
                row = []
                yield self._border(self._reads.popleft(), "")
            span = self._next_span(until)
            if span is None:
                break
            if row and _is_apart(*row[-1], span):
                yield from self._row(row)
                row = []
            size = span.end - span.start
            row.append((span, bytes(self._held[:size])))
            del self._held[:size]
            self._shown = span.end
        yield from self._row(row)

    def _next_span(self, until: int) -> ByteSpan | None:
        """Return the next bytes that have the same label and arrived in the same read. A head or a
        text is cut at each LF."""
        while self._spans and self._spans[0].end <= self._shown:
            self._spans.popleft()
        end = self._reads[0].start if self._reads else self.size
        if self._spans and self._spans[0].start <= self._shown:
            span = self._spans[0]
            end = min(end, span.end)
        elif self._shown < until:
            span = ByteSpan("", self._shown, until)
            end = min(end, until, self._spans[0].start if self._spans else end)
        else:
            return None
        if STYLES.get(span.label) in BY_LINES:
            line = self._held.find(b"\n", 0, end - self._shown)
            end = self._shown + line + 1 if line >= 0 else end
        if span.start == self._shown and span.end == end:
            return span
        return span._replace(start=self._shown, end=end)

    def _following(self, size: int) -> bytes:
        """Return the next bytes of the body that have already arrived, without the chunked
        coding."""
        data, offset = b"", self._shown
        for span in self._spans:
            start = max(span.start, offset)
            if span.end <= offset:
                continue
            if start > offset or len(data) >= size:
                break
            if span.label not in FRAMING:
                data += self._held[start - self._shown : span.end - self._shown]
            offset = span.end
        if offset == self._shown:  # nothing has a label yet
            data = bytes(self._held[:size])
        return data[:size]

    # ---- Rows

    def _row(self, pieces: list[Piece]) -> Iterator[Row]:
        if not pieces:
            return
        first, last = pieces[0][0], pieces[-1][0]
        data = b"".join(data for _, data in pieces)
        chunk = self._chunk_mark(first, last, data)
        event = self._event_mark(first.event, ends=last.label == "blank-line")
        token = self._token_mark(first.token)
        torn = "" if first.label in FRAMING else self._torn.row(data)
        self.misfits.characters = self._torn.count
        parts: list[tuple[str, bytes]] = []
        for span, piece in pieces:
            style = STYLES.get(span.label, "unlabelled")
            if parts and parts[-1][0] == style:
                piece = parts.pop()[1] + piece
            parts.append((style, piece))
        if first.label == "CRLF" and chunk.place in (Place.ENDS, Place.WHOLE) and self._event:
            self.misfits.chunks += 1
            note = f"✂ chunk {chunk.number} ends inside event {self._event}"
        else:
            note = torn or _note(last.label, data, chunk, event, token)
        yield Row(first.start, parts, chunk, event, token, note)

    def _chunk_mark(self, first: ByteSpan, last: ByteSpan, data: bytes) -> Mark:
        ends = False
        if first.label == "chunk-size":
            self._in_size_line = True
        if last.label == "CRLF" and data.endswith(b"\n"):
            ends = not self._in_size_line
            self._in_size_line = False
        mark = _mark(self._chunk, first.chunk, ends)
        self._chunk = _still_open(self._chunk, first.chunk, ends)
        return mark

    def _event_mark(self, number: int, ends: bool) -> Mark:
        if number and number == self._ended_event:
            return Mark(Place.ENDS, number)  # the LF of a blank line whose CR has ended the event
        mark = _mark(self._event, number, ends)
        self._event = _still_open(self._event, number, ends)
        if ends:
            self._ended_event = number
        return mark

    def _token_mark(self, number: int) -> Mark:
        goes_on = False
        for span in self._spans:
            if span.end > self._shown and span.label not in FRAMING:
                goes_on = span.token == number
                break
        mark = _mark(self._token, number, not goes_on)
        self._token = _still_open(self._token, number, not goes_on)
        return mark

    # ---- Borders

    def _border(self, read: _Read, end: End) -> Border:
        torn = self._torn.cut
        if self._spans and self._spans[0].label == "head" and self._spans[0].start < self._shown:
            torn = HEAD
        if read.number and (self._chunk or self._event or torn == HEAD):
            self.misfits.reads += 1
        cut = (self._chunk, self._event, self._token)
        return Border(read.at, read.gap, read.start, read.size, read.number, end, *cut, torn)


def with_spans(counts: Counts, reads: int, spans: Sequence[ByteSpan]) -> Counts:
    """Add to the number of reads, and update the highest numbers of chunk, event and token."""
    chunks, events, tokens = counts.chunks, counts.events, counts.tokens
    for span in spans:
        chunks = max(chunks, span.chunk)
        tokens = max(tokens, span.token)
        if span.label == "blank-line":  # an event counts when it has ended
            events = max(events, span.event)
    return Counts(counts.reads + reads, chunks, events, tokens)


def _is_apart(span: ByteSpan, data: bytes, following: ByteSpan) -> bool:
    """Whether a row ends between these two neighbouring spans."""
    label, following_label = span.label, following.label
    if span[3:] != following[3:]:  # the numbers of the chunk, the event and the token
        return True
    if following_label == "blank-line":
        return label not in ("end-of-line", "blank-line")
    if label in ("end-of-line", "blank-line"):
        return label != following_label
    if following_label == "end-of-line":
        return False
    if following_label == "CRLF":
        return label not in SIZE_LINE
    if label == "CRLF":
        return True
    style, following_style = STYLES.get(label), STYLES.get(following_label)
    if style == following_style:
        return style in BY_LINES and data.endswith(b"\n")
    return style in BY_LINES or following_style in BY_LINES


def _mark(opened: int, number: int, ends: bool) -> Mark:
    if not number:
        return Mark(Place.AROUND, opened) if opened else NOWHERE
    if number != opened:
        return Mark(Place.WHOLE if ends else Place.BEGINS, number)
    return Mark(Place.ENDS if ends else Place.INSIDE, number)


def _still_open(opened: int, number: int, ends: bool) -> int:
    if not number:
        return opened
    return 0 if ends else number


def _note(label: str, data: bytes, chunk: Mark, event: Mark, token: Mark) -> str:
    """Return a note for learners about something that the bytes alone do not show."""
    match label:
        case "CRLF" if chunk.place is Place.BEGINS:
            size = data.partition(b";")[0].strip().decode()
            number = int(size, 16)
            return f"{size} in hex: {number} {'byte follows' if number == 1 else 'bytes follow'}"
        case "CRLF" if chunk.place is Place.ENDS:
            return f"chunk {chunk.number} ends"
        case "CRLF" if data[:1] == b"0":
            return "size 0: the body ends"
        case "blank-line" if event.number:
            return f"blank line: event {event.number} ends"
        case "comment" | "end-of-line" | "blank-line" if data[:1] == b":":
            return "a comment: no event"
        case "token" if not data.isascii() and token.place is Place.WHOLE and len(data) <= 4:
            return data.hex(" ")
        case "head" if data == b"\r\n":
            return "empty line: the head ends"
        case "BOM":
            return "byte order mark"
        case "":
            return "no label: the line had not ended"
        case "after-end":
            return "after the end of the body"
        case "unfinished" | "unreadable":
            return label
    return ""


# What this file does not do: measure (workshop/xray/meter/measure.py), or explain borders that do
# not line up (workshop/xray/judge/verdicts.py).
