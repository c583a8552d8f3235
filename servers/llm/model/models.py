"""What the simulated model says. The name of the model selects the source of its text:

    sim-1          a small bilingual corpus; it thinks first, and calls the tools of the request
    echo           repeats the user's last message
    lorem          as many tokens as `max_tokens` asks for
    torture        Markdown that is hard to stream
    script:NAME    a script of the operator (script.py)

A real model does not know the end of its answer when it begins. This one does. So an answer is cut
to `max_tokens`, and at a `stop` sequence, before its first token is sent. The same question always
gets the same answer, on every replica.
"""

import zlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any

import msgspec

from protocol.openai.common import InvalidRequest

from ..turns import ALONE, TURN, Work
from .conversation import MAX_OUTPUT, Answer, Question, Tool, ToolCall
from .request_text import collect, say
from .schema import cut, fill
from .script import Scripts
from .stop import cut_at_stop
from .texts import TEXTS, TORTURE, lorem
from .tokens import PIECE, clusters, tokenize, tokenized

__all__ = ["MODEL", "Model", "count_tokens"]

MODEL = "sim-1"
SOURCES = (MODEL, "echo", "lorem", "torture")
OTHERS = frozenset({"script", *SOURCES[1:]})  # these do not answer from the corpus


class Model:
    """Answers questions.

    Args:
        seed: The seed. An answer depends only on the seed and the question.
        scripts: The scripts of the models named `script:NAME`.
    """

    def __init__(self, seed: int = 0, scripts: Scripts | None = None) -> None:
        self.seed = seed
        self._scripts = scripts or Scripts({}, cut)

    @property
    def names(self) -> list[str]:
        """The names of all models."""
        return [*SOURCES, *(f"script:{name}" for name in self._scripts.scripts)]

    async def answers(self, question: Question, work: Work = ALONE) -> list[Answer]:
        """The answers to a question, as many as it asks for.

        Args:
            work: The work for this request, which lets other requests take their turns.

        Raises:
            InvalidRequest: There is no such script, or none of its turns fits. The same error means
                that the request does not have the tool that must be called, or that no value can be
                made for a JSON Schema.
        """
        if _is_small_talk(question):
            first = self.seed_of(question)
            return [
                await _end_early(_small_talk(question, first + index), question, work)
                for index in range(question.n)
            ]
        return [await _end_early(await self._answer(question, work), question, work)] * question.n

    async def _answer(self, question: Question, work: Work) -> Answer:
        source, _, name = question.model.partition(":")
        match source:
            case "script" if name:
                try:
                    return await self._scripts.answer(name, question, work)
                except LookupError as error:
                    raise InvalidRequest(str(error.args[0]), "model") from error
            case "echo":
                return await say(question, question.prompt, work)
            case "lorem":
                text = lorem(min(question.max_tokens or 256, MAX_OUTPUT))
                return Answer(text=text, finish_reason="length" if question.max_tokens else "stop")
            case "torture":
                return Answer(text=_tokens(TORTURE))
            case _:
                return await _think_and_answer(question, self.seed_of(question), work)

    def seed_of(self, question: Question) -> int:
        """The seed of the first answer's text and pace. The next answer has the next seed."""
        return self.seed + (question.seed or 0) + _crc(question.prompt)


MAX_CALLS = 8
"""Largest number of tools called at once."""

MAX_SCHEMA = 256 << 10
"""Largest JSON Schema, in bytes. OpenAI allows 120,000 characters in names and values."""

# Number of characters at the beginning of a prompt in which the model looks for the names of tools.
NAMES_WITHIN = 64 << 10

_tokens = lru_cache(maxsize=16)(tokenize)  # the tokens of texts that are used often


async def count_tokens(text: str, work: Work = ALONE) -> int:
    """The number of tokens that this model's tokenizer makes of a text."""
    await work.spend(min(len(text), PIECE))
    if len(text) <= 1000:
        return _count_short(text)
    count = 0
    for tokens in tokenized(text):
        count += len(tokens)
        await work.spend(PIECE)
    return count


@lru_cache(maxsize=256)
def _count_short(text: str) -> int:
    return len(tokenize(text))


def _is_small_talk(question: Question) -> bool:
    """Whether the corpus answers the question. Any other answer may be large, so it is made only
    once."""
    other = question.model.partition(":")[0] in OTHERS
    tools = question.tools or question.tool_choice not in ("auto", "none")
    return not (other or tools or question.schema is not None or _results(question))


def _crc(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "replace"))


def _thinking(question: Question) -> Sequence[str]:
    return _thoughts(" ".join(question.prompt[:2000].split())) if question.thinks else ()


