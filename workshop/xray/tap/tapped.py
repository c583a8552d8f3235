"""Assigns the bytes of one tapped connection to its exchanges: its requests and their responses.

    client    POST /v1/chat/completions …       a new exchange: "waiting"
    server    HTTP/1.1 200 OK … 5\\r\\nhello       for the oldest one without a response
              0\\r\\n\\r\\n                       its response ends: "done"
    client    GET /v1/models …                  the next exchange of this connection

A relay calls `ConnectionWatch` after each write. `ConnectionWatch` counts the bytes, queues them
for the watch (watch.py), and returns at once. It parses nothing.
"""

from collections import deque
from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

from protocol.recording import End, RecordedRead

from ..meter.framing import Part
from ..meter.measure import Meter
from ..report import Report
from .relay import method_of

__all__ = ["ConnectionWatch", "How", "Item", "Masking", "State", "TappedExchange"]

SILENT_MS = 5_000.0

# milliseconds of waiting for the client after which the times do not show how the server behaves
SLOW_MS = 100.0

# Verdicts that are based on times.
RHYTHM = {
    "buffered-whole",
    "buffered-blocks",
    "coalesced",
    "compressed-unflushed",
    "head-held",
    "one-behind",
    "nagle",
    "burst-after-stall",
    "stall-behind-heartbeats",
}

NO_STREAM = "not-a-stream"  # the verdict on a response that is not an event stream

SWITCHING_PROTOCOLS = b"101"

How = Literal["", "done", "cut", "left"]
State = Literal["waiting", "streaming", "silent", "done", "cut", "left"]
Sender = Literal["client", "server"]


class TappedExchange:
    """One request and its response, while they pass through the tap. Times are in milliseconds
    since the tap started.

    Attributes:
        number: Number of the exchange, from 1.
        connection: Number of its connection, from 1.
        method: Method of the request, or "" if the request cannot be read.
        target: The request-target, with keys masked.
        began: Time of the last byte of the request that has been sent.
        ended: Time at which the exchange ended, or None while it runs.
        how: "done" (the response is complete), "cut" (the server ended the response early), "left"
            (the client disconnected first), or "" while the exchange runs.
        reads, size: Number of reads and of bytes of the response.
        last: Time of the last of these reads.
        unmeasured: Number of reads that were not measured, because the queue was full.
        meter: The meter of the response, or None before its first bytes.
        report: The report of x-ray on the response, or None before its end or if it was not
            measured.
        request: The masked request, until it is passed to the meter.
        wants_stream: Whether the request asks for a stream.
        waited: Milliseconds for which the tap did not read from the server, because the client
            accepted nothing.
    """

    def __init__(self, number: int, connection: int, began: float) -> None:
        self.number = number
        self.connection = connection
        self.method = ""
        self.target = ""
        self.began = began
        self.ended: float | None = None
        self.how: How = ""
        self.reads = self.size = self.unmeasured = 0
        self.last = began
        self.meter: Meter | None = None
        self.report: Report | None = None
        self.request = b""
        self.wants_stream = False
        self.waited = 0.0

    @property
    def is_measured(self) -> bool:
        """Whether the report is reliable: all bytes were measured, and they are HTTP/1."""
        return bool(self.method) and not self.unmeasured

    def codes(self, said: Report | None) -> list[str]:
        """The codes of the report's verdicts, or a code that replaces them.

        "no-stream" means that the client neither asked for a stream nor got one, so there is no
        fault. "slow-client" means that the client read slowly, which also slows the server, so the
        times of the stream prove nothing.
        """
        if said is None:
            return ["unmeasured" if self.unmeasured else "none"]
        codes = [verdict.code for verdict in said.verdicts]
        if codes[0] == NO_STREAM and not self.wants_stream:
            return ["no-stream"]
        if self.waited >= SLOW_MS:
            return [code for code in codes if code not in RHYTHM] or ["slow-client"]
        return codes

    @property
    def verdict(self) -> str:
        """The first of its codes, when the exchange has ended."""
        return self.codes(self.report)[0]

    def state(self, now: float) -> State:
        """The state of the exchange at this time. It is "waiting" until the first text, however
        long that takes."""
        if self.how:
            return self.how
        if self.meter is None or self.meter.ttft_ms is None:
            return "waiting"
        return "silent" if now - self.last >= SILENT_MS else "streaming"


class Masking(Protocol):
    """Masks the keys of one connection, byte for byte (masking.py)."""

    def mask(self, sender: Sender, data: bytes) -> bytes:
        """Return the same number of bytes, with all keys masked."""


class Item(NamedTuple):
    """An entry of the queue between the relays and the watch.

    Args:
        connection, exchange: The connection and the exchange of the bytes. Bytes outside an
            exchange are only saved.
        at: Time of the read in milliseconds.
        sender, data: The bytes, not masked yet.
        end: How the sender's direction ended, or "".
        finishes: Whether the exchange has ended.
    """

    connection: "ConnectionWatch"
    exchange: TappedExchange | None
    at: float
    sender: Sender
    data: bytes
    end: End = ""
    finishes: bool = False


