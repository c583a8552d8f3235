"""The table of `python -m tests.bench.tap`. No test checks a speed."""

import pytest

from tests.bench import tap


def rounds(*p50: float) -> list[dict[str, float]]:
    return [{"p50": value, "p99": 2 * value, "cpu": 300.0} for value in p50]


def test_the_table_says_what_the_tap_adds() -> None:
    """Of medians: one round of a busy machine does not count."""
    good = {tap.NO_TAP: rounds(0.1, 0.1, 9), tap.TAP: rounds(0.3, 0.4, 0.3)}
    bad = {tap.NO_TAP: rounds(0.1), tap.TAP: rounds(0.7)}
    assert tap.table({1: good, 20: bad}).splitlines() == [
        "an event on its way, ms         p50     p99   CPU/event",
        "    1 streams, no tap          0.10    0.20",
        "    1 streams, tap             0.30    0.60      300 µs",
        "               added           0.20   ok, at most 0.5",
        "   20 streams, no tap          0.10    0.20",
        "   20 streams, tap             0.70    1.40      300 µs",
        "               added           0.60   MISSED: 0.5",
    ]


def test_it_needs_a_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tap, "compiler", lambda: None)
    assert tap.main([]) == 2
    assert capsys.readouterr().err == "the load client needs a C compiler: install gcc\n"
