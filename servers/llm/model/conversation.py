"""A question to the model, and its answer in tokens, by whichever route they travel.

    Question(model="sim-1", turns=[Turn("user", "你好")])
        ->  Answer(thinking=["The", " user", …], text=["#", "#", " One", …])
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from protocol.openai.chat_completions import FinishReason

__all__ = ["MAX_OUTPUT", "Answer", "Question", "Tool", "ToolCall", "Turn"]

MAX_OUTPUT = 100_000
"""Tokens of all answers to one question together."""


class Turn(msgspec.Struct, frozen=True):
    """One message of the conversation, as text.

    Args:
        role: "system", "user", "assistant", or "tool" for the result of a call.
    """

    role: str
    text: str


class Tool(msgspec.Struct, frozen=True):
    """A tool that the model may call: a function, whose `parameters` are a JSON Schema, or a custom
    tool, which takes any text and has None there."""

    name: str
    parameters: dict[str, Any] | None = {}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks of the model, by whichever route it came.

    Args:
        tool_choice: "auto", "none", "required", or the name of the tool that must be called.
        schema: the JSON Schema of the text wanted; {} for any JSON object; None for plain text.
        max_tokens: thinking, text and arguments together.
        stop: the text ends before the first of these.
        seed: the request's own.
        n: answers wanted.
        thinks: whether it may think first.
    """

    model: str
    turns: Sequence[Turn]
    tools: Sequence[Tool] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    schema: dict[str, Any] | None = None
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    seed: int | None = None
    n: int = 1
    thinks: bool = True

    @property
    def prompt(self) -> str:
        """What the user said last."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def token_limit(self) -> int:
        """The most tokens that each answer may have."""
        return min(self.max_tokens or MAX_OUTPUT, MAX_OUTPUT // self.n)

    @property
    def size(self) -> int:
        """The characters of all turns together."""
        return sum(len(turn.text) for turn in self.turns)


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a tool; the tokens of `arguments` join to a JSON text, or for a custom tool to any
    text."""

    name: str
    arguments: Sequence[str]
    is_custom: bool = False


class Answer(msgspec.Struct, frozen=True):
    """What the model will say. One item of a sequence is one step of the engine; an item may be
    "": a step whose text is held back, for it may be the beginning of a `stop` sequence.

    Args:
        fault: what shall happen to it on the wire, or "".
    """

    thinking: Sequence[str] = ()
    text: Sequence[str] = ()
    calls: Sequence[ToolCall] = ()
    finish_reason: FinishReason = "stop"
    fault: str = ""

    @property
    def completion_tokens(self) -> int:
        """The steps it takes."""
        called = sum(len(call.arguments) for call in self.calls)
        return len(self.thinking) + len(self.text) + called
