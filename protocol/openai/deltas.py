"""A chat stream as its reader needs it: the data of one event in, what it adds to the answer out.

    {…,"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}
                                                          >  ChatDelta(text="你")
    {…,"choices":[{…,"delta":{},"finish_reason":"stop"}]}  >  ChatDelta(finish_reason="stop")
    {…,"choices":[],"usage":{"completion_tokens":34,…}}    >  ChatDelta(usage=TokenCount(34, …))
    {"error":{"message":"overloaded","code":null}}         >  ChatDelta(error=ErrorBody(…))

chat_completions.py has the events as OpenAI sends them, to be written. Many servers speak this
format, each a little differently, so a reader takes what it needs and does no harm with the rest.
The rules this file keeps:

1. Any JSON is read. What has another type, is null, is missing or unknown adds nothing, and what
   stands beside it is read all the same (lenient.py).
2. Words are not lost. They are found in a text, in a list of parts, in a part of parts; in `delta`,
   or in `message` of a server that answers all at once.
3. What the model says, what it thinks and what it refuses are kept apart.
4. An error is found in each place where servers put one, with the server's own words.
5. A character of which two events bring a half each is one character (`DeltaReader`).

tests/vectors/deltas.json has what is read of what, for servers/page/deltas.js too.
"""

import re

import msgspec

from .common import ErrorBody
from .lenient import Joiner, as_count, as_json, as_list, as_object, as_text, read_json, whole

__all__ = ["ChatDelta", "DeltaReader", "TokenCount", "ToolCallPiece", "read_delta", "read_failure"]


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
        thinking: of what goes before it.
        refusal: of what the model says in place of an answer.
        tool_calls: pieces of calls.
        finish_reason: on the last one: "stop", "length", "tool_calls", "content_filter".
        usage: on the last one or after it.
        error: after the rest of this event, the answer has failed.
        index: of the answer, where several were asked for (`n`).
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
        """What a person reads as the answer."""
        return self.text + self.refusal


# region read-delta
def read_delta(data: str | bytes, event: str = "message") -> ChatDelta:
    """Read one event by itself.

    Args:
        data: of the event.
        event: its type. One of the type "error" is an error, whatever its data are.

    Raises:
        ValueError: it is not JSON.
    """
    delta = _read(data, event)
    return _saying(delta, whole(delta.text), whole(delta.thinking), whole(delta.refusal))


class DeltaReader:
    """Reads the events of one answer, in turn."""

    def __init__(self) -> None:
        self._joiners = (Joiner(), Joiner(), Joiner())

    def read(self, data: str | bytes, event: str = "message") -> ChatDelta:
        """The next event, as `read_delta` does; but half a character at the end of its words waits
        for the next event's."""
        delta = _read(data, event)
        text, thinking, refusal = self._joiners
        return _saying(
            delta, text.join(delta.text), thinking.join(delta.thinking), refusal.join(delta.refusal)
        )

    def end(self) -> ChatDelta:
        """U+FFFD for each half whose other half has not come."""
        text, thinking, refusal = self._joiners
        return ChatDelta(text.end(), thinking.end(), refusal.end())


# endregion


def read_failure(body: str | bytes) -> ErrorBody | None:
    """What a server says in place of an answer, in its own words.

    Args:
        body: JSON of any shape, or what else came: text, a page of HTML.

    Returns:
        None if it says nothing that a person could read.
    """
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    text = text.strip("\ufeff \t\r\n").removeprefix("data:")  # an event stream of one event
    try:
        value = read_json(text)
    except ValueError:
        if text.startswith("<"):
            title = TITLE.search(text)  # of HTML, or of XML
            text = title[1].strip() if title else ""
        return ErrorBody(text, "") if text else None
    return _failure(value) if value else None


def _saying(delta: ChatDelta, text: str, thinking: str, refusal: str) -> ChatDelta:
    """The same with these words."""
    if text is delta.text and thinking is delta.thinking and refusal is delta.refusal:
        return delta
    return msgspec.structs.replace(delta, text=text, thinking=thinking, refusal=refusal)


