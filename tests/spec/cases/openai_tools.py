"""Family openai, fourth part: tool calls and log probabilities, each asked for once.

    {"tools":[…],"tool_choice":"required"}
    "delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f",…}}]}
    "delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"city\\":"}}]}

A server that refuses them, or that calls no tool, is skipped.
"""

import json
from typing import Any

from ..case import CUSTOM, MUST, Skipped, case
from ..openai_asking import Chat, Chunk, Object, asked
from ..target import Target

WRITER = "servers/llm/writers/chat_completions.py: "


# ---- Log probabilities


async def _logprobs(target: Target) -> tuple[Chat, list[tuple[Chunk, Object]]]:
    wanted = {"logprobs": True, "top_logprobs": 2}
    chat = Chat(await asked(target, wanted, what="`logprobs`"))
    found: list[tuple[Chunk, Object]] = []
    for choice in chat.choices:
        logprobs = choice.data.get("logprobs")
        content = logprobs.get("content") if isinstance(logprobs, dict) else None
        for token in content if isinstance(content, list) else []:
            found.append((choice.chunk, token if isinstance(token, dict) else {}))
    if not found:
        raise Skipped("the server sends no log probabilities")
    return chat, found


@case(
    "openai.logprobs-shape",
    MUST,
    "API: ChatCompletionTokenLogprob",
    "token: The token. logprob: The log probability of this token. bytes: A list of integers"
    " representing the UTF-8 bytes representation of the token, or null.",
    code=WRITER + "def encode_logprob",
    lesson=5,
    cause="A logprob is the natural logarithm of a probability, so it is at most 0.",
)
async def logprobs_shape(target: Target) -> None:
    chat, tokens = await _logprobs(target)
    for chunk, token in tokens:
        if not isinstance(token.get("token"), str):
            raise chat.failed("A log probability has no string `token`.", chunk)
        value = token.get("logprob")
        if not isinstance(value, int | float) or isinstance(value, bool) or value > 0:
            raise chat.failed(f"A `logprob` is {value!r}, not a number up to 0.", chunk)
        raw = token.get("bytes")
        if raw is not None and not (isinstance(raw, list) and all(_is_byte(one) for one in raw)):
            raise chat.failed("`bytes` is not a list of whole numbers up to 255.", chunk)
        top = token.get("top_logprobs")
        if not isinstance(top, list):
            raise chat.failed("A log probability has no list `top_logprobs`.", chunk)


