"""Runs a benchmark, and shows its result: a table with bars, or JSON.

A race is one piece of work on one input, done by several contestants. Before the timing,
each does the work once, and its output is compared with the expected one, by count and SHA-256.
Then they take turns, in another order every round, with the garbage collector off. All numbers
shown are computed from the raw seconds of every round: times are medians, a ratio is one median
divided by another, a bar's length is the time, so shorter is faster, within one row.
"""

import gc
import hashlib
import os
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

BAR_WIDTH = 16
NARROW = 100  # columns: on less, the column of units per second is left out


@dataclass(frozen=True)
class Target:
    """The bound of a ratio, which is the smallest or the largest allowed value, and our `aim`."""

    bound: float
    at_least: bool = True
    aim: float | None = None

    def met_by(self, ratio: float) -> bool:
        return ratio >= self.bound if self.at_least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}×"


Take = Callable[[Any], object]
"""Gets the whole output: a list's `append` for the check, a sink for the timing."""
Expected = Sequence[str] | Sequence[bytes]


@dataclass(frozen=True)
class Contestant:
    """Does the work: `units` things in `size` bytes, with `expect` as the right output.

    Its ratio is its median divided by that of the contestant named `ratio_to`.
    """

    name: str
    go: Callable[[Take], object]
    units: int
    size: int
    expect: Expected
    ratio_to: str = ""
    target: Target | None = None


@dataclass
class Timing:
    """One contestant's rounds: `units` things and `size` bytes handled in `seconds[i]` each.

    Exactly one of `seconds` and `absent` has a value. `absent` is the reason why nothing was
    measured.
    """

    name: str
    units: int = 0
    size: int = 0
    seconds: list[float] = field(default_factory=list)
    absent: str = ""
    ratio: float | None = None
    target: Target | None = None

    @property
    def median(self) -> float:
        # A clock too coarse for a tiny input reads 0: still a number that can be divided by.
        return max(median(self.seconds), 1e-9)

    @property
    def verdict(self) -> str:
        if self.ratio is None or self.target is None:
            return ""
        if not self.target.met_by(self.ratio):
            return "MISSED"
        if self.target.aim is not None and self.ratio >= self.target.aim:
            return f"ok, also {self.target.aim:g}×"
        return "ok"


@dataclass
class Row:
    """One kind of work on one input.

    Rows of one group share a table and its unit. `note` is a finding that is not a time (memory,
    or a reason why there is none); `facts` go into the JSON only.
    """

    group: str
    name: str
    unit: str = "event"
    timings: list[Timing] = field(default_factory=list)
    note: str = ""
    facts: dict[str, str | int | float] = field(default_factory=dict)


@dataclass
class Report:
    rows: list[Row]
    versions: Mapping[str, str]
    settings: Mapping[str, int | str]
    machine: Mapping[str, str | int] = field(default_factory=lambda: machine())


class DifferentWork(Exception):
    """A contestant's output is not the expected one, so its time would mean nothing."""


def check(contestants: Sequence[Contestant]) -> dict[str, str | int | float]:
    """Let each contestant do the work once, as a warm-up, and compare the outputs.

    Raises:
        DifferentWork: An output is not the expected one.
    """
    found = (0, "")
    for contestant in contestants:
        came_out: list[Any] = []
        contestant.go(came_out.append)
        found, expected = fingerprint(came_out), fingerprint(contestant.expect)
        if found != expected:
            raise DifferentWork(f"{contestant.name} produced {found}, not {expected}")
    return {"count": found[0], "sha256": found[1]}


def fingerprint(results: Iterable[Any]) -> tuple[int, str]:
    """Return the size and SHA-256 of an output: texts are hashed one by one, bytes as one body,
    however they were split."""
    flat = [one for each in results for one in (each if isinstance(each, list) else [each])]
    if flat and isinstance(flat[0], str):
        return len(flat), hashlib.sha256("\0".join(flat).encode()).hexdigest()
    body = b"".join(flat)
    return len(body), hashlib.sha256(body).hexdigest()


def race(
    contestants: Sequence[Contestant], rounds: int, step: Callable[[], object]
) -> list[Timing]:
    """Time the contestants in turn, starting with another one every round. Then compute the ratios
    of medians."""
    timings = {c.name: Timing(c.name, c.units, c.size, target=c.target) for c in contestants}
    for number in range(rounds):
        first = number % len(contestants)
        for contestant in [*contestants[first:], *contestants[:first]]:
            timings[contestant.name].seconds.append(timed(contestant.go))
        step()
    for contestant in contestants:
        if contestant.ratio_to:
            timing = timings[contestant.name]
            timing.ratio = timing.median / timings[contestant.ratio_to].median
    return list(timings.values())


# CPU time excludes other programs; some systems count it too coarsely.
FINE = time.get_clock_info("process_time").resolution < 1e-5
CLOCK = "process_time" if FINE else "perf_counter"
clock = time.process_time if FINE else time.perf_counter


