"""The request of `POST /v1/chat/completions`: its fields, and the values that are refused.

    {"model":"sim-1","stream":true,"stream_options":{"include_usage":true},"messages":[
      {"role":"user","content":"Weather in 北京?"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function",…}]},
      {"role":"tool","tool_call_id":"call_1","content":"4 °C"}]}

The rules this file keeps:

1. A request that OpenAI's API refuses is refused here, with status 400 and the same `param`. So a
   client that works here works there too.
2. A field that asks for something this simulator cannot do is refused, never ignored.
3. A field that the API does not have is ignored, because other servers have fields of their own and
   their clients send them.
"""

from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .common import InvalidRequest, missing, read_json, refuse_unsupported

__all__ = [
    "AllowedToolsChoice",
    "ChatCustomTool",
    "ChatFunctionTool",
    "ChatRequest",
    "ChosenCustom",
    "ChosenFunction",
    "RequestMessage",
    "RequestTool",
    "StreamOptions",
    "read_chat_request",
]


# ---- Messages


class ContentPart(msgspec.Struct, frozen=True):
    """A part of a message. The simulated model reads only parts with text."""

    type: Literal["text", "image_url", "input_audio", "file", "refusal"]
    text: str = ""


class CalledTool(msgspec.Struct, frozen=True):
    """A call from an earlier turn of the model. The later message with the call's result has the
    same id."""

    id: str


class RequestMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of the conversation.

    Args:
        tool_call_id: Id of the call whose result this message is. Only a message of role "tool" has
            it.
        tool_calls, function_call, refusal, audio: An "assistant" message may have one of these in
            place of content.
    """

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    tool_call_id: str | None = None
    tool_calls: Annotated[list[CalledTool], Meta(min_length=1)] | None = None
    function_call: dict[str, Any] | None = None
    refusal: str | None = None
    audio: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """The text of the content, with all parts joined."""
        match self.content:
            case None:
                return ""
            case str() as text:
                return text
            case parts:
                return "".join(part.text for part in parts)

    @property
    def may_be_empty(self) -> bool:
        """Whether the message may lack content."""
        if self.role == "assistant":
            others = (self.tool_calls, self.function_call, self.refusal, self.audio)
            return any(other is not None for other in others)
        return self.role == "function"


class StreamOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """The additional content that a client may request for a stream.

    Args:
        include_usage: Whether one more chunk, the last one, has the number of tokens used.
        include_obfuscation: Whether events have random text that hides the lengths of tokens from
            an observer of the encrypted stream. This simulator does not support
            `include_obfuscation`.
    """

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


# ---- Tools

Name = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]


class FunctionDefinition(msgspec.Struct, frozen=True):
    """A function that the model may call; `parameters` is a JSON Schema."""

    name: Name
    parameters: dict[str, Any] | None = None


class ChatFunctionTool(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    function: FunctionDefinition

    @property
    def name(self) -> str:
        return self.function.name


class ChatCustomFormat(msgspec.Struct, frozen=True):
    type: Literal["text", "grammar"]


class CustomDefinition(msgspec.Struct, frozen=True):
    """A tool whose input may be any text."""

    name: Name
    format: ChatCustomFormat | None = None


class ChatCustomTool(msgspec.Struct, frozen=True, tag_field="type", tag="custom"):
    custom: CustomDefinition

    @property
    def name(self) -> str:
        return self.custom.name


RequestTool = ChatFunctionTool | ChatCustomTool


class ToolName(msgspec.Struct, frozen=True):
    name: str


class ChosenFunction(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    """The function that the model must call."""

    function: ToolName

    @property
    def name(self) -> str:
        return self.function.name


class ChosenCustom(msgspec.Struct, frozen=True, tag_field="type", tag="custom"):
    """The custom tool that the model must call."""

    custom: ToolName

    @property
    def name(self) -> str:
        return self.custom.name


class AllowedTools(msgspec.Struct, frozen=True):
    mode: Literal["auto", "required"]
    tools: Annotated[list[ChosenFunction | ChosenCustom], Meta(min_length=1)]


class AllowedToolsChoice(msgspec.Struct, frozen=True, tag_field="type", tag="allowed_tools"):
    """The subset of the request's tools that the model may call."""

    allowed_tools: AllowedTools


Mode = Literal["none", "auto", "required"]
ToolChoice = Mode | ChosenFunction | ChosenCustom | AllowedToolsChoice


# ---- The whole request


class JSONSchema(msgspec.Struct, frozen=True):
    name: Name
    schema: dict[str, Any] = {}


