"""The table of verdicts: for each code a recording that has it, and healthy streams beside it."""

import zlib
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, Literal

import msgspec
import pytest

from protocol.chunked import encode_chunk
from workshop.xray.measure import Meter
from workshop.xray.report import Counts, Report, Verdict
from workshop.xray.verdicts import RULES, judge, judge_probe, report

from .healthy import HEAD, Healthy, chat_events, deliver

END = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"
Reads = Iterable[tuple[float, bytes]]


def data(value: object) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(value)


def text(content: str, **more: object) -> bytes:
    """An event of a chat completion."""
    return data({"choices": [{"index": 0, "delta": {"content": content, **more}}]})


def finish(reason: str = "stop") -> bytes:
    return data({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def response(number: int, name: str, **more: object) -> bytes:
    """An event of the Responses API."""
    body = {"type": f"response.{name}", "sequence_number": number, **more}
    return b"event: response.%b\n" % name.encode() + data(body)


TOKENS = [text(f"word{number} ") for number in range(30)]
LAST = finish() + DONE
PACE = 50.0


def paced(
    pieces: Sequence[bytes], *, start: float = 500.0, end: bytes = END, head: bytes = HEAD
) -> list[tuple[float, bytes]]:
    """The head at once, then each piece in a chunk of its own, at an even pace."""
    reads = [(0.0, head)]
    reads += [(start + PACE * number, encode_chunk(piece)) for number, piece in enumerate(pieces)]
    at, last = reads.pop()
    return [*reads, (at, last + end)]


def meter_of(reads: Reads, end: str = "", wait: float = 0.0, **options: Any) -> Meter:
    meter = Meter(**options)
    at = 0.0
    for at, piece in reads:
        meter.receive_data(at, piece)
    if end:
        meter.receive_end(at + wait, end)  # type: ignore[arg-type]
    return meter


def plain_head(*fields: str, version: str = "1.1", status: str = "200 OK") -> bytes:
    lines = [f"HTTP/{version} {status}", *fields, "", ""]
    return "\r\n".join(lines).encode()


STREAM = "Content-Type: text/event-stream"
JSON = "Content-Type: application/json"
WHOLE = [*TOKENS, LAST]
BODY = b"".join(WHOLE)


def blocks(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def grouped(size: int) -> list[bytes]:
    return [b"".join(TOKENS[start : start + size]) for start in range(0, 30, size)]


def coalesced_reads() -> Reads:
    """Five events each 300 ms, each still in a chunk of its own."""
    chunks = [b"".join(map(encode_chunk, TOKENS[start : start + 5])) for start in range(0, 30, 5)]
    for number, piece in enumerate(chunks):
        yield 500.0 + 300 * number, piece if number else HEAD + piece
    yield 2050.0, encode_chunk(LAST) + END


def late_ends() -> Reads:
    """The blank line of each event comes with the next event."""
    yield 0.0, HEAD
    left = b""
    for number, event in enumerate(TOKENS):
        yield 500 + PACE * number, encode_chunk(left + event[:-1])
        left = b"\n"
    yield 2100.0, encode_chunk(left + LAST) + END


def lagging() -> Reads:
    """Each event comes with the next one: the role alone, and the last text with the end."""
    role = text("", role="assistant")
    pieces = [role, *TOKENS[:-1], TOKENS[-1] + LAST]
    return paced(pieces)


def in_two_writes() -> Reads:
    """The end of each chunk waits 40 ms for an acknowledgment."""
    yield 0.0, HEAD
    for number, event in enumerate(TOKENS):
        chunk = encode_chunk(event)
        yield 500.0 + 100 * number, chunk[:20]
        yield 541.0 + 100 * number, chunk[20:]
    yield 4000.0, encode_chunk(LAST) + END


def gzip_reads(flush: bool) -> Reads:
    yield 0.0, HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n"
    coder = zlib.compressobj(wbits=31)
    for number, event in enumerate(WHOLE):
        coded = coder.compress(event) + (coder.flush(zlib.Z_SYNC_FLUSH) if flush else b"")
        if coded:
            yield 500 + PACE * number, encode_chunk(coded)
    yield 2100.0, encode_chunk(coder.flush()) + END


def heartbeats() -> Reads:
    yield from paced(TOKENS[:5], end=b"")
    for number in range(10):
        yield 1000.0 + 1000 * number, encode_chunk(b": keep-alive\n")


def stalled() -> Reads:
    yield from paced(TOKENS[:10], end=b"")
    yield 6000.0, b"".join(map(encode_chunk, TOKENS[10:22]))
    for number, event in enumerate(TOKENS[22:]):
        yield 6050 + PACE * number, encode_chunk(event)
    yield 7000.0, encode_chunk(LAST) + END


Row = tuple[Reads, str, list[str]]
RESPONSES = [
    response(0, "created"),
    response(1, "in_progress"),
    *(response(n, "output_text.delta", delta=f"w{n} ") for n in range(2, 30)),
    response(30, "completed"),
]
ROWS: dict[str, Row] = {
    "not-a-stream": ([(0, plain_head(JSON, "Content-Length: 2") + b"{}")], "", ["not-a-stream"]),
    "an error status": (
        [(0, plain_head(STREAM, "Content-Length: 0", status="429 Too Many"))],
        "",
        ["not-a-stream"],
    ),
    "framing-error": ([*paced(TOKENS[:5], end=b"xyz\r\n")], "", ["framing-error"]),
    "after the end": ([*paced(WHOLE), (3000, b"data: x\n\n")], "", ["framing-error"]),
    "cut-application": (
        paced([*TOKENS[:9], data({"error": {"message": "overloaded"}})], end=b""),
        "fin",
        ["cut-application"],
    ),
    "a lost data:": (
        paced([*TOKENS, finish()[6:], data({"choices": [], "usage": {}}), DONE]),
        "",
        ["rewritten"],
    ),
    "a lost event": (paced(RESPONSES[:9] + RESPONSES[10:]), "", ["rewritten"]),
    "a lost event line": (
        paced([event.partition(b"\n")[2] for event in RESPONSES]),
        "",
        ["rewritten"],
    ),
    "the role again": (
        paced([text("", role="assistant"), *TOKENS[:5], text("", role="assistant"), *WHOLE]),
        "",
        ["retried"],
    ),
    "an id again": (
        paced([b"id: %d\ndata: {}\n\n" % number for number in (1, 2, 3, 1, 2, 3, 4)]),
        "",
        ["retried"],
    ),
    "created again": (paced(RESPONSES[:5] + RESPONSES), "", ["retried"]),
    "an event twice": (paced(RESPONSES[:5] + RESPONSES[4:]), "", ["retried"]),
    "a bare error": (
        paced([*TOKENS[:5], b'{"error":{"message":"x"}}\n\n']),
        "",
        ["bad-events", "cut-clean"],
    ),
    "broken JSON": (paced([*TOKENS, b'data: {"a":\n\n', LAST]), "", ["bad-events"]),
    "data that is not JSON": (paced([*TOKENS, b"data: ok\n\n", LAST]), "", ["bad-events"]),
    "a stray text": (
        paced([*TOKENS[:5], b"Error occurred while trying to proxy: h\n\n"]),
        "",
        ["bad-events", "cut-clean"],
    ),
    "a BOM": (paced([b"\xef\xbb\xbf" + TOKENS[0], *TOKENS[1:], LAST]), "", ["bad-events"]),
    "CR": (paced([event.replace(b"\n", b"\r") for event in WHOLE]), "", ["bad-events"]),
    "id and comment": (
        paced([b"id: 1\n" + TOKENS[0], b": ping\n\n", *TOKENS[1:], LAST]),
        "",
        ["bad-events"],
    ),
    "empty data": (paced([*TOKENS, b"data:\n\n", LAST]), "", ["bad-events"]),
    "retry alone": (paced([b"retry: 9\n\n", *WHOLE]), "", ["bad-events"]),
    "cut-clean": (paced(TOKENS[:9]), "", ["cut-clean"]),
    "without [DONE]": (paced([*TOKENS, finish()]), "", ["cut-clean"]),
    "empty": ([(3.0, HEAD + END)], "", ["cut-clean"]),
    "cut-transport": (paced(TOKENS[:9], end=b""), "fin", ["cut-transport"]),
    "reset": (paced(TOKENS[:9], end=b"5\r\nda"), "reset", ["cut-transport"]),
    "after [DONE]": (paced(WHOLE, end=b""), "truncated", ["cut-transport"]),
    "no head": ([(5.0, b"HTTP/1.1 2")], "fin", ["cut-transport"]),
    "only a head": ([(5.0, HEAD)], "fin", ["cut-transport"]),
    "measured": (
        [(3500, plain_head(STREAM, f"Content-Length: {len(BODY)}") + BODY)],
        "",
        ["measured", "buffered-whole", "head-held"],
    ),
    "an ETag": (paced(WHOLE, head=HEAD[:-2] + b'ETag: "1"\r\n\r\n'), "", ["measured"]),
    "compressed-unflushed": (list(gzip_reads(flush=False)), "", ["compressed-unflushed"]),
    "buffered-whole": ([(0, HEAD), (3500, encode_chunk(BODY) + END)], "", ["buffered-whole"]),
    "whole, in many chunks": (
        [(3500, HEAD + b"".join(map(encode_chunk, WHOLE)) + END)],
        "",
        ["buffered-whole", "head-held"],
    ),
    "buffered-blocks": (paced(blocks(BODY, 500), start=800), "", ["buffered-blocks"]),
    "blocks, the first smaller": (
        [
            (2000, HEAD + encode_chunk(BODY[:930])),
            (4000, encode_chunk(BODY[930:1930])),
            (6000, encode_chunk(BODY[1930:]) + END),
        ],
        "",
        ["buffered-blocks"],
    ),
    "coalesced": (list(coalesced_reads()), "", ["coalesced"]),
    "ends come late": (list(late_ends()), "", ["one-behind"]),
    "one-behind": (lagging(), "", ["one-behind"]),
    "burst-after-stall": (list(stalled()), "", ["burst-after-stall"]),
    "head-held": (
        [(600, HEAD + encode_chunk(TOKENS[0])), *paced(WHOLE[1:], start=650)[1:]],
        "",
        ["head-held"],
    ),
    "invalid UTF-8": (
        paced([*TOKENS, text("é").replace(b"\xc3", b""), LAST]),
        "",
        ["torn-characters"],
    ),
    "U+FFFD at a border": (
        paced([*TOKENS, text("a\ufffd"), text("\ufffdb"), LAST]),
        "",
        ["torn-characters"],
    ),
    "chunks inside characters": (
        paced([*TOKENS, text("é")[:-8], text("é")[-8:], LAST]),
        "",
        ["torn-characters"],
    ),
    "nagle": (list(in_two_writes()), "", ["nagle"]),
    "length-limit": (paced([*TOKENS, finish("length") + DONE]), "", ["length-limit"]),
    "http10": (
        [
            (0.0, plain_head(STREAM, version="1.0")),
            *((500 + PACE * n, e) for n, e in enumerate(WHOLE)),
        ],
        "fin",
        ["http10"],
    ),
    "until-close": (
        [(0.0, plain_head(STREAM)), *((500 + PACE * n, e) for n, e in enumerate(WHOLE))],
        "fin",
        ["until-close"],
    ),
    "stall-behind-heartbeats": (list(heartbeats()), "", ["stall-behind-heartbeats"]),
    # Healthy.
    "live": (paced(WHOLE), "", ["live"]),
    "Responses": (paced(RESPONSES), "", ["live"]),
    "gzip, flushed": (list(gzip_reads(flush=True)), "", ["live"]),
    "comments and blank lines": (
        paced([TOKENS[0], b": ping\n\n", *TOKENS[1:], LAST]),
        "",
        ["live"],
    ),
    "CRLF": (paced([event.replace(b"\n", b"\r\n") for event in WHOLE]), "", ["live"]),
    "a text about U+FFFD": (paced([*TOKENS, text("\ufffd"), text(" is"), LAST]), "", ["live"]),
    "a refrain": (paced([*TOKENS[:12], *TOKENS[:12], *TOKENS[:12], LAST]), "", ["live"]),
    "the role in each delta": (
        paced([*(text(f"w{n}", role="assistant") for n in range(9)), LAST]),
        "",
        ["live"],
    ),
    "three tokens at once": (
        [(0, HEAD), (900, encode_chunk(b"".join(TOKENS[:3]) + LAST) + END)],
        "",
        ["live"],
    ),
    "instant": ([(2, HEAD + b"".join(map(encode_chunk, WHOLE)) + END)], "", ["live"]),
    "other events": (paced([b"data: %d\n\n" % number for number in range(9)]), "", ["live"]),
    "a plain text": (
        [(0, plain_head("Transfer-Encoding: chunked")), *paced([b"word "] * 9)[1:]],
        "",
        ["live"],
    ),
    # Not enough to judge.
    "nothing yet": ([(0, HEAD)], "", ["unsure"]),
    "an event twice, without a number": (
        paced([*TOKENS[:5], *TOKENS[4:], LAST]),
        "",
        ["unsure", "retried"],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str) -> None:
    reads, end, codes = ROWS[name]
    found = judge(meter_of(reads, end))
    assert [verdict.code for verdict in found] == codes
    assert all(verdict.say for verdict in found)
    claims = codes[0] not in ("unsure",)
    assert claims == all(verdict.sure > 0.5 for verdict in found) or codes == ["live"]


WAITS: dict[str, tuple[Reads, Literal["fin", "reset", "silent"], float, list[str]]] = {
    "idle-timeout": (paced(TOKENS[:9], end=b""), "fin", 60_000, ["idle-timeout", "cut-transport"]),
    "an odd idle-timeout": (
        paced(TOKENS[:9], end=b""),
        "reset",
        12_000,
        ["idle-timeout", "cut-transport"],
    ),
    "lifetime-timeout": (
        paced(TOKENS[:9], end=b"", start=29_500),
        "fin",
        100,
        ["lifetime-timeout", "cut-transport"],
    ),
    "finished-not-closed": (
        paced([*TOKENS, finish()], end=b""),
        "silent",
        75_000,
        ["finished-not-closed"],
    ),
    "[DONE] and no end": (paced(WHOLE, end=b""), "silent", 75_000, ["finished-not-closed"]),
    "deaf": ([(1.0, HEAD)], "silent", 75_000, ["deaf"]),
    "vanished": (paced(TOKENS[:9], end=b""), "silent", 75_000, ["vanished"]),
    "no byte": ([], "silent", 75_000, ["vanished"]),
}


@pytest.mark.parametrize("name", WAITS)
def test_waits(name: str) -> None:
    reads, end, wait, codes = WAITS[name]
    assert [verdict.code for verdict in judge(meter_of(reads, end, wait))] == codes


def test_silence_on_a_connection_that_is_known_to_be_alive() -> None:
    """Only TCP knows: the other end acknowledges probes, or it is gone."""
    for acknowledged, code in ((True, "deaf"), (False, "vanished"), (None, "vanished")):
        meter = meter_of(paced(TOKENS[:9], end=b""))
        meter.receive_end(75_000.0, "silent", acknowledged=acknowledged)
        assert [verdict.code for verdict in judge(meter)] == [code]
    meter = meter_of([(1.0, HEAD)])
    meter.receive_end(75_000.0, "silent", acknowledged=False)
    assert [verdict.code for verdict in judge(meter)] == ["vanished"]


def test_504_after_a_minute() -> None:
    head = plain_head("Content-Type: text/html", "Content-Length: 0", status="504 Gateway Timeout")
    found = judge(meter_of([(60_010.0, head)]))
    assert [verdict.code for verdict in found] == ["not-a-stream", "idle-timeout"]
    assert found[1].facts == {"seconds": 60}


def test_a_clean_end_after_silence() -> None:
    """The end of the chunked coding does not count as content."""
    found = judge(meter_of([*paced(TOKENS[:9], end=b""), (30_900.0, END)]))
    assert [verdict.code for verdict in found] == ["idle-timeout", "cut-clean"]
    assert found[0].facts == {"seconds": 30}


def test_facts() -> None:
    """Sizes and periods are those of the hop."""
    for name, facts in {
        "buffered-blocks": {"block": 500, "blocks": 4},
        "blocks, the first smaller": {"block": 1024, "blocks": 3},
        "coalesced": {"period_ms": 300, "events": 5},
        "head-held": {"head_ms": 600},
        "compressed-unflushed": {"coding": "gzip", "how": "all at once", "lumps": 1},
    }.items():
        reads, end, _ = ROWS[name]
        assert judge(meter_of(reads, end))[0].facts == facts


def test_http10_that_was_asked_for() -> None:
    reads, end, _ = ROWS["http10"]
    meter = meter_of(reads, end, request=b"GET / HTTP/1.0\r\n\r\n")
    assert [verdict.code for verdict in judge(meter)] == ["live"]
    reads, end, _ = ROWS["until-close"]
    meter = meter_of(reads, end, request=b"GET / HTTP/1.0\r\n\r\n")
    assert [verdict.code for verdict in judge(meter)] == ["live"]


def test_a_running_stream() -> None:
    """Without an end, a stream is judged as far as it has come: nobody is blamed for the rest."""
    for count in range(2, 30):
        meter = meter_of(paced(WHOLE)[:count])
        assert [verdict.code for verdict in judge(meter)] == ["live"]


def test_a_coding_that_python_cannot_read() -> None:
    """Brotli is judged by its sizes and times."""
    head = HEAD[:-2] + b"Content-Encoding: br\r\n\r\n"
    late = meter_of([(0, head), (3500, encode_chunk(bytes(500)) + END)])
    assert (late.readable, late.text_bytes) == (False, 0)
    assert [verdict.code for verdict in judge(late)] == ["compressed-unflushed"]
    steady = meter_of(paced([bytes(40)] * 30, head=head))
    assert [verdict.code for verdict in judge(steady)] == ["live"]


def test_every_code_has_words() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))
    assert all(rule.cure and rule.settles for rule in RULES)


def report_of(*codes: str) -> Report:
    verdicts = [Verdict(code=code, sure=0.9, say="…") for code in codes]
    nothing = Counts(0, 0, 0, 0)
    return Report(
        url="",
        status=200,
        verdicts=verdicts,
        counts=nothing,
        ttft_ms=None,
        head_ms=None,
        gaps_ms=None,
        wire_bytes=0,
        text_bytes=0,
    )


def test_probe() -> None:
    """What holds one method or type and streams another is a gate."""

    def codes(**reports: Report) -> list[str]:
        return [verdict.code for verdict in judge_probe(reports)]

    held, streamed = report_of("buffered-whole"), report_of("live")
    assert codes(asked=held, method=streamed) == ["method-gated", "buffered-whole"]
    assert codes(asked=held, accept=streamed) == ["type-gated", "buffered-whole"]
    assert codes(asked=held, method=held, accept=held) == ["buffered-whole"]
    assert codes(asked=streamed, method=held) == ["live"]


def test_report() -> None:
    found = report(meter_of(paced(WHOLE), url="http://a/"))
    assert msgspec.to_builtins(found) == {
        "url": "http://a/",
        "status": 200,
        "verdicts": [
            {
                "code": "live",
                "sure": 0.9,
                "say": "The answer arrives as it is made.",
                "cure": "",
                "hop": None,
                "facts": {"tokens": 30, "moments": 30},
            }
        ],
        "counts": {"reads": 32, "chunks": 31, "events": 32, "tokens": 30},
        "ttft_ms": 500.0,
        "head_ms": 0.0,
        "gaps_ms": {"p50": 50.0, "p95": 50.0, "p99": 50.0, "max": 50.0},
        "wire_bytes": len(b"".join(data for _, data in paced(WHOLE))),
        "text_bytes": sum(len(f"word{number} ") for number in range(30)),
    }


def test_200_healthy_streams_are_live() -> None:
    """From 5 to 2,000 tokens a second, with a reader that is up to 300 ms late."""
    for seed in range(200):
        random = Random(seed)
        stream = Healthy.make(random)
        found = judge(deliver(stream, random))
        assert [verdict.code for verdict in found] == ["live"], stream


def test_instant_streams_are_live() -> None:
    """All events in one read, each in a chunk of its own, soon after the request."""
    for tokens in (1, 5, 50, 500):
        pieces = b"".join(map(encode_chunk, chat_events(Random(tokens), tokens)))
        for start in (1.0, 200.0, 900.0):
            found = judge(meter_of([(0.0, HEAD), (start, pieces + END)]))
            assert [verdict.code for verdict in found] == ["live"]
