"""Shows the results: as lines on the terminal, as JSON, and as a page of HTML."""

import html
import json
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from .case import LESSONS, Case
from .engine import Outcome
from .failure import Failure

__all__ = [
    "COLOURS",
    "counts",
    "show_failures",
    "show_line",
    "show_summary",
    "to_html",
    "to_json",
]

COLOURS = {"PASS": "green", "WARN": "yellow", "FAIL": "bold red", "SKIP": "dim"}
MAX_FIRST = 3  # failures that the end of the report names


def is_below(case: Case) -> bool:
    """Whether a case is about the HTTP server (uvicorn, Node, a proxy) rather than the application
    that runs on it."""
    return case.family in ("head", "conn", "http10") or case.slug.startswith("chunked.request-")


def most_important_first(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The failures and warnings: what the application can mend first, failures before warnings."""
    found = [one for one in outcomes if one.failure and one.result in ("FAIL", "WARN")]
    return sorted(found, key=lambda one: (is_below(one.case), one.result != "FAIL"))


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many cases have each result."""
    return {result: sum(one.result == result for one in outcomes) for result in COLOURS}


def show_line(console: Console, outcome: Outcome) -> None:
    """Print the line of one case."""
    line = Text(f"{outcome.result}  ", style=COLOURS[outcome.result])
    line.append(f"{outcome.case.slug:44}", style="default")
    line.append(f" {outcome.case.level:6} {outcome.case.section}", style="dim")
    console.print(line)
    if outcome.why:
        console.print(Text(f"      {outcome.why}", style="dim"))


def show_failures(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print all failures, the most important ones first."""
    found = most_important_first(outcomes)
    for number, outcome in enumerate(found):
        if is_below(outcome.case) and (number == 0 or not is_below(found[number - 1].case)):
            what = "These are about the HTTP server, such as uvicorn, or a proxy, and seldom about"
            console.print()
            console.print(f"{what} the application:", style="bold")
        show_failure(console, outcome)


def show_failure(console: Console, outcome: Outcome) -> None:
    """Print the five parts of a failure."""
    failure = outcome.failure
    assert failure
    console.print()
    line = Text(f"{outcome.result}  ", style=COLOURS[outcome.result])
    console.print(line.append(outcome.case.slug, style="bold default"))
    console.print(Text(f"  {failure.say}"))
    for name, lines in parts(failure):
        for number, text in enumerate(lines):
            console.print(Text(f"  {'' if number else name:8}{text}"))


def parts(failure: Failure) -> list[tuple[str, list[str]]]:
    """The five parts of a failure, each with its lines."""
    found = [
        ("sent", [failure.sent]),
        ("came", failure.came),
        ("rule", [failure.rule]),
        ("cause", [failure.cause]),
        ("lesson", [failure.lesson]),
    ]
    return [(name, lines) for name, lines in found if lines != [""]]


def show_summary(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print the passed of each family, and the totals."""
    console.print()
    families: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        families.setdefault(outcome.case.family, []).append(outcome)
    for name, some in families.items():
        console.print(Text(f"{name:10} {summary(some)}"))
    total = counts(outcomes)
    words = "{PASS} passed, {WARN} warnings, {FAIL} failed, {SKIP} skipped"
    console.print(Text(words.format_map(total), style="bold"))
    if total["FAIL"] or total["WARN"]:
        for outcome in most_important_first(outcomes)[:MAX_FIRST]:
            say = outcome.failure.say if outcome.failure else ""
            if outcome.result == "FAIL" and not is_below(outcome.case):
                console.print(Text(f"Mend first: {outcome.case.slug}: {say}"))
        console.print("The rule, our code and the lesson of a case: workshop spec --why SLUG")


def summary(outcomes: Sequence[Outcome]) -> str:
    """What became of some cases, in one line: "5 of 7 passed, 1 warning, 1 skipped"."""
    total = counts(outcomes)
    ran = len(outcomes) - total["SKIP"]
    more = [
        f"{total[result]} {word}"
        for result, word in (("FAIL", "failed"), ("WARN", "warned"), ("SKIP", "skipped"))
        if total[result]
    ]
    return ", ".join([f"{total['PASS']} of {ran} passed", *more])


def why(case: Case, mutants: Sequence[str]) -> str:
    """What `--why` prints: the rule of a case, and where to read on."""
    lines = [
        f"{case.slug}   {case.level}, {case.section}",
        "",
        f"  {case.rule}",
        "",
        f"  code    {case.code_place}",
        f"  test    {case.place}",
        f"  fault   {', '.join(mutants) or 'none'} (tests/spec/mutants)",
        f"  lesson  {LESSONS[case.lesson]}",
    ]
    if case.cause:
        lines.insert(3, f"  {case.cause}")
        lines.insert(3, "")
    return "\n".join(lines)


# ---- For programs


def to_json(target: dict[str, object], outcomes: Sequence[Outcome]) -> str:
    """Encode the results as a JSON object."""
    found = []
    for outcome in outcomes:
        case = outcome.case
        one: dict[str, object] = {
            "slug": case.slug,
            "result": outcome.result,
            "level": case.level,
            "section": case.section,
            "seconds": round(outcome.seconds, 3),
        }
        if outcome.why:
            one["why"] = outcome.why
        if failure := outcome.failure:
            one |= {"say": failure.say} | {name: "\n".join(text) for name, text in parts(failure)}
        found.append(one)
    result = {**target, "counts": counts(outcomes), "cases": found}
    return json.dumps(result, ensure_ascii=False, indent=1) + "\n"


PAGE = """\
<!DOCTYPE html>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }}
td {{ padding: .1em .8em; vertical-align: top }} pre {{ background: #f4f4f4; padding: .8em;
overflow: auto }} .PASS {{ color: #187018 }} .WARN {{ color: #8a5a00 }} .FAIL {{ color: #b00020 }}
.SKIP {{ color: #666 }}
</style>
<h1>{title}</h1>
<p>{total}</p>
<table>
{rows}
</table>
{failures}
"""


def to_html(url: str, outcomes: Sequence[Outcome]) -> str:
    """Write the results as a page that needs no other file."""
    rows, failures = [], []
    for outcome in outcomes:
        case, name = outcome.case, html.escape(outcome.case.slug)
        link = f'<a href="#{name}">{name}</a>' if outcome.failure else name
        rows.append(
            f'<tr><td class="{outcome.result}">{outcome.result}<td>{link}<td>{case.level}'
            f"<td>{html.escape(case.section)}<td>{html.escape(outcome.why)}"
        )
        if outcome.failure:
            lines = [f"{n:8}{t}" for n, some in parts(outcome.failure) for t in some]
            failures.append(
                f'<h2 id="{name}" class="{outcome.result}">{outcome.result} {name}</h2>'
                f"<p>{html.escape(outcome.failure.say)}</p>"
                f"<pre>{html.escape(chr(10).join(lines))}</pre>"
            )
    words = "{PASS} passed, {WARN} warnings, {FAIL} failed, {SKIP} skipped"
    return PAGE.format(
        title=html.escape(f"workshop spec {url}"),
        total=words.format_map(counts(outcomes)),
        rows="\n".join(rows),
        failures="\n".join(failures),
    )
