"""Reads a chat stream: takes the data of one event, returns what it adds to the answer.

    {…,"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}
                                                          >  ChatDelta(text="你")
    {…,"choices":[{…,"delta":{},"finish_reason":"stop"}]}  >  ChatDelta(finish_reason="stop")
    {…,"choices":[],"usage":{"completion_tokens":34,…}}    >  ChatDelta(usage=TokenCount(34, …))
    {"error":{"message":"overloaded","code":null}}         >  ChatDelta(error=ErrorBody(…))

Many servers send this format, each a little differently, so this reader takes the fields it needs
and ignores the rest. (chat_completions.py writes the events as OpenAI does.) The rules this file
keeps:

1. Any JSON is accepted. A field that is missing, null, unknown or of another type adds nothing, and
   the fields beside it are still read (lenient.py).
2. No text is lost. Text may be a string, a list of parts, or nested parts. It is found in `delta`,
   and in `message`, where servers that do not stream put it.
3. Text, reasoning and refusals are kept apart.
4. An error is found in every place where servers put one, and keeps the server's own message.
5. A character whose halves arrive in two events is one character (`DeltaReader`).

tests/vectors/deltas.json has inputs with their results, for servers/page/deltas.js too.
"""

import re

import msgspec

from .common import ErrorBody
from .lenient import (
    SurrogateJoiner,
    as_count,
    as_json,
    as_list,
    as_object,
    as_text,
    read_json,
    well_formed,
)

__all__ = ["ChatDelta", "DeltaReader", "TokenCount", "ToolCallPiece", "read_delta", "read_failure"]


class ToolCallPiece(msgspec.Struct, frozen=True):
    """A piece of a tool call. The first piece with a given `index` has the call's id and name, and
    each piece has a part of its arguments."""

    index: int = 0
    id: str = ""
    name: str = ""
    arguments: str = ""


class TokenCount(msgspec.Struct, frozen=True):
    """The sizes of prompt and answer, in tokens (`stream_options.include_usage` asks for them)."""

    completion_tokens: int = 0
    prompt_tokens: int = 0


class ChatDelta(msgspec.Struct, frozen=True):
    """The part of the answer that one event adds.

    Args:
        text: A piece of the answer's text.
        thinking: A piece of the reasoning that comes before the answer.
        refusal: A piece of the text in which the model refuses to answer.
        tool_calls: Pieces of tool calls.
        finish_reason: Why the answer ended, in the last delta only: "stop", "length", "tool_calls"
            or "content_filter".
        usage: The number of tokens used, in the last delta or in an event after it.
        error: The server's error, or None. After an error the answer has failed, but the other
            fields of the same event still count.
        index: Number of the answer, from 0, if the request asked for several answers (`n`).
    """

    text: str = ""
    thinking: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCallPiece, ...] = ()
    finish_reason: str | None = None
    usage: TokenCount | None = None
    error: ErrorBody | None = None
    index: int = 0

    @property
    def said(self) -> str:
        """The text that a person reads as the answer: `text` and `refusal`."""
        return self.text + self.refusal


# region read-delta
def read_delta(data: str | bytes, event: str = "message") -> ChatDelta:
    """Read one event, independently of all others.

    Args:
        data: Data of the event.
        event: Type of the event. An event of type "error" is an error, whatever its data.

    Raises:
        ValueError: The data is not JSON, and the type is not "error".
    """
    delta = _read(data, event)
    text, thinking, refusal = delta.text, delta.thinking, delta.refusal
    return _with_words(delta, well_formed(text), well_formed(thinking), well_formed(refusal))


class DeltaReader:
    """Reads all events of one answer, in order."""

    def __init__(self) -> None:
        self._joiners = (SurrogateJoiner(), SurrogateJoiner(), SurrogateJoiner())

    def read(self, data: str | bytes, event: str = "message") -> ChatDelta:
        """Read the next event as `read_delta` does. Half a character at the end of its text waits
        for the next event."""
        delta = _read(data, event)
        text, thinking, refusal = self._joiners
        return _with_words(
            delta, text.join(delta.text), thinking.join(delta.thinking), refusal.join(delta.refusal)
        )

    def end(self) -> ChatDelta:
        """End the answer. Each half character that was kept back becomes U+FFFD."""
        text, thinking, refusal = self._joiners
        return ChatDelta(text.end(), thinking.end(), refusal.end())


# endregion


