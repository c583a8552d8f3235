"""Event sources in JavaScript against our server: Chromium's own, and the page's parser as one.

They are asked what our client is asked: the cases of the contract tests, and WPT's facts.
"""

import shlex
import subprocess
from collections.abc import Callable, Container
from contextlib import ExitStack
from pathlib import Path

import trio

from ..workshop.contract.wpt_facts import FACTS
from .driven import judged
from .peers import ROOT, SAFETY, need, started
from .visiting import chromium, flags

# Where a program is known to differ from the standard: these cases are left out.
CHROMIUM_156 = {
    "bom.before-an-empty-line": "It takes no line end right after the byte order mark.",
    "format-utf-8": "It refuses another charset than UTF-8; the standard ignores the parameter.",
}
NODE = {
    "http.redirect-with-an-empty-location": "By Fetch, an empty Location is the same URL.",
}


def differences(
    start: Callable[[str], None], at_once: int, known: Container[str]
) -> dict[str, str]:
    """What came instead, by the case that does not pass."""
    outcomes = trio.run(judged, start, at_once, FACTS, known)
    assert len(outcomes) > 150
    return {one.case.slug: dict(one.why)["came"] for one in outcomes if one.result != "PASS"}


def test_the_parser_of_the_page() -> None:
    program = Path(__file__).with_name("page_event_source.mjs")
    command = [need("node", "nodejs"), str(program), str(ROOT / "servers/page/sse.js")]

    def run(base: str) -> None:
        subprocess.run([*command, base], check=True, timeout=10 * SAFETY)

    assert differences(run, 16, NODE) == {}


def test_chromium(tmp_path: Path) -> None:
    """The browser runs without Playwright, which the browser would tell about each request."""
    command = [chromium(), "--headless", "--disable-dev-shm-usage", *flags()]
    command.append(f"--user-data-dir={tmp_path}")
    with ExitStack() as stack:

        def open_page(base: str) -> None:
            stack.enter_context(started(shlex.join([*command, base])))

        assert differences(open_page, 2, CHROMIUM_156) == {}
