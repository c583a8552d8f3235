"""protocol.openai.deltas"""

import json
import sys
from typing import Any

from protocol.openai.deltas import ChatDelta, DeltaReader, read_failure

for line in sys.stdin:
    asked, reader = json.loads(line), DeltaReader()
    answer: dict[str, Any] = {}
    deltas = [reader.read(one["data"], one["event"]) for one in asked.get("events", [])]
    for delta in (*deltas, reader.end()):
        for name in ("text", "thinking", "refusal"):
            answer[name] = answer.get(name, "") + getattr(delta, name)
        answer["finish_reason"] = delta.finish_reason or answer.get("finish_reason")
        if delta.usage:
            counts = delta.usage
            answer["usage"] = {
                "completion_tokens": counts.completion_tokens,
                "prompt_tokens": counts.prompt_tokens,
            }
        for piece in delta.tool_calls:
            fields = ("index", "id", "name", "arguments")
            told = {name: getattr(piece, name) for name in fields}
            answer.setdefault("tool_calls", []).append(told)
    errors = [delta.error for delta in (*deltas, ChatDelta()) if delta.error]
    if "body" in asked:
        errors = [error for error in [read_failure(asked["body"])] if error]
    if errors:
        told = {name: getattr(errors[0], name) for name in ("message", "type", "code")}
        answer["error"] = {name: value for name, value in told.items() if value}
    print(json.dumps({"id": asked["id"]} | {k: v for k, v in answer.items() if v}), flush=True)
