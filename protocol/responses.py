"""`POST /v1/responses`: its request, and its answer in one piece.

    {"model":"sim-1","input":"Weather in 北京?","tools":[{"type":"function","name":"weather",…}]}

    {"id":"resp_1","object":"response",…,"status":"completed",…,"output":[
      {"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"A city."}]},
      {"id":"fc_1","type":"function_call",…,"call_id":"call_1","name":"weather"}],…}

What goes in and what comes out are lists of items: messages, calls of functions and their
results, summaries of what the model thought. A client sends the whole list again each time, with
the answer's own items in it. The order of the fields is that of the API's recorded bytes.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from .openai import InvalidRequest, read_json

__all__ = [
    "FunctionCallItem",
    "FunctionChoice",
    "FunctionTool",
    "IncompleteDetails",
    "InputItem",
    "JSONObjectFormat",
    "JSONSchemaFormat",
    "MessageItem",
    "OutputItem",
    "OutputText",
    "PlainFormat",
    "Reasoning",
    "ReasoningItem",
    "Response",
    "ResponseError",
    "ResponseUsage",
    "ResponsesRequest",
    "SummaryText",
    "TextConfig",
    "read_responses_request",
]


# ---- The request


class InputPart(msgspec.Struct, frozen=True):
    """A part of a message: only text parts say anything to a model that cannot see."""

    type: str = ""
    text: str = ""


Content = str | list[InputPart] | dict[str, Any] | None


class InputItem(msgspec.Struct, frozen=True):
    """One item of the conversation, a message if `type` does not say otherwise.

    The fields are those of `message`, `function_call` and `function_call_output`. Items of other
    types are let through, whatever these fields hold: clients send back all that they were sent.
    """

    type: str | None = None
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: Content = None
    arguments: Content = None
    output: Content = None

    @property
    def is_message(self) -> bool:
        return self.type is None or self.type == "message"

    @property
    def text(self) -> str:
        """What a message, a call or the result of a call says."""
        match self.content or self.arguments or self.output:
            case str(text):
                return text
            case list(parts):
                return "".join(part.text for part in parts)
            case _:
                return ""


Name = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]


class FunctionTool(msgspec.Struct, frozen=True):
    """A function that the model may call; `parameters` is a JSON Schema.

    A tool of another type, `web_search` say, would run on the server: it is read, and not used.
    """

    type: str
    description: str | None = None
    name: Name | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = True


class FunctionChoice(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    """The function that must be called."""

    name: str


class PlainFormat(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Any text."""


class JSONObjectFormat(msgspec.Struct, frozen=True, tag_field="type", tag="json_object"):
    """A JSON object."""


class JSONSchemaFormat(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="json_schema"
):
    """JSON of this schema."""

    description: str | None = None
    name: Name
    schema: dict[str, Any]
    strict: bool | None = None


class TextConfig(msgspec.Struct, frozen=True):
    """What the model's text must be."""

    format: PlainFormat | JSONObjectFormat | JSONSchemaFormat | None = PlainFormat()
    verbosity: str | None = "medium"


class Reasoning(msgspec.Struct, frozen=True):
    """How much the model should think, and tell of it."""

    effort: str | None = None
    summary: str | None = None


ToolChoice = Literal["none", "auto", "required"] | FunctionChoice
Truncation = Literal["auto", "disabled"]
Key = Annotated[str, Meta(max_length=64)]
Value = Annotated[str, Meta(max_length=512)]


