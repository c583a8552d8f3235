"""`workshop vectors`: what is fed, what counts as right, and programs that misbehave."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from workshop import vectors
from workshop.vectors import KINDS, feedings, load, mismatch

EVENT = {"event": "message", "data": "a", "id": ""}
EXPECT = {"events": [EVENT], "last_event_id": "", "reconnect_ms": None}


def test_every_vector_can_be_fed() -> None:
    ways = {kind: [way for one in load(kind) for way, _ in feedings(kind, one)] for kind in KINDS}
    assert {kind: sorted(set(names)) for kind, names in ways.items()} == {
        "sse": ["at its splits", "byte by byte", "whole"],
        "chunked": ["byte by byte", "whole"],
        "head": ["byte by byte", "whole"],
        "deltas": ["whole"],
    }


def test_what_is_fed() -> None:
    vector = {"id": "x", "input_b64": "YWJj", "splits": [2], "initial_last_event_id": "7"}
    base = {"kind": "sse", "bytes": "YWJj", "last_event_id": "7"}
    assert list(feedings("sse", vector)) == [
        ("whole", base | {"splits": []}),
        ("byte by byte", base | {"splits": [1, 2]}),
        ("at its splits", base | {"splits": [2]}),
    ]


@pytest.mark.parametrize(
    ("kind", "answer", "vector", "field"),
    [
        ("sse", {"events": [EVENT]}, {"expect": EXPECT}, ""),
        ("sse", {"events": [{"data": "a"}]}, {"expect": EXPECT}, ""),
        ("sse", {"events": [{"event": "message"}]}, {"expect": EXPECT}, "events"),
        ("sse", {"events": []}, {"expect": EXPECT}, "events"),
        ("sse", {}, {"expect": EXPECT}, "events"),
        ("sse", {"events": [EVENT | {"id": "1"}]}, {"expect": EXPECT}, "events"),
        ("sse", {"events": [EVENT], "last_event_id": "1"}, {"expect": EXPECT}, "last_event_id"),
        ("sse", {"events": [EVENT], "reconnect_ms": 5}, {"expect": EXPECT}, "reconnect_ms"),
        (
            "sse",
            {"events": [EVENT], "reconnect_ms": 5},
            {"expect": EXPECT, "alt": [{"reconnect_ms": "implementation default"}]},
            "",
        ),
        ("chunked", {"ok": True, "body": "YQ=="}, {"expect": {"ok": True, "body_b64": "YQ=="}}, ""),
        ("chunked", {"ok": True}, {"expect": {"ok": True, "body_b64": "YQ=="}}, "body"),
        ("chunked", {"ok": True, "body": ""}, {"expect": {"ok": True, "body_b64": "YQ=="}}, "body"),
        ("chunked", {}, {"expect": {"ok": True, "body_b64": ""}}, "ok"),
        ("chunked", {"ok": False}, {"expect": {"ok": False, "kind": "invalid"}}, ""),
        (
            "chunked",
            {"ok": False, "at_end": True},
            {"expect": {"ok": False, "kind": "invalid"}},
            "at_end",
        ),
        (
            "chunked",
            {"ok": False, "at_end": False},
            {"expect": {"ok": False, "kind": "incomplete"}},
            "at_end",
        ),
        (
            "chunked",
            {"ok": False, "at_end": True},
            {"expect": {"ok": False, "kind": "invalid-or-incomplete"}},
            "",
        ),
        ("deltas", {"id": "x", "text": "a", "thinking": ""}, {"expect": {"text": "a"}}, ""),
        ("deltas", {"text": "a", "error": {"message": "b"}}, {"expect": {"text": "a"}}, "error"),
        ("deltas", {}, {"expect": {"text": "a"}}, "text"),
    ],
)
def test_what_counts_as_right(kind: str, answer: Any, vector: Any, field: str) -> None:
    assert mismatch(kind, answer, vector) == field


RIGHT = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"id": asked["id"], "events": [%s]}), flush=True)
"""
GOOD = '{"event": "message", "data": "a", "id": ""}'


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (RIGHT % GOOD, ""),
        (RIGHT % "1", ": an answer of another form: "),
        ("raise SystemExit(3)", ": the parser ended with exit code 3"),
        ("input(); print('hello')", ": not an answer to one/whole: hello"),
        ("print('{}')", ": not an answer to one/whole: {}"),
        ("input(); print('[' * 50_000)", ": not an answer to one/whole: [[["),
        ("input(); print('\\x1b]0;pwned\\x07')", r": not an answer to one/whole: \x1b]0;pwned\x07"),
        (RIGHT % r'{"data": "\ud800\x9b"}', r'came      [{"data":"\ud800\x9b"}]'),
        ("while True: print('x' * 10_000, end='')", ": an answer over 100000 bytes"),
        ("import os, sys, time; os.close(0); time.sleep(60)", ": no answer in 0.5 s"),
        ("import time; time.sleep(60)", ": no answer in 0.5 s"),
    ],
)
def test_programs(
    program: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One that breaks fails the vector at hand; what it writes elsewhere does no harm."""
    vector = {"id": "one", "category": "c", "input_b64": "ZGF0YTogYQoK", "expect": EXPECT}
    (tmp_path / "sse.json").write_text(json.dumps([vector]))
    monkeypatch.setattr(vectors, "FOLDER", tmp_path)
    monkeypatch.setattr(vectors, "MAX_ANSWER", 100_000)
    command = shlex.join([sys.executable, "-S", "-c", program])
    seconds = "0.5" if "time" in program else "60"
    assert vectors.main(["--parser", command, "--seconds", seconds]) == (1 if why else 0)
    out = capsys.readouterr().out
    assert why in out
    assert out.endswith("0 of 1 passed\n" if why else "1 of 1 passed\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parser", "x", "-k", "nothing"], "no vector has nothing in its id\n"),
        (["--parser", "no-such-program"], "cannot start 'no-such-program': "),
        (["--parser", "'"], 'cannot start "\'": No closing quotation\n'),
    ],
)
def test_what_a_user_may_do_wrong(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vectors.main(arguments) == 2
    assert capsys.readouterr().err.startswith(message)


def test_without_the_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vectors, "FOLDER", tmp_path)
    assert vectors.main(["--parser", "x"]) == 2
    assert "run this in a clone" in capsys.readouterr().err
