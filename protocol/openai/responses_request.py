"""The request of `POST /v1/responses`: its fields, and the values that are refused.

    {"model":"sim-1","input":[
      {"role":"user","content":"Weather in 北京?"},
      {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"6jVbtEhtLg=="},
      {"type":"function_call","call_id":"call_1","name":"weather","arguments":"{}"},
      {"type":"function_call_output","call_id":"call_1","output":"4 °C"}],
     "tools":[{"type":"function","name":"weather",…}]}

The rules this file keeps:

1. A request that OpenAI's API refuses is refused here, with status 400 and the same `param`. So a
   client that works here works there too.
2. A field, a tool or an item that asks for something this simulator cannot do is refused by its
   name, never ignored.
3. This server stores no responses. `previous_response_id` is refused. An `item_reference` is
   accepted and adds nothing, because clients send one for each item that OpenAI has stored.
4. A field that the API does not have is ignored, because other servers have fields of their own.
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .common import InvalidRequest, missing, read_json, refuse_unsupported
from .encrypted_content import unseal

__all__ = [
    "AllowedChoice",
    "CustomChoice",
    "FunctionChoice",
    "InputItem",
    "JSONObjectFormat",
    "JSONSchemaFormat",
    "PlainFormat",
    "Reasoning",
    "ResponsesCustomTool",
    "ResponsesFunctionTool",
    "ResponsesRequest",
    "TextConfig",
    "Tool",
    "ToolChoice",
    "Truncation",
    "read_responses_request",
]


# ---- Items


class InputPart(msgspec.Struct, frozen=True):
    """A part of a message. The simulated model reads only parts with text."""

    type: Literal[
        "input_text",
        "input_image",
        "input_file",
        "input_audio",
        "output_text",
        "refusal",
        "reasoning_text",
        "summary_text",
        "text",
    ]
    text: str = ""


Content = str | list[InputPart] | None


class InputItem(msgspec.Struct, frozen=True):
    """One item of the conversation. Without a `type` it is a message.

    Args:
        id: Id of the item, from the answer in which the client received it.
        call_id: Id of the call. A call and its result have the same id.
        arguments: The arguments of a function's call, as JSON.
        input: The input of a custom tool's call. It may be any text.
    """

    type: str | None = None
    id: str | None = None
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: Content = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    output: Content = None
    encrypted_content: str | None = None

    @property
    def is_message(self) -> bool:
        return self.type is None or self.type == "message"

    @property
    def text(self) -> str:
        """The text of a message, of a call or of its result."""
        if self.type == "reasoning":
            return ""
        match self.content or self.arguments or self.input or self.output:
            case str() as text:
                return text
            case list(parts):
                return "".join(part.text for part in parts)
            case _:
                return ""


CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
RESULTS = ("function_call_output", "custom_tool_call_output")
REQUIRED: dict[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "reasoning": (),
    "item_reference": ("id",),
    **{call: ("call_id", "name", said) for call, said in CALLS.items()},
    **dict.fromkeys(RESULTS, ("call_id", "output")),
}
"""The types of items that are accepted, and the fields that each must have."""


# ---- Tools

Name = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]


class ResponsesFunctionTool(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="function"
):
    """A function that the model may call; `parameters` is a JSON Schema."""

    description: str | None = None
    name: Name
    parameters: dict[str, Any] | None = None
    strict: bool | None = True


class ResponsesCustomFormat(msgspec.Struct, frozen=True):
    type: Literal["text", "grammar"] = "text"


class ResponsesCustomTool(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="custom"
):
    """A tool whose input may be any text."""

    description: str | None = None
    format: ResponsesCustomFormat = ResponsesCustomFormat()
    name: Name


Tool = ResponsesFunctionTool | ResponsesCustomTool


class FunctionChoice(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    """The function that the model must call."""

    name: str


class CustomChoice(msgspec.Struct, frozen=True, tag_field="type", tag="custom"):
    """The custom tool that the model must call."""

    name: str


class AllowedChoice(msgspec.Struct, frozen=True, tag_field="type", tag="allowed_tools"):
    """The subset of the request's tools that the model may call."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[FunctionChoice | CustomChoice], Meta(min_length=1)]


ToolChoice = Literal["none", "auto", "required"] | FunctionChoice | CustomChoice | AllowedChoice


# ---- The format of the text


