"""A comparison on one screen: a row for each way, the verdict, and the lines that cure it.

              head    first text   reads   events   gap p50   gap max
server        2 ms        503 ms     154      153     30 ms     34 ms   live
nginx      4710 ms       4711 ms       3      153      0 ms      1 ms   buffered-whole

nginx does it: …
nginx: proxy_buffering off;
"""

from collections.abc import Callable
from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .compare import Comparison, WayReport
from .report import Report

__all__ = ["comparison_view"]

Number = Callable[[Report], float | None]

COLUMNS: dict[str, Number] = {
    "head": lambda one: one.head_ms,
    "first text": lambda one: one.ttft_ms,
    "gap p50": lambda one: one.gaps_ms.p50 if one.gaps_ms else None,
    "gap max": lambda one: one.gaps_ms.max if one.gaps_ms else None,
    "reads": lambda one: one.counts.reads,
    "events": lambda one: one.counts.events,
}


def comparison_view(comparison: Comparison) -> RenderableType:
    """Draw it. Numbers are medians of the answers by a way; times are in milliseconds."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("way", style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for way in comparison.ways:
        numbers = [_median(way, number) for number in COLUMNS.values()]
        table.add_row(way.name, *numbers, ", ".join(way.codes) or _first_code(way))
    parts: list[RenderableType] = [table, Text("times in ms, medians", style="dim"), ""]
    for verdict in comparison.verdicts:
        parts.append(Text(verdict.code, style="bold") + Text(f"  {verdict.say}"))
        if verdict.cure:
            parts.append(Text(f"  {verdict.cure}"))
    lines = comparison.cures
    if lines and not comparison.verdicts[0].facts.get("product"):
        parts += ["", "The line for each program:", _cures(lines)]
    return Group(*parts)


def _median(way: WayReport, number: Number) -> str:
    found = [value for one in way.reports if (value := number(one)) is not None]
    return f"{median(found):.0f}" if found else "–"


def _first_code(way: WayReport) -> str:
    return way.reports[0].verdicts[0].code if way.reports else ""


def _cures(lines: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for product, line in lines.items():
        table.add_row(Text(f"  {product}"), Text(line))
    return table


# What this file does not do: decide (compare.py).
