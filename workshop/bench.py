"""The command `workshop bench`: measures this project on your machine.

    workshop bench codecs              the codecs beside httpx-sse, the openai SDK, h11, httptools
    workshop bench codecs --only sse   the rows whose name contains "sse"
    workshop bench streams             the simulated LLM beside FastAPI, aiohttp, Node's http
    workshop bench streams --quick     the same in a minute and a half
    workshop bench proxy               the OpenAI proxy beside FastAPI with httpx, nginx, HAProxy

`codecs.py`, `streams.py` and `proxy.py` in `tests/bench/` say what they measure and how. This file
reads the flags, draws the progress bar and prints the result. The benchmarks are not part of the
installed package: they need the clone.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

NEEDS_CLONE = (
    "workshop bench needs the clone, which has tests/bench: "
    "run `python -m workshop bench` in its top folder."
)
INSTALL = "pip install -c .ci/locked.txt -e '.[bench]'"
PIPE_WIDTH = 110  # columns of the output if it is not a terminal
QUIET_SECONDS = 60.0  # shortest time between two lines of progress without a terminal


def main(argv: list[str] | None = None) -> int:
    """Run one benchmark and print it.

    Args:
        argv: The arguments after `workshop bench`, or None for those of this process.

    Returns:
        The exit code: 0, or 1 if the output of a measured program is wrong, or 2 if there is
        nothing to run.
    """
    options = parse(argv)
    try:
        import tests.bench  # noqa: F401
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("tests"):
            raise
        print(NEEDS_CLONE, file=sys.stderr)
        return 2
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def run_codecs(options: argparse.Namespace) -> int:
    from tests.bench import codecs, table

    names = codecs.names(options.only)
    if not names:
        return no_such(options.only, codecs.names())
    missing = codecs.load_peers()[1]
    if missing:
        absent = ", ".join(missing)
        print(f"not installed, so marked as absent: {absent}. To add: {INSTALL}", file=sys.stderr)

    with progress_bar(len(names) * (options.rounds + 1)) as step:
        try:
            report = codecs.measure(
                events=options.events, rounds=options.rounds, only=options.only, step=step
            )
        except table.DifferentWork as error:
            print(f"not timed, because the work differs: {error}", file=sys.stderr)
            return 1

    table.show(report, console())
    write_json(options.json, table.to_json(report))
    return 0


def run_streams(options: argparse.Namespace) -> int:
    from tests.bench import streams

    return run_servers(options, streams)


def run_proxy(options: argparse.Namespace) -> int:
    from tests.bench import proxy

    return run_servers(options, proxy)


def run_servers(options: argparse.Namespace, race: Any) -> int:
    """Run a benchmark of servers, each in its own process: `tests.bench.streams` or `.proxy`."""
    name = f"workshop bench {options.bench}"
    if not sys.platform.startswith("linux"):
        print(f"{name} needs Linux: epoll, /proc and cores to pin to.", file=sys.stderr)
        return 2
    from tests.bench import figures, peers, table
    from tests.bench.peers.client import compiler

    if not race.names(options.only):
        return no_such(options.only, race.names())
    if not (cc := compiler()):
        print("the load client needs a C compiler: install gcc", file=sys.stderr)
        return 2
    for peer in race.PEERS:
        if peer.absence:
            print(f"{peer.name} is marked as absent: {peer.absence}", file=sys.stderr)

    given = {"seconds": options.seconds, "rounds": options.rounds}
    scale = race.QUICK if options.quick else race.FULL
    scale = replace(scale, **{name: value for name, value in given.items() if value})
    with progress_bar(race.steps(scale, options.only)) as step:
        try:
            found, settings = race.measure(cc, scale, options.only, step)
        except (table.DifferentWork, peers.NotStarted) as error:
            print(f"not timed: {error}", file=sys.stderr)
            return 1

    figures.show(found, settings, console())
    write_json(options.json, figures.to_json(found, settings, peers.versions(race.PEERS)))
    return 0 if all(results[figures.OURS].runs for _, results in found) else 1


def no_such(only: str, names: list[str]) -> int:
    rows = "\n  ".join(names)
    print(f"no row contains {only!r}; the rows are\n  {rows}", file=sys.stderr)
    return 2


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[str], None]]:
    """Show a progress bar of `total` steps. Yields a function that takes the name of the next step.

    Without a terminal it prints a line from time to time, because a benchmark may take 15 minutes.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # The bar is redrawn only between the timed runs, because a thread that redraws would disturb
    # them.
    with Progress(
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=total)

        next_line = time.monotonic()

        def step(name: str) -> None:
            nonlocal next_line
            progress.update(task, advance=1, description=name, refresh=True)
            if not console.is_terminal and time.monotonic() >= next_line:
                done = progress.tasks[task].completed
                print(f"{done:.0f}/{total} {name}", file=sys.stderr, flush=True)
                next_line = time.monotonic() + QUIET_SECONDS

        yield step


def console() -> Console:
    out = Console()
    return out if out.is_terminal else Console(width=PIPE_WIDTH)


def write_json(file: Path | None, report: dict[str, object]) -> None:
    if file:
        text = json.dumps(report, ensure_ascii=False, indent=1)
        file.write_text(text + "\n", encoding="utf-8")


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="workshop bench", description="Measure this project.")
    benches = parser.add_subparsers(dest="bench", required=True, metavar="BENCH")
    codecs = benches.add_parser("codecs", help="our SSE and chunked coding beside other libraries")
    add = codecs.add_argument
    add("--events", type=positive, default=50_000, metavar="N", help="events [%(default)s]")
    add("--rounds", type=positive, default=7, metavar="N", help="rounds [%(default)s]")
    add("--json", type=Path, metavar="FILE", help="also write the seconds of each round to FILE")
    add("--only", default="", metavar="SUBSTRING", help="only rows whose name contains this")
    codecs.set_defaults(run=run_codecs)

    races = {
        "streams": (run_streams, "the simulated LLM beside other servers"),
        "proxy": (run_proxy, "the OpenAI proxy beside other proxies"),
    }
    for name, (run, about) in races.items():
        race = benches.add_parser(name, help=about)
        add = race.add_argument
        add("--quick", action="store_true", help="one short round of the figures that have a goal")
        add("--rounds", type=positive, metavar="N", help="rounds [3; quick: 1]")
        add("--seconds", type=positive_seconds, metavar="S", help="seconds a run [2.5; quick: 1]")
        add("--json", type=Path, metavar="FILE", help="also write each run to FILE")
        add("--only", default="", metavar="SUBSTRING", help="only figures whose name contains this")
        race.set_defaults(run=run)
    return parser.parse_args(argv)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def positive_seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 60:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds up to 60")
    return value


if __name__ == "__main__":
    sys.exit(main())
