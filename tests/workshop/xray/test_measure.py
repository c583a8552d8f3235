"""A Meter measures exact numbers of synthetic recordings, and no bytes make it fail."""

import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.chunked import encode_chunk
from protocol.recording import RecordedRead
from workshop.xray.judge.verdicts import judge
from workshop.xray.meter.exchange import Exchange, exchanges
from workshop.xray.meter.layers import Decompressor
from workshop.xray.meter.measure import Arrival, Meter
from workshop.xray.meter.rhythm import Histogram, Thinned
from workshop.xray.report import Counts, Gaps

from .healthy import HEAD
from .making import DONE, END, TOKENS, finish, meter_of, text
from .recorded import ROWS

ODD_HEAD = HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n"


def test_a_live_stream() -> None:
    reads = [
        (10.0, HEAD),
        (510.0, encode_chunk(text("a"))),
        (610.0, encode_chunk(text("b"))),
        (710.0, encode_chunk(text("c") + finish() + DONE)),
        (711.0, END),
    ]
    meter = meter_of(reads, began=10.0)
    assert (meter.head_ms, meter.body_ms, meter.ttft_ms, meter.text_ms) == (0, 500, 500, 700)
    assert (meter.last_ms, meter.done_ms, meter.quiet_ms) == (701, 701, 1)
    assert meter.complete
    assert meter.status == 200
    assert meter.field(b"content-type") == b"text/event-stream"
    assert (meter.answer.api, meter.answer.finish, meter.answer.done) == ("chat", "stop", True)
    assert meter.answer.text == "abc"
    assert meter.counts == Counts(reads=5, chunks=3, events=5, tokens=3)
    assert meter.gaps == Gaps(p50=100, p95=100, p99=100, max=100)
    assert meter.gap_line == [100, 100]
    assert meter.text_bytes == 3
    assert meter.wire_bytes == sum(len(data) for _, data in reads)
    size = len(text("a"))
    assert meter.arrivals[1] == Arrival(500, size + 6, size, 1, 1, 1, 1)


def test_the_first_text_is_not_the_first_event() -> None:
    """An event without text does not count as soon as other events have text."""
    reads = [(0.0, HEAD), (5.0, encode_chunk(text("", role="assistant")))]
    assert meter_of(reads).ttft_ms == 5
    reads += [(500.0, encode_chunk(text("a"))), (600.0, encode_chunk(text("b")))]
    meter = meter_of(reads)
    assert meter.ttft_ms == 500
    assert meter.gaps == Gaps(p50=100, p95=100, p99=100, max=100)


def test_gzip_is_read() -> None:
    """The text of each flush is readable at once."""
    reads = [(0.0, ODD_HEAD)]
    coder = zlib.compressobj(wbits=31)
    for at, piece in ((100.0, text("a")), (200.0, text("b"))):
        reads.append((at, encode_chunk(coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH))))
    meter = meter_of(reads)
    assert (meter.coding, meter.readable, meter.flushes) == ("gzip", True, 2)
    assert meter.counts == Counts(reads=3, chunks=2, events=2, tokens=2)
    assert (meter.ttft_ms, meter.text_ms, meter.text_bytes) == (100, 200, 2)
    assert meter.answer.text == "ab"


def test_a_small_compressed_body_with_much_text() -> None:
    """4 MB of zeros are decompressed in pieces, and 1 KB that is not gzip in none."""
    decompressor = Decompressor()
    pieces = decompressor.receive_data(zlib.compress(bytes(4 << 20)))
    assert sum(map(len, pieces)) == 4 << 20
    assert max(map(len, pieces)) == 256 << 10
    assert decompressor.receive_data(b"after the end") == []
    decompressor = Decompressor()
    assert decompressor.receive_data(bytes(1000)) == []
    assert decompressor.error
    assert decompressor.receive_data(zlib.compress(b"x")) == []


def test_ends() -> None:
    """A body until the connection closes is complete after FIN, and cut after RST."""
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    for end, complete in (("fin", True), ("reset", False), ("truncated", False)):
        meter = meter_of([(0.0, head + b"hi")], end, wait=500)
        assert (meter.complete, meter.cut) == (complete, not complete)
        assert (meter.end, meter.end_ms, meter.quiet_ms) == (end, 500, 500)
    silent = meter_of([(0.0, head + b"hi")], "silent", wait=500)
    assert (silent.complete, silent.cut, silent.quiet_ms) == (False, False, 500)
    whole = meter_of([(0.0, HEAD + END)], "reset", wait=500)
    assert (whole.complete, whole.cut, whole.done_ms, whole.quiet_ms) == (True, False, 0, 0)


def test_memory_stays_flat() -> None:
    """The memory that a long stream needs is limited."""
    meter = Meter(history=40)
    meter.receive_data(0.0, HEAD)
    for number in range(600):
        meter.receive_data(10.0 * number, encode_chunk(text(f"w{number} ")))
        if number % 100 == 0:
            assert [verdict.code for verdict in judge(meter)] == ["live"] or number == 0
    assert meter.counts.tokens == 600
    assert len(meter.arrivals) == len(meter.rhythm.steps) == len(meter.borders.sizes) == 40
    assert len(meter.gap_line) <= 512
    assert len(meter.answer.text) <= 500


