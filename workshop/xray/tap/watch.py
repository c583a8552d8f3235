"""Measures the exchanges that pass through a tap: the requests, and how their responses arrive.

    relay (relay.py)                      queue            watch
    reads, writes, then notes      >      bytes, time  >   masks keys, measures (measure.py), judges
    never waits                           16 MiB           tells screens, recordings and /metrics

The rules this file keeps:

1. A relay only adds the bytes that it has relayed to a queue. A separate task masks and measures
   them, for a fraction of a millisecond at a time.
2. The queue has a limit. If bytes of an exchange do not fit, the exchange is not measured any
   further, because a meter cannot skip bytes. Its reads and bytes are still counted.
3. Only masked bytes leave this file.
4. Memory does not grow with the number of exchanges. Only a few finished exchanges are kept, and
   totals of all.
"""

import logging
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import trio

from protocol.anatomy import ByteSpan
from protocol.recording import End, RecordedRead
from protocol.secret import redact
from servers.http.metrics import Histogram

from ..judge.verdicts import report
from ..meter import rhythm
from ..meter.measure import Meter
from .tapped import ConnectionWatch, How, Item, Masking, TappedExchange

__all__ = ["Saving", "Watch", "WatchObserver"]

log = logging.getLogger("workshop")

TURN_SECONDS = 0.0002  # seconds of measuring before the other tasks run

# A read with more bytes than this takes far longer to measure. To judge an exchange takes that
# long, too.
LARGE_READ = 2 << 10

ITEM_SIZE = 256  # bytes of memory that an entry of the queue needs in addition to its data

# A request asks for a stream in the body, as for a model's API, or in a header field, as a
# browser's EventSource does.
WANTS_STREAM = re.compile(rb'"stream"\s*:\s*true|\naccept:[^\r\n]*text/event-stream', re.IGNORECASE)

# Upper bounds of the buckets, in seconds.
FIRST_TOKENS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
GAPS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class WatchObserver(Protocol):
    """Is told about the measurements. Its methods must not wait."""

    def received(
        self, exchange: TappedExchange, at: float, data: bytes, spans: list[ByteSpan]
    ) -> None:
        """One read brought these bytes of a response, which are masked now."""

    def ended(self, exchange: TappedExchange, at: float, end: End, spans: list[ByteSpan]) -> None:
        """An exchange has ended. `end` is "" if its connection stays open."""

    def refused(self, problem: str) -> None:
        """A connection was refused. The reason is a sentence."""


class Saving(Protocol):
    """Saves the bytes that passed through the tap (saving.py). Its methods must not wait."""

    def write(self, read: RecordedRead) -> None:
        """Save this masked read."""


class Measured(NamedTuple):
    """The result of one item of the queue: masked bytes, their spans, and the spans of the end."""

    data: bytes
    spans: list[ByteSpan]
    last: list[ByteSpan]


