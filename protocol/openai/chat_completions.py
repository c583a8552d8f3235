"""The answer of `POST /v1/chat/completions`, whole or as events.

    data: {"id":"chatcmpl-1","object":"chat.completion.chunk",…,"choices":[{"index":0,
          "delta":{"role":"assistant","content":"","refusal":null},…,"finish_reason":null}]}

    data: {…,"choices":[{"index":0,"delta":{"content":"你好"},…,"finish_reason":null}]}

    data: {…,"choices":[{"index":0,"delta":{},…,"finish_reason":"stop"}]}

    data: [DONE]

The first delta carries the role, every later one a piece of text, the last is empty; a marker
that is not JSON ends the stream. Two bytes of text cost about two hundred on the wire. The order
of the fields is that of the API's recorded bytes.
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


# ---- What both forms of the answer hold


class ReasoningDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int


class Usage(msgspec.Struct, frozen=True):
    """What the request cost, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    completion_tokens_details: ReasoningDetails

    @classmethod
    def of(cls, prompt: int, completion: int, reasoning: int) -> "Usage":
        """Args: tokens of the prompt, of the whole answer, and of the thinking in it."""
        return cls(prompt, completion, prompt + completion, ReasoningDetails(reasoning))


class Logprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(msgspec.Struct, frozen=True):
    """How likely a token was: its natural logarithm, and the most likely ones in its place."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[Logprob]


class Logprobs(msgspec.Struct, frozen=True):
    content: list[TokenLogprob]
    refusal: None = None


class FunctionCall(msgspec.Struct, frozen=True, kw_only=True):
    """`arguments` is a JSON text; in a delta, a piece of one: the first comes with the name."""

    name: str | UnsetType = UNSET
    arguments: str


class CustomCall(msgspec.Struct, frozen=True, kw_only=True):
    """The same of a custom tool: its `input` is any text."""

    name: str | UnsetType = UNSET
    input: str


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call; in a delta, a piece of one, and `index` says of which. It is either of a function or
    of a custom tool. (The API's schema leaves custom tools out of its deltas; the API sends them.)
    """

    index: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: Literal["function", "custom"] | UnsetType = UNSET
    function: FunctionCall | UnsetType = UNSET
    custom: CustomCall | UnsetType = UNSET


# ---- The answer as events


class Delta(msgspec.Struct, frozen=True):
    """What one chunk adds to the message."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET
    # Not OpenAI's. DeepSeek, llama.cpp and SGLang put the model's thinking into the first,
    # OpenRouter and newer vLLM into the second.
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET


class ChunkChoice(msgspec.Struct, frozen=True):
    """One of the answers being streamed."""

    index: int
    delta: Delta
    logprobs: Logprobs | None = None
    finish_reason: FinishReason | None = None


class ChatCompletionChunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a streamed answer; id, created and model are the same in all of them.

    Args:
        created: seconds since 1970.
        usage: on the last chunk, when asked for by `stream_options.include_usage`, with no
            choices beside it; null on those before it; else left out.
    """

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET


class DeltaTemplate:
    """Encodes the same event again and again, each time with another text in its delta.

    Nothing else changes from token to token, so the bytes around it are encoded once: a fifth of
    the work of `encode_data`, and the same bytes (test_delta_template_equals_encode_data).

    Args:
        chunk: with one choice, whose delta has "" for the text.
        fields: the delta's fields that take the text, in their order on the wire.
    """

    def __init__(self, chunk: ChatCompletionChunk, *fields: str) -> None:
        self._around: list[bytes] = [encode_data(chunk)]
        for field in fields:
            name = f'"{field}":'.encode()
            before, found, after = self._around.pop().partition(name + b'""')
            if not found:
                raise ValueError(f"the delta has no empty {field}")
            self._around += [before + name, after]

    def encode(self, text: str) -> bytes:
        """The event with this text in its delta."""
        return msgspec.json.encode(text).join(self._around)


# ---- The answer in one piece


class Message(msgspec.Struct, frozen=True):
    """The whole answer of a request that does not stream."""

    role: Literal["assistant"]
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCall] | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET


class Choice(msgspec.Struct, frozen=True):
    """One whole answer."""

    index: int
    message: Message
    logprobs: Logprobs | None = None
    finish_reason: FinishReason = "stop"


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer that is not streamed."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str


# What this file does not do: read a request (chat_request.py), call an API (clients), or invent an
# answer (servers.llm.model.models).