def read_failure(body: str | bytes) -> ErrorBody | None:
    """Read the message of a server that sends an error in place of an answer.

    Args:
        body: Body of the response: JSON of any shape, plain text, or an HTML page.

    Returns:
        The error in the server's own words; None if the body holds nothing a person could read.
    """
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    text = text.strip("\ufeff \t\r\n").removeprefix("data:")  # an event stream with one event
    try:
        value = read_json(text)
    except ValueError:
        if text.startswith("<"):
            title = TITLE.search(text)  # of HTML, or of XML
            text = title[1].strip() if title else ""
        return ErrorBody(text, "") if text else None
    return _failure(value) if value else None


def _with_words(delta: ChatDelta, text: str, thinking: str, refusal: str) -> ChatDelta:
    """A copy of the delta with another text, reasoning and refusal."""
    if text is delta.text and thinking is delta.thinking and refusal is delta.refusal:
        return delta
    return msgspec.structs.replace(delta, text=text, thinking=thinking, refusal=refusal)


def _read(data: str | bytes, event: str) -> ChatDelta:
    """Read one event; lone surrogates are not replaced."""
    try:
        value = read_json(data)
    except ValueError as error:
        if event == "error":
            return ChatDelta(error=read_failure(data) or ErrorBody(event, ""))
        raise ValueError(f"no delta: {error}") from error
    chunk = _first_object(value)
    choice = _choice(chunk)
    delta = choice.get("delta")
    if delta is None:
        delta = choice.get("message")
    if delta is None:
        delta = choice.get("text")  # the older API, `/v1/completions`
    fields = as_object(delta) or {"content": delta}
    text, thinking, refusal = _words(fields.get("content"))
    if not IS_THINKING.isdisjoint(fields):
        for name in THINKING:
            if name in fields and not thinking:
                thinking = "".join(_words(fields[name]))
    if "audio" in fields and not text:
        text = as_text(as_object(fields["audio"]).get("transcript"))
    calls = "tool_calls" in fields or "function_call" in fields
    usage = chunk.get("usage") or choice.get("usage")
    return ChatDelta(
        text,
        thinking,
        refusal or (as_text(fields["refusal"]) if "refusal" in fields else ""),
        _pieces(fields) if calls else (),
        _reason(choice.get("finish_reason")),
        _count(usage) if usage else None,
        _error(value, chunk, choice, event),
        as_count(choice.get("index")),
    )


def _first_object(value: object) -> dict[str, object]:
    """The value, or the first object in a list: some servers send a list of one object."""
    if isinstance(value, list):
        value = next((one for one in value if isinstance(one, dict)), None)
    return value if isinstance(value, dict) else {}


def _choice(chunk: dict[str, object]) -> dict[str, object]:
    """The choice with index 0, or the first one, because some servers count from 1. An event
    without choices, such as one with the usage, gives {}."""
    first: dict[str, object] = {}
    for choice in as_list(chunk.get("choices")):
        if isinstance(choice, dict):
            if not as_count(choice.get("index")):
                return choice
            first = first or choice
    return first


# ---- Text, reasoning and refusals

# Names of the field for reasoning, in the order DeepSeek, OpenRouter and newer vLLM, OpenRouter,
# Ollama, LiteLLM.
THINKING = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks")
IS_THINKING = frozenset(THINKING)
# The fields of a content part that may hold its text, or a list of nested parts.
WORDS = ("text", "value", "content", "refusal", "thinking", "reasoning", "summary")
MAX_PARTS = 8  # levels of nested parts


def _words(value: object, kind: str = "text", depth: int = MAX_PARTS) -> tuple[str, str, str]:
    """Find the text, the reasoning and the refusal in a string, a part, or a list of parts.

    Args:
        kind: The type of the part around the value, which decides whether a string is text,
            reasoning or refusal.
        depth: How many more levels of nested parts are read.
    """
    if isinstance(value, str) and kind == "text":  # the most frequent case
        return value, "", ""
    if isinstance(value, str | int | float):
        said = as_text(value)
        if "thinking" in kind or "reasoning" in kind:
            return "", said, ""
        return ("", "", said) if kind == "refusal" else (said, "", "")
    text = thinking = refusal = ""
    if isinstance(value, dict):
        # {"type":"thinking","thinking":[{"type":"text","text":…}]}: the outer type decides.
        name = next((name for name in WORDS if value.get(name)), "")
        inner = as_text(value.get("type")) or name
        value = [value.get(name)]
        kind = inner if kind == "text" else kind
    if isinstance(value, list) and depth:
        for part in value:
            more = _words(part, kind, depth - 1)
            text, thinking, refusal = text + more[0], thinking + more[1], refusal + more[2]
    return text, thinking, refusal


