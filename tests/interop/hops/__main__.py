"""Measures the effect of real hops on a stream, and writes the page about it (see table.py)."""

import argparse
import sys
import tempfile
from pathlib import Path

import trio

from protocol.recording import write_recording
from workshop.xray.report import Verdict

from .asking import Case, Seen
from .hops import HOPS
from .running import ask_all
from .table import PAGE, cases, mistakes, page, verdicts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interop.hops", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--save", type=Path, help="a folder for the recordings")
    parser.add_argument("hops", nargs="*", help="names of hops; all of them without it")
    options = parser.parse_args()
    if options.write and options.hops:
        parser.error(f"{PAGE.name} is about all hops")
    names = options.hops or list(HOPS)
    for name in names:
        if missing := HOPS[name].missing:
            print(missing, file=sys.stderr)
            return 1
    results: dict[Case, tuple[Seen, list[Verdict]]] = {}
    with tempfile.TemporaryDirectory() as folder:

        def settled(case: Case, seen: Seen) -> bool:
            results[case] = seen, verdicts(seen.reads)
            return not mistakes(case, *results[case])

        problems = trio.run(ask_all, cases(names), Path(folder), settled)
    if problems:
        print(*problems.values(), sep="\n", file=sys.stderr)
        return 1
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        for case, (seen, _) in results.items():
            with (options.save / f"{case.name}.jsonl").open("wb") as file:
                file.writelines(write_recording(seen.reads))
    text = page({case: results[case] for case in cases(names)})
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    wrong = [line for case, result in results.items() for line in mistakes(case, *result)]
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
