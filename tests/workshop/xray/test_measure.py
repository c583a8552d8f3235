"""What a Meter measures: exact numbers of synthetic recordings."""

import zlib

from protocol.chunked import encode_chunk
from protocol.recording import RecordedRead
from workshop.xray.exchange import exchanges
from workshop.xray.measure import Meter
from workshop.xray.verdicts import judge, report

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def event(text: str) -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text.encode()


FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def measured(reads: dict[float, bytes], end: str = "", **more: object) -> Meter:
    meter = Meter(**more)  # type: ignore[arg-type]
    at = 0.0
    for at, data in reads.items():
        meter.receive_data(at, data)
    if end:
        meter.receive_end(at, end)  # type: ignore[arg-type]
    return meter


def test_a_live_stream() -> None:
    reads = {0.0: HEAD, 500.0: encode_chunk(event("a")), 600.0: encode_chunk(event("b"))}
    reads |= {700.0: encode_chunk(event("c") + FINISH + DONE) + END}
    meter = measured(reads)
    assert (meter.head_ms, meter.body_ms, meter.ttft_ms, meter.text_ms) == (0, 500, 500, 700)
    assert meter.complete
    assert (meter.answer.finish, meter.answer.done) == ("stop", True)
    assert [verdict.code for verdict in judge(meter)] == ["live"]
    found = report(meter)
    assert (found.counts.reads, found.counts.chunks) == (4, 3)
    assert (found.counts.events, found.counts.tokens) == (5, 3)
    assert found.gaps_ms is not None
    assert (found.gaps_ms.p50, found.gaps_ms.max) == (100, 100)


def test_gzip_is_read() -> None:
    """The text of each flush is readable at once."""
    head = HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n"
    coder = zlib.compressobj(wbits=31)
    reads = {0.0: head}
    for at, text in ((100.0, event("a")), (200.0, event("b"))):
        data = coder.compress(text) + coder.flush(zlib.Z_SYNC_FLUSH)
        reads[at] = encode_chunk(data)
    meter = measured(reads)
    assert (meter.counts.tokens, meter.ttft_ms, meter.text_ms) == (2, 100, 200)
    assert meter.text_bytes == 2


def test_exchanges_of_one_connection() -> None:
    """Keep-alive: a read that holds the end of one response and the start of the next is cut."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
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
    assert b"".join(read.bytes for read in first.reads) == reply
    assert b"".join(read.bytes for read in second.reads) == reply
    assert [read.end for read in second.reads] == ["", "fin"]
