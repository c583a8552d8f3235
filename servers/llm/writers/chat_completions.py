"""Writes answers in the form of `POST /v1/chat/completions`: a generator yields the bytes of each
token.

    step 1    data: {…"delta":{"role":"assistant","content":"","refusal":null}…}
              data: {…"delta":{"reasoning_content":"The"}…}
    step 2    data: {…"delta":{"reasoning_content":" user"}…}
    …
    step n    data: {…"delta":{"content":"你"}…}
    the end   data: {…"delta":{},…"finish_reason":"stop"}
              data: {…"choices":[],"usage":{…}}             if asked for
              data: [DONE]

With `n` > 1, one step makes a token of each answer, and all of them are sent in one write.
"""

import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Literal, cast

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from protocol.openai.chat_completions import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    CustomCall,
    Delta,
    DeltaTemplate,
    FinishReason,
    FunctionCall,
    Logprob,
    Logprobs,
    Message,
    TokenLogprob,
    ToolCall,
    Usage,
)
from protocol.openai.chat_request import (
    AllowedToolsChoice,
    ChatFunctionTool,
    ChatRequest,
    ChosenCustom,
    ChosenFunction,
    RequestTool,
)
from protocol.openai.common import DONE, InvalidRequest, encode_data

from ..model import conversation
from ..model.conversation import Answer, Question, Tool, Turn
from ..turns import ALONE, Work

__all__ = ["ChatWriter", "ReasoningField", "question_of"]

ReasoningField = Literal["reasoning_content", "reasoning", "both"]

FINGERPRINT = "fp_sim_1"

MAX_WITH_LOGPROBS = 2_000  # tokens in one body: up to 3 KB each, 6 MB together
LOGPROB_COSTS = 64  # work per token, in the unit of turns.py

ROLES = {"developer": "system", "function": "tool"}  # other names for the same role


def question_of(asked: ChatRequest) -> Question:
    """Return the question that a request asks the model."""
    tools = [_tool(tool) for tool in asked.tools or ()]
    wanted = asked.response_format
    schema = None
    match asked.tool_choice:
        case None:
            choice = "auto"
        case str(choice):
            pass
        case ChosenFunction(name=choice) | ChosenCustom(name=choice):
            pass
        case AllowedToolsChoice(allowed_tools=allowed):
            names = {tool.name for tool in allowed.tools}
            tools = [tool for tool in tools if tool.name in names]
            choice = allowed.mode
    if wanted is not None and wanted.type != "text":
        schema = wanted.json_schema.schema if wanted.json_schema else {}
    return Question(
        model=asked.model,
        turns=[Turn(ROLES.get(m.role, m.role), m.text) for m in asked.messages],
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=asked.parallel_tool_calls is not False,
        schema=schema,
        max_tokens=asked.token_limit,
        stop=[asked.stop] if isinstance(asked.stop, str) else asked.stop or (),
        seed=asked.seed,
        n=asked.n or 1,
        thinks=asked.reasoning_effort != "none",
    )


def _tool(tool: RequestTool) -> Tool:
    if isinstance(tool, ChatFunctionTool):
        return Tool(tool.name, tool.function.parameters or {})
    return Tool(tool.name, None)


