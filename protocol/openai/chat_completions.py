"""The answer of `POST /v1/chat/completions`, in one piece or as events.

    data: {"id":"chatcmpl-1","object":"chat.completion.chunk",…,"choices":[{"index":0,
          "delta":{"role":"assistant","content":"","refusal":null},…,"finish_reason":null}]}

    data: {…,"choices":[{"index":0,"delta":{"content":"你好"},…,"finish_reason":null}]}

    data: {…,"choices":[{"index":0,"delta":{},…,"finish_reason":"stop"}]}

    data: [DONE]

The first delta has the role, each later one has a piece of text, and the last one is empty. A
marker that is not JSON ends the stream. Two bytes of text cost about two hundred bytes on the wire.
The fields are in the order in which the API sends them.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from .chat_request import ChatRequest, RequestMessage, StreamOptions, read_chat_request
from .common import encode_data

__all__ = [
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatRequest",
    "Choice",
    "ChunkChoice",
    "CustomCall",
    "Delta",
    "DeltaTemplate",
    "FinishReason",
    "FunctionCall",
    "Logprobs",
    "Message",
    "RequestMessage",
    "StreamOptions",
    "TokenLogprob",
    "ToolCall",
    "Usage",
    "read_chat_request",
]

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


# ---- Parts of both forms of the answer


class ReasoningDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int


class Usage(msgspec.Struct, frozen=True):
    """The size of the request and of its answer, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    completion_tokens_details: ReasoningDetails

    @classmethod
    def of(cls, prompt: int, completion: int, reasoning: int) -> "Usage":
        """Count the tokens of the prompt, of the answer, and of the reasoning in the answer."""
        return cls(prompt, completion, prompt + completion, ReasoningDetails(reasoning))


class Logprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token, the natural logarithm of its probability, and the most likely alternatives."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[Logprob]


class Logprobs(msgspec.Struct, frozen=True):
    content: list[TokenLogprob]
    refusal: None = None


class FunctionCall(msgspec.Struct, frozen=True, kw_only=True):
    """A function's name and its arguments, a JSON text. A delta holds a piece of the arguments, and
    only the first delta of a call has the name."""

    name: str | UnsetType = UNSET
    arguments: str


class CustomCall(msgspec.Struct, frozen=True, kw_only=True):
    """A custom tool's name and its `input`, which may be any text."""

    name: str | UnsetType = UNSET
    input: str


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a function or of a custom tool.

    A delta holds a piece of a call, and `index` is the number of that call. (The API's schema of
    deltas has no custom tools, but the API sends them.)
    """

    index: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: Literal["function", "custom"] | UnsetType = UNSET
    function: FunctionCall | UnsetType = UNSET
    custom: CustomCall | UnsetType = UNSET


# ---- The answer as events


class Delta(msgspec.Struct, frozen=True):
    """The part of the message that one chunk adds."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET
    # Two fields for the model's reasoning that OpenAI does not have: DeepSeek, llama.cpp and SGLang
    # use the first, OpenRouter and newer vLLM the second.
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET


class ChunkChoice(msgspec.Struct, frozen=True):
    """A piece of one answer. A request with an `n` above 1 gets several answers."""

    index: int
    delta: Delta
    logprobs: Logprobs | None = None
    finish_reason: FinishReason | None = None


class ChatCompletionChunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a streamed answer. All events have the same id, created and model.

    Args:
        created: Time at which the answer was created, in seconds since 1970.
        usage: Number of tokens used, sent only if `stream_options.include_usage` asks for it. Then
            the last chunk has the usage and an empty list of choices, and all other chunks have
            null.
    """

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET


class DeltaTemplate:
    """Encodes one event many times, each time with another text in its delta.

    Only the text changes from token to token, so the bytes around it are encoded once. The bytes
    are the same as with `encode_data`, in a fifth of the time
    (test_delta_template_equals_encode_data).

    Args:
        chunk: A chunk with one choice, whose delta has "" in place of the text.
        fields: Names of the fields of the delta that get the text, in their order on the wire.

    Raises:
        ValueError: A field is not in the chunk, or is not "".
    """

    __slots__ = ("_around",)

    def __init__(self, chunk: ChatCompletionChunk, *fields: str) -> None:
        around = [encode_data(chunk)]
        for field in fields:
            name = f'"{field}":'.encode()
            before, found, after = around.pop().partition(name + b'""')
            if not found:
                raise ValueError(f"the delta has no empty {field}")
            around += [before + name, after]
        self._around = tuple(around)  # half the memory of a list

    def encode(self, text: str) -> bytes:
        """Encode the event, with this text in its delta."""
        return msgspec.json.encode(text).join(self._around)


# ---- The answer in one piece


class Message(msgspec.Struct, frozen=True):
    """The message of an answer that is not streamed."""

    role: Literal["assistant"]
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCall] | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET


class Choice(msgspec.Struct, frozen=True):
    """One answer. A request with an `n` above 1 gets several answers."""

    index: int
    message: Message
    logprobs: Logprobs | None = None
    finish_reason: FinishReason = "stop"


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """The response body of an answer that is not streamed; `created` is in seconds since 1970."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str


# What this file does not do: read a request (chat_request.py), call an API (clients), or generate
# an answer (servers.llm.model.models).
