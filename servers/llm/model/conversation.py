"""A question to the model, and its answer in tokens: the same for all routes.

    Question(model="sim-1", turns=[Turn("user", "你好")])
        ->  Answer(thinking=["The", " user", …], text=["#", "#", " One", …])
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from protocol.openai.chat_completions import FinishReason

__all__ = ["MAX_OUTPUT", "Answer", "Question", "Tool", "ToolCall", "Turn"]

MAX_OUTPUT = 100_000
"""Largest number of tokens in all answers to one question together."""


class Turn(msgspec.Struct, frozen=True):
    """One message of the conversation, as text.

    Args:
        role: "system", "user", "assistant", or "tool" for the result of a tool call.
    """

    role: str
    text: str


class Tool(msgspec.Struct, frozen=True):
    """A tool that the model may call. The `parameters` of a function are a JSON Schema. A custom
    tool takes any text; its `parameters` are None."""

    name: str
    parameters: dict[str, Any] | None = {}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request's question for the model, in the same form for all routes.

    Args:
        tool_choice: "auto", "none", "required", or the name of the tool that must be called.
        schema: JSON Schema of the requested text; {} for any JSON object; None for plain text.
        max_tokens: Limit on tokens of thinking, text and arguments together.
        stop: The stop sequences. The text ends before the first stop sequence that occurs in it.
        seed: The seed that the request names.
        n: Number of answers that the request asks for.
        thinks: Whether the model may think before it answers.
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
        """The user's last message."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def token_limit(self) -> int:
        """Largest number of tokens in each answer."""
        return min(self.max_tokens or MAX_OUTPUT, MAX_OUTPUT // self.n)

    @property
    def size(self) -> int:
        """The number of characters in all turns together."""
        return sum(len(turn.text) for turn in self.turns)


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a tool. The tokens of `arguments`, joined, are a JSON text, or for a custom tool
    any text."""

    name: str
    arguments: Sequence[str]
    is_custom: bool = False


class Answer(msgspec.Struct, frozen=True):
    """The model's answer. Each item of its sequences is one step of the engine. An item is "" if
    the step's text is held back, because it may be the beginning of a `stop` sequence.

    Args:
        fault: The fault to inject into the answer, or "".
    """

    thinking: Sequence[str] = ()
    text: Sequence[str] = ()
    calls: Sequence[ToolCall] = ()
    finish_reason: FinishReason = "stop"
    fault: str = ""

    @property
    def completion_tokens(self) -> int:
        """The number of steps that the engine takes for this answer."""
        tokens = len(self.thinking) + len(self.text)
        for call in self.calls:
            tokens += len(call.arguments)
        return tokens