def timed(go: Callable[[Take], object]) -> float:
    """Return the seconds of one run. Results are dropped at once, as a reader of a stream drops
    them."""
    sink: deque[object] = deque(maxlen=0)
    gc.collect()
    gc.disable()
    try:
        start = clock()
        go(sink.append)
        return clock() - start
    finally:
        gc.enable()


def machine() -> dict[str, str | int]:
    """Return the processor, cores and system, to compare results. The name of the host is not
    included."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "processor": processor,
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def to_json(report: Report) -> dict[str, object]:
    """Return the whole report in plain types, including the raw seconds of every round."""
    return {
        "machine": dict(report.machine),
        "versions": dict(report.versions),
        "settings": dict(report.settings),
        "rows": [
            {
                "group": row.group,
                "name": row.name,
                "unit": row.unit,
                "note": row.note,
                "facts": row.facts,
                "timings": [_timing_json(timing) for timing in row.timings],
            }
            for row in report.rows
        ],
    }


def _timing_json(timing: Timing) -> dict[str, object]:
    if timing.absent:
        return {"name": timing.name, "absent": timing.absent}
    plain: dict[str, object] = {
        "name": timing.name,
        "units": timing.units,
        "bytes": timing.size,
        "seconds": timing.seconds,
        "median": timing.median,
        "us_per_unit": timing.median / timing.units * 1e6,
        "units_per_second": timing.units / timing.median,
        "mb_per_second": timing.size / timing.median / 1e6,
    }
    if timing.ratio is not None:
        plain["ratio"] = timing.ratio
    if timing.target is not None:
        target = timing.target
        plain["target"] = {
            "bound": target.bound,
            "at_least": target.at_least,
            "aim": target.aim,
            "met": timing.ratio is not None and target.met_by(timing.ratio),
        }
    return plain


def show(report: Report, console: Console) -> None:
    """Print one table for each group, and then the machine.

    On an ASCII terminal, which cannot show `█` and `µ`, plain letters replace them.
    """
    letters = ASCII if console.options.ascii_only else {}
    groups: dict[str, list[Row]] = {}
    for row in report.rows:
        groups.setdefault(row.group, []).append(row)
    for title, rows in groups.items():
        if any(row.timings for row in rows):
            console.print(_group_table(title, rows, letters, narrow=console.width < NARROW))
        for row in rows:
            if row.note:
                console.print(f"{row.name}: {row.note}".translate(letters), highlight=False)
        console.print()
    absences = {t.name: t.absent for row in report.rows for t in row.timings if t.absent}
    for name, reason in absences.items():
        console.print(f"{name} is absent: {reason}", style="yellow", highlight=False)
    facts = [*report.machine.values(), *(f"{n} {v}" for n, v in report.versions.items())]
    facts += [f"{name} {value}" for name, value in report.settings.items()]
    console.print(" · ".join(map(str, facts)).translate(letters), style="dim", highlight=False)


ASCII = str.maketrans(
    {"µ": "u", "×": "x", "≥": ">=", "≤": "<=", "·": ",", "…": "...", "█": "#"}
    | dict.fromkeys("▏▎▍", "")
    | dict.fromkeys("▌▋▊▉", "#")
)


def _group_table(
    title: str, rows: Sequence[Row], letters: Mapping[int, str], *, narrow: bool
) -> Table:
    unit = rows[0].unit
    columns = ["input", "who", f"µs/{unit}", f"{unit}s/s", "MB/s", "time", "ratio", "target"]
    right = {2, 3, 4, 6}
    shown = [column for column in range(len(columns)) if column != 3 or not narrow]
    table = Table(title=title.translate(letters), title_justify="left", title_style="bold")
    table.box, table.padding, table.pad_edge = box.SIMPLE_HEAD, (0, 1, 0, 0), False
    for column in shown:
        justify: JustifyMethod = "right" if column in right else "left"
        header = columns[column].translate(letters)
        table.add_column(header, justify=justify, no_wrap=column > 0)
    for row in rows:
        slowest = max((timing.median for timing in row.timings if timing.seconds), default=1.0)
        for number, timing in enumerate(row.timings):
            cells = [row.name if number == 0 else "", *_timing_cells(timing, slowest)]
            style = {"": "", "MISSED": "bold red"}.get(timing.verdict, "green")
            *others, last = (cells[column].translate(letters) for column in shown)
            table.add_row(*others, Text(last, style))
        table.add_section()
    return table


def _timing_cells(timing: Timing, slowest: float) -> list[str]:
    if timing.absent:
        return [timing.name, "absent", "", "", "", "", ""]
    middle = timing.median
    return [
        timing.name,
        f"{middle / timing.units * 1e6:.3f}",
        f"{timing.units / middle:,.0f}",
        f"{timing.size / middle / 1e6:,.1f}",
        bar(middle / slowest),
        "" if timing.ratio is None else f"{timing.ratio:.2f}×",
        "" if not timing.verdict else f"{timing.target} {timing.verdict}",
    ]


def bar(fraction: float, width: int = BAR_WIDTH) -> str:
    """Return a bar, `width` cells long for 1.0, exact to an eighth of a cell. Even the shortest is
    visible."""
    eighths = max(round(fraction * width * 8), 1)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