class ResponsesRequest(msgspec.Struct, frozen=True):
    """The body of the request: the fields that change an answer here, or that it repeats."""

    model: Annotated[str, Meta(max_length=256)]
    input: str | Annotated[list[InputItem], Meta(min_length=1)]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    tools: Annotated[list[FunctionTool], Meta(max_length=128)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    previous_response_id: str | None = None
    metadata: Annotated[dict[Key, Value], Meta(max_length=16)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    truncation: Truncation | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None

    @property
    def items(self) -> list[InputItem]:
        """The conversation; a string is what the user says."""
        if isinstance(self.input, str):
            return [InputItem(role="user", content=self.input)]
        return self.input

    @property
    def functions(self) -> list[FunctionTool]:
        """The tools that the client will run."""
        return [tool for tool in self.tools or () if tool.type == "function"]


def read_responses_request(body: bytes) -> ResponsesRequest:
    """Read and validate a request body.

    Raises:
        InvalidRequest: it is not JSON, a field has the wrong type or value, or it goes on from an
            earlier response.
    """
    request = read_json(body, ResponsesRequest)
    if request.previous_response_id is not None:
        raise InvalidRequest(
            "This server keeps no responses: send the whole conversation in `input`.",
            "previous_response_id",
            "previous_response_not_found",
        )
    for index, item in enumerate(request.items):
        if item.is_message and item.role is None:
            raise InvalidRequest("Object missing required field `role`", f"input[{index}].role")
        if item.is_message and not isinstance(item.content, str | list):
            raise InvalidRequest("Expected `str | array`", f"input[{index}].content")
    for index, tool in enumerate(request.tools or ()):
        if tool.type == "function" and tool.name is None:
            raise InvalidRequest("Object missing required field `name`", f"tools[{index}].name")
    match request.tool_choice:
        case FunctionChoice(name=name) if name not in [tool.name for tool in request.functions]:
            raise InvalidRequest(f"`tools` has no function {name!r}", "tool_choice.name")
    return request


# ---- The items of an answer

Status = Literal["in_progress", "completed", "incomplete"]


class SummaryText(msgspec.Struct, frozen=True, tag_field="type", tag="summary_text"):
    text: str


class ReasoningItem(msgspec.Struct, frozen=True, kw_only=True):
    """What the model thought; with a status only if it was cut short."""

    id: str
    type: Literal["reasoning"] = "reasoning"
    summary: list[SummaryText]
    status: Literal["incomplete"] | UnsetType = UNSET


class OutputText(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="output_text"):
    annotations: list[Any] = []
    logprobs: list[Any] = []
    text: str


class MessageItem(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says."""

    id: str
    type: Literal["message"] = "message"
    status: Status
    content: list[OutputText]
    role: Literal["assistant"] = "assistant"


class FunctionCallItem(msgspec.Struct, frozen=True, kw_only=True):
    """A call for the client to make; it sends the result under the same `call_id`."""

    id: str
    type: Literal["function_call"] = "function_call"
    status: Status
    arguments: str
    call_id: str
    name: str


OutputItem = ReasoningItem | MessageItem | FunctionCallItem


# ---- The answer in one piece


class InputTokensDetails(msgspec.Struct, frozen=True):
    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int


class ResponseUsage(msgspec.Struct, frozen=True):
    """What the request cost, in tokens."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int

    @classmethod
    def of(cls, prompt: int, output: int, reasoning: int) -> "ResponseUsage":
        """Args: tokens of the prompt, of the whole answer, and of the thinking in it."""
        details = OutputTokensDetails(reasoning)
        return cls(prompt, InputTokensDetails(), output, details, prompt + output)


class IncompleteDetails(msgspec.Struct, frozen=True):
    reason: Literal["max_output_tokens", "content_filter"]


class ResponseError(msgspec.Struct, frozen=True):
    code: str
    message: str


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer that is not streamed; a stream begins and ends with it.

    Args:
        created_at: seconds since 1970.
        store: whether it can be asked for again.
    """

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    background: bool = False
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: None = None
    model: str
    output: list[OutputItem] = []
    parallel_tool_calls: bool
    previous_response_id: None = None
    prompt_cache_key: str | None
    reasoning: Reasoning
    safety_identifier: str | None
    service_tier: Literal["default"] = "default"
    store: Literal[False] = False
    temperature: float
    text: TextConfig
    tool_choice: ToolChoice
    tools: list[FunctionTool]
    top_logprobs: int = 0
    top_p: float
    truncation: Truncation
    usage: ResponseUsage | None = None
    user: str | None
    metadata: dict[str, str]


# What this file does not do: the events of a stream (response_events.py).