class Watch:
    """Watches all connections of a tap.

    Args:
        origin: The URL of the upstream, without a path and without a slash at its end.
        new_mask: A function that returns a masking function for a new connection.
        saving: The object that saves all bytes, or None.
        observers: Objects that are told about the measurements.
        max_finished: Largest number of finished exchanges that are kept.
        max_queue: Largest number of bytes that wait to be measured.
        max_request: Largest number of bytes of a request that are kept for its meter.
        history: Largest number of reads that each meter keeps.

    Attributes:
        running: The exchanges that have not ended, by number, oldest first.
        finished: The last exchanges that have ended.
        begun: Number of exchanges so far.
        size: Number of bytes in all responses, as they were relayed.
        tokens: Number of tokens in all responses that were measured.
        unmeasured: Number of reads that were not measured.
        verdicts: Number of finished exchanges, by the way in which they ended and the code of their
            first verdict.
        refused: Number of connections that were refused, because there were too many or the
            upstream could not be reached.
        problem: The reason of the last refusal, or "" if there was none.
        first_token, gap: Times to the first token, and times between reads that brought text, in
            seconds.
        ttft_ms, gap_ms: The same in milliseconds, for percentiles.
        lock: A lock that is held while an exchange is measured. Acquire it before you read a meter.
    """

    def __init__(
        self,
        origin: str,
        new_mask: Callable[[], Masking],
        *,
        saving: Saving | None = None,
        observers: Sequence[WatchObserver] = (),
        max_finished: int = 20,
        max_queue: int = 16 << 20,
        max_request: int = 64 << 10,
        history: int = 200,
    ) -> None:
        self.running: dict[int, TappedExchange] = {}
        self.finished: deque[TappedExchange] = deque(maxlen=max_finished)
        self.begun = self.connections = self.size = self.tokens = self.unmeasured = 0
        self.verdicts: Counter[tuple[How, str]] = Counter()
        self.refused = 0
        self.problem = ""
        self.first_token, self.gap = Histogram(FIRST_TOKENS), Histogram(GAPS)
        self.ttft_ms, self.gap_ms = rhythm.Histogram(), rhythm.Histogram()
        self.origin = origin
        self.lock = trio.Lock()
        self._new_mask = new_mask
        self._saving = saving
        self._observers = observers
        self._max_queue = max_queue
        self._max_request = max_request
        self._history = history
        self._queue: deque[Item] = deque()
        self._queued = 0  # bytes
        self._news = trio.Event()
        self._zero = trio.current_time()

    def now(self) -> float:
        """The milliseconds since the tap started."""
        return self.since(trio.current_time())

    def since(self, time: float) -> float:
        """Convert a time of trio's clock, in seconds, to milliseconds since the tap started."""
        return round((time - self._zero) * 1000, 3)

    def connection(self) -> "ConnectionWatch":
        """Return the observer of a new connection."""
        self.connections += 1
        return ConnectionWatch(self, self.connections, self._new_mask())

    async def run(self) -> None:
        """Measure the queued bytes, until cancelled."""
        while True:
            await self._news.wait()
            async with self.lock:
                if self._queue and takes_long(self._queue[0]):
                    # The item stays in the queue, because Ctrl-C may come before the thread runs.
                    item = self._queue[0]
                    measured = await trio.to_thread.run_sync(self._measure, item)
                    self._pop()
                    self._tell(item, measured)
                else:
                    self.measure(TURN_SECONDS, all_items=False)

    def measure(self, seconds: float, *, all_items: bool = True) -> None:
        """Measure the bytes in the queue.

        Args:
            seconds: Time after which to stop.
            all_items: If False, stop before an item that a thread should measure.
        """
        stop = time.perf_counter() + seconds
        while self._queue and time.perf_counter() < stop:
            if not all_items and takes_long(self._queue[0]):
                break
            item = self._pop()
            self._tell(item, self._measure(item))
        self.first_token.settle()
        self.gap.settle()
        if not self._queue:
            self._news = trio.Event()

    def _pop(self) -> Item:
        item = self._queue.popleft()
        self._queued -= len(item.data) + ITEM_SIZE
        return item

    # ---- Called by the tap and its connections

    def refuse(self, problem: str) -> None:
        """Count a connection that was refused, and keep the reason to be shown."""
        self.refused += 1
        self.problem = problem
        for observer in self._observers:
            observer.refused(problem)

    def begin(self, connection: int, at: float) -> TappedExchange:
        self.begun += 1
        exchange = self.running[self.begun] = TappedExchange(self.begun, connection, at)
        return exchange

    def put(self, item: Item) -> None:
        """Queue an item. If the queue is full, only the ends of exchanges are queued."""
        exchange = item.exchange
        if exchange is None and self._saving is None:
            return  # bytes of another protocol
        is_response = item.sender == "server" and bool(item.data)
        self.size += len(item.data) if is_response else 0
        full = self._queued + len(item.data) + ITEM_SIZE > self._max_queue
        if item.data and (full or (exchange is not None and exchange.unmeasured)):
            item.connection.is_saved = False  # a recording with missing reads cannot be understood
            if exchange is not None:
                exchange.unmeasured += is_response
            self.unmeasured += is_response
            item = item._replace(data=b"")
        if item.data or item.end or item.finishes:
            self._queue.append(item)
            self._queued += len(item.data) + ITEM_SIZE
            self._news.set()

    # ---- The bytes, once they are measured

    def _measure(self, item: Item) -> Measured:
        """Mask, measure and judge, possibly in a thread. A bug in this code must not end the
        relays."""
        try:
            return self._measure_item(item)
        except Exception:
            log.exception("bytes could not be measured: a bug of x-ray")
            item.connection.is_saved = False
            if item.exchange is not None:
                item.exchange.unmeasured += 1
                item.exchange.report = None
            return Measured(b"", [], [])

    def _measure_item(self, item: Item) -> Measured:
        exchange = item.exchange
        data = item.connection.mask.mask(item.sender, item.data) if item.data else b""
        spans: list[ByteSpan] = []
        last: list[ByteSpan] = []
        if exchange is not None and item.sender == "client":
            self._take_request(exchange, data)
        elif exchange is not None and (data or item.end):
            spans = self._take_response(exchange, item.at, data)
        meter = exchange.meter if exchange is not None and exchange.is_measured else None
        if exchange is not None and meter is not None and item.finishes:
            if item.end and exchange.how != "left":
                # A relay reports "silent" only if the kernel reports that the server has vanished.
                acknowledged = False if item.end == "silent" else None
                last = meter.receive_end(item.at, item.end, acknowledged=acknowledged)
            exchange.report = report(meter)
        return Measured(data, spans, last)

    def _tell(self, item: Item, found: Measured) -> None:
        """Tell the observers and the saving object. This never runs in a thread."""
        connection, exchange = item.connection, item.exchange
        if self._saving is not None and connection.is_saved:
            for read in connection.recorded(item, found.data):
                self._saving.write(read)
        if exchange is None:
            return
        if found.data and item.sender == "server":
            for observer in self._observers:
                observer.received(exchange, item.at, found.data, found.spans)
        if item.finishes:
            self.verdicts[exchange.how, exchange.verdict] += 1
            del self.running[exchange.number]
            self.finished.append(exchange)
            for observer in self._observers:
                observer.ended(exchange, item.at, item.end, found.last)

    def _take_request(self, exchange: TappedExchange, data: bytes) -> None:
        if exchange.meter is None:
            exchange.request += data[: self._max_request - len(exchange.request)]
        if exchange.method and not exchange.target:
            line = exchange.request.lstrip(b"\r\n").partition(b"\r\n")[0].split(b" ")
            # A start-line has three words. If these are missing, the first bytes of the request did
            # not fit into the queue.
            exchange.target = redact(line[1].decode()) if len(line) == 3 else "…"

    def _take_response(self, exchange: TappedExchange, at: float, data: bytes) -> list[ByteSpan]:
        meter = exchange.meter
        if meter is None:
            meter = exchange.meter = Meter(
                url=self.origin + exchange.target,
                method=exchange.method or "GET",
                request=exchange.request,
                began=exchange.began,
                history=self._history,
            )
            exchange.wants_stream = bool(WANTS_STREAM.search(exchange.request))
            exchange.request = b""
        if not data:
            return []
        tokens, text_ms = meter.counts.tokens, meter.text_ms
        spans = meter.receive_data(at, data)
        self.tokens += meter.counts.tokens - tokens
        if meter.text_ms is not None and meter.text_ms != text_ms and meter.counts.events:
            if text_ms is None:
                self.ttft_ms.add(meter.text_ms)
                self.first_token.add(meter.text_ms / 1000)
            else:
                self.gap_ms.add(meter.text_ms - text_ms)
                self.gap.add((meter.text_ms - text_ms) / 1000)
        return spans


def takes_long(item: Item) -> bool:
    """Whether the item needs so much work that a thread should measure it."""
    return item.finishes or len(item.data) > LARGE_READ


# What this file does not do: relay, draw, write files, or define the verdicts.
