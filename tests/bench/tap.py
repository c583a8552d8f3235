"""What a tap adds to the way of an event: the same streams with it and without it.

    python -m tests.bench.tap [--streams N …] [--seconds S] [--rounds N] [--json FILE]

    an event on its way, ms       p50     p99   CPU/event
      1 stream,   no tap         0.09    0.31
      1 stream,   tap            0.27    0.74     310 µs
                  added          0.18    ok, at most 0.5

The upstream (`peers/upstream.py`) writes the time into each token, and the load client (`load.c`)
subtracts it from the time of arrival. Both have one core, and the tap has another. The tap masks,
measures and judges every stream meanwhile, as `workshop xray --listen --top` does on a pipe. With
and without it take turns, and the values are medians of the rounds. A busy machine makes both slow:
what counts is the difference.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import trio
from rich.console import Console

from workshop.xray.tap.tap import TapOptions, listen

from .peers import Peer, Server, Setting, pinned, python, serving
from .peers.client import Client, built, compiler, cores

__all__ = ["LIMIT_MS", "main", "measure", "table"]

LIMIT_MS = 0.5
ITL = 0.05  # seconds: 20 events a second and stream
NO_TAP, TAP = "no tap", "tap"

Ages = dict[str, list[dict[str, float]]]
"""For each of both: "p50", "p99" and "cpu" (µs for each event) of every round."""


def tap_command(port: int) -> list[str]:
    return [sys.executable, "-m", "tests.bench.tap", "--serve", f"http://127.0.0.1:{port}"]


@contextmanager
def _server(name: str, setting: Setting, tap_core: int, client_core: int) -> Iterator[Server]:
    """The upstream, or a tap of it."""
    with serving(Peer("the upstream", python("upstream")), setting, client_core) as upstream:
        if name == NO_TAP:
            yield upstream
            return
        tap = Peer(TAP, lambda setting, folder: tap_command(upstream.port))
        with serving(tap, setting, tap_core) as server:
            yield server


def measure(
    cc: str, streams: int, *, seconds: float = 4.0, rounds: int = 5, step: Any = print
) -> Ages:
    """Measure both by turns.

    Args:
        cc: The C compiler.
        streams: Number of streams at the same time.
        seconds: Length of each measurement.
        rounds: How often each is measured.
        step: Called before each measurement with what it is.
    """
    tap_core, client_core = cores()
    spread = max(0.2, streams / 400)
    setting = Setting(0.2, ITL, int((spread + 1 + seconds + 2) / ITL))
    found: Ages = {NO_TAP: [], TAP: []}
    with pinned(client_core), built(cc) as program:
        client = Client(program, client_core)
        for number in range(rounds):
            for name in (NO_TAP, TAP) if number % 2 else (TAP, NO_TAP):
                step(f"{streams} streams, round {number + 1}: {name}")
                with _server(name, setting, tap_core, client_core) as server:
                    counted = client.drive(
                        server, setting, streams, spread=spread, warm=1.0, seconds=seconds
                    )
                cpu = 1e6 * counted["cpu"] / counted["tokens"]
                age = counted["age"]
                found[name].append({"p50": age["p50"], "p99": age["p99"], "cpu": cpu})
    return found


def added_ms(ages: Ages) -> float:
    """The median p50 with the tap, minus that without it."""
    return _median(ages[TAP], "p50") - _median(ages[NO_TAP], "p50")


def _median(rounds: Sequence[dict[str, float]], name: str) -> float:
    return median(one[name] for one in rounds)


def table(results: dict[int, Ages]) -> str:
    """The figures of each number of streams."""
    lines = [f"{'an event on its way, ms':28}{'p50':>7}{'p99':>8}{'CPU/event':>12}"]
    for streams, ages in results.items():
        for name in (NO_TAP, TAP):
            p50, p99, cpu = (_median(ages[name], key) for key in ("p50", "p99", "cpu"))
            label = f"{streams:5} streams, {name}"
            cost = f"{cpu:9.0f} µs" if name == TAP else ""
            lines.append(f"{label:28}{p50:7.2f}{p99:8.2f}{cost}")
        added = added_ms(ages)
        verdict = f"ok, at most {LIMIT_MS:g}" if added <= LIMIT_MS else f"MISSED: {LIMIT_MS:g}"
        lines.append(f"{'added':>20}{added:15.2f}   {verdict}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Returns 1 if the tap adds more than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tap")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 20, 100], metavar="N")
    parser.add_argument("--seconds", type=float, default=4.0, metavar="S")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--serve", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.serve:
        return trio.run(listen, TapOptions(to=options.serve, host="127.0.0.1", top=True), Console())
    cc = compiler()
    if cc is None:
        print("the load client needs a C compiler: install gcc", file=sys.stderr)
        return 2

    def step(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    results = {
        streams: measure(cc, streams, seconds=options.seconds, rounds=options.rounds, step=step)
        for streams in options.streams
    }
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return int(any(added_ms(ages) > LIMIT_MS for ages in results.values()))


if __name__ == "__main__":
    sys.exit(main())
