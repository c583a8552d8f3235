"""What each byte of a streamed response is: all of them named, each once.

    HTTP/1.1 200 OK\\r\\n …            head
    19\\r\\n                           chunk-size, CRLF
    data: {"text":"你好"}\\n           field-name, ":", space, json, token, json, end-of-line
    \\n                               blank-line: it dispatches event 1
    \\r\\n                             CRLF: chunk 1 ends
    0\\r\\n\\r\\n                       last-chunk, CRLF, CRLF

Four layers lie on the same bytes, and their borders need not meet: a chunk may hold half an event,
a read two chunks, and a token may be torn between them. A `Span` says of some bytes what they are
and to which chunk, event and token they belong.

The rules this file keeps:

1. No grammar is read a second time: `HeadReader`, `ChunkedDecoder` and `EventStreamParser` read,
   and tell their observers what they have read.
2. Each byte is named once, as soon as it is known what it is: a line of an event stream when it
   has ended. So a span may name bytes that came with an earlier call.
3. Bytes that break the grammar are not an error here, but "unreadable", with the reason beside.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from .chunked import ChunkedDecoder
from .errors import DecodeError
from .head import Head, HeadReader
from .http1 import BodyDecoder, Coding, body_decoder, response_framing
from .sse import EventStreamParser

__all__ = ["ResponseAnatomy", "Span", "text_spans"]

LF = b"\n"
CR = b"\r"

# "Otherwise: The field is ignored." (WHATWG HTML §9.2.6): a line with another name is in no event.
FIELDS = frozenset([b"data", b"event", b"id", b"retry"])

# Where an API puts a piece of text: the name of the JSON field, and a string that is not empty.
# Inside a string a quote is escaped, so text that looks like such a field is not taken for one.
STRING = rb'": ?"((?:[^"\\]++|\\.)++)"'
TEXT = re.compile(rb'"(?:content|reasoning_content|reasoning|text|arguments)' + STRING, re.DOTALL)

# The Responses API says everything again when it is complete: there, only deltas bring new text.
RESPONSES = re.compile(rb'\{"type": ?"response\.')
DELTA = re.compile(rb'"delta' + STRING, re.DOTALL)


class Span(NamedTuple):
    """Some neighbouring bytes of one kind.

    Args:
        label: "head"; of the chunked coding "chunk-size", "chunk-ext", "CRLF", "last-chunk" and
            "trailer"; of an event stream "BOM", "comment", "field-name", ":", "space",
            "field-value", "end-of-line", "blank-line"; of an event's data "json" and "token", the
            text inside it; "json" for a body of that type, "data" for one of another;
            "after-end" for what follows the end of the body; "unfinished", "unreadable".
        start, end: offsets from the response's first byte.
        chunk: its number, from 1; 0 outside of all chunks with data.
        event: the number of the block of lines that dispatches an event, from 1; 0 outside.
        token: its number, from 1; 0 for all that is not text.
    """

    label: str
    start: int
    end: int
    chunk: int = 0
    event: int = 0
    token: int = 0


class ResponseAnatomy:
    """Bytes of one response in, their names out.

    Args:
        method: of the request: the response to HEAD has no body.
        max_line_size: the longest line of an event stream, in bytes. A longer one is unreadable.

    Attributes:
        error: why the rest is unreadable or unfinished, or "".
        chunks, events, tokens: how many there have been. An event that brings text is a token.
        body_size: bytes of the body, without its framing.
        text_size: bytes of all tokens, or of a body that is neither events nor JSON.
    """

    def __init__(self, method: str = "GET", *, max_line_size: int = 8 << 20) -> None:
        self.error = ""
        self.chunks = self.events = self.tokens = 0
        self.body_size = self.text_size = 0
        self._method = method
        self._max_line_size = max_line_size
        self._spans: list[Span] = []  # what this call has named
        self._bytes = bytearray()  # from the first byte without a name on
        self._start = 0  # the offset of that byte
        self._end = 0  # of all that has come
        self._framed = 0  # up to here HTTP is read: what lies before is named, or in `_lines`
        self._reader: HeadReader | None = HeadReader(is_request=False)
        self._decoder: BodyDecoder | None = None
        self._origin = 0  # where the body begins
        self._chunk = 0  # the number of the chunk under way
        self._label = "data"  # of a body that is no event stream
        # The event stream, if it is one.
        self._parser: EventStreamParser | None = None
        self._lines: deque[tuple[int, int, int]] = deque()  # its bytes without a name, by chunk
        self._field = b""  # the name of the line's field
        self._line_is_empty = True
        self._line_end = ("", 0)  # label and event of the CR that a LF may still follow
        self._block = 0
        self._in_block = False
        self._token = 0  # the number of this event's token, once it has one

    def receive_data(self, data: bytes) -> list[Span]:
        """Take bytes as they arrive, cut anywhere. Never raises for what they are.

        Returns:
            What is known now, in the order of the offsets.
        """
        self._spans = []
        self._bytes += data
        self._end += len(data)
        if self._reader is not None:
            self._read_head(self._reader, data)
        elif self._decoder is not None:
            self._read_body(self._decoder, data)
        else:
            self._name("unreadable", self._framed, self._end)
            self._framed = self._end
        first = self._lines[0][0] if self._lines else self._framed
        del self._bytes[: first - self._start]
        self._start = first
        return sorted(self._spans, key=lambda span: span.start)

    def receive_eof(self) -> list[Span]:
        """Say that no more will come. Returns names for all that had none."""
        self._spans = []
        try:
            if self._reader is not None:
                self._reader.receive_eof()
            elif self._decoder is not None:
                self._decoder.receive_eof()
        except DecodeError as error:
            self.error = self.error or error.reason
        self._give_up("unfinished")
        return sorted(self._spans, key=lambda span: span.start)

    # ---- HTTP

    def _read_head(self, reader: HeadReader, data: bytes) -> None:
        try:
            head = reader.receive_data(data)
            while head is not None and head.start_line[9:10] == b"1":
                # `103 Early Hints`: the reply's own head follows (RFC 9110 §15.2).
                rest = self._end_head(reader)
                self._reader = reader = HeadReader(is_request=False)
                head = reader.receive_data(rest)
            if head is None:
                return
            rest = self._end_head(reader)
            self._reader = None
            framing = response_framing(head, self._method)
        except DecodeError as error:
            self._fail(error)
            return
        chunked = framing.coding is Coding.CHUNKED
        self._decoder = ChunkedDecoder(observer=self._hear) if chunked else body_decoder(framing)
        self._expect_body(head)
        self._read_body(self._decoder, rest)

    def _end_head(self, reader: HeadReader) -> bytes:
        """Name a head that is whole. Returns what is behind it."""
        rest = reader.trailing_data
        self._name("head", self._framed, self._end - len(rest))
        self._framed = self._origin = self._end - len(rest)
        return rest

    def _expect_body(self, head: Head) -> None:
        # "The type and subtype tokens are case-insensitive." (RFC 9110 §8.3.1)
        types = [value.lower() for value in head.values(b"content-type")]
        if any(value.startswith(b"application/json") for value in types):
            self._label = "json"  # an error, or a whole answer: nothing of it is a token
        if any(value.startswith(b"text/event-stream") for value in types):
            self._parser = EventStreamParser(
                max_line_size=self._max_line_size, observer=self._hear_line
            )

    def _read_body(self, decoder: BodyDecoder, data: bytes) -> None:
        if not decoder.complete:
            try:
                pieces = decoder.receive_data(data)
            except DecodeError as error:
                self._fail(error)
                return
            if not isinstance(decoder, ChunkedDecoder):  # which tells its observer
                for piece in pieces:
                    self._take_body(self._framed, self._framed + len(piece))
        if decoder.complete:
            self._name("after-end", self._framed, self._end)
            self._framed = self._end

    def _hear(self, label: str, start: int, end: int) -> None:
        """The observer of the chunked coding."""
        start, end = self._origin + start, self._origin + end
        if label == "chunk-data":
            self._take_body(start, end)
            return
        if label == "chunk-size":
            if self._slice(start, end).strip(b"0"):
                self.chunks += 1
                self._chunk = self.chunks
            else:
                # last-chunk = 1*("0") [ chunk-ext ] CRLF (RFC 9112 §7.1)
                self._chunk, label = 0, "last-chunk"
        elif label.startswith("field-"):
            label = "trailer"
        self._name(label, start, end, self._chunk)
        self._framed = end

    def _fail(self, error: DecodeError) -> None:
        self.error = error.reason
        self._give_up("unreadable")
        self._reader = self._decoder = None

    def _give_up(self, label: str) -> None:
        """Name what will not be understood any more."""
        self._name_lines("unfinished", sum(end - start for start, end, _ in self._lines))
        self._name(label, self._framed, self._end)
        self._framed = self._end

    # ---- The event stream

    def _take_body(self, start: int, end: int) -> None:
        self._framed = end
        self.body_size += end - start
        if self._parser is None:
            self._name(self._label, start, end, self._chunk)
            self.text_size += end - start if self._label == "data" else 0
            return
        self._lines.append((start, end, self._chunk))
        try:
            self.events += len(self._parser.receive_data(self._slice(start, end)))
        except DecodeError as error:  # a line or an event over its limit
            self.error = error.reason
            self.events += len(error.decoded)
            self._parser, self._label = None, "unreadable"
            self._name_lines("unreadable", sum(end - start for start, end, _ in self._lines))

    def _hear_line(self, label: str, start: int, end: int) -> None:
        """The observer of the event stream: it names every byte of it, in order."""
        size = end - start
        if label == "end-of-line":
            self._hear_line_end(size)
            return
        self._line_is_empty = label == "BOM" and self._line_is_empty
        self._line_end = ("", 0)
        if label == "field-name":
            self._field = self._peek(size)
            if self._field in FIELDS and not self._in_block:
                self._in_block = True
                self._block += 1
                self._token = 0
        event = self._block if self._in_block else 0
        if label == "field-value" and self._field == b"data":
            self._name_data(self._peek(size), event)
        else:
            self._name_lines(label, size, event)

    def _name_data(self, value: bytes, event: int) -> None:
        """Tell the text in an event's data from its envelope."""
        envelope = "json" if value.startswith(b"{") else "field-value"
        place = 0
        for start, end in text_spans(value):
            if not self._token:
                self.tokens += 1
                self._token = self.tokens
            self.text_size += end - start
            self._name_lines(envelope, start - place, event)
            self._name_lines("token", end - start, event, self._token)
            place = end
        self._name_lines(envelope, len(value) - place, event)

    def _hear_line_end(self, size: int) -> None:
        """CR and LF come one by one. A LF after a CR ends no line of its own."""
        byte = self._peek(1)
        label, event = self._line_end
        if byte != LF or not label:
            label = "blank-line" if self._line_is_empty else "end-of-line"
            event = self._block if self._in_block else 0
            if self._line_is_empty:
                self._in_block = False
            self._line_is_empty = True
        self._line_end = (label, event) if byte == CR else ("", 0)
        self._name_lines(label, size, event)

    # ---- Names

    def _name(
        self, label: str, start: int, end: int, chunk: int = 0, event: int = 0, token: int = 0
    ) -> None:
        if start < end:
            self._spans.append(Span(label, start, end, chunk, event, token))

    def _name_lines(self, label: str, size: int, event: int = 0, token: int = 0) -> None:
        """Name the next bytes of the event stream: a span in each chunk they lie in."""
        while size:
            start, end, chunk = self._lines.popleft()
            if end - start > size:
                self._lines.appendleft((start + size, end, chunk))
                end = start + size
            size -= end - start
            self._name(label, start, end, chunk, event, token)

    def _slice(self, start: int, end: int) -> bytes:
        return bytes(self._bytes[start - self._start : end - self._start])

    def _peek(self, size: int) -> bytes:
        """The next bytes of the event stream that have no name."""
        pieces = []
        for start, end, _ in self._lines:
            if not size:
                break
            pieces.append(self._slice(start, min(end, start + size)))
            size -= len(pieces[-1])
        return b"".join(pieces)


def text_spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the model's own text stands in an event's data, as it is written in JSON.

    Args:
        data: of `POST /v1/chat/completions`, of `POST /v1/responses`, or {"text":"…"}.

    Returns:
        (start, end) of each string's content, without its quotes; none is empty.
    """
    pattern = DELTA if RESPONSES.match(data) else TEXT
    return (match.span(1) for match in pattern.finditer(data))


# What this file does not do: undo JSON's escapes, or know when the bytes came
# (servers/http/recordings.py).
