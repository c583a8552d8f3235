"""A chat stream as its reader needs it: the data of one event in, what it adds to the answer out.

    {…,"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}
                                                          >  ChatDelta(text="你")
    {…,"choices":[{…,"delta":{},"finish_reason":"stop"}]}  >  ChatDelta(finish_reason="stop")
    {…,"choices":[],"usage":{"completion_tokens":34,…}}    >  ChatDelta(usage=TokenCount(34, …))
    {"error":{"message":"overloaded","code":null}}         >  ErrorBody("overloaded", …)

chat_completions.py has the events as OpenAI sends them, to be written. Many servers speak this
format, each a little differently: so what is read here is no more than what is shown, and what
others add, leave out or call null does no harm.
"""

import msgspec

from .openai import ErrorBody

__all__ = ["ChatDelta", "TokenCount", "ToolCallPiece", "read_delta"]


class ToolCallPiece(msgspec.Struct, frozen=True):
    """A piece of a call: the first of each index has its id and name, all have arguments."""

    index: int = 0
    id: str = ""
    name: str = ""
    arguments: str = ""


class TokenCount(msgspec.Struct, frozen=True):
    """What the request cost, if the server was asked to say so (`stream_options.include_usage`)."""

    completion_tokens: int = 0
    prompt_tokens: int = 0


class ChatDelta(msgspec.Struct, frozen=True):
    """What one event adds to the answer.

    Args:
        text: of the answer.
        thinking: of what goes before it; APIs call it `reasoning_content` or `reasoning`.
        tool_calls: pieces of calls.
        finish_reason: on the last one: "stop", "length", "tool_calls", "content_filter".
        usage: on the one after it, whose event has no choices.
    """

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCallPiece, ...] = ()
    finish_reason: str | None = None
    usage: TokenCount | None = None


# region read-delta
def read_delta(data: str | bytes) -> ChatDelta | ErrorBody:
    """Read the data of one event.

    Returns:
        What it adds; or the error that it is. It is one also without `error` around it.

    Raises:
        ValueError: it is not JSON, or a field that is read has another type.
    """
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no delta: {error}") from error
    if chunk.error or (chunk.choices is None and chunk.message):
        return _error(chunk)
    # With n > 1 the answers come mixed. The event with the usage has no choice at all.
    choice = next((one for one in chunk.choices or () if not one.index), _Choice())
    delta = choice.delta or _Delta()
    return ChatDelta(
        delta.content or delta.refusal or "",
        delta.reasoning_content or delta.reasoning or "",
        tuple(map(_piece, delta.tool_calls or ())),
        choice.finish_reason,
        _count(chunk.usage) if chunk.usage else None,
    )


# endregion


def _piece(call: "_ToolCall") -> ToolCallPiece:
    function = call.function or _Function()
    return ToolCallPiece(
        call.index or 0, call.id or "", function.name or "", function.arguments or ""
    )


def _count(usage: "_Usage") -> TokenCount:
    return TokenCount(usage.completion_tokens or 0, usage.prompt_tokens or 0)


def _error(chunk: "_Chunk") -> ErrorBody:
    """{"error":{"message":…,"code":…}}, {"error":"…"}, and {"message":…,"code":…} of others."""
    match chunk.error or {"message": chunk.message, "code": chunk.code}:
        case {"message": str(message), **others}:
            code, kind = others.get("code"), others.get("type")
            return ErrorBody(
                message,
                kind if isinstance(kind, str) else "",
                None,
                code if isinstance(code, str) else None,
            )
        case str(message):
            return ErrorBody(message, "")
        case other:
            return ErrorBody(msgspec.json.encode(other).decode(), "")


# ---- What is read of an event. None is what is not there, or null.


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    index: int | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(msgspec.Struct):
    """With the places where an error may stand."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: object = None
    message: object = None
    code: object = None


# What this file does not do: join what two events share of one character (`"\ud83d"` in one and
# `"\ude00"` in the next is no JSON text here).
