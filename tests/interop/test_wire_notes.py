"""What the wire pane shows of an answer, and what it tells x-ray, under Node: without a browser."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from servers.http.body import Ending
from workshop.xray.judge.verdicts import CODES

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

# how the server says that a reply ended, and the same in Chinese
ENDS = {
    "done": "发送完毕",
    "cut off on purpose: the chunked body ended early: expected a hex digit of the chunk-size": (
        "故意中断：没有最后一块，分块正文就结束了"
    ),
    "cut off: the chunked body ended early: expected chunk-data": (
        "已中断：块的数据不完整，分块正文就结束了"
    ),
    "done: expected a hex digit of the chunk-size, not b'x'": (
        "发送完毕：chunk-size 应当是十六进制数字，却是 x"
    ),
    "cut off": "已中断",
    "cut off on purpose": "故意中断",
    "reset": "已重置（RST）",
    "the client disconnected": "客户端已断开",
    "the reader stalled": "读取方停止了读取",
    "the server stopped": "服务器已停止",
}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    asked = {
        "gaps": [(sent, received) for sent, received, _ in MEANINGS],
        "verdicts": [{"code": code, "facts": {"seconds": 15, "events": 9}} for code in CODES],
        "ends": list(ENDS),
    }
    page = ROOT / "servers" / "page"
    command: list[str | Path] = [need("node", "nodejs"), RUNNER, page, json.dumps(asked)]
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
    """The head came when the page saw it, not with the first bytes of the body. The page reads
    bytes without TLS, so x-ray must not report a missing close_notify."""
    request, head, body, end = told["judged"]
    assert request == [0, "http://localhost:8000/v1/chat/completions", None]
    assert (head[0], body[0], end) == (2, 209, [209, None, "truncated"])


def test_what_x_ray_says_in_chinese(told: dict[str, Any]) -> None:
    """Each of its verdicts has a sentence, with its numbers."""
    said = dict(zip(CODES, told["inChinese"], strict=True))
    missing = {code for code in CODES if not re.search("[\u4e00-\u9fff]", said[code])}
    assert missing == set()
    assert said["idle-timeout"] == "沉默 15 秒之后，连接被关闭。"


def test_the_end_of_a_reply_in_chinese(told: dict[str, Any]) -> None:
    assert {ending.value for ending in Ending} <= set(ENDS)
    assert dict(zip(ENDS, told["endings"], strict=True)) == ENDS


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
