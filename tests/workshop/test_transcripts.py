"""What the pages say is what happens: every transcript is replayed, every example is run.

    ```console
    $ command            run by a shell, with the ports of servers that the test has started
    output               compared; … stands for any text, a line of its own for any lines
    ```

All pages of the project are found, a new one too. The READMEs of lessons 1 and 2 need no server:
test_lessons_1_2.py replays them. A Chinese page has the transcripts of the English page, byte for
byte (course/test_in_step.py): a transcript is replayed once, for the first page that has it.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.peers import need, running

from .hops import hops_of_pages

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("01_", "02_")
WITHOUT_SERVER = ("/01_", "/02_", "/07_", "/08_", "/12_")
PAGES = ["README.md"] + [
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "workshop").rglob("*.md"))
    if not path.parent.name.startswith(ELSEWHERE)
]
SERVERS = {
    8000: ["servers.chat", "--ttft", "0", "--itl", "0"],
    8003: ["servers.chunked", "--itl", "0"],
    8004: ["servers.sse", "--itl", "0"],
    8005: ["servers.openai_proxy", "--base-url", "http://localhost:8000/v1"],
    8009: ["servers.badproxy", "--to", "http://localhost:8003", "--mode", "truncate=30"],
}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fences(kind: str) -> list[tuple[str, str]]:
    """Return all fences of a kind, each with the first page on which it is."""
    pages: dict[str, str] = {}
    for page in PAGES:
        for found, text in FENCE.findall((ROOT / page).read_text(encoding="utf-8")):
            if found == kind:
                pages.setdefault(text, page)
    return [(page, text) for text, page in pages.items()]


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[int, int]]:
    """Start the servers of the pages, each on a free port. Yields {the port on the page: the real
    port}."""
    with ExitStack() as stack:
        started: dict[int, int] = {}
        for usual, (name, *flags) in SERVERS.items():
            flags = [with_ports(flag, started) for flag in flags]
            started[usual] = stack.enter_context(running(name, *flags)).port
        yield started


@pytest.fixture(scope="module")
def hops() -> Iterator[dict[int, int]]:
    """Start the hops that the pages ask with x-ray. The server takes its time: without it, no hop
    could hold anything."""
    with hops_of_pages() as ports:
        yield ports


def with_ports(text: str, ports: dict[int, int]) -> str:
    return re.sub(r"(localhost[: ])(\d{4})", lambda m: m[1] + str(ports.get(int(m[2]), m[2])), text)


def matches(shown: str, printed: str) -> bool:
    """Return whether the output is what a page shows."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in shown.splitlines()
    ]
    return re.fullmatch("".join(lines), printed) is not None


@pytest.mark.parametrize(("page", "transcript"), fences("console"))
def test_transcript(page: str, transcript: str, request: pytest.FixtureRequest) -> None:
    prompt, _, shown = transcript.partition("\n")
    assert prompt.startswith("$ "), "one command a fence"
    ports = request.getfixturevalue("hops" if "workshop xray" in prompt else "ports")
    command = with_ports(prompt.removeprefix("$ "), ports)
    if "curl" in command:
        need("curl", "curl")
    if "09_proxies" in command:
        need("nginx", "nginx-light", "/usr/sbin/nginx")
    if command.startswith("python "):
        command += " --fast" if any(n in command for n in WITHOUT_SERVER) else " --fast --port 0"
    command = re.sub(r"(^|\| |&& )workshop ", r"\1python -m workshop ", command)
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        timeout=60,
        check=False,
    )
    assert done.stderr.decode() == ""
    assert matches(shown, done.stdout.decode().replace("\r\n", "\n"))


@pytest.mark.parametrize(("page", "program"), fences("python"))
def test_python_example(page: str, program: str, ports: dict[int, int]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", with_ports(program, ports)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout


def test_shell_fences_are_the_two_commands() -> None:
    """The first is tried by hand from a fresh clone; the second is what .ci/run runs."""
    run, test = (text.strip() for _, text in fences("sh"))
    install = "python3 -m venv .venv && .venv/bin/pip install -c .ci/locked.txt -e ."
    assert run == f"{install} && .venv/bin/workshop"
    checks = (ROOT / ".ci/run").read_text()
    assert all(part in checks for part in test.split(" && "))


def test_no_other_fences() -> None:
    kinds = {kind for page in PAGES for kind, _ in FENCE.findall((ROOT / page).read_text())}
    assert kinds <= {"console", "python", "sh", "text"}


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("workshop/**/*.md"), *ROOT.glob("servers/**/*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://")):
                path = target.partition("#")[0]  # of fragments, course/test_links.py
                assert (page.parent / path).exists(), f"{page}: {target}"


def test_a_wildcard_matches_no_more_than_it_says() -> None:
    assert matches("a …\n…\nz\n", "a b\nc\nd\nz\n")
    assert not matches("a …\nz\n", "a b\nc\nz\n")
    assert not matches("a\n", "a\nb\n")