class ChatWriter:
    """Writes the answers to one request.

    Args:
        asked: The request.
        answers: The answers, as many as the request asks for.
        prompt_tokens: Number of tokens in the prompt.
        id: The completion's id: "chatcmpl-…".
        created: Time at which the answer was created, in seconds since 1970.
        reasoning_field: Name of the field that holds the reasoning. Clients expect different names.

    Raises:
        InvalidRequest: The log probabilities of an answer in one body would be too large.
    """

    __slots__ = (
        "_answers",
        "_created",
        "_fields",
        "_id",
        "_includes_usage",
        "_likely",
        "_model",
        "_prompt_tokens",
    )

    opening = b""  # nothing is sent before the first token

    def __init__(
        self,
        asked: ChatRequest,
        answers: Sequence[Answer],
        prompt_tokens: int,
        *,
        id: str,
        created: int,
        reasoning_field: ReasoningField = "reasoning_content",
    ) -> None:
        # The request itself is not kept, because it may be megabytes, and its answer may have to
        # queue.
        self._model = asked.model
        self._includes_usage = asked.includes_usage
        self._likely = (asked.top_logprobs or 0) if asked.logprobs else None
        self._answers = answers
        self._id = id
        self._created = created
        self._fields: tuple[str, ...] = (reasoning_field,)
        if reasoning_field == "both":
            self._fields = ("reasoning_content", "reasoning")
        self._prompt_tokens = prompt_tokens
        in_one_body = self._likely is not None and not asked.stream
        if in_one_body and (tokens := self._usage.completion_tokens) > MAX_WITH_LOGPROBS:
            message = f"{tokens} tokens with `logprobs` are too many for one body: ask for a stream"
            raise InvalidRequest(message, "logprobs")

    def steps(self) -> Iterator[bytes]:
        """The bytes of each step of the engine."""
        choices = [self._steps_of(index, answer) for index, answer in enumerate(self._answers)]
        if len(choices) == 1:
            return choices[0]
        return map(b"".join, zip_longest(*choices, fillvalue=b""))

    @property
    def _usage(self) -> Usage:
        tokens = sum(answer.completion_tokens for answer in self._answers)
        thinking = sum(len(answer.thinking) for answer in self._answers)
        return Usage.of(self._prompt_tokens, tokens, thinking)

    @property
    def last(self) -> bytes:
        """The bytes to send in one write with the end of the body."""
        ends = [
            self._event(index, Delta(), answer.finish_reason)
            for index, answer in enumerate(self._answers)
        ]
        if self._includes_usage:
            ends.append(encode_data(self._chunk([], self._usage)))
        return b"".join([*ends, DONE])

    async def whole(self, work: Work = ALONE) -> ChatCompletion:
        """The same answers as one JSON object."""
        choices = []
        for index, answer in enumerate(self._answers):
            await work.spend(answer.completion_tokens)
            logprobs = None
            if self._likely is not None:
                likely = []
                for token in filter(None, answer.text):
                    await work.spend(LOGPROB_COSTS)
                    likely.append(msgspec.Raw(encode_logprob(token, self._likely)))
                logprobs = Logprobs(cast(list[TokenLogprob], likely))
            message = self._message(index, answer)
            choices.append(Choice(index, message, logprobs, answer.finish_reason))
        return ChatCompletion(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=choices,
            usage=self._usage,
            system_fingerprint=FINGERPRINT,
        )

    def _steps_of(self, index: int, answer: Answer) -> Iterator[bytes]:
        # The role is sent with the first token, because it is not a token itself.
        content = None if answer.calls and not answer.text else ""
        role = Delta(role="assistant", content=content, refusal=None)
        no_logprobs = None if self._likely is None else Logprobs([])
        parts: list[Part] = []
        if answer.thinking:
            thought = self._chunk([ChunkChoice(index, Delta(**self._reasoning("")))])
            parts.append((b"", DeltaTemplate(thought, *self._fields), answer.thinking))
        if answer.text:
            said = self._chunk([ChunkChoice(index, Delta(content=""), no_logprobs)])
            text = DeltaTemplate(said, "content")
            if self._likely is not None:
                text = LogprobTemplate(said, self._likely)
            parts.append((b"", text, answer.text))
        for number, call in enumerate(answer.calls):
            opened = replace(self._call(index, number, call, ""), index=number)
            before = self._event(index, Delta(tool_calls=[opened]))
            if call.is_custom:
                piece_of = ToolCall(index=number, custom=CustomCall(input=""))
            else:
                piece_of = ToolCall(index=number, function=FunctionCall(arguments=""))
            field = "input" if call.is_custom else "arguments"
            asked = self._chunk([ChunkChoice(index, Delta(tool_calls=[piece_of]))])
            parts.append((before, DeltaTemplate(asked, field), call.arguments))
        return _encoded(self._event(index, role, logprobs=no_logprobs), parts)

    def _reasoning(self, text: str) -> dict[str, Any]:
        return dict.fromkeys(self._fields, text)

    def _call(self, index: int, number: int, call: conversation.ToolCall, said: str) -> ToolCall:
        id = f"call_{self._id.removeprefix('chatcmpl-')[:20]}{index:02}{number:02}"
        if call.is_custom:
            return ToolCall(id=id, type="custom", custom=CustomCall(name=call.name, input=said))
        function = FunctionCall(name=call.name, arguments=said)
        return ToolCall(id=id, type="function", function=function)

    def _message(self, index: int, answer: Answer) -> Message:
        thinking = "".join(answer.thinking)
        calls = [
            self._call(index, number, call, "".join(call.arguments))
            for number, call in enumerate(answer.calls)
        ]
        return Message(
            role="assistant",
            content="".join(answer.text) if answer.text or not calls else None,
            tool_calls=calls or UNSET,
            **(self._reasoning(thinking) if thinking else {}),
        )

    def _event(
        self,
        index: int,
        delta: Delta,
        finish_reason: FinishReason | None = None,
        logprobs: Logprobs | None = None,
    ) -> bytes:
        return encode_data(self._chunk([ChunkChoice(index, delta, logprobs, finish_reason)]))

    def _chunk(
        self, choices: list[ChunkChoice], usage: Usage | None = None
    ) -> ChatCompletionChunk:
        return ChatCompletionChunk(
            id=self._id,
            created=self._created,
            model=self._model,
            system_fingerprint=FINGERPRINT,
            choices=choices,
            # Chunks have `usage` only if the request asked for it. In all chunks except the last
            # one, `usage` is null.
            usage=usage if self._includes_usage else UNSET,
        )


