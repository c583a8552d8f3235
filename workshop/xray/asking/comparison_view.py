"""Shows a comparison on one screen: a row for each path, the verdict, and the lines that cure it.

    way      head  first text  gap p50  gap max  reads  events
    server      2         503       30       34    154     153  live
    nginx    4710        4711        0        1      3     153  buffered-whole
    (ms; medians of 3 answers)

    ✗ buffered-whole by nginx, 95 % sure
      All text came at the same moment … Without it (server) this does not happen.
      Cure: nginx: proxy_buffering off;

On a narrow screen the columns in the middle are left out.
"""

from collections.abc import Callable, Iterator
from statistics import median
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ..picture.summary import verdict_lines
from ..report import Report
from .compare import Comparison, WayReport

__all__ = ["ComparisonView"]

MAX_NAME = 24  # width of the column of names, in cells

COLUMNS: dict[str, Callable[[Report], float | None]] = {
    "head": lambda one: one.head_ms,
    "first text": lambda one: one.ttft_ms,
    "gap p50": lambda one: one.gaps_ms.p50 if one.gaps_ms else None,
    "gap max": lambda one: one.gaps_ms.max if one.gaps_ms else None,
    "reads": lambda one: one.counts.reads,
    "events": lambda one: one.counts.events,
}
LEFT_OUT_FIRST = ["gap p50", "events", "head", "gap max", "reads", "first text"]


class ComparisonView:
    """A comparison, for `rich.console.Console.print`.

    Args:
        comparison: The findings.
    """

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width, 8)
        for line in self._lines(console, width):
            line.rstrip()
            line.no_wrap, line.overflow = True, "crop"
            yield line

    def _lines(self, console: Console, width: int) -> Iterator[Text]:
        comparison = self._comparison
        yield from self._table(width)
        yield Text()
        for verdict in comparison.verdicts:
            yield from verdict_lines(verdict, console, width)
        if comparison.cures and not comparison.verdicts[0].facts.get("product"):
            yield Text()
            yield from cure_lines(comparison.cures, width)

    def _table(self, width: int) -> Iterator[Text]:
        ways = self._comparison.ways
        names = ["way", *(way.name for way in ways)]
        widest = min(max(map(cell_len, names)), MAX_NAME)
        verdicts = ["", *(_codes(way) for way in ways)]
        columns = dict(COLUMNS)
        for name in LEFT_OUT_FIRST:
            numbers = sum(len(each) + 2 for each in columns)
            if widest + numbers + 2 + max(map(len, verdicts)) <= width:
                break
            del columns[name]
        for index, (name, verdict) in enumerate(zip(names, verdicts, strict=True)):
            row = Text(set_cell_size(name, widest), "bold" if index else "dim")
            for title, number in columns.items():
                cell = _median(ways[index - 1], number) if index else title
                row.append("  " + cell.rjust(len(title)), "" if index else "dim")
            yield row.append("  " + verdict)
        rounds = max(len(way.reports) for way in ways)
        answers = f"{rounds} answer" + "s" * (rounds != 1)
        yield Text(f"(ms; medians of {answers})" if columns else f"({answers} by each way)", "dim")


def _median(way: WayReport, number: Callable[[Report], float | None]) -> str:
    found = [value for one in way.reports if (value := number(one)) is not None]
    return f"{median(found):.0f}" if found else "-"


def _codes(way: WayReport) -> str:
    """Return the faults of a path, or a description of its first answer."""
    return ", ".join(way.codes[:2]) or way.reports[0].verdicts[0].code


def cure_lines(cures: dict[str, str], width: int) -> Iterator[Text]:
    """Yield a line for each program. The names are aligned in a column."""
    yield Text("The line for each program:", "dim")
    widest = max(map(len, cures)) + 4
    for product, line in cures.items():
        first = f"  {product}".ljust(widest)
        room = max(width, 2 * widest)
        indent = " " * widest
        for part in wrap(first + line, room, subsequent_indent=indent, break_on_hyphens=False):
            yield Text(part)


# What this file does not do: decide (compare.py).
