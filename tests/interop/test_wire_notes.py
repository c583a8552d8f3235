"""What the wire pane shows of an answer, and what it tells x-ray, under Node: without a browser."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .peers import ROOT, SAFETY, need

RUNNER = ROOT / "tests" / "interop" / "wire_notes.mjs"
COMB = [50.0, 55.0, 46.0, 52.0] * 10
RAGGED = [30.0, 28.0, 62.0, 31.0, 78.0] * 8  # an eye sees no even comb

# the gaps as sent, if they are known, and as received, in milliseconds
MEANINGS: list[tuple[list[float] | None, list[float], str]] = [
    (COMB, COMB, "comb"),
    (RAGGED, RAGGED, "uneven"),
    (COMB, RAGGED, "uneven"),
    (COMB, [500.0] * 4, "buffered"),
    (COMB, [150.0] * 13, "together"),
    (COMB, [*COMB, 900.0], "held"),
    ([*COMB, 3000.0], [*COMB, 3000.0], "paused"),
    ([1.0] * 40, [2.0] * 20, "atOnce"),
    ([50.0, 400.0, 90.0] * 9, [50.0, 400.0, 90.0] * 9, "uneven"),
    ([50.0] * 3, [50.0] * 3, "few"),
    (None, COMB, "evenReads"),
    (None, RAGGED, "unevenReads"),
    (None, [*COMB, 3000.0], "tallReads"),
]


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    gaps = json.dumps([(sent, received) for sent, received, _ in MEANINGS])
    command: list[str | Path] = [need("node", "nodejs"), RUNNER, ROOT / "servers" / "page", gaps]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SAFETY, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_wire_follows_the_conversation(told: dict[str, Any]) -> None:
    """Another version of an answer brings its own bytes back. A saved answer has none, nor has one
    whose reply names no recording; then the pane does not show those of another answer."""
    shown = told["shown"]
    steps = [None, "first", None, "second", "first", None, None, None, None]
    assert shown["told"] == steps
    assert shown["articles"] == ["<first again>", "<second again>"]
    assert shown["kept"] == 0


def test_a_row_without_body_has_no_read(told: dict[str, Any]) -> None:
    """The last chunk adds nothing to the body, so an earlier read is not its read."""
    assert told["reads"] == [0, 0, 1, 2, 0]


def test_what_x_ray_is_told(told: dict[str, Any]) -> None:
    """The head came when the page saw it, not with the first bytes of the body. The address says
    whether the connection had TLS."""
    request, head, body, end = told["judged"]
    assert request == [0, "http://localhost:8000/v1/chat/completions", None]
    assert (head[0], body[0], end) == (2, 209, [209, None, "truncated"])


def test_what_the_gaps_mean(told: dict[str, Any]) -> None:
    """A comb is even only if it looks so."""
    assert told["meanings"] == [meaning for _, _, meaning in MEANINGS]


def test_the_line_of_a_request(told: dict[str, Any]) -> None:
    """Its text, which is not cut at a byte."""
    assert told["line"] == "POST / HTTP/1.1"


def test_one_place_in_time(told: dict[str, Any]) -> None:
    """The slider is at the selected line. Playback and steps go on from it, and leave it."""
    assert told["places"] == [
        [10, 10, 0],
        [4, 10, 0],
        [4, 4, 1],
        [6, 4, 1],
        [2, 2, 2],
        [10, 10, 2],
    ]
