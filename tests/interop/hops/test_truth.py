"""Tests of the right codes as known from both sides of a hop, and of writing and reading the
page."""

import pytest

from protocol.recording import End, RecordedRead
from workshop.xray.report import Verdict

from .asking import Case, Seen
from .hops import HOPS
from .table import Page, cases, page
from .truth import is_true, right_codes
from .upstream import EVENTS, FIRST, GAP, Way

SENT = [1000 * (FIRST + GAP * number) for number in range(EVENTS["whole"] + 1)]


def seen(
    came: list[float],
    *,
    end: End = "",
    at: float = 3320,
    status: int = 200,
    head: float | None = 1,
    coding: str = "",
    size: int = 250,
) -> Seen:
    """The reads and times of events that the upstream sends at its usual pace."""
    moments = dict.fromkeys(came)
    reads = [RecordedRead(0, "client", b"POST / HTTP/1.1\r\n\r\n")]
    reads += [RecordedRead(time, "server", bytes(size + n % 5)) for n, time in enumerate(moments)]
    reads.append(RecordedRead(at, "server", b"" if end else b"0\r\n\r\n", end))
    held = [time - due for time, due in zip(came, SENT, strict=False)]
    return Seen(reads, status, head, head, came, held, len(SENT), not end, coding)


def every(milliseconds: float) -> list[float]:
    """Events that are relayed at multiples of this time."""
    return [milliseconds * (1 + time // milliseconds) for time in SENT]


def blocks(events: int) -> list[float]:
    """Events that are relayed in groups of this size. The last group may be smaller."""
    last = len(SENT) - 1
    return [SENT[min(last, number // events * events + events - 1)] for number in range(last + 1)]


LIVE = [time + 5 for time in SENT]
CASES: dict[str, tuple[Way, Seen, str]] = {
    "at once": ("whole", seen(LIVE), "live"),
    "a busy moment": ("whole", seen([*LIVE[:55], *[time + 200 for time in LIVE[55:]]]), "live"),
    "head late": ("whole", seen(LIVE, head=505), "head-held live"),
    "every 280 ms": ("whole", seen(every(280)), "coalesced"),
    "16 events": ("whole", seen(blocks(16)), "buffered-blocks"),
    "at the end": ("whole", seen([3300.0] * 61), "buffered-whole measured"),
    "compressed": ("whole", seen([3300.0] * 61, coding="gzip"), "compressed-unflushed"),
    "next one": ("whole", seen([time + 51 for time in SENT], coding="gzip"), "one-behind"),
    "one lost": ("whole", seen(LIVE[:60]), ""),
    "cut": ("reset", seen(LIVE[:24], end="fin", at=1500), "cut-transport"),
    "cut, clean": ("reset", seen(LIVE[:24], at=1500), "cut-clean"),
    "silent, closed": ("silent", seen(LIVE[:4], end="fin", at=6500), "idle-timeout"),
    "silent, held": ("silent", seen(LIVE[:4], end="silent", at=8500), "vanished"),
    "nothing": ("silent", seen([], end="silent", at=8000, head=None, status=0), "deaf vanished"),
    "502": ("fin", seen([], status=502), "not-a-stream"),
    "504": ("silent", seen([], status=504), "idle-timeout not-a-stream"),
}


@pytest.mark.parametrize("name", CASES)
def test_right_codes(name: str) -> None:
    way, what, codes = CASES[name]
    case = Case("nginx", "default", "naive", False, way)
    assert right_codes(case, what) == set(codes.split())
    first = codes.split()[:1]
    assert all(is_true(case, what, code) for code in first)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("every 280 ms", "live"),
        ("at once", "coalesced"),
        ("at once", "head-held"),
        ("at once", "nagle"),
        ("16 events", "buffered-whole"),
        ("cut", "buffered-whole"),
        ("cut", "idle-timeout"),
        ("at once", "cut-clean"),
        ("cut, clean", "cut-transport"),
        ("silent, closed", "vanished"),
    ],
)
def test_a_claim_that_is_not_true(name: str, code: str) -> None:
    way, what, _ = CASES[name]
    assert not is_true(Case("nginx", "default", "naive", False, way), what, code)


def test_a_page_is_read_as_it_was_written() -> None:
    """The sure codes of each case, and the version. A guess has a question mark."""
    results = {}
    for number, case in enumerate(cases(["no hop", "Python"])):
        guess = Verdict(code="head-held", sure=0.4, say="late")
        sure = Verdict(code="live", sure=0.9, say="fine"), Verdict(code="http10", sure=0.6, say="x")
        results[case] = CASES["at once"][1], [guess] if number % 3 == 0 else [*sure, guess]
    text = page(results)
    read = Page.read(text)
    assert read.versions == {"no hop": "", "Python": HOPS["Python"].version}
    assert set(read.codes) == set(results)
    for number, codes in enumerate(map(read.codes.__getitem__, results)):
        expected = ["head-held?"] if number % 3 == 0 else ["live", "http10"]
        assert codes == (expected if number % 4 == 0 else expected[:1])  # whole, reset, fin, silent
    assert "| `live` | fine |" in text
    assert "late" not in text
