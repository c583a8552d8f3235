"""A label for each byte of a streamed response.

    HTTP/1.1 200 OK\\r\\n …            head
    19\\r\\n                           chunk-size, CRLF
    data: {"text":"你好"}\\n           field-name, ":", space, json, token, json, end-of-line
    \\n                               blank-line: it dispatches event 1
    \\r\\n                             CRLF: chunk 1 ends
    0\\r\\n\\r\\n                       last-chunk, CRLF, CRLF

Four layers share the same bytes (reads, chunks, events, tokens), and their borders are independent
of each other: a chunk may hold half an event, a read may hold two chunks, and a token may be split
between two chunks. A `ByteSpan` labels some bytes, and says to which chunk, event and token they
belong.

The rules this file keeps:

1. No grammar is implemented twice: `HeadReader`, `ChunkedDecoder` and `EventStreamParser` parse,
   and report to their observers what they have parsed.
2. Each byte is labelled once, as early as possible. A line of an event stream is labelled when it
   has ended, so a span may label bytes that arrived with an earlier call.
3. Bytes that break the grammar do not raise an exception here. Their label is "unreadable", and
   `error` holds the reason.
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

__all__ = ["ByteSpan", "ResponseAnatomy", "text_spans"]

LF = b"\n"
CR = b"\r"

# "Otherwise: The field is ignored." (WHATWG HTML §9.2.6): no other line is part of an event.
FIELDS = frozenset([b"data", b"event", b"id", b"retry"])

# The JSON fields in which an API sends the text of its model, each with a string that is not empty.
# Inside a JSON string each quote is escaped, so text that looks like such a field does not match.
STRING = rb'": ?"((?:[^"\\]++|\\.)++)"'
TEXT = re.compile(rb'"(?:content|reasoning_content|reasoning|text|arguments)' + STRING, re.DOTALL)

# The Responses API repeats all text in its final events: only its deltas bring new text.
RESPONSES = re.compile(rb'\{"type": ?"response\.')
DELTA = re.compile(rb'"delta' + STRING, re.DOTALL)


class ByteSpan(NamedTuple):
    """Consecutive bytes with the same label.

    Args:
        label: The meaning of the bytes, such as "chunk-size". One of:

            - "head": the status-line, the header fields and the empty line;
            - "chunk-size", "chunk-ext", "CRLF", "last-chunk", "trailer": the chunked coding;
            - "BOM", "comment", "field-name", ":", "space", "field-value", "end-of-line",
              "blank-line": an event stream;
            - "json", "token": the data of an event. A token is the model's text inside that JSON;
            - "json", "data": a body that is JSON, or that is neither JSON nor an event stream;
            - "coded": a body with a content coding, such as gzip: its text is not readable here;
            - "after-end": bytes after the end of the body;
            - "unfinished", "unreadable".
        start, end: Offsets of the span, in bytes from the response's first byte.
        chunk: Number of the chunk, from 1. It is 0 outside the chunks that carry data.
        event: Number of the event to which the bytes belong, from 1. It is 0 outside the events.
        token: Number of the token, from 1. It is 0 for bytes that are not the model's text.
    """

    label: str
    start: int
    end: int
    chunk: int = 0
    event: int = 0
    token: int = 0


class ResponseAnatomy:
    """Takes the bytes of one response, and returns spans with labels.

    Args:
        method: Method of the request, because a response to HEAD has no body.
        max_line_size: Longest line of an event stream, in bytes. A longer line is unreadable.

    Attributes:
        error: The reason why the rest is unreadable or unfinished, or "".
        head: The head of the final response, once it is complete.
        chunks, events, tokens: Number of each that has arrived. An event with text counts as a
            token.
        body_size: Size of the body in bytes, without its framing.
        text_size: Size of all tokens in bytes. If the body is neither events nor JSON, this is the
            size of the body.
    """

    def __init__(self, method: str = "GET", *, max_line_size: int = 8 << 20) -> None:
        self.error = ""
        self.head: Head | None = None
        self.chunks = self.events = self.tokens = 0
        self.body_size = self.text_size = 0
        self._method = method
        self._max_line_size = max_line_size
        self._spans: list[ByteSpan] = []  # the spans labelled in this call
        self._bytes = bytearray()  # all bytes from the first one without a label
        self._start = 0  # offset of that byte
        self._end = 0  # bytes received so far
        self._framed = 0  # HTTP is parsed up to here: bytes before it are labelled or in `_lines`
        self._reader: HeadReader | None = HeadReader(is_request=False)
        self._decoder: BodyDecoder | None = None
        self._origin = 0  # offset at which the body begins.
        self._chunk = 0  # number of the chunk that is arriving.
        self._label = "data"  # the label of a body that is not an event stream.
        # The attributes below are used only if the body is an event stream.
        self._parser: EventStreamParser | None = None
        self._lines: deque[tuple[int, int, int]] = deque()  # (start, end, chunk) without a label
        self._field = b""  # field-name of the current line
        self._line_is_empty = True
        self._line_end = ("", 0)  # label and event of the last CR: a LF may still follow it
        self._block = 0
        self._in_block = False
        self._token = 0  # number of this event's token, once it has one

    @property
    def labelled(self) -> int:
        """Every byte before this offset has its label."""
        return self._start

    @property
    def complete(self) -> bool:
        """Whether the end of the body has arrived."""
        return self._decoder is not None and self._decoder.complete

    def receive_data(self, data: bytes) -> list[ByteSpan]:
        """Take bytes as they arrive, cut anywhere. This method never raises an exception.

        Returns:
            The spans that can be labelled now, in the order of their offsets.
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

    def receive_eof(self) -> list[ByteSpan]:
        """Tell the anatomy that the peer will send no more. Returns spans for all bytes without a
        label."""
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
                # 1xx, such as `103 Early Hints`: the final response follows (RFC 9110 §15.2).
                rest = self._end_head(reader)
                self._reader = reader = HeadReader(is_request=False)
                head = reader.receive_data(rest)
            if head is None:
                return
            rest = self._end_head(reader)
            self._reader = None
            self.head = head
            framing = response_framing(head, self._method)
        except DecodeError as error:
            self._fail(error)
            return
        chunked = framing.coding is Coding.CHUNKED
        self._decoder = (
            ChunkedDecoder(observer=self._observe_chunked) if chunked else body_decoder(framing)
        )
        self._expect_body(head)
        self._read_body(self._decoder, rest)

    def _end_head(self, reader: HeadReader) -> bytes:
        """Label a complete head. Returns the bytes after it."""
        rest = reader.trailing_data
        self._name("head", self._framed, self._end - len(rest))
        self._framed = self._origin = self._end - len(rest)
        return rest

    def _expect_body(self, head: Head) -> None:
        if any(value.lower() != b"identity" for value in head.values(b"content-encoding")):
            # The media type describes the decoded body (RFC 9110 §8.4).
            self._label = "coded"
            return
        # "The type and subtype tokens are case-insensitive." (RFC 9110 §8.3.1)
        types = [value.lower() for value in head.values(b"content-type")]
        if any(value.startswith(b"application/json") for value in types):
            self._label = "json"  # an error, or an answer in one piece: without tokens
        if any(value.startswith(b"text/event-stream") for value in types):
            self._parser = EventStreamParser(
                max_line_size=self._max_line_size, observer=self._observe_line
            )

    def _read_body(self, decoder: BodyDecoder, data: bytes) -> None:
        if not decoder.complete:
            try:
                pieces = decoder.receive_data(data)
            except DecodeError as error:
                self._fail(error)
                return
            if not isinstance(decoder, ChunkedDecoder):  # a ChunkedDecoder calls its observer
                for piece in pieces:
                    self._take_body(self._framed, self._framed + len(piece))
        if decoder.complete:
            self._name("after-end", self._framed, self._end)
            self._framed = self._end

    def _observe_chunked(self, label: str, start: int, end: int) -> None:
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
        """Give this label to all bytes that can no longer be parsed."""
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

    def _observe_line(self, label: str, start: int, end: int) -> None:
        """The observer of the event stream: it is called for every byte, in order."""
        size = end - start
        if label == "end-of-line":
            self._observe_line_end(size)
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
        """Separate the model's text in an event's data from the JSON around it."""
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

    def _observe_line_end(self, size: int) -> None:
        """The parser reports CR and LF one by one. A LF after a CR does not end another line."""
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

    # ---- Labels

    def _name(
        self, label: str, start: int, end: int, chunk: int = 0, event: int = 0, token: int = 0
    ) -> None:
        if start < end:
            self._spans.append(ByteSpan(label, start, end, chunk, event, token))

    def _name_lines(self, label: str, size: int, event: int = 0, token: int = 0) -> None:
        """Label the next bytes of the event stream: one span for each chunk that holds them."""
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
        """The next bytes of the event stream that have no label."""
        pieces = []
        for start, end, _ in self._lines:
            if not size:
                break
            pieces.append(self._slice(start, min(end, start + size)))
            size -= len(pieces[-1])
        return b"".join(pieces)


def text_spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Find the model's text in the JSON of an event.

    Args:
        data: The data of one event: of `POST /v1/chat/completions`, of `POST /v1/responses`, or
            {"text":"…"}.

    Returns:
        (start, end) of the content of each string, as offsets in `data`. The content includes
        escapes, but not the quotes. No span is empty.
    """
    pattern = DELTA if RESPONSES.match(data) else TEXT
    return (match.span(1) for match in pattern.finditer(data))


# What this file does not do: undo JSON's escapes, or record when the bytes arrived
# (servers/http/recordings.py).
