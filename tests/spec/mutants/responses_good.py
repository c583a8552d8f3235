"""A correct server of the Responses API. A mutant changes one method of it.

    response.created, response.in_progress
      response.output_item.added, response.content_part.added
        response.output_text.delta …
      response.output_text.done, response.content_part.done, response.output_item.done
    response.completed

Events are plain dicts in the order of the stream. They are numbered last (`numbered`), so that a
mutant that drops or adds one does not also break the numbers.
"""

import json

from ..openai_asking import request_body
from .openai_good import API, ARGUMENTS, MODEL, Object
from .sse_good import TOKENS

__all__ = ["Responses"]

NULLS = (
    *("incomplete_details", "previous_response_id", "instructions", "error", "max_output_tokens"),
    *("max_tool_calls", "safety_identifier", "prompt_cache_key", "usage", "completed_at"),
)


class Responses(API):
    """The correct server of responses."""

    path = "/v1/responses"
    request_body = request_body("responses", MODEL)
    subject = "input"
    subject_types: tuple[type, ...] = (str, list)
    created = 1_790_000_000

    # ---- The stream

    def stream_events(self, asked: Object) -> list[bytes]:
        return [self.encode(event) for event in self.numbered(self.stream(asked))]

    def encode(self, event: Object) -> bytes:
        return b"event: %b\n%b" % (event["type"].encode(), self.encode_data(event))

    def encode_data(self, event: Object) -> bytes:
        return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()

    def numbered(self, events: list[Object]) -> list[Object]:
        """Number the events. Most mutants change this, or `stream`."""
        return [event | {"sequence_number": number} for number, event in enumerate(events)]

    def stream(self, asked: Object) -> list[Object]:
        """All events of an answer."""
        begun, ended = self.response(asked, "in_progress"), self.ended(asked)
        return [
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
            *(self.call_events() if asked.get("tools") else self.message_events(asked)),
            {"type": f"response.{ended['status']}", "response": ended},
        ]

    def message_events(self, asked: Object) -> list[Object]:
        text = "".join(self.text(asked))
        item = self.item(asked)
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        opened = item | {"status": "in_progress", "content": []}
        return [
            {"type": "response.output_item.added", "output_index": 0, "item": opened},
            {"type": "response.content_part.added", **place, "part": self.part("")},
            *(
                {"type": "response.output_text.delta", **place, "delta": token, "logprobs": []}
                for token in self.text(asked)
            ),
            {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **place, "part": self.part(text)},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
        ]

    def call_events(self) -> list[Object]:
        item = self.call()
        place = {"item_id": item["id"], "output_index": 0}
        opened = item | {"status": "in_progress", "arguments": ""}
        name = "response.function_call_arguments"
        return [
            {"type": "response.output_item.added", "output_index": 0, "item": opened},
            *({"type": f"{name}.delta", **place, "delta": piece} for piece in self.arguments()),
            {"type": f"{name}.done", **place, "arguments": item["arguments"], "name": item["name"]},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
        ]

    # ---- Its parts

    def text(self, asked: Object) -> tuple[str, ...]:
        """The tokens of an answer. Each counts as three, so that a limit of 16 cuts it."""
        return (TOKENS * 2)[: asked.get("max_output_tokens", 300) // 3]

    def part(self, text: str) -> Object:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def item(self, asked: Object) -> Object:
        content = [self.part("".join(self.text(asked)))]
        status = self.status(asked)
        fields = {"id": "msg_1", "type": "message", "status": status, "role": "assistant"}
        return {**fields, "content": content}

    def arguments(self) -> tuple[str, ...]:
        return ARGUMENTS

    def call(self) -> Object:
        fields = {"id": "fc_1", "type": "function_call", "status": "completed"}
        call = {"call_id": "call_1", "name": "get_weather", "arguments": "".join(ARGUMENTS)}
        return {**fields, **call}

    def response(self, asked: Object, status: str) -> Object:
        """The response object."""
        nulls: Object = dict.fromkeys(NULLS)
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": self.created,
            "status": status,
            "model": self.model,
            "output": [],
            "parallel_tool_calls": True,
            "tools": asked.get("tools", []),
            "tool_choice": asked.get("tool_choice", "auto"),
            "truncation": "disabled",
            "text": {"format": {"type": "text"}},
            "reasoning": {},
            "temperature": 1.0,
            "top_p": 1.0,
            "presence_penalty": 0.0,
            "top_logprobs": 0,
            "frequency_penalty": 0.0,
            "store": False,
            "background": False,
            "metadata": {},
            "service_tier": "default",
            **nulls,
        }

    def ended(self, asked: Object) -> Object:
        """The response object at the end."""
        status = self.status(asked)
        response = self.response(asked, status)
        response["output"] = [self.call() if asked.get("tools") else self.item(asked)]
        response["usage"] = self.usage()
        if status == "completed":
            response["completed_at"] = self.created + 2
        else:
            response["incomplete_details"] = self.details()
        return response

    def status(self, asked: Object) -> str:
        return "incomplete" if "max_output_tokens" in asked else "completed"

    def details(self) -> Object:
        return {"reason": "max_output_tokens"}

    def usage(self) -> Object:
        counts = {"input_tokens": 9, "output_tokens": 19, "total_tokens": 28}
        none = {"cached_tokens": 0, "cache_write_tokens": 0}
        details = {"input_tokens_details": none, "output_tokens_details": {"reasoning_tokens": 0}}
        return {**counts, **details}

    # ---- The rest

    def failure(self, events: list[bytes]) -> list[bytes]:
        number = len(events[: self.fault_at])
        error = {"code": "server_error", "message": "The model failed.", "param": None}
        return [self.encode({"type": "error", "sequence_number": number, **error})]

    def whole(self, asked: Object) -> Object:
        return self.ended(asked)
