"""The deltas that are read from the events of chat streams, from any server."""

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.openai.common import ErrorBody
from protocol.openai.deltas import ChatDelta, DeltaReader, TokenCount, read_delta, read_failure

VECTORS = Path(__file__).parents[2] / "vectors" / "deltas.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text("utf-8"))


def told(error: ErrorBody | None) -> dict[str, Any]:
    if error is None:
        return {}
    fields = {"message": error.message, "type": error.type, "code": error.code}
    return {"error": {name: value for name, value in fields.items() if value}}


def read(events: list[Any]) -> dict[str, Any]:
    """The sum of the deltas, in the form of a vector's `expect`."""
    reader = DeltaReader()
    deltas = []
    for one in events:
        event = one if isinstance(one, dict) else {"event": "message", "data": one}
        deltas.append(reader.read(event["data"], event["event"]))
    error = next((delta.error for delta in deltas if delta.error), None)
    deltas.append(reader.end())
    found: dict[str, Any] = {
        name: "".join(getattr(delta, name) for delta in deltas)
        for name in ("text", "thinking", "refusal")
    }
    for delta in deltas:
        found["finish_reason"] = delta.finish_reason or found.get("finish_reason")
        if delta.usage:
            found["usage"] = {
                "completion_tokens": delta.usage.completion_tokens,
                "prompt_tokens": delta.usage.prompt_tokens,
            }
    found["tool_calls"] = [
        (piece.index, piece.id, piece.name, piece.arguments)
        for delta in deltas
        for piece in delta.tool_calls
    ]
    return {name: value for name, value in found.items() if value} | told(error)


def wanted(expect: dict[str, Any]) -> dict[str, Any]:
    calls = [
        (call["index"], call.get("id", ""), call.get("name", ""), call.get("arguments", ""))
        for call in expect.get("tool_calls", [])
    ]
    return expect | ({"tool_calls": calls} if calls else {})


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_vector(case: dict[str, Any]) -> None:
    if "body" in case:
        assert told(read_failure(case["body"].encode())) == case["expect"]
        assert told(read_failure(case["body"])) == case["expect"]
    else:
        assert read(case["events"]) == wanted(case["expect"])


def test_enough_vectors() -> None:
    """Each category has its cases, and most of them come from real servers."""
    assert len({case["id"] for case in CASES}) == len(CASES)
    seen = [case for case in CASES if case["source"] != "constructed"]
    assert len(seen) >= 60


def test_one_event_by_itself() -> None:
    """Half a character becomes U+FFFD."""
    half = '{"choices":[{"index":2,"delta":{"content":"a\\ud83d"}}],"usage":{"input_tokens":1}}'
    assert read_delta(half) == ChatDelta("a\ufffd", usage=TokenCount(0, 1), index=2)
    assert read_delta('{"choices":[{"delta":{"content":"你"}}]}'.encode()) == ChatDelta("你")
    assert read_delta("full", "error").error == ErrorBody("full", "")
    assert read_delta("<p>", "error").error == ErrorBody("error", "")


def test_the_text_that_a_person_reads() -> None:
    assert ChatDelta("a", "b", "c").said == "ac"


@pytest.mark.parametrize(
    "data",
    ["", "{", "[DONE]", '{"a":NaN}', "[-Infinity]", b"\xff", "[" * 100_000, '{"a":"\n"}', "}" * 99,
     '{"a":"\\ud83d","b":}', '{"a":1,}', '"' + '\\"' * 1000, "[" * 70 + "]" * 69,
     "]" * 70 + "[" * 70],
)  # fmt: skip
def test_data_that_is_not_json(data: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"^no delta: "):
        read_delta(data)


def test_bytes_that_are_not_utf_8() -> None:
    """They become U+FFFD, as in an event stream."""
    assert read_delta(b'{"choices":[{"delta":{"content":"a\xffb"}}]}') == ChatDelta("a\ufffdb")
