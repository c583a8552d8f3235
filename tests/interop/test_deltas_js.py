"""The chat page's parser of a chat stream, under Node: the same results as the Python one."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from protocol.openai.deltas import read_delta

from .peers import ROOT, SAFETY, need

VECTORS = ROOT / "tests" / "vectors" / "deltas.json"
RUNNER = ROOT / "tests" / "interop" / "delta_vectors.mjs"


def read(vectors: Path) -> dict[str, Any]:
    """The page's result for each case, by its id."""
    done = subprocess.run(
        [need("node", "nodejs"), RUNNER, ROOT / "servers" / "page", vectors],
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr[-500:]) == (0, "")
    return dict(json.loads(done.stdout))


NO_CALL = {"index": 0, "id": "", "name": "", "arguments": ""}


def shown(case: dict[str, Any]) -> dict[str, Any]:
    """The part of a vector that the page shows: everything but the usage."""
    expect = case["expect"]
    error = expect.get("error", {}).get("message", "")
    if "body" in case:
        return {"error": error}
    return {
        "text": expect.get("text", ""),
        "thinking": expect.get("thinking", ""),
        "refusal": expect.get("refusal", ""),
        "calls": [NO_CALL | call for call in expect.get("tool_calls", [])],
        "finishReason": expect.get("finish_reason", ""),
        "error": error,
    }


def test_vectors() -> None:
    cases = json.loads(VECTORS.read_text("utf-8"))
    assert read(VECTORS) == {case["id"]: shown(case) for case in cases}


WHERE = ["choices", "choices", "delta", "delta", "message", "content", "text", "error", "error"]
NAMES = [
    *[*WHERE, "index", "object", "type", "finish_reason", "audio", "transcript", "value"],
    *["reasoning", "refusal", "reasoning_content", "reasoning_details", "thinking", "summary"],
    *["thinking_blocks", "code", "detail", "details", "msg", "loc", "title", "errors"],
    *["tool_calls", "function_call", "name", "id", "arguments", "input", "function", "custom"],
]
SCALARS = [
    *[None, True, False, 0, 1, 7, -1, 2.5, 1e300, "", "a", "b ", "\n", "你", "😀", "1", "0", "nan"],
    *["error", "thinking", "reasoning.text", "text", "refusal", "stop", "null"],
]


def anything(chance: random.Random, depth: int) -> Any:
    """JSON with the names that the parser looks for, and values of any type."""
    kind = chance.random()
    if depth and kind < 0.5:
        return {chance.choice(NAMES): anything(chance, depth - 1) for _ in range(3)}
    if depth and kind < 0.75:
        return [anything(chance, depth - 1) for _ in range(chance.randrange(4))]
    return chance.choice(SCALARS)


def event(chance: random.Random) -> Any:
    """Half of the events have a text in the right place."""
    if chance.random() < 0.5:
        return anything(chance, 7)
    call = {"function": {"name": "f", chance.choice(NAMES): anything(chance, 3)}}
    delta = chance.choice([anything(chance, 5), {"tool_calls": [call, anything(chance, 3)]}])
    choice = {chance.choice(["delta", "delta", "message", "text"]): delta}
    more = {chance.choice(NAMES): anything(chance, 3) for _ in range(2)}
    return {**more, "choices": [{**choice, chance.choice(NAMES): anything(chance, 3)}]}


def test_any_json(tmp_path: Path) -> None:
    """No JSON makes a parser fail, and both parsers return the same."""
    chance = random.Random(1)
    events = [json.dumps(event(chance)) for _ in range(5000)]
    cases = [{"id": str(n), "events": [data]} for n, data in enumerate(events)]
    vectors = tmp_path / "any.json"
    vectors.write_text(json.dumps(cases))
    found = read(vectors)
    said = called = failed = 0
    for case, data in zip(cases, events, strict=True):
        delta = read_delta(data)
        said += bool(delta.said or delta.thinking)
        called += any(call.arguments or call.name for call in delta.tool_calls)
        failed += delta.error is not None
        assert found[str(case["id"])] == {
            "text": delta.text,
            "thinking": delta.thinking,
            "refusal": delta.refusal,
            "calls": [msgspec.to_builtins(call) for call in delta.tool_calls],
            "finishReason": delta.finish_reason or "",
            "error": delta.error.message if delta.error else "",
        }, data
    assert said > 500
    assert called > 500
    assert failed > 500
