"""The summary of a response fits on one screen, whatever was found."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from workshop.xray.judge.verdicts import report
from workshop.xray.meter.measure import Meter
from workshop.xray.picture.summary import ASCII_BARS, Summary, sparkline, summary
from workshop.xray.report import Counts, Gaps, Report, Verdict

BLOCKS = Verdict(
    code="buffered-blocks",
    sure=0.95,
    hop="nginx",
    say="The text comes in blocks of 4,096 bytes, and the reader waits 1,600 ms for each.",
    cure="proxy_buffering off;",
)
GUESS = Verdict(code="one-behind", sure=0.4, say="Perhaps each event comes with the next one.")
LIVE = Verdict(code="live", sure=0.97, say="Each token came when it was made.")


def found(*verdicts: Verdict, **more: object) -> Report:
    facts: dict[str, object] = {
        "url": "http://localhost:8000/v1/chat/completions",
        "status": 200,
        "counts": Counts(3, 3, 33, 1),
        "ttft_ms": 1910.2,
        "head_ms": 2.14,
        "gaps_ms": Gaps(0.1, 1600.0, 1600.0, 1600.4),
        "wire_bytes": 7911,
        "text_bytes": 210,
    }
    return Report(verdicts=list(verdicts), **(facts | more))  # type: ignore[arg-type]


def printed(shown: Summary, width: int = 80, encoding: str = "utf-8", colour: bool = False) -> str:
    written = io.BytesIO()
    file = io.TextIOWrapper(written, encoding, write_through=True)
    output = Console(
        file=file,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        _environ={},
    )
    output.print(shown)
    return written.getvalue().decode(encoding)


GAPS = [0.1] * 5 + [1600.4] + [0.1] * 5 + [800.0]


def test_the_screen() -> None:
    shown = Summary(
        found(BLOCKS, GUESS), method="POST", coding="gzip", gaps=GAPS, last_ms=3511.2, end="fin"
    )
    assert (
        printed(shown)
        == """\
POST http://localhost:8000/v1/chat/completions

✗ buffered-blocks by nginx, 95 % sure
  The text comes in blocks of 4,096 bytes, and the reader waits 1,600 ms for
  each.
  Cure: proxy_buffering off;
? one-behind, 40 % sure
  Perhaps each event comes with the next one.

status       200
head         2.1 ms
first token  1,910 ms
last byte    3,511 ms, then closed (FIN)
gaps         p50 0.1 · p95 1,600 · p99 1,600 · max 1,600 ms
             ▁▁▁▁▁█▁▁▁▁▁▄
came         3 reads · 3 chunks · 33 events · 1 token
bytes        7,911 on the wire (gzip), 210 of text: 37.7 to 1
"""
    )


def test_a_narrow_screen_without_utf8() -> None:
    assert (
        printed(Summary(found(LIVE), gaps=[50, 48, 49]), 40, "ascii")
        == """\
GET http://localhost:8000/v1/chat/comple
tions

ok live, 97 % sure
  Each token came when it was made.

status: 200
head: 2.1 ms
first token: 1,910 ms
gaps: p50 0.1 - p95 1,600 - p99 1,600
  max 1,600 ms
  ###
came: 3 reads - 3 chunks - 33 events
  1 token
bytes: 7,911 on the wire
  210 of text: 37.7 to 1
"""
    )


def test_what_did_not_come() -> None:
    nothing = found(
        url="",
        status=0,
        counts=Counts(0, 0, 0, 0),
        ttft_ms=None,
        head_ms=None,
        gaps_ms=None,
        wire_bytes=0,
        text_bytes=0,
    )
    assert (
        printed(Summary(nothing))
        == """\
GET


status       no head came
head         did not come
first token  did not come
came         0 reads · 0 chunks · 0 events · 0 tokens
bytes        0 on the wire, no text
"""
    )


LONG = Verdict(code="unsure", sure=0.9, say="you 世界 " * 60, cure="x" * 200)


@pytest.mark.parametrize("width", [40, 57, 80, 200])
@pytest.mark.parametrize("verdicts", [[LONG], [LONG] * 5, [LIVE, LONG], [BLOCKS, GUESS] * 20, []])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_one_screen(width: int, verdicts: list[Verdict], encoding: str) -> None:
    """The verdicts without room for a sentence are named by their codes."""
    long = found(*verdicts, url="http://localhost/" + "x" * 500)
    shown = Summary(long, coding="gzip", gaps=[1.0] * 900, last_ms=99_999.0, end="truncated")
    lines = printed(shown, width, encoding).splitlines()
    assert len(lines) <= 24
    assert max(map(cell_len, lines)) <= width
    if verdicts:
        assert any(verdicts[0].code in line for line in lines)
        assert any(verdicts[-1].code in line or "and: " in line for line in lines)


@pytest.mark.parametrize("width", [1, 5, 12, 20])
def test_hardly_any_screen(width: int) -> None:
    shown = printed(Summary(found(BLOCKS, GUESS), gaps=GAPS, end="fin"), width)
    assert max(map(cell_len, shown.splitlines())) <= max(width, 8)


def test_a_peer_does_not_control_the_terminal() -> None:
    bad = Verdict(code="live", sure=0.9, say="\x1b[2J", cure="\x9b", hop="\x07")
    shown = printed(Summary(found(bad, url="http://x/\x1b]0;"), coding="\r"))
    assert not set("\x1b\x9b\x07\r") & set(shown)


def test_colour_only_repeats_the_marks() -> None:
    shown = Summary(found(BLOCKS))
    assert "\x1b[1;31m✗ buffered-blocks" in printed(shown, colour=True)
    assert "\x1b" not in printed(shown)


def test_a_sparkline_keeps_its_peaks() -> None:
    assert sparkline([], 10) == ""
    assert sparkline([0, 0], 10) == "▁▁"
    assert sparkline([0, 10, 20, 30, 40, 50, 60, 70, 80], 9) == "▁▂▃▄▅▆▇██"
    assert sparkline([1] * 500 + [8] + [1] * 499, 10) == "▂▂▂▂▂█▂▂▂▂"
    assert sparkline([1, 2], 10, ASCII_BARS) == "=#"


def test_of_a_meter() -> None:
    meter = Meter(url="http://localhost/", method="PUT")
    meter.receive_data(2.0, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello")
    meter.receive_end(3.0, "fin")
    shown = printed(summary(report(meter), meter))
    assert shown.startswith("PUT http://localhost/\n")
    assert "last byte    2.0 ms, then closed (FIN)\n" in shown


def test_the_silence_before_an_end() -> None:
    """A FIN that came seconds after the last byte is a timeout of somebody."""

    def said(end_ms: float | None, end: str = "fin") -> str:
        shown = Summary(found(LIVE, end=end, end_ms=end_ms), last_ms=990.0, end="fin")
        (line,) = (line for line in printed(shown).splitlines() if line.startswith("last byte"))
        return line.removeprefix("last byte    990 ms, then ")

    assert said(3953.0) == "closed (FIN) after 3.0 s of silence"
    assert said(1200.0) == said(None) == "closed (FIN)"
    assert said(None, "stopped") == "x-ray stopped reading (--max-time or Ctrl-C)"


def test_one_gap_is_not_drawn() -> None:
    assert "█" not in printed(Summary(found(LIVE), gaps=[50]))


def test_a_title_that_hardly_fits() -> None:
    lines = printed(Summary(found(BLOCKS)), 40).splitlines()
    assert "✗ buffered-blocks by nginx, 95 % sure" in lines
    lines = printed(Summary(found(BLOCKS)), 34).splitlines()
    assert "✗ buffered-blocks by nginx, 95 %" in lines
