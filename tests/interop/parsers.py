"""Tests parsers of other projects with the test vectors:
`python -m tests.interop.parsers [--write]`.

This file makes the page tests/vectors/PARSERS.md, and test_parsers.py compares the page with the
installed parsers.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version

import trio

from workshop.vectors import load, score

from .peers import ROOT

__all__ = ["PARSERS", "Parser", "page"]

PAGE = ROOT / "tests/vectors/PARSERS.md"
ADAPTERS = ROOT / "tests/vectors/adapters"

ABOUT = """\
# Parsers and the test vectors

`python -m tests.interop.parsers --write` made this page with the parsers that are installed. An
adapter in [`adapters/`](adapters) calls each of them. `workshop vectors` shows what a failed vector
expects, and what came. A failure need not be a fault: some of these parsers say in their
documentation that they differ from the standard there, because they read the streams of one API.

"""


@dataclass(frozen=True)
class Parser:
    """A parser and its adapter.

    Args:
        name: The parser's name in the table.
        kind: The kind of vectors for this parser.
        adapter: The file of the adapter.
        package: The package that contains the parser, "" for a parser of this project, or "node"
            for one of Node itself.
    """

    name: str
    kind: str
    adapter: str
    package: str = ""

    def command(self) -> list[str]:
        program = "node" if self.adapter.endswith(".mjs") else sys.executable
        return [program, str(ADAPTERS / self.adapter)]

    def version(self) -> str:
        if not self.package:
            return ""
        if self.package == "node":
            return subprocess.check_output(["node", "--version"], text=True).strip().lstrip("v")
        if self.adapter.endswith(".mjs"):
            file = ROOT / "node_modules" / self.package / "package.json"
            return str(json.loads(file.read_text("utf-8"))["version"])
        return version(self.package)


PARSERS = [
    Parser("protocol.sse", "sse", "ours_sse.py"),
    Parser("httpx-sse", "sse", "httpx_sse.py", "httpx-sse"),
    Parser("openai (Python)", "sse", "openai_sse.py", "openai"),
    Parser("sseclient-py", "sse", "sseclient_py.py", "sseclient-py"),
    Parser("eventsource-parser", "sse", "eventsource_parser.mjs", "eventsource-parser"),
    Parser("undici", "sse", "undici.mjs", "undici"),
    Parser("protocol.chunked", "chunked", "ours_chunked.py"),
    Parser("h11", "chunked", "h11_chunked.py", "h11"),
    Parser("llhttp (Node)", "chunked", "llhttp.mjs", "node"),
    Parser("protocol.openai.deltas", "deltas", "ours_deltas.py"),
]


def failures(parser: Parser) -> dict[str, str]:
    """The vectors that a parser fails, by id, each with the reason."""
    return trio.run(score, parser.command(), parser.kind, load(parser.kind), 60.0)


def row(parser: Parser, failed: dict[str, str]) -> str:
    """The row of a parser, without its version."""
    total = len(load(parser.kind))
    names = ", ".join(f"`{name}`" for name in failed) or "–"
    return f"{parser.kind} | {total - len(failed)} of {total} | {names} |"


def page() -> str:
    lines = ["| parser | version | vectors | passed | failed |", "|---|---|---|---|---|"]
    for parser in PARSERS:
        lines.append(f"| {parser.name} | {parser.version()} | {row(parser, failures(parser))}")
    return ABOUT + "\n".join(lines) + "\n"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.interop.parsers", description=__doc__)
    options.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    if options.parse_args().write:
        PAGE.write_text(page(), "utf-8")
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
