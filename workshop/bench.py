"""The command `workshop bench`: how fast this project is, measured on your machine.

    workshop bench codecs              the codecs beside httpx-sse, the openai SDK, h11, httptools
    workshop bench codecs --only sse   the rows whose name contains "sse"

What is measured, and how, stands in `tests/bench/codecs.py`; this file reads the flags, draws the
progress bar and prints the result. The benchmarks are not part of the installed package: they need
the clone.
"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

NEEDS_CLONE = (
    "workshop bench needs the clone, which has tests/bench: "
    "run `python -m workshop bench` in its top folder."
)
INSTALL = "pip install -e '.[bench]'"
PIPE_WIDTH = 110  # columns, where there is no terminal to ask


def main(argv: list[str] | None = None) -> int:
    """Run one benchmark and print it.

    Args:
        argv: the arguments after `workshop bench`.

    Returns:
        0; 1 when a contestant's output is wrong; 2 when there is nothing to run.
    """
    options = parse(argv)
    try:
        from tests.bench import codecs, table
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("tests"):
            raise
        print(NEEDS_CLONE, file=sys.stderr)
        return 2

    names = codecs.names(options.only)
    if not names:
        rows = "\n  ".join(codecs.names())
        print(f"no row contains {options.only!r}; the rows are\n  {rows}", file=sys.stderr)
        return 2
    missing = codecs.load_peers()[1]
    if missing:
        absent = ", ".join(missing)
        print(f"not here, so marked as absent: {absent}. To add: {INSTALL}", file=sys.stderr)

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # Redrawn between the timed runs only: a thread that redraws would take part in the race.
    with Progress(
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=len(names) * (options.rounds + 1))

        def step(name: str) -> None:
            progress.update(task, advance=1, description=name, refresh=True)

        try:
            report = codecs.measure(
                events=options.events, rounds=options.rounds, only=options.only, step=step
            )
        except table.DifferentWork as error:
            print(f"not timed, the work is not the same: {error}", file=sys.stderr)
            return 1

    out = Console()
    table.show(report, out if out.is_terminal else Console(width=PIPE_WIDTH))
    if options.json:
        text = json.dumps(table.to_json(report), ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="workshop bench", description="Measure this project.")
    benches = parser.add_subparsers(dest="bench", required=True, metavar="BENCH")
    codecs = benches.add_parser("codecs", help="SSE and chunked coding beside their peers")
    add = codecs.add_argument
    add("--events", type=positive, default=50_000, metavar="N", help="[%(default)s]")
    add("--rounds", type=positive, default=7, metavar="N", help="[%(default)s]")
    add("--json", type=Path, metavar="FILE", help="also write the seconds of every round")
    add("--only", default="", metavar="SUBSTRING", help="only rows with this in their name")
    return parser.parse_args(argv)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


if __name__ == "__main__":
    sys.exit(main())
