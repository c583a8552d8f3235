"""One response of the server under test, as it came: its reads, their times, and what they hold.

    at 2 ms     HTTP/1.1 200 OK … Transfer-Encoding: chunked          head
    at 503 ms   19 CRLF data: {"text":"Hel"} LF LF CRLF               pieces[0], events[0]
    at 604 ms   18 CRLF data: {"text":"lo"} LF LF CRLF                pieces[1], events[1]
    at 705 ms   0 CRLF CRLF                                           complete

It takes the bytes one read after the other, and stops at the end of the response: what follows
belongs to the next one on the same connection (`trailing_data`). The decoders of `protocol` read
it; a response that they refuse keeps the reason in `error`.
"""

from typing import NamedTuple

from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.http1 import BodyDecoder, Coding, Framing, body_decoder, response_framing
from protocol.recording import End, RecordedRead
from protocol.sse import EventStreamParser, ServerSentEvent
from workshop.xray.judge.verdicts import judge
from workshop.xray.meter.measure import Meter
from workshop.xray.report import Verdict

__all__ = ["Answer", "Piece", "TimedEvent"]


class Piece(NamedTuple):
    """Bytes of the body that one read brought, without framing."""

    at: float
    data: bytes


class TimedEvent(NamedTuple):
    """An event, and when the read that completed it came."""

    at: float
    event: ServerSentEvent


class Answer:
    """A response while it arrives.

    Args:
        sent: The request, as it was sent.
        method: Its method.

    Attributes:
        reads: What came, with times in milliseconds since the request was sent, and the end.
        raw: All bytes that came, without those of the next response.
        head: The final response's head; None if no complete one came.
        interim: The heads of 1xx responses that came before it.
        framing: How the body is delimited; None without a head.
        pieces: The body by reads.
        done_at: When the body ended, as its framing says; None if it has not.
        end: How the server's direction ended: "fin", "reset", "truncated", "silent" (we stopped
            waiting), or "" if the connection stayed open.
        error: Why the bytes are not a response; "" if they are.
        error_at: Offset in `raw` of the byte that broke the grammar.
        trailing_data: Bytes after the end of the response.
        half_closed: Whether we have sent a FIN after the request.
    """

    def __init__(self, sent: bytes, method: str = "GET") -> None:
        self.sent = sent
        self.method = method
        self.reads: list[RecordedRead] = []
        self.raw = bytearray()
        self.head: Head | None = None
        self.interim: list[Head] = []
        self.framing: Framing | None = None
        self.pieces: list[Piece] = []
        self.done_at: float | None = None
        self.end: End = ""
        self.error = ""
        self.error_at: int | None = None
        self.trailing_data = b""
        self.half_closed = False
        self._heads = HeadReader(is_request=False)
        self._head_start = 0
        self._body_start = 0
        self._decoder: BodyDecoder | None = None

    # ---- Bytes in

    def receive_data(self, at: float, data: bytes) -> None:
        """Take the bytes of one read.

        Args:
            at: Milliseconds since the request was sent.
            data: The bytes.
        """
        if self.complete:
            self.trailing_data += data
            return
        before = len(self.raw)
        self.raw += data
        if not self.error:
            try:
                self._read(at, data)
            except DecodeError as error:
                self.pieces += [Piece(at, piece) for piece in error.decoded if piece]  # type: ignore[arg-type]
                start = self._body_start if self.head else self._head_start
                self.error, self.error_at = error.reason, start + error.offset
        if self.complete:
            self.trailing_data = self._decoder.trailing_data if self._decoder else b""
            if self.trailing_data:
                del self.raw[-len(self.trailing_data) :]
        self.reads.append(RecordedRead(at, "server", bytes(self.raw[before:])))

    def receive_end(self, at: float, end: End) -> None:
        """Take the end of the server's direction."""
        if self.end:
            return
        self.end = end
        self.reads.append(RecordedRead(at, "server", end=end))
        if end == "fin" and self._decoder and not self.complete and not self.error:
            try:
                self._decoder.receive_eof()
                self.done_at = at
            except DecodeError as error:
                self.error, self.error_at = error.reason, len(self.raw)

    def _read(self, at: float, data: bytes) -> None:
        while self._decoder is None:
            head = self._heads.receive_data(data)
            if head is None:
                return
            data = self._heads.trailing_data
            self._body_start = len(self.raw) - len(data)
            if head.start_line[9:10] == b"1" and head.start_line[9:12] != b"101":
                self.interim.append(head)
                self._heads = HeadReader(is_request=False)
                self._head_start = self._body_start
                if not data:
                    return
                continue
            self.head = head
            self.framing = response_framing(head, self.method)
            self._decoder = body_decoder(self.framing)
            self._done_if_complete(at)
        pieces = self._decoder.receive_data(data)
        if pieces:
            self.pieces.append(Piece(at, b"".join(pieces)))
        self._done_if_complete(at)

    def _done_if_complete(self, at: float) -> None:
        if self._decoder and self._decoder.complete and self.done_at is None:
            self.done_at = at

    # ---- What is in it

    @property
    def complete(self) -> bool:
        """Whether the response has ended, as its framing says."""
        return self.done_at is not None

    @property
    def status(self) -> int:
        """The status code; 0 if no complete head came."""
        return int(self.head.start_line[9:12]) if self.head else 0

    @property
    def chunked(self) -> bool:
        return self.framing is not None and self.framing.coding is Coding.CHUNKED

    @property
    def body(self) -> bytes:
        """The body so far, without framing."""
        return b"".join(piece.data for piece in self.pieces)

    @property
    def raw_head(self) -> bytes:
        """All bytes before the body."""
        return bytes(self.raw[: self._body_start])

    @property
    def trailers(self) -> list[tuple[bytes, bytes]]:
        """The fields of the trailer section."""
        return self._decoder.trailers if isinstance(self._decoder, ChunkedDecoder) else []

    def read_of(self, data: bytes) -> RecordedRead:
        """A read of bytes that came after the last one."""
        return RecordedRead(self.reads[-1].at if self.reads else 0.0, "server", data)

    @property
    def is_event_stream(self) -> bool:
        return self.field("content-type").lower().startswith("text/event-stream")

    def field(self, name: str) -> str:
        """The values of a header field, joined by ", " (name in lower case); "" without one."""
        values = self.head.values(name.encode()) if self.head else []
        return b", ".join(values).decode("latin-1")

    @property
    def events(self) -> list[TimedEvent]:
        """The events of the body, each with the time at which it was complete."""
        parser, found = EventStreamParser(), []
        for at, data in self.pieces:
            try:
                found += [TimedEvent(at, event) for event in parser.receive_data(data)]
            except DecodeError as error:
                found += [TimedEvent(at, event) for event in error.decoded]  # type: ignore[arg-type]
                break
        return found

    @property
    def meter(self) -> Meter:
        """The measurements of x-ray."""
        meter = Meter(method=self.method, request=self.sent)
        for read in self.reads:
            if read.end:
                meter.receive_end(read.at, read.end)
            else:
                meter.receive_data(read.at, read.bytes)
        return meter

    @property
    def verdict(self) -> Verdict | None:
        """What x-ray claims to be wrong; None without such a claim."""
        verdicts = judge(self.meter)
        return next((v for v in verdicts if v.sure > 0.5 and v.code != "live"), None)


# What this file does not do: read a socket (wire.py).
