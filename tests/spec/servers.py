"""The published table: servers and families, passed of the cases that could be judged.

    $ python -m tests.spec.servers --write        makes tests/spec/SERVERS.md, in some minutes

Each server answers the same request with the same text at the same pace: those of the benchmarks
(tests/bench/peers), each in the configuration that is there. A server that is not installed is
named as absent. What fails is listed below the table, with its section and our note of the check by
hand (notes.py).

`--only` prints the rows of some servers, and does not write.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import peers
from tests.bench.peers import proxies
from workshop.spec import main as spec

from . import cases as families
from .case import CASES, FAMILIES
from .notes import NOTES

__all__ = ["FILE", "Row", "main", "render"]

assert families  # its import makes CASES

FILE = Path(__file__).parent / "SERVERS.md"
SETTING = peers.Setting(ttft=0.5, itl=0.05, tokens=60)
LARGE = peers.Setting(ttft=0.1, itl=0.001, tokens=3000)
"""For the case that needs a stream of 512 KiB: another request, to a server of its own."""

NEEDS_LARGE = "pressure.producer-waits"
PATH = "/v1/chat/completions"
# The packages whose versions matter here:
SHOWN = ("fastapi", "uvicorn", "httptools", "starlette", "hypercorn", "aiohttp")


def node(setting: peers.Setting, folder: Path) -> list[str]:
    return ["node", str(Path(__file__).parent / "node_server.mjs"), *setting.flags]


def hypercorn(setting: peers.Setting, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.spec.hypercorn_server", *setting.flags]


PACKAGES = ("starlette", "hypercorn")
HYPERCORN = peers.Peer("Starlette on hypercorn", hypercorn, PACKAGES, packages=PACKAGES)
NODE = peers.Peer("Node http", node, programs=("node",), install="Node.js 20 or newer, as `node`")

INTRO = """\
# The suite on servers

`python -m tests.spec.servers --write` makes this page. Each number is the cases passed, of those
that could be judged on this server; `2 F` are failures, `1 W` warnings. The request is a POST that
streams 60 tokens in 3.5 seconds; for `pressure.producer-waits`, 3000 tokens in 3 seconds. The
profile is sse, and for servers that simulate the whole API, openai.

A server that is not installed where the table is made again keeps its last row. LiteLLM is one of
those: it and the 117 packages that it brings take 750 MB, too much for an extra or for CI.
"""


class Row(NamedTuple):
    """What became of one server.

    Args:
        name: Its name, with its version.
        cases: The cases, as `workshop spec --json` writes them; [] if it is absent.
        absence: Why it is absent.
    """

    name: str
    cases: list[dict[str, Any]]
    absence: str = ""


def main() -> int:
    """Make the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.spec.servers", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    parser.add_argument("--only", default="", help="only servers with this in their name")
    options = parser.parse_args()
    page = render(list(rows(options.only)), FILE.read_text("utf-8"))
    if options.write:
        FILE.write_text(page, "utf-8")
    else:
        print(page)
    return 0


def rows(only: str) -> Iterator[Row]:
    """Start each server, and judge it."""
    quick = replace(SETTING, itl=0.0)
    alone: list[tuple[str, peers.Peer, peers.Setting, str]] = [
        ("ours", peers.OURS, SETTING, "openai"),
        ("FastAPI on uvicorn", peers.FASTAPI, SETTING, "sse"),
        ("Starlette on hypercorn", HYPERCORN, SETTING, "sse"),
        ("aiohttp", peers.AIOHTTP, SETTING, "sse"),
        ("Node http", NODE, SETTING, "sse"),
        ("aimock, without a latency", peers.AIMOCK, quick, "openai"),
    ]
    for name, peer, setting, profile in alone:
        if only in name:
            yield judged(name, peer, setting, profile)
    with ExitStack() as stack:
        ports = [
            stack.enter_context(peers.serving(peers.OURS, setting, 0)).port
            for setting in (SETTING, LARGE)
        ]
        usual, large = (proxies.proxies(proxies.Behind(port)) for port in ports)
        for proxy, to_large in zip(usual, large, strict=True):
            if proxy.name in (proxies.NGINX, proxies.HAPROXY, proxies.LITELLM):
                name = f"{proxy.name} before ours"
                if only in name:
                    yield judged(name, proxy, SETTING, "sse", to_large)


