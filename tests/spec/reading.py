"""The event stream of an answer, line by line, for cases that judge more than its events.

    data: {"id":1}       block 1, its field: name "data", value '{"id":1}'
    : a comment          block 1, a comment
                         the blank line ends block 1, and dispatches its event
    data: [DONE]         block 2, which has no blank line: no event, `unfinished`

The rules this file keeps:

1. `EventStreamParser` reads the lines; this file only collects what it reports.
2. Every answer is read whole, a byte at a time, and torn inside each of its characters. All three
   must give the same events: what a case says about a server does not depend on the reads.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from weakref import WeakKeyDictionary

from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError
from protocol.sse import EventStreamParser, ServerSentEvent

from .answer import Answer

__all__ = ["Block", "Line", "Reading", "pieces_torn", "read"]

MAX_BYTEWISE = 256 << 10  # bytes of a body that is also read byte by byte
CONTINUATION = range(0x80, 0xC0)  # the bytes of a character after its first (RFC 3629 §3)


class Line(NamedTuple):
    """A line of an event stream.

    Args:
        at: Offset of its first byte in the body.
        name: The name of the field; "" for a comment.
        value: The value of the field, or the comment with its colon.
    """

    at: int
    name: str
    value: str


class Block(NamedTuple):
    """Lines up to a blank line.

    Args:
        at: Offset of the first byte in the body.
        lines: Its lines.
        event: The event that it dispatched; None without one.
    """

    at: int
    lines: tuple[Line, ...]
    event: ServerSentEvent | None

    def values(self, name: str) -> list[str]:
        """The values of the fields of this name."""
        return [line.value for line in self.lines if line.name == name]


class Reading:
    """The event stream of an answer.

    Args:
        answer: The answer.

    Attributes:
        body: The bytes of the body.
        blocks: Its blocks, in order.
        unfinished: The lines after the last blank line.
        bom: Whether it begins with a byte order mark.
        line_ends: The line ends that occur: b"\\n", b"\\r" or b"\\r\\n".
    """

    def __init__(self, answer: Answer) -> None:
        self.body = answer.body
        # The answer itself is not kept: it keeps the reading (`read`).
        self._raw = bytes(answer.raw)
        self._heads = len(answer.interim) + 1
        self._chunked = answer.chunked
        self.blocks: list[Block] = []
        self.bom = False
        self.line_ends: set[bytes] = set()
        self._lines: list[Line] = []
        self._at = 0  # offset of the current line
        self._name = self._value = ""
        self._empty = True
        parser = EventStreamParser(observer=self._observe)
        for start, end in self._line_borders():
            self._take(parser, self.body[start:end])
        self.unfinished = tuple(self._lines)
        if rest := self.body[self._at :]:
            self.unfinished += (Line(self._at, "", rest.decode("utf-8", "replace")),)

    @property
    def events(self) -> list[ServerSentEvent]:
        return [block.event for block in self.blocks if block.event is not None]

    @property
    def lines(self) -> Iterator[Line]:
        """All complete lines."""
        for block in self.blocks:
            yield from block.lines
        yield from (line for line in self.unfinished if line.name or line.value)

    def raw(self, at: int) -> int:
        """Return the offset in the answer's `raw` of a byte of the body."""
        head = 0
        for _ in range(self._heads):
            head = self._raw.find(b"\r\n\r\n", head) + 4
        if not self._chunked:
            return head + at
        found, passed = head, 0

        def observe(label: str, start: int, end: int) -> None:
            nonlocal found, passed
            if label == "chunk-data":
                if passed <= at < passed + end - start:
                    found = head + start + at - passed
                passed += end - start

        try:
            ChunkedDecoder(observer=observe).receive_data(self._raw[head:])
        except DecodeError:
            pass
        return found

    # ---- What the parser reports

    def _line_borders(self) -> Iterator[tuple[int, int]]:
        """Cut the body after each line end, so that a line's event comes before the next line."""
        start = 0
        for match in re.finditer(rb"[\r\n]", self.body):
            yield start, match.end()
            start = match.end()

    def _take(self, parser: EventStreamParser, data: bytes) -> None:
        try:
            events = parser.receive_data(data)
        except DecodeError:
            return
        if events:
            block = self.blocks[-1]
            self.blocks[-1] = block._replace(event=events[0])

    def _observe(self, label: str, start: int, end: int) -> None:
        text = self.body[start:end].decode("utf-8", "replace")
        if label == "BOM":
            self.bom, self._at = True, end
        elif label == "comment":
            self._value, self._empty = text, False
        elif label == "field-name":
            self._name, self._empty = text, False
        elif label == "field-value":
            self._value = text
        elif label == "end-of-line":
            self._end_line(start, end, text)

    def _end_line(self, start: int, end: int, text: str) -> None:
        if text == "\n" and self.body[start - 1 : start] == b"\r":
            self.line_ends.add(b"\r\n")  # the second half of a line end
            self._at = end
            return
        if not (text == "\r" and self.body[end : end + 1] == b"\n"):
            self.line_ends.add(text.encode())
        if not self._empty:
            self._lines.append(Line(self._at, self._name, self._value))
        elif self._lines:
            self.blocks.append(Block(self._lines[0].at, tuple(self._lines), None))
            self._lines = []
        self._name = self._value = ""
        self._empty = True
        self._at = end


READINGS: WeakKeyDictionary[Answer, Reading] = WeakKeyDictionary()


def read(answer: Answer) -> Reading:
    """Read an event stream whole, a byte at a time, and torn inside its characters."""
    if reading := READINGS.get(answer):
        return reading
    reading = READINGS[answer] = Reading(answer)
    assert events_each_way(reading.body) == reading.events
    return reading


@lru_cache(maxsize=64)  # many answers have the same body
def events_each_way(body: bytes) -> list[ServerSentEvent]:
    """The events of a body, which are the same whole, torn and a byte at a time."""
    whole = events_of([body])
    assert events_of(pieces_torn(body)) == whole
    if len(body) <= MAX_BYTEWISE:
        assert events_of([bytes([byte]) for byte in body]) == whole
    return whole


def events_of(pieces: list[bytes]) -> list[ServerSentEvent]:
    """The events of a body that comes in these pieces."""
    parser = EventStreamParser()
    return [event for piece in pieces for event in parser.receive_data(piece)]


def pieces_torn(body: bytes) -> list[bytes]:
    """Cut after the first byte of each character that has several."""
    pieces, start = [], 0
    for offset in range(1, len(body)):
        if body[offset] in CONTINUATION and body[offset - 1] not in CONTINUATION:
            pieces.append(body[start:offset])
            start = offset
    return [*pieces, body[start:]]


# What this file does not do: know what the data of an event means (openai_reading.py).