def _is_byte(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= 255


@case(
    "openai.logprobs-join",
    CUSTOM,
    "API: ChatCompletionTokenLogprob",
    "bytes: … Useful in instances where characters are represented by multiple tokens and their"
    " byte representations must be combined to generate the correct text representation.",
    code=WRITER + "def encode_logprob",
    lesson=5,
    cause="Take the bytes of the UTF-8 text, also for half a character in one token.",
)
async def logprobs_join(target: Target) -> None:
    chat, tokens = await _logprobs(target)
    raw = [token.get("bytes") for _, token in tokens]
    if not all(isinstance(one, list) and all(map(_is_byte, one)) for one in raw):
        raise Skipped("not every token has its bytes")
    joined = b"".join(bytes(one) for one in raw if one).decode("utf-8", "replace")
    if joined != chat.text():
        raise chat.failed(
            f"The tokens' bytes give {joined[:60]!r}, the text is {chat.text()[:60]!r}."
        )


# ---- Tools

FUNCTION = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class Pieces:
    """The pieces of tool calls of a stream.

    Attributes:
        chat: The stream.
        pieces: Each piece with its chunk.
        calls: The pieces of each call, by index.
    """

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.pieces: list[tuple[Chunk, Object]] = []
        self.calls: dict[int, list[tuple[Chunk, Object]]] = {}
        for choice in chat.choices:
            for piece in choice.delta.get("tool_calls") or []:
                one = piece if isinstance(piece, dict) else {}
                self.pieces.append((choice.chunk, one))
                index = one.get("index")
                self.calls.setdefault(index if isinstance(index, int) else 0, []).append(
                    (choice.chunk, one)
                )


async def _tools(target: Target, choice: str = "required") -> Pieces:
    message = {"role": "user", "content": "What is the weather in 北京? Use the tool."}
    wanted: dict[str, Any] = {"messages": [message], "tools": [FUNCTION], "tool_choice": choice}
    chat = Chat(await asked(target, wanted, what="`tools`"))
    pieces = Pieces(chat)
    if not pieces.pieces:
        raise Skipped("the server calls no tool")
    return pieces


def _function(piece: Object) -> Object:
    function = piece.get("function")
    return function if isinstance(function, dict) else {}


@case(
    "openai.tool-index",
    MUST,
    "API: ChoiceDeltaToolCall",
    "index is required: it says to which call a piece belongs.",
    code="protocol/openai/chat_completions.py: class ToolCall",
    lesson=6,
    cause="Count the calls from 0, and send the count with each piece.",
)
async def tool_index(target: Target) -> None:
    found = await _tools(target)
    for chunk, piece in found.pieces:
        if not isinstance(piece.get("index"), int):
            raise found.chat.failed("A piece of a tool call has no `index`.", chunk)
    if sorted(found.calls) != list(range(len(found.calls))):
        raise found.chat.failed(f"The calls have the indexes {sorted(found.calls)}.")


@case(
    "openai.tool-opening",
    CUSTOM,
    "API: ChoiceDeltaToolCall",
    "The first piece of a call has its id, its type, and the name of the function.",
    code=WRITER + "opened = replace(self._call(index, number, call",
    lesson=6,
    cause="Clients make the call from its first piece: send id, type and name there.",
)
async def tool_opening(target: Target) -> None:
    found = await _tools(target)
    for pieces in found.calls.values():
        chunk, first = pieces[0]
        if not isinstance(first.get("id"), str) or not first["id"]:
            raise found.chat.failed("The first piece of a call has no `id`.", chunk)
        if first.get("type") != "function":
            raise found.chat.failed(f"The `type` of a call is {first.get('type')!r}.", chunk)
        if not isinstance(_function(first).get("name"), str):
            raise found.chat.failed("The first piece of a call has no name.", chunk)


@case(
    "openai.tool-name-once",
    CUSTOM,
    "API: ChoiceDeltaToolCall",
    "Clients add up the strings of a call's pieces: a repeated name or id is doubled.",
    code=WRITER + "piece_of = ToolCall(index=number, function=FunctionCall",
    lesson=6,
    cause="Send id and name in the first piece only.",
)
async def tool_name_once(target: Target) -> None:
    found = await _tools(target)
    for pieces in found.calls.values():
        for chunk, piece in pieces[1:]:
            if piece.get("id") or _function(piece).get("name"):
                raise found.chat.failed("A later piece repeats the call's id or name.", chunk)


@case(
    "openai.tool-arguments-join",
    CUSTOM,
    "API: ChoiceDeltaToolCall",
    "arguments: The arguments to call the function with, as generated by the model in JSON format."
    " The joined pieces of a finished call are one JSON object.",
    code=WRITER + "asked = self._chunk([ChunkChoice(index, Delta(tool_calls=[piece_of]))])",
    lesson=6,
    cause="Each piece is the next part of one text: not the text so far, and not JSON of its own.",
)
async def tool_arguments_join(target: Target) -> None:
    found = await _tools(target)
    if found.chat.finish() == "length" or found.chat.errors:
        raise Skipped("the call was cut")
    for pieces in found.calls.values():
        parts = [_function(piece).get("arguments") or "" for _, piece in pieces]
        if not all(isinstance(part, str) for part in parts):
            raise found.chat.failed("A piece of the arguments is not a string.", pieces[-1][0])
        text = "".join(parts)
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            say = f"The joined arguments are not a JSON object: {text[:80]!r}."
            raise found.chat.failed(say, pieces[-1][0])


@case(
    "openai.tool-finish",
    MUST,
    "API: ChatCompletionChunk.choices",
    "finish_reason: … `tool_calls` if the model called a tool.",
    code="protocol/openai/chat_completions.py: FinishReason = Literal",
    lesson=6,
    cause="Agents call their tools only at this finish_reason.",
)
async def tool_finish(target: Target) -> None:
    # OpenAI's own answers have `stop` if the request forced a call.
    found = await _tools(target, "auto")
    reason = found.chat.finish()
    if reason in ("length", "content_filter") or found.chat.errors:
        raise Skipped("the call was cut")
    if reason != "tool_calls":
        say = f"The model called a tool, and the finish_reason is {reason!r}."
        raise found.chat.failed(say, found.pieces[-1][0])


# What this file does not do: call a tool, or send its result back.