def judged(
    name: str,
    peer: peers.Peer,
    setting: peers.Setting,
    profile: str,
    to_large: peers.Peer | None = None,
) -> Row:
    """Judge one server. `to_large` is a proxy whose upstream sends the large stream."""
    if peer.absence:
        return Row(name, [], peer.absence)
    shown = [one for one in peer.packages if one in SHOWN] + ["node"] * ("Node" in name)
    versions = peers.versions([peer])
    if peer.programs == ("litellm",):  # of another environment
        python = Path(shutil.which("litellm") or "").resolve().parent / "python"
        ask = "from importlib.metadata import version; print(version('litellm'), end='')"
        versions["litellm"] = subprocess.check_output([python, "-c", ask], text=True)
        shown.append("litellm")
    packages = ", ".join(f"{one} {versions[one]}" for one in shown if one in versions)
    print(f"{name} …", file=sys.stderr)
    name = f"{name} ({packages})" if packages else name
    try:
        cases = run(peer, setting, profile)
        others = run(to_large or peer, LARGE, profile, "-k", NEEDS_LARGE)
    except peers.NotStarted as error:
        return Row(name, [], str(error))
    large = {case["slug"]: case for case in others}
    return Row(name, [large.get(case["slug"], case) for case in cases])


def run(peer: peers.Peer, setting: peers.Setting, profile: str, *flags: str) -> list[Any]:
    """Start a server, and judge it. Returns the cases, as `--json` writes them.

    Raises:
        peers.NotStarted: It does not start.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        body, found = Path(folder) / "body.json", Path(folder) / "found.json"
        body.write_text(setting.body, "utf-8")
        server = stack.enter_context(peers.serving(peer, setting, 0))
        url = f"http://127.0.0.1:{server.port}{PATH}"
        spec([url, "--profile", profile, "--body", str(body), "--json", str(found), *flags])
        return json.loads(found.read_text("utf-8"))["cases"] if found.exists() else []


def render(found: list[Row], before: str) -> str:
    """Write the page. `before` is the last one: it has the rows of servers that are absent now."""
    lines = [INTRO, "| server | " + " | ".join(FAMILIES) + " |", "|---" * (len(FAMILIES) + 1) + "|"]
    for row in found:
        if row.cases:
            cells = [cell(row, family) for family in FAMILIES]
            lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
        else:
            lines += re.findall(rf"^\| {re.escape(row.name)}.*\|$", before, re.MULTILINE)
    lines.append("")
    for row in found:
        if not row.cases and f"| {row.name}" not in before:
            lines.append(f"{row.name}: absent here ({row.absence or 'it was not judged'}).\n")
    for row in found:
        if not row.cases:
            section = rf"^## {re.escape(row.name)}.*?(?=^## |\Z)"
            lines += re.findall(section, before, re.MULTILINE | re.DOTALL)
        bad = [case for case in row.cases if case["result"] in ("FAIL", "WARN")]
        if bad:
            lines += [
                f"## {row.name}\n",
                "| case | | what came | checked by hand |",
                "|---|---|---|---|",
            ]
            lines += [note(row, case) for case in bad]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def cell(row: Row, family: str) -> str:
    some = [case for case in row.cases if CASES[case["slug"]].family == family]
    judged = [case for case in some if case["result"] != "SKIP"]
    if not judged:
        return "–"
    results = [case["result"] for case in judged]
    more = [f"{results.count(r)} {r[0]}" for r in ("FAIL", "WARN") if r in results]
    return ", ".join([f"{results.count('PASS')} of {len(judged)}", *more])


def note(row: Row, case: dict[str, Any]) -> str:
    say = case["say"].replace("|", "\\|")
    result = f"{case['result']}, {case['section']}"
    return f"| `{case['slug']}` | {result} | {say} | {NOTES.get(case['slug'], '')} |"


if __name__ == "__main__":
    sys.exit(main())


# What this file does not do: run in the test suite. It takes minutes, and other people's servers
# change.