class Queue(Protocol):
    """The methods of `Watch` that a connection uses."""

    origin: str

    def since(self, time: float) -> float: ...
    def now(self) -> float: ...
    def begin(self, connection: int, at: float) -> TappedExchange: ...
    def put(self, item: Item) -> None: ...


class ConnectionWatch:
    """The `RelayObserver` of one connection: it assigns bytes to exchanges, and queues them.

    Args:
        watch: The watch that takes the queued bytes.
        number: Number of the connection, from 1.
        mask: The function that masks keys of this connection.

    Attributes:
        is_saved: Whether the bytes are saved to the recording, if there is one.
    """

    def __init__(self, watch: Queue, number: int, mask: Masking) -> None:
        self.number = number
        self.mask = mask
        self.is_saved = True
        self._watch = watch
        self._url = watch.origin  # the URL, for the first line of the recording
        self._recorded_ends: set[Sender] = set()
        self._sending: TappedExchange | None = None  # the exchange whose request is being sent
        # the exchanges whose responses are not complete
        self._pending: deque[TappedExchange] = deque()
        # whether the protocol has changed, so that there are no more exchanges
        self._switched = False
        self._client_finished = False

    def recorded(self, item: Item, data: bytes) -> Iterator[RecordedRead]:
        """Return the reads of a recording for an item of this connection.

        Args:
            data: The masked bytes of the item.
        """
        if data:
            url, self._url = self._url, ""
            yield RecordedRead(item.at, item.sender, data, connection=self.number, url=url)
        if item.end and item.sender not in self._recorded_ends:
            self._recorded_ends.add(item.sender)
            yield RecordedRead(item.at, item.sender, end=item.end, connection=self.number)

    # ---- RelayObserver

    def sent(self, at: float, parts: list[Part]) -> None:
        now = self._watch.since(at)
        data = b""
        for number, part in enumerate(parts, 1):
            if self._sending is None and not self._switched:
                self._sending = self._begin(now)
            exchange = self._sending
            if exchange is not None and not exchange.how:  # otherwise it was answered early
                exchange.began = exchange.last = now
                if part.head is not None:
                    exchange.method = method_of(part.head)
            data += part.data
            if part.ends or number == len(parts):
                self._watch.put(Item(self, exchange, now, "client", data))
                data = b""
            if part.ends:
                self._sending = None

    def received(self, at: float, parts: list[Part]) -> None:
        now = self._watch.since(at)
        data = b""
        for number, part in enumerate(parts, 1):
            data += part.data
            if part.ends or number == len(parts):
                self._receive(now, data, part)
                data = b""

    def _receive(self, now: float, data: bytes, part: Part) -> None:
        """Take the bytes of one response that one read brought."""
        if not self._pending and data.startswith(b"HTTP/") and not self._switched:
            self._begin(now)  # a response that nobody has asked for, such as 408
        exchange = self._pending[0] if self._pending else None
        if exchange is not None:
            if data:
                exchange.reads += 1
                exchange.size += len(data)
                exchange.last = now
            if part.ends:
                self._pending.popleft()
                exchange.how, exchange.ended = "done", now
                self._switched |= exchange.method == "CONNECT" or (
                    part.head is not None and part.head.start_line[9:12] == SWITCHING_PROTOCOLS
                )
        # An end without bytes: the body ended with the connection.
        end: End = "" if data else "fin"
        self._watch.put(Item(self, exchange, now, "server", data, end, finishes=part.ends))

    def waited(self, seconds: float) -> None:
        if self._pending:
            self._pending[0].waited += 1000 * seconds

    def client_ended(self, at: float, end: End) -> None:
        now = self._watch.since(at)
        self._client_finished = True
        self._watch.put(Item(self, None, now, "client", b"", end))
        if end == "reset":
            self._end_all(now, "left", "")

    def server_ended(self, at: float, end: End) -> None:
        now = self._watch.since(at)
        if not self._pending:
            self._watch.put(Item(self, None, now, "server", b"", end))
        self._end_all(now, "left" if self._client_finished else "cut", end)

    def close(self) -> None:
        """The connection has ended, for any reason. This is called once, as the last method."""
        self._end_all(self._watch.now(), "left", "")

    def _begin(self, now: float) -> TappedExchange:
        exchange = self._watch.begin(self.number, now)
        self._pending.append(exchange)
        return exchange

    def _end_all(self, now: float, how: How, end: End) -> None:
        while self._pending:
            exchange = self._pending.popleft()
            exchange.how, exchange.ended = how, now
            self._watch.put(Item(self, exchange, now, "server", b"", end, finishes=True))


# What this file does not do: mask, measure, or judge (watch.py).