def _read(data: str | bytes, event: str) -> ChatDelta:
    """One event by itself, with halves of characters as they are."""
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
        delta = choice.get("text")  # of the API before chat
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
    """Some send an object in a list of one."""
    if isinstance(value, list):
        value = next((one for one in value if isinstance(one, dict)), None)
    return value if isinstance(value, dict) else {}


def _choice(chunk: dict[str, object]) -> dict[str, object]:
    """The one with index 0, or the first: some count from 1. An event with the usage has none."""
    first: dict[str, object] = {}
    for choice in as_list(chunk.get("choices")):
        if isinstance(choice, dict):
            if not as_count(choice.get("index")):
                return choice
            first = first or choice
    return first


# ---- Words

# Names of thinking: of DeepSeek; OpenRouter and newer vLLM; OpenRouter; Ollama; LiteLLM.
THINKING = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks")
IS_THINKING = frozenset(THINKING)
# Where a part has its words, or more parts.
WORDS = ("text", "value", "content", "refusal", "thinking", "reasoning", "summary")
MAX_PARTS = 8  # levels of parts in parts


def _words(value: object, kind: str = "text", depth: int = MAX_PARTS) -> tuple[str, str, str]:
    """The text, the thinking and the refusal in a text, a list of parts, or a part.

    Args:
        kind: which of the three a plain text is, or the type of the part around it.
    """
    if isinstance(value, str) and kind == "text":  # nearly always
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


# ---- What else is read


def _pieces(fields: dict[str, object]) -> tuple[ToolCallPiece, ...]:
    """Of `tool_calls`; and of `function_call`, which was there before them."""
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
    # Some leave the index out where a call is the only one, or whole.
    index = call.get("index")
    return ToolCallPiece(
        position if index is None else as_count(index),
        whole(as_text(call.get("id"))),
        whole(as_text(function.get("name"))),
        whole(arguments or ""),
    )


def _reason(value: object) -> str | None:
    """Some say "null" while they go on."""
    return whole(value) if isinstance(value, str) and value not in ("", "null") else None


def _count(value: object) -> TokenCount | None:
    """Under the names of chat, or of the Responses API."""
    usage = as_object(value)
    completion, prompt = usage.get("completion_tokens"), usage.get("prompt_tokens")
    if completion is None and prompt is None:
        completion, prompt = usage.get("output_tokens"), usage.get("input_tokens")
    if completion is None and prompt is None:
        return None
    return TokenCount(as_count(completion), as_count(prompt))


# ---- Errors

# Where an error has its words, the best first: OpenAI; FastAPI, RFC 9457; TGI; pydantic; OAuth.
MESSAGES = (
    "message", "detail", "details", "msg", "error_description", "error", "errors", "title",
    "description", "reason",
)  # fmt: skip
TITLE = re.compile(r"<(?:title|message)[^<>]*>([^<]*)<", re.IGNORECASE)


def _error(
    value: object, chunk: dict[str, object], choice: dict[str, object], event: str
) -> ErrorBody | None:
    """An error among the fields of an event, or the event itself."""
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
        whole(_message(value) or as_json(value)),
        whole(as_text(fields.get("type"))),
        None,
        whole(code) if code else None,
    )


def _message(value: object, depth: int = MAX_PARTS) -> str:
    """The words of an error, wherever they are; "" if there are none."""
    if isinstance(value, dict) and depth:
        found = (_message(value.get(name), depth - 1) for name in MESSAGES)
        message = next(filter(None, found), "")
        # pydantic: {"loc":["body","messages"],"msg":"Field required"}
        place = ".".join(map(as_text, as_list(value.get("loc"))))
        return f"{place}: {message}" if place and message else message
    if isinstance(value, list) and depth:
        return "; ".join(filter(None, (_message(one, depth - 1) for one in value)))
    return as_text(value).strip()


# What this file does not do: put the pieces of a call together; read pictures or sound; or tell the
# answers of one stream apart (`n`): each delta has its index.
