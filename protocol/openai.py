"""The JSON objects of the OpenAI chat API, as they stand in `data:` lines and bodies.

    data: {"id":"chatcmpl-1","object":"chat.completion.chunk",…,"choices":[{"index":0,
          "delta":{"role":"assistant","content":"","refusal":null},…,"finish_reason":null}]}

    data: {…,"choices":[{"index":0,"delta":{"content":"你好"},…,"finish_reason":null}]}

    data: {…,"choices":[{"index":0,"delta":{},…,"finish_reason":"stop"}]}

    data: [DONE]

The first delta carries the role, every later one a piece of text, the last is empty; a marker
that is not JSON ends the stream. Two bytes of text cost about two hundred on the wire.

Field order, compact JSON and raw UTF-8 are those of the API's recorded bytes: a struct is encoded
in the order it is written here, and a field that is UNSET is left out, where null is sent.
"""

import re
from typing import Annotated, Literal

import h11
import msgspec
from msgspec import UNSET, Meta, UnsetType

from .sse import ServerSentEvent, encode_event

__all__ = [
    "DONE",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatRequest",
    "Choice",
    "ChunkChoice",
    "Delta",
    "DeltaTemplate",
    "ErrorBody",
    "ErrorResponse",
    "InvalidRequest",
    "Message",
    "Usage",
    "encode_data",
    "read_chat_request",
]

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]

DONE = b"data: [DONE]\n\n"
"""The end marker of a chat stream. It leaves in one write with the last chunk: a client that is
slow to see the body end gives up its connection."""


class ContentPart(msgspec.Struct, frozen=True):
    """A part of a message: only text parts say anything to a model that cannot see."""

    type: str
    text: str = ""


class RequestMessage(msgspec.Struct, frozen=True):
    """One turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        match self.content:
            case None:
                return ""
            case str(text):
                return text
            case parts:
                return "".join(part.text for part in parts)


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """The body of `POST /v1/chat/completions`: the fields that change an answer here.

    Fields we do not know are ignored, as clients expect of a compatible server.
    """

    model: Annotated[str, Meta(max_length=256)]  # it is written into every event
    messages: Annotated[list[RequestMessage], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None

    @property
    def prompt(self) -> str:
        """What the user said last."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def size(self) -> int:
        """The characters of all messages together."""
        return sum(len(message.text) for message in self.messages)

    @property
    def includes_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens


class InvalidRequest(ValueError):
    """A request body that is not what the API takes: `str()` says what, `param` names the field."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


# msgspec says: "Expected `str`, got `int` - at `$.messages[0].role`", and of an absent field
# "Object missing required field `role` - at `$.messages[0]`".
MISSING = re.compile(r"Object missing required field `(\w+)`")


def read_chat_request(body: bytes) -> ChatRequest:
    """Read and validate a request body.

    Raises:
        InvalidRequest: it is not JSON, or a field has the wrong type or value.
    """
    try:
        return msgspec.json.decode(body, type=ChatRequest)
    except msgspec.ValidationError as error:
        # The last "at" is msgspec's: the reason may quote the client's own text.
        reason, at, place = str(error).rpartition(" - at `$")
        path = place.strip(".`") if at else ""
        if missing := MISSING.match(reason if at else place):
            path = f"{path}.{missing[1]}" if path else missing[1]
        raise InvalidRequest(reason if at else place, path or None) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error


class Usage(msgspec.Struct, frozen=True):
    """What the request cost, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Delta(msgspec.Struct, frozen=True):
    """What one chunk adds to the message."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    # Not OpenAI's: DeepSeek, llama.cpp and SGLang put the model's thinking here.
    reasoning_content: str | UnsetType = UNSET


class ChunkChoice(msgspec.Struct, frozen=True):
    """One of the answers being streamed."""

    index: int
    delta: Delta
    logprobs: None = None
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


class Message(msgspec.Struct, frozen=True):
    """The whole answer of a request that does not stream."""

    role: Literal["assistant"]
    content: str
    refusal: None = None
    reasoning_content: str | UnsetType = UNSET


class Choice(msgspec.Struct, frozen=True):
    """One whole answer."""

    index: int
    message: Message
    logprobs: None = None
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


class ErrorBody(msgspec.Struct, frozen=True):
    """Why a request failed. Clients show `message` and branch on `code`."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(msgspec.Struct, frozen=True):
    """An error as a body, or after a stream's head as an event: always under the key `error`,
    for a client takes a flat object for an empty chunk."""

    error: ErrorBody


def encode_data(value: msgspec.Struct) -> bytes:
    """One event whose data is this object: `data: {…}` and a blank line, nothing else.

    Raises:
        h11.LocalProtocolError: a lone surrogate in it.
    """
    try:
        data = msgspec.json.encode(value).decode()
    except UnicodeEncodeError as error:
        raise h11.LocalProtocolError(f"an object that is not UTF-8: {error}") from error
    return encode_event(ServerSentEvent(data=data))


class DeltaTemplate:
    """Encodes the same event again and again, each time with another text in its delta.

    Nothing else changes from token to token, so the bytes around it are encoded once: a fifth of
    the work of `encode_data`, and the same bytes (test_delta_template_equals_encode_data).

    Args:
        chunk: with one choice, whose delta has "" for the text.
        field: the delta's field that takes the text.
    """

    def __init__(self, chunk: ChatCompletionChunk, field: str) -> None:
        name = f'"{field}":'.encode()
        before, found, after = encode_data(chunk).partition(name + b'""')
        if not found:
            raise ValueError(f"the delta has no empty {field}")
        self._before = before + name
        self._after = after

    def encode(self, text: str) -> bytes:
        """The event with this text in its delta."""
        return b"%b%b%b" % (self._before, msgspec.json.encode(text), self._after)


# What this file does not do: call an API (clients), invent an answer (servers.llm.model), or know
# tools, images and log probabilities.