class PlainFormat(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Any text."""


class JSONObjectFormat(msgspec.Struct, frozen=True, tag_field="type", tag="json_object"):
    """A JSON object."""


class JSONSchemaFormat(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="json_schema"
):
    """JSON that is valid for this schema."""

    description: str | None = None
    name: Name
    schema: dict[str, Any]
    strict: bool | None = False


class TextConfig(msgspec.Struct, frozen=True):
    """The format of the model's text."""

    format: PlainFormat | JSONObjectFormat | JSONSchemaFormat | None = PlainFormat()
    verbosity: str | None = "medium"


class Reasoning(msgspec.Struct, frozen=True):
    """How long the model should reason, and whether it summarizes its reasoning."""

    effort: str | None = None
    summary: str | None = None


# ---- The whole request


class ResponsesStreamOptions(msgspec.Struct, frozen=True):
    """Obfuscation is random text that hides the lengths of tokens from an observer of the encrypted
    stream."""

    include_obfuscation: bool | None = None


Include = Literal[
    "reasoning.encrypted_content",  # always included
    "message.output_text.logprobs",
    # Results of tools that run on the server; this server has none.
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "web_search_call.action.sources",
    "web_search_call.results",
]
Truncation = Literal["auto", "disabled"]
Key = Annotated[str, Meta(max_length=64)]
Value = Annotated[str, Meta(max_length=512)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]


class ResponsesRequest(msgspec.Struct, frozen=True):
    """The body of the request: all fields that change an answer of this simulator, or that the
    answer repeats. The limits are those of the API."""

    model: Annotated[str, Meta(max_length=256)]
    input: str | Annotated[list[InputItem], Meta(min_length=1)]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: ResponsesStreamOptions | None = None
    include: list[Include] | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_tool_calls: Annotated[int, Meta(ge=1)] | None = None  # calls of tools on the server
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    previous_response_id: str | None = None
    metadata: Annotated[dict[Key, Value], Meta(max_length=16)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    truncation: Truncation | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None
    background: bool | None = None
    context_management: Any = None
    conversation: Any = None
    moderation: Any = None
    prompt: Any = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None

    @property
    def items(self) -> list[InputItem]:
        """The conversation; an input that is a string is one message from the user."""
        if isinstance(self.input, str):
            return [InputItem(role="user", content=self.input)]
        return self.input


UNSUPPORTED = {
    "background": "It answers while the client waits.",
    "context_management": "It compacts nothing.",
    "conversation": "It keeps no conversations: send the whole of it in `input`.",
    "moderation": "It checks no content.",
    "prompt": "It keeps no prompts: say `instructions` and `input`.",
    "top_logprobs": "It gives log probabilities at /v1/chat/completions only.",
}


def read_responses_request(body: bytes) -> ResponsesRequest:
    """Read and validate a request body.

    Raises:
        InvalidRequest: The body is not JSON, or a field has the wrong type or value, contradicts
            another field, or asks for something that this simulator cannot do.
    """
    try:
        request = read_json(body, ResponsesRequest)
    except InvalidRequest as error:
        if re.fullmatch(r"tools\[[0-9]+\]\.type", error.param or ""):
            raise InvalidRequest(NO_TOOL_OF_OURS, error.param, "unsupported_value") from error
        raise
    if request.previous_response_id is not None:
        raise InvalidRequest(
            "This server keeps no responses: send the whole conversation in `input`.",
            "previous_response_id",
            "previous_response_not_found",
        )
    refuse_unsupported(request, UNSUPPORTED)
    if "message.output_text.logprobs" in (request.include or ()):
        raise InvalidRequest(NO_LOGPROBS, "include", "unsupported_value")
    if request.stream_options is not None and request.stream_options.include_obfuscation:
        message = "This simulator does not obfuscate its streams."
        param = "stream_options.include_obfuscation"
        raise InvalidRequest(message, param, "unsupported_parameter")
    _check_items(request.items)
    _check_tools(request)
    return request


NO_TOOL_OF_OURS = (
    "A tool is a `function` or `custom`, which the client runs: this simulator has none of its own."
)
NO_LOGPROBS = "This simulator gives log probabilities at /v1/chat/completions only."


def _check_tools(request: ResponsesRequest) -> None:
    tools = request.tools or []
    for index, tool in enumerate(tools):
        match tool:
            case ResponsesCustomTool(format=ResponsesCustomFormat(type="grammar")):
                message = "This simulator cannot write text of a grammar: the format may be `text`."
                raise InvalidRequest(message, f"tools[{index}].format.type", "unsupported_value")
    choice = request.tool_choice
    if not tools and choice not in (None, "none", "auto"):
        raise InvalidRequest("A tool must be called, and there are no `tools`", "tool_choice")
    functions = {tool.name for tool in tools if isinstance(tool, ResponsesFunctionTool)}
    customs = {tool.name for tool in tools if isinstance(tool, ResponsesCustomTool)}
    match choice:
        case AllowedChoice(tools=chosen):
            param = "tool_choice.tools"
        case FunctionChoice() | CustomChoice():
            chosen, param = [choice], "tool_choice.name"
        case _:
            chosen, param = [], ""
    for each in chosen:
        if isinstance(each, FunctionChoice) and each.name not in functions:
            raise InvalidRequest(f"`tools` has no function {each.name[:80]!r}", param)
        if isinstance(each, CustomChoice) and each.name not in customs:
            raise InvalidRequest(f"`tools` has no custom tool {each.name[:80]!r}", param)


def _check_items(items: list[InputItem]) -> None:
    """Check each item. Then check that each result follows its call, and that each call has a
    result."""
    called: dict[str, int] = {}
    answered: set[str] = set()
    refers = any(item.type == "item_reference" for item in items)  # perhaps to a call
    for index, item in enumerate(items):
        path = f"input[{index}]"
        _check_item(item, path)
        call_id = item.call_id or ""
        if item.type in CALLS:
            called[call_id] = index
        elif item.type in RESULTS:
            answered.add(call_id)
            if call_id not in called and not refers:
                reason = f"There is no call before this result of {call_id[:80]!r}"
                raise InvalidRequest(reason, f"{path}.call_id")
    for call_id, index in called.items():
        if call_id not in answered:
            reason = f"There is no result of the call {call_id[:80]!r}"
            raise InvalidRequest(reason, f"input[{index}].call_id")


def _check_item(item: InputItem, path: str) -> None:
    kind = item.type or "message"
    if kind not in REQUIRED:
        message = f"This simulator reads no items of type {kind[:80]!r}: it knows "
        message += ", ".join(REQUIRED)
        raise InvalidRequest(message, f"{path}.type", "unsupported_value")
    for name in REQUIRED[kind]:
        if getattr(item, name) is None:
            raise missing(f"{path}.{name}")
    if item.encrypted_content is not None:
        try:
            unseal(item.encrypted_content)
        except ValueError as error:
            message = "This is not the `encrypted_content` of an item that this simulator sent."
            param = f"{path}.encrypted_content"
            raise InvalidRequest(message, param, "invalid_encrypted_content") from error


# What this file does not do: define the answer (responses.py).