# ---- Tool calls, finish reason, usage


def _pieces(fields: dict[str, object]) -> tuple[ToolCallPiece, ...]:
    """The pieces in `tool_calls`, and in `function_call`, its deprecated form."""
    before = [{"function": function} for function in as_list(fields.get("function_call"))]
    calls = [*as_list(fields.get("tool_calls")), *before]
    return tuple(_piece(n, call) for n, call in enumerate(calls) if isinstance(call, dict))


def _piece(position: int, call: dict[str, object]) -> ToolCallPiece:
    function = as_object(call.get("function") or call.get("custom"))
    arguments = function.get("arguments")
    if arguments is None:
        arguments = function.get("input")
    if arguments is not None and not isinstance(arguments, str):
        arguments = as_json(arguments)
    # Some servers omit the index if there is only one call, or if the call is complete.
    index = call.get("index")
    return ToolCallPiece(
        position if index is None else as_count(index),
        well_formed(as_text(call.get("id"))),
        well_formed(as_text(function.get("name"))),
        well_formed(arguments or ""),
    )


def _reason(value: object) -> str | None:
    """The finish_reason, or None for "null", which some servers send until the answer ends."""
    return well_formed(value) if isinstance(value, str) and value not in ("", "null") else None


def _count(value: object) -> TokenCount | None:
    """The usage, with the field names of the Chat Completions API or of the Responses API."""
    usage = as_object(value)
    completion, prompt = usage.get("completion_tokens"), usage.get("prompt_tokens")
    if completion is None and prompt is None:
        completion, prompt = usage.get("output_tokens"), usage.get("input_tokens")
    if completion is None and prompt is None:
        return None
    return TokenCount(as_count(completion), as_count(prompt))


# ---- Errors

# The fields that may hold the message of an error, in order of preference. These names are used by
# OpenAI, FastAPI, RFC 9457, TGI, pydantic and OAuth.
MESSAGES = (
    "message", "detail", "details", "msg", "error_description", "error", "errors", "title",
    "description", "reason",
)  # fmt: skip
TITLE = re.compile(r"<(?:title|message)[^<>]*>([^<]*)<", re.IGNORECASE)


def _error(
    value: object, chunk: dict[str, object], choice: dict[str, object], event: str
) -> ErrorBody | None:
    """The error in an event's fields, or the event itself if it is an error."""
    if chunk.get("error"):
        return _failure(chunk)
    if choice.get("error"):
        return _failure(choice)
    if chunk.get("choices") is None and any(map(chunk.get, ("message", "detail", "details"))):
        return _failure(chunk)
    if event == "error" or chunk.get("type") == "error" or chunk.get("object") == "error":
        return _failure(value)
    return None


def _failure(value: object) -> ErrorBody:
    """{"error":{"message":…,"code":…}}, {"error":"…"}, {"message":…,"code":…}, …"""
    fields = _first_object(value)
    nested = fields.get("error")
    if isinstance(nested, dict | list) and nested:
        value, fields = nested, _first_object(nested)
    code = as_text(fields.get("code"))
    return ErrorBody(
        well_formed(_message(value) or as_json(value)),
        well_formed(as_text(fields.get("type"))),
        None,
        well_formed(code) if code else None,
    )


def _message(value: object, depth: int = MAX_PARTS) -> str:
    """Find the message of an error, at any depth up to MAX_PARTS; "" if there is none."""
    if isinstance(value, dict) and depth:
        found = (_message(value.get(name), depth - 1) for name in MESSAGES)
        message = next(filter(None, found), "")
        # pydantic: {"loc":["body","messages"],"msg":"Field required"}
        place = ".".join(map(as_text, as_list(value.get("loc"))))
        return f"{place}: {message}" if place and message else message
    if isinstance(value, list) and depth:
        return "; ".join(filter(None, (_message(one, depth - 1) for one in value)))
    return as_text(value).strip()


# What this file does not do: join the pieces of a call, read images or audio, or separate the
# answers of one stream (`n`). A caller can separate them by the index that each delta has.
