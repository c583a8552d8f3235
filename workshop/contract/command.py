"""The command line of the contract tests: `workshop spec --sse-client URL`."""

import argparse
import json
import sys
from collections.abc import Sequence

import trio
from rich.console import Console
from rich.markup import escape

from servers.http.command import base_url

from ..runner.verdict import printable
from .case import Case
from .harness import CASES, Outcome, ServiceError, run_cases, serving

__all__ = ["main"]

COLOURS = {"PASS": "green", "FAIL": "bold red", "SKIP": "yellow"}


def main(argv: Sequence[str] | None = None) -> int:
    """Test an event-stream client.

    Returns:
        0 if all cases pass, 1 if one fails, 2 if none was selected, 3 if the service does not
        answer.
    """
    options = _parser().parse_args(argv)
    cases = [case for case in CASES if all(word in case.slug for word in options.k)]
    console = Console(soft_wrap=True, highlight=False)
    if not cases:
        print(f"no case has {' and '.join(options.k)} in its name: see --list", file=sys.stderr)
        return 2
    if options.list:
        for case in cases:
            print(f"{case.slug:48} {case.rule}")
        return 0
    if options.sse_client is None:
        print("what to test? For example: --sse-client http://localhost:8010", file=sys.stderr)
        return 2
    try:
        outcomes = trio.run(_run, options.sse_client, cases, console)
    except ServiceError as error:
        print(printable(str(error)), file=sys.stderr)
        return 3
    counts = {result: sum(one.result == result for one in outcomes) for result in COLOURS}
    console.print("{PASS} passed, {FAIL} failed, {SKIP} skipped".format_map(counts))
    if options.json:
        found = [{"slug": o.case.slug, "result": o.result, **dict(o.why)} for o in outcomes]
        try:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump({"counts": counts, "cases": found}, file, ensure_ascii=False, indent=1)
        except OSError as error:
            print(f"cannot write {options.json}: {error.strerror}", file=sys.stderr)
            return 2
    return 1 if counts["FAIL"] else 0


async def _run(service: str, cases: Sequence[Case], console: Console) -> list[Outcome]:
    outcomes: list[Outcome] = []

    def report(outcome: Outcome) -> None:
        outcomes.append(outcome)
        colour = COLOURS[outcome.result]
        console.print(f"[{colour}]{outcome.result}[/]  {escape(outcome.case.slug)}")
        for name, text in outcome.why:
            console.print(f"      {name:9} {escape(printable(text))}")

    async with serving(service) as harness:
        await run_cases(harness, cases, report)
    return outcomes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workshop spec",
        description="Test an event-stream client, wrapped in a test service of LaunchDarkly's "
        "sse-contract-tests. Ours: workshop sse-client-service",
    )
    parser.add_argument("--sse-client", type=base_url, metavar="URL", help="URL of the service")
    about = "only cases with this text in their name; may be repeated"
    parser.add_argument("-k", action="append", default=[], metavar="TEXT", help=about)
    parser.add_argument("--list", action="store_true", help="list the cases and their rules")
    parser.add_argument("--json", metavar="FILE", help="write the results to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
