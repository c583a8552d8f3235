"""The chat page's own reader of a chat stream, under Node: the same as the Python one."""

import json
import subprocess
from typing import Any

from .peers import ROOT, SAFETY, need

VECTORS = ROOT / "tests" / "vectors" / "deltas.json"
RUNNER = ROOT / "tests" / "interop" / "delta_vectors.mjs"


def shown(case: dict[str, Any]) -> dict[str, str]:
    """What the page shows of a vector: neither calls nor usage; a refusal is part of the text."""
    expect = case["expect"]
    error = expect.get("error", {}).get("message", "")
    if "body" in case:
        return {"error": error}
    return {
        "text": expect.get("text", "") + expect.get("refusal", ""),
        "thinking": expect.get("thinking", ""),
        "finishReason": expect.get("finish_reason", ""),
        "error": error,
    }


def test_vectors() -> None:
    done = subprocess.run(
        [need("node", "nodejs"), RUNNER, ROOT / "servers" / "page", VECTORS],
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr[-500:]) == (0, "")
    cases = json.loads(VECTORS.read_text("utf-8"))
    assert dict(json.loads(done.stdout)) == {case["id"]: shown(case) for case in cases}