Part = tuple[bytes, DeltaTemplate, Sequence[str]]
"""A part of an answer: the events before its tokens, the template of the tokens, and the tokens."""


def _encoded(before: bytes, parts: Sequence[Part]) -> Iterator[bytes]:
    """The bytes of each token of the parts; the bytes before a token are sent with it.

    Thousands of these generators wait for their next step. While one waits, none of its variables
    refers to its last token's bytes. So another stream's token reuses that memory while it is still
    in the processor's cache.
    """
    for opening, template, tokens in parts:
        before += opening
        for token in tokens:
            yield before + (template.encode(token) if token else b"")
            before = b""
    if before:  # the answer has no tokens, or a call has no arguments
        yield before


# A real model has a probability for every token of its vocabulary. This model invents plausible
# numbers, always the same for a token.
ALTERNATIVES = [" the", " a", " to", ",", ".", " and", " of", " in", " is", " it", " you", "\n"]
ALTERNATIVES += ["的", "是", "了", "我", " that", " for", " on", " with", " as"]


NO_LOGPROBS = b'"logprobs":{"content":['

# The JSON of each alternative before and after its number, which is the same for every token.
AROUND = {
    other: msgspec.json.encode(Logprob(other, 0.5, list(other.encode()))).split(b"0.5")
    for other in ALTERNATIVES
}


class LogprobTemplate(DeltaTemplate):
    """Encodes the event of a token with its log probability.

    Args:
        chunk: A chunk with one choice, whose `content` is "" and whose `logprobs` are empty.
        count: Number of tokens in `top_logprobs`.
    """

    __slots__ = ("_count",)

    def __init__(self, chunk: ChatCompletionChunk, count: int) -> None:
        super().__init__(chunk, "content")
        self._count = count

    def encode(self, text: str) -> bytes:
        # A token cannot contain these bytes, because JSON escapes its quotes.
        likely = NO_LOGPROBS + encode_logprob(text, self._count)
        return super().encode(text).replace(NO_LOGPROBS, likely, 1)


def encode_logprob(token: str, count: int) -> bytes:
    """Encode a `TokenLogprob` with this many tokens in its `top_logprobs`, as JSON.

    A stream of 128 answers writes 128 of these, with 20 alternatives each, in one step. So the
    constant parts are encoded only once. This takes a fifth of the time, and the bytes are the same
    (test_a_logprob_equals_its_struct).
    """
    raw = token.encode("utf-8", "replace")
    rank = zlib.crc32(raw) % 1000
    own = b'{"token":%b,"logprob":%b,"bytes":%b' % (
        msgspec.json.encode(token),
        _value(rank, 0),
        msgspec.json.encode(list(raw)),
    )
    others = _others(rank, count, token if token in AROUND else "")
    top = own + b"}" + others if count else b""
    return b'%b,"top_logprobs":[%b]}' % (own, top)


def _value(rank: int, position: int) -> bytes:
    return msgspec.json.encode(-rank / 1000 - 1.5 * position)


@lru_cache(maxsize=1000)  # each result takes 1.2 KB
def _others(rank: int, count: int, without: str) -> bytes:
    """Encode all of `top_logprobs` except the first, each with a comma before it."""
    likely = [around for other, around in AROUND.items() if other != without][: max(count - 1, 0)]
    return b"".join(
        b",%b%b%b" % (before, _value(rank, position), after)
        for position, (before, after) in enumerate(likely, 1)
    )


# What this file does not do: decide what the model says (models.py), or when (engine.py).
