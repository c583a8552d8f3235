"""The chat page's own event stream parser, under Node."""

import json
import subprocess
from pathlib import Path

from .peers import ROOT, SAFETY, need

VECTORS = ROOT / "tests" / "vectors" / "sse.json"


def test_vectors() -> None:
    """What the Python parser must make of each vector, the page's must too: whole, byte by byte,
    and cut in two at every offset."""
    runner = Path(__file__).with_name("sse_vectors.mjs")
    parser = ROOT / "servers" / "page" / "sse.js"
    done = subprocess.run(
        [need("node", "nodejs"), runner, parser, VECTORS],
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout == f"{len(json.loads(VECTORS.read_text('utf-8')))} cases\n"
