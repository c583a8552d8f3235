"""The chat page's own event stream parser, under Node and in Chromium."""

import json
import subprocess
from pathlib import Path

from .peers import ROOT, SAFETY, RunningServer, need
from .visiting import Visit

VECTORS = ROOT / "tests" / "vectors" / "sse.json"
RUNNER = Path(__file__).with_name("sse_vectors.mjs")


def test_vectors() -> None:
    """The page's parser must return what the Python parser returns: for each vector whole, byte by
    byte, and split in two at every offset."""
    parser = ROOT / "servers" / "page" / "sse.js"
    done = subprocess.run(
        [need("node", "nodejs"), RUNNER, parser, VECTORS],
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout == f"{len(json.loads(VECTORS.read_text('utf-8')))} cases\n"


def test_vectors_in_a_browser(visit: Visit, chat_server: RunningServer) -> None:
    """The same where the parser lives, with that `TextDecoder`."""
    functions = RUNNER.read_text("utf-8").partition("// ---- Under Node")[0]
    visit.page.goto(chat_server.url)
    script = f"""async (cases) => {{
        {functions}
        const {{ EventStreamParser }} = await import("/page/sse.js");
        return [...failures(EventStreamParser, cases)];
    }}"""
    assert visit.evaluate(script, json.loads(VECTORS.read_text("utf-8"))) == []
