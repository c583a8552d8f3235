"""A comparison on one screen, wide and narrow."""

import io

import pytest
from rich.console import Console

from workshop.xray.asking.compare import Comparison, WayReport
from workshop.xray.asking.comparison_view import ComparisonView
from workshop.xray.report import Counts, Gaps, Report, Verdict


def report(reads: int, ttft: float, gap: float | None) -> Report:
    return Report(
        url="http://h/",
        status=200,
        verdicts=[Verdict(code="live", sure=0.9, say="It is live.")],
        counts=Counts(reads, reads, 153, 150),
        ttft_ms=ttft,
        head_ms=2.4,
        gaps_ms=None if gap is None else Gaps(gap, gap, gap, 2 * gap),
        wire_bytes=1,
        text_bytes=1,
    )


WAYS = [
    WayReport("server", "h:1", [], [report(154, 503.2, 30.1), report(152, 503, 30)]),
    WayReport("代理", "h:2", ["buffered-whole"], [report(3, 4711, None)]),
]
VERDICT = Verdict(
    code="buffered-whole", sure=0.95, say="All came at once.", cure="Flush.", hop="代理"
)


def shown(comparison: Comparison, width: int = 80) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width).print(ComparisonView(comparison))
    return file.getvalue().splitlines()


def test_wide() -> None:
    assert shown(Comparison(WAYS, [VERDICT], {"nginx": "off;", "a pipe": "-u"})) == [
        "way     head  first text  gap p50  gap max  reads  events",
        "server     2         503       30       60    153     153  live",
        "代理       2        4711        -        -      3     153  buffered-whole",
        "(ms; medians of 2 answers)",
        "",
        "✗ buffered-whole by 代理, 95 % sure",
        "  All came at once.",
        "  Cure: Flush.",
        "",
        "The line for each program:",
        "  nginx   off;",
        "  a pipe  -u",
    ]


@pytest.mark.parametrize("width", [60, 50, 40, 30])
def test_narrow(width: int) -> None:
    lines = shown(Comparison(WAYS, [VERDICT], {}), width)
    assert all(len(line) <= width for line in lines)
    assert lines[1].startswith("server  ")
    assert lines[2].endswith("buffered-whole")


def test_a_known_program_needs_no_list() -> None:
    known = Verdict(code="live", sure=0.9, say="", facts={"product": "nginx"})
    assert "The line for each program:" not in shown(Comparison(WAYS, [known], {"nginx": "off;"}))


def test_a_caption_says_what_is_shown() -> None:
    """Without room for numbers it does not speak of milliseconds."""
    assert shown(Comparison(WAYS, [VERDICT], {}), 30)[3] == "(2 answers by each way)"


def test_a_cure_is_not_broken_at_a_hyphen() -> None:
    lines = shown(Comparison(WAYS, [VERDICT], {"a pipe": "stdbuf -oL, python -u, print()"}), 22)
    assert not any(line.endswith("-") for line in lines)
