"""protocol.openai.deltas"""

from typing import Any

from lines import answer_lines
from msgspec import to_builtins

from protocol.openai.common import ErrorBody
from protocol.openai.deltas import DeltaReader, read_failure


def read(asked: dict[str, Any]) -> dict[str, Any]:
    reader, answer = DeltaReader(), dict[str, Any](text="", thinking="", refusal="", tool_calls=[])
    deltas = [reader.read(one["data"], one["event"]) for one in asked.get("events", [])]
    for delta in (*deltas, reader.end()):
        for name in ("text", "thinking", "refusal"):
            answer[name] += getattr(delta, name)
        answer["tool_calls"] += map(to_builtins, delta.tool_calls)
        answer["finish_reason"] = delta.finish_reason or answer.get("finish_reason")
        answer["usage"] = to_builtins(delta.usage) or answer.get("usage")
        answer["error"] = answer.get("error") or told(delta.error)
    answer["error"] = told(read_failure(asked["body"])) if "body" in asked else answer["error"]
    return {name: value for name, value in answer.items() if value}


def told(error: ErrorBody | None) -> dict[str, Any]:
    return {"message": error.message, "type": error.type, "code": error.code} if error else {}


answer_lines(read)
