"""The table of verdicts: each recording of `recorded.py` gets exactly its codes."""

from dataclasses import replace
from random import Random
from typing import Literal

import msgspec
import pytest

from protocol.chunked import encode_chunk
from workshop.xray.judge import timing
from workshop.xray.judge.verdicts import CODES, RULES, judge, report

from .healthy import HEAD, Healthy, chat_events, deliver
from .making import END, LAST, TOKENS, WHOLE, Reads, finish, meter_of, paced, plain_head
from .recorded import ROWS


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str) -> None:
    reads, end, codes = ROWS[name]
    found = judge(meter_of(reads, end))
    assert [verdict.code for verdict in found] == codes
    assert all(verdict.say for verdict in found)
    claims = "unsure" not in codes
    assert claims == all(verdict.sure > 0.5 for verdict in found) or codes == ["live"]


WAITS: dict[str, tuple[Reads, Literal["fin", "reset", "silent"], float, list[str]]] = {
    "idle-timeout": (paced(TOKENS[:9], end=b""), "fin", 60_000, ["idle-timeout"]),
    "an odd idle-timeout": (paced(TOKENS[:9], end=b""), "reset", 12_000, ["idle-timeout"]),
    "an idle-timeout of 3 s": (paced(TOKENS[:9], end=b""), "fin", 2_910, ["idle-timeout"]),
    "2.5 s, as no timeout is": (paced(TOKENS[:9], end=b""), "fin", 2_500, ["cut-transport"]),
    "3 s, and few tokens": (paced(TOKENS[:3], end=b""), "fin", 3_000, ["cut-transport"]),
    "lifetime-timeout": (
        paced(TOKENS[:9], end=b"", start=29_500),
        "fin",
        100,
        ["lifetime-timeout"],
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
    """Only TCP knows whether the other end still acknowledges probes or has vanished."""
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
    """The measured sizes and periods are those of the hop."""
    for name, facts in {
        "buffered-blocks": {"block": 500, "blocks": 4, "at": timing.AT_EVENTS},
        "blocks, the first smaller": {"block": 1024, "blocks": 3, "at": timing.AT_EVENTS},
        "whole events, blocks of 8 KiB": {"block": 8192, "blocks": 3, "at": timing.AT_SIZE},
        "blocks of TLS": {"block": 16_384, "blocks": 3, "at": timing.AT_SIZE},
        "coalesced": {"period_ms": 300, "events": 5},
        "head-held": {"head_ms": 600},
        "compressed-unflushed": {"coding": "gzip", "how": "all at once", "lumps": 1},
    }.items():
        reads, end, _ = ROWS[name]
        assert judge(meter_of(reads, end))[0].facts == facts


def test_words() -> None:
    """Every verdict is a complete sentence."""
    for name, say in {
        "a lost event": "A hop has changed the events: 1 event missing, by the sequence numbers.",
        "cut-clean": "The response ended cleanly after 9 events, without the event that ends the "
        "answer: it looks complete.",
        "cut-transport": "The connection was closed in the middle of the response, after 9 events.",
        "an event twice, without a number": "Perhaps this is retried. A part of the answer came "
        "twice: 1 event equal to the one before.",
    }.items():
        reads, end, _ = ROWS[name]
        assert judge(meter_of(reads, end))[0].say == say


def test_http10_that_was_asked_for() -> None:
    reads, end, _ = ROWS["http10"]
    meter = meter_of(reads, end, request=b"GET / HTTP/1.0\r\n\r\n")
    assert [verdict.code for verdict in judge(meter)] == ["live"]
    reads, end, _ = ROWS["until-close"]
    meter = meter_of(reads, end, request=b"GET / HTTP/1.0\r\n\r\n")
    assert [verdict.code for verdict in judge(meter)] == ["live"]


def test_a_running_stream() -> None:
    """If a stream has no end yet, only the part that has arrived is judged."""
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


ALL_CODES = """
live buffered-whole buffered-blocks coalesced compressed-unflushed head-held one-behind measured
method-gated type-gated idle-timeout lifetime-timeout deaf vanished cut-transport cut-clean
cut-application finished-not-closed length-limit retried rewritten stall-behind-heartbeats
burst-after-stall torn-characters nagle http10 until-close framing-error bad-events not-a-stream
unsure
"""


def test_every_code_has_words() -> None:
    assert sorted(CODES) == sorted(ALL_CODES.split())
    assert all(rule.cure and rule.settles for rule in RULES)


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
        "end": "",
        "end_ms": None,
        "quiet_ms": 0.0,
    }


def test_200_healthy_streams_are_live() -> None:
    """Healthy streams have 5 to 2,000 tokens a second, and a reader that is up to 300 ms late."""
    for seed in range(200):
        random = Random(seed)
        stream = Healthy.make(random)
        found = judge(deliver(stream, random))
        assert [verdict.code for verdict in found] == ["live"], stream


def test_a_model_that_thinks_is_live() -> None:
    """Pauses of seconds, and tokens one by one between them. If the reader is late and the model is
    fast, it may be unsure, but it claims nothing."""
    codes = []
    for seed in range(100):
        random = Random(seed)
        stream = replace(Healthy.make(random), pauses=0.03)
        found = judge(deliver(stream, random))
        assert found[0].code == "live" or found[0].sure <= 0.5, stream
        codes.append(found[0].code)
    assert codes.count("live") >= 95


def test_instant_streams_are_live() -> None:
    """All events arrive in one read, each in a separate chunk, soon after the request."""
    for tokens in (1, 5, 50, 500):
        pieces = b"".join(map(encode_chunk, chat_events(Random(tokens), tokens)))
        for start in (1.0, 200.0, 900.0):
            found = judge(meter_of([(0.0, HEAD), (start, pieces + END)]))
            assert [verdict.code for verdict in found] == ["live"]


def test_the_end_is_in_the_report() -> None:
    """The screens can say that the connection was closed after 3 s of silence."""
    said = report(meter_of(paced(TOKENS[:9], end=b""), "fin", 3_000))
    assert (said.end, said.end_ms, said.quiet_ms) == ("fin", 3_900, 3_000)
    said = report(meter_of(paced(TOKENS[:9], end=b"")))
    assert (said.end, said.end_ms, said.quiet_ms) == ("", None, 0)


def test_what_a_trace_has_lost_is_not_judged() -> None:
    """In a trace in ASCII, a dot stands for each LF."""
    reads = paced([TOKENS[0], TOKENS[1].replace(b"\n", b"."), *TOKENS[2:], LAST])
    assert judge(meter_of(reads))[0].code == "bad-events"
    assert [verdict.code for verdict in judge(meter_of(reads, exact=False))] == ["live"]