class ResponseFormat(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None


StopSequence = Annotated[str, Meta(min_length=1, max_length=1024)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]


class ChatRequest(msgspec.Struct, frozen=True):
    """The body of the request. The class has all fields that change this simulator's answer, and
    all fields that have limits. The limits are those of the API."""

    model: Annotated[str, Meta(max_length=256)]  # every event of the answer repeats it
    messages: Annotated[list[RequestMessage], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    stop: StopSequence | Annotated[list[StopSequence], Meta(max_length=4)] | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: Annotated[list[RequestTool], Meta(min_length=1, max_length=128)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    modalities: list[str] | None = None
    functions: Any = None
    function_call: Any = None
    audio: Any = None
    moderation: Any = None
    web_search_options: Any = None

    @property
    def includes_usage(self) -> bool:
        """Whether the last chunk of a stream has the number of tokens used."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def token_limit(self) -> int | None:
        """Largest number of tokens in an answer, or None if there is no limit."""
        return self.max_completion_tokens or self.max_tokens


UNSUPPORTED = {
    "functions": "They are deprecated: say `tools`.",
    "function_call": "It is deprecated: say `tool_choice`.",
    "audio": "Its model does not speak.",
    "moderation": "It checks no content.",
    "web_search_options": "It does not search.",
}
unsupported_values = attrgetter(*UNSUPPORTED)
NOT_GIVEN = (None,) * len(UNSUPPORTED)


def read_chat_request(body: bytes) -> ChatRequest:
    """Read and validate a request body.

    Raises:
        InvalidRequest: The body is not JSON, or a field has the wrong type or value, contradicts
            another field, or asks for something that this simulator cannot do.
    """
    request = read_json(body, ChatRequest)
    if unsupported_values(request) != NOT_GIVEN:
        refuse_unsupported(request, UNSUPPORTED)
    if "audio" in (request.modalities or ()):
        message = "This simulator's model does not speak: `modalities` may only name `text`."
        raise InvalidRequest(message, "modalities", "unsupported_value")
    _check_pairs(request)
    _check_tools(request)
    _check_messages(request.messages)
    return request


# ---- Fields that need each other


def _check_pairs(request: ChatRequest) -> None:
    """https://platform.openai.com/docs/api-reference/chat/create: "Only set this when you set
    `stream: true`", "`logprobs` must be set to `true` if this parameter is used"."""
    if request.stream_options is not None:
        if not request.stream:
            raise InvalidRequest("`stream_options` needs `stream: true`.", "stream_options")
        if request.stream_options.include_obfuscation:
            message = "This simulator does not obfuscate its streams."
            param = "stream_options.include_obfuscation"
            raise InvalidRequest(message, param, "unsupported_parameter")
    if request.top_logprobs is not None and not request.logprobs:
        raise InvalidRequest("`top_logprobs` needs `logprobs: true`.", "top_logprobs")
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        message = "`max_tokens` is the old name of `max_completion_tokens`: set one of them."
        raise InvalidRequest(message, "max_tokens", "invalid_parameter_combination")
    wanted = request.response_format
    if wanted is not None and wanted.type == "json_schema" and wanted.json_schema is None:
        raise missing("response_format.json_schema")


NO_GRAMMAR = "This simulator cannot write text of a grammar: the format may be `text`."


def _check_tools(request: ChatRequest) -> None:
    if request.tools is None:
        # "`none` is the default when no tools are present", so a request may have it.
        if request.tool_choice not in (None, "none"):
            raise InvalidRequest("`tool_choice` needs `tools`.", "tool_choice")
        if request.parallel_tool_calls is not None:
            raise InvalidRequest("`parallel_tool_calls` needs `tools`.", "parallel_tool_calls")
        return
    tools = request.tools
    for index, tool in enumerate(tools):
        match tool:
            case ChatCustomTool(custom=CustomDefinition(format=ChatCustomFormat(type="grammar"))):
                param = f"tools[{index}].custom.format.type"
                raise InvalidRequest(NO_GRAMMAR, param, "unsupported_value")
    chosen: list[ChosenFunction | ChosenCustom] = []
    match request.tool_choice:
        case ChosenFunction() | ChosenCustom() as choice:
            chosen = [choice]
        case AllowedToolsChoice(allowed_tools=allowed):
            chosen = allowed.tools
    available = {(isinstance(tool, ChatCustomTool), tool.name) for tool in tools}
    for choice in chosen:
        if (isinstance(choice, ChosenCustom), choice.name) not in available:
            kind = "custom tool" if isinstance(choice, ChosenCustom) else "function"
            raise InvalidRequest(f"`tools` has no {kind} {choice.name[:80]!r}", "tool_choice")


# ---- Messages that need each other


def _check_messages(messages: list[RequestMessage]) -> None:
    """Check that each call is followed by its result, and that each result follows its call."""
    called: set[str] = set()
    unanswered: set[str] = set()
    caller = 0
    for index, message in enumerate(messages):
        # Content of an assistant's message: "Required unless `tool_calls` or `function_call` is
        # specified".
        if message.content is None and not message.may_be_empty:
            raise InvalidRequest("Expected `str | array`", f"messages[{index}].content")
        if message.role == "tool":
            _check_result(message, called, f"messages[{index}]")
            unanswered.discard(message.tool_call_id or "")
            continue
        if unanswered:
            break
        called = {call.id for call in message.tool_calls or ()}
        unanswered, caller = set(called), index
    if unanswered:
        names = ", ".join(sorted(unanswered))[:200]
        reason = f"Each of these calls needs a message of role `tool` after it: {names}"
        raise InvalidRequest(reason, f"messages[{caller}].tool_calls")


def _check_result(message: RequestMessage, called: set[str], path: str) -> None:
    if not called:
        reason = "A message of role `tool` must follow one with the `tool_calls` it answers."
        raise InvalidRequest(reason, f"{path}.role")
    if message.tool_call_id is None:
        raise missing(f"{path}.tool_call_id")
    if message.tool_call_id not in called:
        reason = f"The `tool_calls` before it have no id {message.tool_call_id[:80]!r}"
        raise InvalidRequest(reason, f"{path}.tool_call_id")


# What this file does not do: define the answer (chat_completions.py).