def test_two_texts_with_one_beginning_differ() -> None:
    first = meter_of([(0.0, HEAD), (1.0, encode_chunk(text("ab")))])
    second = meter_of([(0.0, HEAD), (1.0, encode_chunk(text("a") + text("b")))])
    third = meter_of([(0.0, HEAD), (1.0, encode_chunk(text("ab") + text("c")))])
    assert first.answer.digest == second.answer.digest != third.answer.digest


def test_borders() -> None:
    """Chunks that end inside an event, and inside a character."""
    event = text("é")
    place = event.index(b"\xc3") + 1
    chunks = [event, event[:place], event[place:] + event[:5], event[5:]]
    meter = meter_of([(0.0, HEAD), (1.0, b"".join(map(encode_chunk, chunks)) + END)])
    borders = meter.borders
    assert list(borders.sizes) == list(map(len, chunks))
    assert (borders.inside_events, borders.inside_characters, borders.most_events) == (2, 1, 1)
    assert not borders.sizes_are_equal


def test_events_in_parts() -> None:
    """A part of an event arrives late: in the same chunk, in a second chunk, or together with the
    next event."""
    chunk = encode_chunk(TOKENS[0])
    one = meter_of([(0.0, HEAD), (100.0, chunk[:9]), (141.0, chunk[9:])])
    assert (one.layers.torn, one.layers.split_by_chunks) == (1, 0)
    assert (one.layers.with_next, one.layers.ack_delays) == (0, 1)
    left, right = encode_chunk(TOKENS[0][:-1]), encode_chunk(b"\n" + TOKENS[1])
    two = meter_of([(0.0, HEAD), (100.0, left), (200.0, right)])
    assert (two.layers.torn, two.layers.split_by_chunks) == (1, 1)
    assert (two.layers.with_next, two.layers.ack_delays) == (1, 0)


# ---- The parts


def test_histogram() -> None:
    histogram = Histogram()
    assert histogram.percentile(50) == 0
    for value in [0.0, 1.0, *[100.0] * 97, 900.0]:
        histogram.add(value)
    assert (histogram.count, histogram.max) == (100, 900)
    assert [histogram.percentile(percent) for percent in (1, 2, 50, 99, 100)] == [
        0,
        1,
        100,
        100,
        900,
    ]