def _small_talk(question: Question, seed: int) -> Answer:
    return Answer(_thinking(question), _tokens(TEXTS[seed % len(TEXTS)]))


async def _think_and_answer(question: Question, seed: int, work: Work) -> Answer:
    """Return an answer that calls tools, reports their results, or follows a schema."""
    thinking = _thinking(question)
    if tools := _tools_to_call(question):
        calls = [await _call(tool, question, seed, work) for tool in tools]
        return Answer(thinking, (), calls, "tool_calls")
    if question.schema is not None:
        schema = question.schema or {"properties": {"answer": {"const": question.prompt[:10_000]}}}
        text = await _fill(schema, seed, question.prompt, "response_format", work)
    elif results := _results(question):
        text = "".join(f"The tool says: {each}\n" for each in results)
    else:
        return _small_talk(question, seed)
    return await say(question, text, work, thinking)


async def _call(tool: Tool, question: Question, seed: int, work: Work) -> ToolCall:
    if tool.parameters is None:  # for a custom tool the input is the user's last message
        said = await say(question, question.prompt, work)
        return ToolCall(tool.name, said.text, is_custom=True)
    arguments = await _fill(tool.parameters, seed, question.prompt, "tools", work)
    return ToolCall(tool.name, (await collect(cut(arguments, seed), question, work))[0])


async def _fill(schema: dict[str, Any], seed: int, hint: str, param: str, work: Work) -> str:
    """Return a JSON text for a schema. Without a `type` it is an object, as in the API."""
    await work.spend(TURN)  # the cost of encoding the schema to measure its size
    if len(msgspec.json.encode(schema)) > MAX_SCHEMA:
        raise InvalidRequest(f"a JSON Schema of more than {MAX_SCHEMA} bytes", param)
    try:
        value = await fill({"type": "object", **schema}, seed, hint, work)
    except ValueError as error:
        raise InvalidRequest(f"a JSON Schema that cannot be satisfied: {error}", param) from error
    return msgspec.json.encode(value).decode()


def _results(question: Question) -> list[str]:
    """Return the results of the tools that the model called last."""
    last = takewhile(lambda turn: turn.role == "tool", reversed(question.turns))
    return [turn.text for turn in last][::-1]


@lru_cache(maxsize=256)
def _thoughts(prompt: str) -> list[str]:
    subject = list(islice(clusters(prompt), 61))
    quoted = "".join(subject[:60]) + ("…" if len(subject) > 60 else "")
    return tokenize(
        f"The user says “{quoted}”. I know one thing well: how this answer travels. 想清楚再回答。"
    )


def _tools_to_call(question: Question) -> Sequence[Tool]:
    """Return the tools that the user names, or otherwise the first one; none after a tool's
    result."""
    tools, choice = question.tools, question.tool_choice
    if not tools and choice not in ("auto", "none"):
        raise InvalidRequest("a tool must be called, and there are no `tools`", "tool_choice")
    if not tools or choice == "none":
        return ()
    if choice not in ("auto", "required"):
        wanted = [tool for tool in tools if tool.name == choice]
        if not wanted:
            raise InvalidRequest(f"there is no tool {choice!r} in `tools`", "tool_choice")
        return wanted
    if choice == "auto" and _results(question):
        return ()
    beginning = question.prompt[:NAMES_WITHIN]
    named = [tool for tool in tools if tool.name in beginning] or tools[:1]
    return named[: MAX_CALLS if question.parallel_tool_calls else 1]


async def _end_early(answer: Answer, question: Question, work: Work) -> Answer:
    """Return the answer, cut to `max_tokens` and at the first `stop` sequence."""
    limit = question.token_limit
    if limit < answer.completion_tokens:
        answer = _limit(answer, limit)
    if question.stop:
        text, stopped = await cut_at_stop(answer.text, question.stop, work)
        calls, reason = ((), "stop") if stopped else (answer.calls, answer.finish_reason)
        answer = Answer(answer.thinking, text, calls, reason, answer.fault)
    return answer


def _limit(answer: Answer, limit: int) -> Answer:
    thinking = answer.thinking[:limit]
    limit -= len(thinking)
    text = answer.text[:limit]
    limit -= len(text)
    calls = []
    for call in answer.calls:
        if limit:
            calls.append(msgspec.structs.replace(call, arguments=call.arguments[:limit]))
            limit -= len(calls[-1].arguments)
    return Answer(thinking, text, calls, "length", answer.fault)


# What this file does not do: decide when a token is due (pace.py), or write it (../writers/).
