"""`workshop bench codecs` shows each row and writes its JSON. No test here checks a time."""

import gc
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.bench import codecs, table
from workshop import bench

TINY = ["codecs", "--events", "40", "--rounds", "1"]


@pytest.fixture(autouse=True, scope="module")
def small_heap() -> Iterator[None]:
    """A benchmark collects garbage before each round. Leave out the objects of earlier tests."""
    gc.freeze()
    yield
    gc.unfreeze()


def test_every_row_is_shown_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "codecs.json"
    assert bench.main([*TINY, "--json", str(file)]) == 0
    out = capsys.readouterr().out
    report = json.loads(file.read_text(encoding="utf-8"))
    names = [f"{row['group']}, {row['name']}" for row in report["rows"]]
    assert names == codecs.names()
    for row in report["rows"]:
        assert row["group"] in out or row["note"] in out
        assert row["name"] in out
        for timing in row["timings"]:
            assert timing["name"] in out
            assert "absent" in timing or len(timing["seconds"]) == 1
    assert report["settings"]["events"] == 40
    assert {"processor", "cores", "python"} <= report["machine"].keys()


def test_installed_peers_take_part() -> None:
    """check() raises if a peer's events differ; this test checks that the peers ran."""
    report = codecs.measure(events=40, rounds=1, only="16 B", step=lambda name: None)
    (row,) = report.rows
    assert row.facts["count"] == 40
    timings = {timing.name: timing for timing in row.timings}
    assert set(timings) == {"ours", "httpx-sse", "openai"}
    assert timings["ours"].seconds
    assert all(bool(timing.seconds) != bool(timing.absent) for timing in row.timings)
    assert timings["openai"].ratio or not find_spec("openai")


def test_a_missing_peer_is_marked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "httptools", None)
    assert bench.main([*TINY, "--only", "per chunk"]) == 0
    captured = capsys.readouterr()
    assert "httptools" in captured.err
    assert "pip install -c .ci/locked.txt -e '.[bench]'" in captured.err
    line = next(line for line in captured.out.splitlines() if "httptools" in line)
    assert line.split() == ["httptools", "absent"]
    assert "httptools is absent: " in captured.out
    assert "ours" in captured.out


def test_different_work_is_not_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def drops_the_first(pieces: codecs.Pieces, take: table.Take) -> None:
        codecs.sse_ours(pieces[1:], take)

    monkeypatch.setitem(codecs.LOADERS, "openai", lambda: drops_the_first)
    assert bench.main([*TINY, "--only", "per event"]) == 1
    captured = capsys.readouterr()
    assert "openai produced (39, " in captured.err
    assert captured.out == ""


def test_without_the_clone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tests.bench", None)
    assert bench.main(TINY) == 2
    assert capsys.readouterr().err == bench.NEEDS_CLONE + "\n"


def test_no_such_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([*TINY, "--only", "nonsense"]) == 2
    assert "SSE parse, per event" in capsys.readouterr().err


def test_progress_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for the first step, and for each step a minute or more after the last line."""
    now = 0.0
    monkeypatch.setattr("workshop.bench.time.monotonic", lambda: now)
    with bench.progress_bar(4) as step:
        for now, name in [(0.0, "a"), (59.0, "b"), (60.0, "c"), (119.0, "d")]:  # noqa: B007
            step(name)
    assert capsys.readouterr().err.split() == ["1/4", "a", "3/4", "c"]


@pytest.mark.parametrize("flags", [["--events", "0"], ["--rounds", "-1"], ["--events", "x"]])
def test_bad_numbers(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        bench.main(["codecs", *flags])
    assert stop.value.code == 2


def test_output_that_cannot_carry_bars(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rich.console.ConsoleOptions.ascii_only", True)
    assert bench.main(TINY) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert "###" in out


@pytest.mark.parametrize(
    ("fraction", "drawn"),
    [(1.0, "████████████████"), (0.5, "████████"), (0.53, "████████▌"), (0.0, "▏")],
)
def test_bar(fraction: float, drawn: str) -> None:
    assert table.bar(fraction) == drawn


def test_ratio_and_target() -> None:
    timing = table.Timing("h11", 10, 10, [3.0, 1.0, 2.0], ratio=6.0, target=table.Target(6, aim=10))
    assert timing.median == 2.0
    assert timing.verdict == "ok"
    assert table.Target(4, at_least=False).met_by(4.0)
    assert not table.Target(4, at_least=False).met_by(4.1)


def test_events_are_realistic() -> None:
    corpus = codecs.Corpus(1000)
    assert len(set(corpus.datas)) == 1000
    assert 250 <= len(corpus.stream) / 1000 <= 270
    content = "".join(json.loads(data)["choices"][0]["delta"]["content"] for data in corpus.datas)
    assert "流式" in content
    assert "🚀" in content
    assert "token" in content
