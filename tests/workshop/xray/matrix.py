"""The confusion matrix: x-ray's verdict on each fault that this project can inject.

    $ python -m tests.workshop.xray.matrix             prints it
    $ python -m tests.workshop.xray.matrix --write     and writes MATRIX.md

Each row is a mode of the bad proxy or a fault of the simulated model, each column one of five
streams. A cell has the first verdict. It must be the right one, no wrong verdict may be a claim
(`sure` over 0.5), and at most a tenth of all cells may be `unsure`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio
import trio.testing

from servers.llm.faults import FAULTS
from workshop.xray.judge.verdicts import judge
from workshop.xray.report import Verdict

from .streams import STREAMS, observed

__all__ = ["CASES", "Case", "cell", "main", "matrix"]

FILE = Path(__file__).parent / "MATRIX.md"
MAX_UNSURE = 0.1


@dataclass(frozen=True)
class Case:
    """A row.

    Args:
        name: The mode or fault, in the form of a request for it.
        right: The right codes, with the expected first verdict first. Other codes may be right,
            too.
        options: Arguments of `observed`.
        only: The streams with which the fault is tried, or all if empty.
        other: The right code for streams on which the fault looks different.
    """

    name: str
    right: Sequence[str]
    options: dict[str, Any] = field(default_factory=dict)
    only: Sequence[str] = ()
    other: dict[str, str] = field(default_factory=dict)

    def right_codes(self, stream: str) -> Sequence[str]:
        """All codes that may be claimed for this stream, with the right one first."""
        return [self.other[stream]] if stream in self.other else self.right


def _mode(mode: str, *right: str, **options: object) -> Case:
    return Case(mode, right, {"mode": mode, **options})


def _fault(fault: str, *right: str, only: Sequence[str] = ()) -> Case:
    return Case(fault, right, {"fault": fault}, only)


CUT = ("cut-transport",)
MODES = [
    _mode("none", "live"),
    _mode("buffer", "buffered-whole"),
    _mode("rechunk=32", "buffered-blocks"),
    _mode("rechunk=1024", "buffered-blocks"),
    _mode("rechunk=4096", "buffered-blocks"),
    _mode("coalesce=500", "coalesced"),
    _mode("coalesce=1000", "coalesced"),
    _mode("lag=1", "one-behind"),
    # In a stream of the Responses API, the first events and the head come at once.
    replace(_mode("hold-head", "head-held"), other={"responses": "live"}),
    _mode("measure", "measured", "buffered-whole", "head-held"),
    # Only --probe asks with other methods and types. One request shows only the effect of these
    # modes.
    _mode("only-type=text/plain", "buffered-whole"),
    _mode("only-method=GET", "buffered-whole"),
    _mode("strip-no-transform,gzip", "live", gzip=True),
    _mode("strip-no-transform,gzip-nosync", "compressed-unflushed", gzip=True),
    _mode("idle=10", "idle-timeout", *CUT, fault="stall"),
    _mode("total=5", "lifetime-timeout", *CUT),
    replace(_mode("deaf=0.3", "deaf"), other={"responses": "vanished"}),
    _mode("blackhole=2.5", "vanished"),
    _mode("replay=8", "retried"),
    _mode("rewrite", "rewritten", "cut-clean"),
    _mode("http10", "http10", "live"),
    _mode("strip-accel", "live"),
    _mode("strip-no-transform", "live"),
    _mode("split-utf8", "torn-characters"),
    _mode("truncate=3000", *CUT),
    _mode("http10,truncate=3000", "cut-clean", "http10"),
    _mode("strip-no-transform,buffer,gzip", "buffered-whole", gzip=True),
    _mode("strip-no-transform,coalesce=500,gzip", "coalesced", gzip=True),
    _mode("strip-no-transform,truncate=300,gzip", *CUT, gzip=True),
    _mode("hold-head,coalesce=500", "coalesced", "head-held"),
]
SIMULATED = [
    *(_fault(name, *CUT) for name in ("fin", "fin-mid-event", "fin-mid-chunk")),
    *(_fault(name, *CUT) for name in ("rst", "rst-mid-event", "rst-mid-chunk", "no-last-chunk")),
    _fault("no-done", "cut-clean"),
    _fault("clean-cut", "cut-clean"),
    _fault("bare-json", "bad-events", "cut-clean"),
    _fault("half-chunk", "vanished"),
    _fault("bad-chunk-size", "framing-error"),
    _fault("after-end", "framing-error"),
    *(_fault(name, "cut-application") for name in ("error-nested", "error-flat", "error-string")),
    _fault("broken-json", "bad-events"),
    _fault("invalid-utf8", "torn-characters"),
    _fault("giant-line", "live"),
    _fault("split-utf8-chunks", "torn-characters"),
    _fault("split-utf8-segments", "live"),
    _fault("cr", "bad-events"),
    _fault("crlf", "live"),
    _fault("bom", "bad-events"),
    _fault("id-comment", "bad-events"),
    _fault("retry", "bad-events"),
    _fault("empty-data", "bad-events"),
    _fault("duplicate", "retried"),
    _fault("stall", "vanished"),
    _fault("stall-heartbeat", "stall-behind-heartbeats"),
    _fault("drip", "unsure"),
    Case("max_tokens", ["length-limit"], {"max_tokens": 15}, ["fast", "slow", "bursty", "tools"]),
    Case("max_output_tokens", ["length-limit"], {"max_output_tokens": 16}, ["responses"]),
    _fault("open-after-finish", "finished-not-closed"),
    _fault("open-after-done", "finished-not-closed"),
    _fault("error-open", "cut-application"),
    _fault("comments", "live"),
    _fault("keepalive-event", "live", only=["responses"]),
    _fault("no-head", *CUT),
    _fault("hang", "vanished"),
    _fault("early-hints", "live"),
    _fault("length-and-chunked", "framing-error"),
    _fault("json-200", "not-a-stream"),
    _fault("html-200", "not-a-stream"),
    *(_fault(name, "not-a-stream") for name in FAULTS if name.isdigit()),
]
CASES = {case.name: case for case in [*MODES, *SIMULATED]}


def cell(case: Case, stream: str) -> list[Verdict]:
    """The verdicts on one stream with this fault."""

    async def main() -> list[Verdict]:
        return judge(await observed(STREAMS[stream], **case.options))

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


Matrix = dict[str, dict[str, list[Verdict]]]


def matrix(cases: Sequence[Case] = tuple(CASES.values())) -> Matrix:
    """The verdicts of all rows."""
    return {
        case.name: {stream: cell(case, stream) for stream in STREAMS if _is_tried(case, stream)}
        for case in cases
    }


def _is_tried(case: Case, stream: str) -> bool:
    return not case.only or stream in case.only


def problems(found: Matrix) -> list[str]:
    """The cells that break the conditions above."""
    wrong = []
    cells = [
        (CASES[name], stream, verdicts)
        for name, row in found.items()
        for stream, verdicts in row.items()
    ]
    for case, stream, verdicts in cells:
        right = case.right_codes(stream)
        for verdict in verdicts:
            if verdict.sure > 0.5 and verdict.code not in right:
                wrong.append(f"{case.name}, {stream}: claims {verdict.code}")
        if verdicts[0].code not in (right[0], "unsure"):
            wrong.append(f"{case.name}, {stream}: {verdicts[0].code} first, not {right[0]}")
    unsure = [name for case, name, verdicts in cells if verdicts[0].code == "unsure"]
    if len(unsure) > MAX_UNSURE * len(cells):
        wrong.append(f"{len(unsure)} of {len(cells)} cells are unsure")
    return wrong


ABOUT = """\
`python -m tests.workshop.xray.matrix --write` made this page. Each row is a mode of the bad proxy
or a fault of the simulated model. Each cell has the verdicts on one stream, the first one first,
with how sure they are. One request shows only what `only-type` and `only-method` cause; `--probe`
asks again, and names them.
"""


def page(found: Matrix) -> str:
    """The matrix in Markdown."""
    cells = [verdicts for row in found.values() for verdicts in row.values()]
    unsure = sum(verdicts[0].code == "unsure" for verdicts in cells)
    lines = [
        "# What x-ray says about each fault\n",
        ABOUT,
        f"{len(cells)} cells; {unsure} unsure.\n",
        "| fault | right | " + " | ".join(STREAMS) + " |",
        "|---|---|" + "---|" * len(STREAMS),
    ]
    for name, row in found.items():
        texts = [_text(row.get(stream, [])) for stream in STREAMS]
        lines.append(f"| `{name}` | {CASES[name].right[0]} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def _text(verdicts: Sequence[Verdict]) -> str:
    return "<br>".join(f"{verdict.code} {verdict.sure:g}" for verdict in verdicts) or "–"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the matrix. Returns 1 if it breaks a condition."""
    arguments = sys.argv[1:] if argv is None else argv
    names = [name for name in arguments if not name.startswith("-")]
    found = matrix([CASES[name] for name in names] or tuple(CASES.values()))
    text = page(found)
    print(text)
    wrong = problems(found)
    print("\n".join(wrong))
    if "--write" in arguments:
        FILE.write_text(text, encoding="utf-8")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
