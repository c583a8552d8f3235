"""Measures what real hops do to a stream, and writes the page about it: see table.py."""

import argparse
import sys
import tempfile
from pathlib import Path

import trio

from protocol.recording import write_recording

from .asking import Case, Seen
from .hops import HOPS
from .running import ask_all
from .table import PAGE, cases, page, verdicts
from .truth import right_codes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interop.hops", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--save", type=Path, help="a folder for the recordings")
    parser.add_argument("hops", nargs="*", help="names of hops; all of them without it")
    options = parser.parse_args()
    names = options.hops or list(HOPS)
    for name in names:
        if missing := HOPS[name].missing:
            print(missing, file=sys.stderr)
            return 1
    seen: dict[Case, Seen] = {}
    with tempfile.TemporaryDirectory() as folder:

        def settled(case: Case, each: Seen) -> bool:
            seen[case] = each
            return verdicts(each.reads)[0].code in right_codes(case, each)

        trio.run(ask_all, cases(names), Path(folder), settled)
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        for case, each in seen.items():
            with (options.save / f"{case.name}.jsonl").open("wb") as file:
                file.writelines(write_recording(each.reads))
    text = page({case: (seen[case], verdicts(seen[case].reads)) for case in cases(names)})
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