@given(st.lists(st.floats(0, 1e7), min_size=1), st.integers(1, 100))
def test_a_percentile_is_at_most_2_percent_off(values: list[float], percent: int) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[-(-len(values) * percent // 100) - 1]
    assert abs(histogram.percentile(percent) - exact) <= 0.0201 * exact + 0.001


def test_thinned() -> None:
    line = Thinned(4)
    for value in range(16):
        line.add(float(value))
    assert line.values == [3, 7, 11, 15]
    line.add(20.0)
    assert line.values == [7, 15, 20]


# ---- Exchanges


def test_exchanges_of_one_connection() -> None:
    """With keep-alive, a read with the end of one response and the start of the next is divided."""
    reply = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    get = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    put = b"PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
    first, second = exchanges(
        [
            RecordedRead(0.0, "client", get + put, url="http://a/a"),
            RecordedRead(1.0, "client", b"!"),
            RecordedRead(2.0, "server", reply[:-1]),
            RecordedRead(3.0, "server", reply[-1:] + reply),
            RecordedRead(4.0, "server", end="fin"),
        ]
    )
    assert (first.request, first.method, first.began) == (get, "GET", 0.0)
    assert (second.request, second.method, second.began) == (put + b"!", "PUT", 1.0)
    assert (first.url, second.url) == ("http://a/a", "http://a/a")
    assert b"".join(read.bytes for read in first.reads) == reply
    assert b"".join(read.bytes for read in second.reads) == reply
    assert [read.end for read in second.reads] == ["", "fin"]


def test_requests_one_after_the_other() -> None:
    """The second request begins when the first response is complete."""
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    reply = b"HTTP/1.1 204 No Content\r\n\r\n"
    found = exchanges(
        [
            RecordedRead(0.0, "client", get),
            RecordedRead(1.0, "server", reply),
            RecordedRead(2.0, "client", get),
            RecordedRead(3.0, "server", reply),
        ]
    )
    assert [(each.began, [read.at for read in each.reads]) for each in found] == [
        (0.0, [1.0]),
        (2.0, [3.0]),
    ]


def test_several_connections() -> None:
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    found = exchanges(
        [
            RecordedRead(0.0, "client", get, connection=1),
            RecordedRead(1.0, "client", head, connection=2),
            RecordedRead(2.0, "server", reply, connection=2),
            RecordedRead(3.0, "server", reply, connection=1),
            RecordedRead(4.0, "server", reply, connection=3),
        ]
    )
    assert [(each.connection, each.method, each.request) for each in found] == [
        (1, "GET", get),
        (2, "HEAD", head),
        (3, "GET", b""),  # a recording without its request
    ]


def test_bytes_after_the_end_stay() -> None:
    """No request is waiting for these bytes."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    (only,) = exchanges([RecordedRead(0.0, "server", reply + b"more")])
    assert [read.bytes for read in only.reads] == [reply + b"more"]


@pytest.mark.parametrize(
    ("client", "last", "left"),
    [
        (RecordedRead(300.0, "client", end="fin"), 340.0, True),
        (RecordedRead(300.0, "client", end="reset"), 250.0, True),
        (RecordedRead(1.0, "client", end="fin"), 5000.0, False),  # it goes on reading
        (RecordedRead(6000.0, "client", end="fin"), 5000.0, False),  # the answer to a FIN
    ],
)
def test_a_client_that_leaves_first(client: RecordedRead, last: float, left: bool) -> None:
    """The end that follows is not the server's doing."""
    reads = [
        RecordedRead(0.0, "client", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RecordedRead(200.0, "server", HEAD),
        RecordedRead(last, "server", b"5\r\nda"),
        client,
        RecordedRead(5900.0, "server", end="fin"),
    ]
    (found,) = exchanges(sorted(reads, key=lambda read: read.at))
    assert found.left is left
    assert [read.end for read in found.reads] == ["", "", *(["fin"] * (not left))]


def test_a_client_that_leaves_after_the_answer() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    (found,) = exchanges(
        [
            RecordedRead(0.0, "client", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            RecordedRead(1.0, "server", reply),
            RecordedRead(2.0, "client", end="fin"),
            RecordedRead(3.0, "server", end="fin"),
        ]
    )
    assert not found.left
    assert found.reads[-1].end == "fin"


MESSAGES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        HEAD + b"2\r\n:a\r\n0\r\n\r\n",
        b"garbage",
    ]
)


@given(st.lists(st.tuples(st.sampled_from(["client", "server"]), MESSAGES | st.binary())))
def test_no_byte_is_lost(sent: list[tuple[Any, bytes]]) -> None:
    """Together, the exchanges have all bytes that each side sent, whatever they were."""
    reads = [RecordedRead(float(at), sender, data) for at, (sender, data) in enumerate(sent)]
    found = exchanges(reads)

    def of(side: str) -> bytes:
        return b"".join(data for sender, data in sent if sender == side)

    assert b"".join(each.request for each in found) == of("client")
    assert b"".join(read.bytes for each in found for read in each.reads) == of("server")
    assert all(earlier.began <= later.began for earlier, later in pairwise(found))


# ---- Any bytes, any cut


def whole(meter: Meter) -> tuple[object, ...]:
    """The results that must not depend on how the bytes were cut into reads."""
    answer, counts = meter.answer, meter.counts
    said = {name: value for name, value in vars(answer).items() if not name.startswith("_")}
    ended = (meter.status, meter.complete, meter.wire_bytes, meter.text_bytes)
    return (said, answer.digest, counts.chunks, counts.events, counts.tokens, *ended)


@given(st.sampled_from(sorted(ROWS)), st.lists(st.integers(0, 9000), max_size=20))
def test_how_the_bytes_were_cut(name: str, cuts: list[int]) -> None:
    reads, end, _ = ROWS[name]
    joined = b"".join(data for _, data in reads)
    edges = sorted({0, len(joined), *(cut for cut in cuts if cut < len(joined))})
    pieces = [(0.0, joined[start:stop]) for start, stop in pairwise(edges)]
    assert whole(meter_of(pieces, end)) == whole(meter_of([(0.0, joined)], end))


@given(
    st.sampled_from([b"", HEAD, ODD_HEAD, HEAD + b"5\r\ndata:\r\n"]),
    st.lists(st.binary(max_size=60), max_size=8),
    st.sampled_from(["", "fin", "reset", "truncated", "silent"]),
)
def test_any_bytes(start: bytes, pieces: list[bytes], end: Any) -> None:
    """Random bytes raise no error and get a verdict, and each byte has one label."""
    meter = Meter()
    spans = meter.receive_data(0.0, start)
    for at, piece in enumerate(pieces):
        spans += meter.receive_data(float(at), piece)
        assert judge(meter)
    spans += meter.receive_end(100.0, end or "fin")
    assert judge(meter)
    covered = sorted((span.start, span.end) for span in spans)
    assert all(before[1] == after[0] for before, after in pairwise(covered))
    if end != "silent":
        assert sum(stop - first for first, stop in covered) == meter.wire_bytes


def test_an_exchange_is_measured() -> None:
    exchange = Exchange("http://a/", 1, began=100.0)
    exchange.reads = [RecordedRead(350.0, "server", HEAD)]
    meter = Meter(url=exchange.url, method=exchange.method, began=exchange.began)
    for read in exchange.reads:
        meter.receive_data(read.at, read.bytes)
    assert (meter.head_ms, meter.body_ms) == (250, None)
