"""The answer of `POST /v1/responses`, in one piece.

    {"id":"resp_1","object":"response",…,"status":"completed",…,"output":[
      {"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"A city."}]},
      {"id":"fc_1","type":"function_call",…,"call_id":"call_1","name":"weather"}],…}

Input and output are lists of items: messages, tool calls and their results, and reasoning. With
each request a client sends the whole list again, including the items of earlier answers. The fields
are in the order in which the API sends them. Every field that the Open Responses schema requires is
present, with null if it has no value.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from .responses_request import (
    Reasoning,
    ResponsesRequest,
    TextConfig,
    Tool,
    ToolChoice,
    Truncation,
    read_responses_request,
)

__all__ = [
    "CustomToolCallItem",
    "FunctionCallItem",
    "IncompleteDetails",
    "MessageItem",
    "OutputItem",
    "OutputText",
    "ReasoningItem",
    "ResponseError",
    "ResponseObject",
    "ResponseUsage",
    "ResponsesRequest",
    "SummaryText",
    "read_responses_request",
]


# ---- The items of an answer

Status = Literal["in_progress", "completed", "incomplete"]


class SummaryText(msgspec.Struct, frozen=True, tag_field="type", tag="summary_text"):
    text: str


class ReasoningItem(msgspec.Struct, frozen=True, kw_only=True):
    """The model's reasoning. The item has a status only if the reasoning was cut short, and sealed
    content only once the reasoning is complete (encrypted_content.py)."""

    id: str
    type: Literal["reasoning"] = "reasoning"
    encrypted_content: str | UnsetType = UNSET
    summary: list[SummaryText]
    status: Literal["incomplete"] | UnsetType = UNSET


class OutputText(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="output_text"):
    annotations: list[Any] = []
    logprobs: list[Any] = []
    text: str


class MessageItem(msgspec.Struct, frozen=True, kw_only=True):
    """A message from the model."""

    id: str
    type: Literal["message"] = "message"
    status: Status
    content: list[OutputText]
    role: Literal["assistant"] = "assistant"


class FunctionCallItem(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the client must call. The client sends the result with the same `call_id`.

    Args:
        arguments: The function's arguments, a JSON text.
    """

    id: str
    type: Literal["function_call"] = "function_call"
    status: Status
    arguments: str
    call_id: str
    name: str


class CustomToolCallItem(msgspec.Struct, frozen=True, kw_only=True):
    """A custom tool that the client must call. Its input may be any text."""

    id: str
    type: Literal["custom_tool_call"] = "custom_tool_call"
    status: Status
    call_id: str
    input: str
    name: str


OutputItem = ReasoningItem | MessageItem | FunctionCallItem | CustomToolCallItem


# ---- The answer in one piece


class InputTokensDetails(msgspec.Struct, frozen=True):
    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int


class ResponseUsage(msgspec.Struct, frozen=True):
    """The size of the request and of its answer, in tokens."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int

    @classmethod
    def of(cls, prompt: int, output: int, reasoning: int) -> "ResponseUsage":
        """Count the tokens of the prompt, of the answer, and of the reasoning in the answer."""
        details = OutputTokensDetails(reasoning)
        return cls(prompt, InputTokensDetails(), output, details, prompt + output)


class IncompleteDetails(msgspec.Struct, frozen=True):
    reason: Literal["max_output_tokens", "content_filter"]


class ResponseError(msgspec.Struct, frozen=True):
    code: str
    message: str


class ResponseObject(msgspec.Struct, frozen=True, kw_only=True):
    """The response body of an answer that is not streamed. A stream begins and ends with this
    object.

    Args:
        created_at, completed_at: Times in seconds since 1970. completed_at is None unless the
            status is "completed".
        store: Whether the server stores the response; here it never does.
    """

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    background: bool = False
    completed_at: int | None = None
    error: ResponseError | None = None
    frequency_penalty: float = 0.0
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None = None
    model: str
    output: list[OutputItem] = []
    parallel_tool_calls: bool
    presence_penalty: float = 0.0
    previous_response_id: None = None
    prompt_cache_key: str | None
    reasoning: Reasoning
    safety_identifier: str | None
    service_tier: Literal["default"] = "default"
    store: Literal[False] = False
    temperature: float
    text: TextConfig
    tool_choice: ToolChoice
    tools: list[Tool]
    top_logprobs: int = 0
    top_p: float
    truncation: Truncation
    usage: ResponseUsage | None = None
    user: str | None
    metadata: dict[str, str]


# What this file does not do: define the request (responses_request.py) or the events of a stream
# (response_events.py).
