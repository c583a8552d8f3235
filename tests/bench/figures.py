"""A figure for comparing several servers: its runs, its goals, its table.

A value is the median of its runs; a ratio is our value divided by a peer's. A bar is as long as its
value; the title says whether shorter or longer is better. `table.py` does the same for races
that are measured in seconds; these are streams, milliseconds and KiB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import table

__all__ = [
    "OURS",
    "Figure",
    "Found",
    "Goal",
    "Result",
    "Run",
    "Verdict",
    "judge",
    "show",
    "to_json",
]

OURS = "ours"


@dataclass(frozen=True)
class Run:
    """The result of one measurement: the value of the figure, and other facts."""

    value: float
    facts: Mapping[str, float]


@dataclass
class Result:
    """One server's runs of one figure, or the reason why there are none.

    Args:
        searched: Each run continued from the previous one, so the last run's value counts, with
            the facts of the level that it names.
    """

    runs: list[Run] = field(default_factory=list)
    absent: str = ""
    searched: bool = False

    @property
    def value(self) -> float:
        return self.runs[-1].value if self.searched else median(run.value for run in self.runs)

    def fact(self, name: str) -> float | None:
        held = [run for run in self.runs if not self.searched or run.facts["level"] == self.value]
        values = [run.facts[name] for run in held or self.runs if name in run.facts]
        return median(values) if values else None


@dataclass(frozen=True)
class Goal:
    """Our required value and our aim. Each is a bound, multiplied by a peer's value if a peer is
    named.

    `fact` names the fact to compare in place of the value.
    """

    peer: str = ""
    must: float | None = None
    aim: float | None = None
    fact: str = ""


@dataclass(frozen=True)
class Figure:
    """The value to compare, and the facts of a run to show beside it."""

    name: str
    unit: str
    goals: tuple[Goal, ...]
    shown: tuple[str, ...]
    more_is_better: bool = False
    digits: int = 1


@dataclass(frozen=True)
class Verdict:
    """Return whether a goal is reached, or None if it has no such bound."""

    goal: Goal
    number: float
    met: bool | None
    aim_met: bool | None


Results = Mapping[str, Result]
Found = list[tuple[Figure, dict[str, Result]]]


def judge(figure: Figure, goal: Goal, results: Results) -> Verdict | None:
    """Compare with the goal. Returns None if our server or the peer has no runs."""
    sides = [results.get(name) for name in (OURS, goal.peer) if name]
    numbers: list[float] = []
    for result in sides:
        number = (
            None
            if result is None or not result.runs
            else (result.fact(goal.fact) if goal.fact else result.value)
        )
        if number is None:
            return None
        numbers.append(number)
    number = numbers[0] / max(numbers[1], 1e-9) if goal.peer else numbers[0]

    def reached(bound: float | None) -> bool | None:
        if bound is None:
            return None
        return number >= bound if figure.more_is_better else number <= bound

    return Verdict(goal, number, reached(goal.must), reached(goal.aim))


def _say(figure: Figure, verdict: Verdict) -> Text:
    goal, sign = verdict.goal, "≥" if figure.more_is_better else "≤"
    unit = "×" if goal.peer else ""
    said = Text(f"{goal.fact} {verdict.number:.2f}{unit}: " if goal.fact and goal.peer else "")
    if goal.must is not None:
        word = "ok" if verdict.met else "MISSED"
        what = f"{goal.fact} " if goal.fact and not goal.peer else ""
        said.append(
            f"{what}{sign} {goal.must:g}{unit} {word}", "green" if verdict.met else "bold red"
        )
    if goal.aim is not None:
        said.append(", " if goal.must is not None else "")
        word = "ok" if verdict.aim_met else "no"
        said.append(f"aim {goal.aim:g}{unit} {word}", "green" if verdict.aim_met else "yellow")
    return said


def show(
    found: Sequence[tuple[Figure, Results]], settings: Mapping[str, object], console: Console
) -> None:
    """Print a table for each figure, then the machine."""
    letters = table.ASCII if console.options.ascii_only else {}
    for figure, results in found:
        console.print(_table(figure, results, letters))
    absences = {name: r.absent for _, results in found for name, r in results.items() if r.absent}
    for name, reason in absences.items():
        # No markup: '[proxy]' is part of a command.
        said = f"{name} is absent: {reason}"
        console.print(said, style="yellow", highlight=False, markup=False)
    facts = [*table.machine().values(), *(f"{name} {value}" for name, value in settings.items())]
    console.print(" · ".join(map(str, facts)).translate(letters), style="dim", highlight=False)


def _table(figure: Figure, results: Results, letters: Mapping[int, str]) -> Table:
    better = "more is better" if figure.more_is_better else "less is better"
    title = f"{figure.name}: {figure.unit}, {better}".translate(letters)
    shown = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    shown.padding, shown.pad_edge = (0, 1, 0, 0), False
    shown.add_column("who", no_wrap=True)
    shown.add_column(figure.unit.translate(letters), justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    shown.add_column("ours is", justify="right", no_wrap=True)
    for fact in figure.shown:
        shown.add_column(fact, justify="right", style="dim")
    shown.add_column("goal")
    most = max((result.value for result in results.values() if result.runs), default=0.0)
    ours = results[OURS]
    for name, result in results.items():
        if not result.runs:
            shown.add_row(name, "failed" if result.absent.startswith("failed") else "absent")
            continue
        value = result.value
        ratio = f"{ours.value / value:.2f}×" if name != OURS and ours.runs and value > 0 else ""
        facts = [result.fact(fact) for fact in figure.shown]
        about = name if name != OURS else ""
        verdicts = [judge(figure, goal, results) for goal in figure.goals if goal.peer == about]
        said = Text("; ").join(_say(figure, verdict) for verdict in verdicts if verdict)
        shown.add_row(
            name,
            f"{value:,.{figure.digits}f}",
            table.bar(max(value, 0) / (most or 1)).translate(letters),
            ratio.translate(letters),
            *("" if fact is None else _number(fact) for fact in facts),
            said if not letters else Text(said.plain.translate(letters)),
        )
    return shown


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{1 if abs(value) >= 10 else 2}f}"


def to_json(
    found: Sequence[tuple[Figure, Results]],
    settings: Mapping[str, object],
    versions: Mapping[str, str],
) -> dict[str, object]:
    """Return everything in plain types, including every run."""
    return {
        "machine": table.machine(),
        "versions": dict(versions),
        "settings": dict(settings),
        "figures": [
            {
                "name": figure.name,
                "unit": figure.unit,
                "more_is_better": figure.more_is_better,
                "goals": [_goal_json(figure, goal, results) for goal in figure.goals],
                "servers": {name: _result_json(result) for name, result in results.items()},
            }
            for figure, results in found
        ],
    }


def _goal_json(figure: Figure, goal: Goal, results: Results) -> dict[str, object]:
    plain: dict[str, object] = {
        "peer": goal.peer,
        "fact": goal.fact,
        "must": goal.must,
        "aim": goal.aim,
    }
    if verdict := judge(figure, goal, results):
        plain |= {"number": verdict.number, "met": verdict.met, "aim_met": verdict.aim_met}
    return plain


def _result_json(result: Result) -> dict[str, object]:
    if not result.runs:
        return {"absent": result.absent}
    runs = [{"value": run.value, "facts": dict(run.facts)} for run in result.runs]
    return {"value": result.value, "runs": runs}
