"""What the simulated model says, and to whom: a `Question` in, an `Answer` in tokens out.

    Question(model="sim-1", turns=[Turn("user", "你好")])
        ->  Answer(thinking=["The", " user", …], text=["#", "#", " One", …])

A real model does not know the end of its answer when it begins; this one does, so that an answer
is cut to `max_tokens`, and at a `stop` sequence, before its first token leaves. The same question
gets the same answer, always, on every replica.
"""

import zlib
from collections.abc import Sequence
from itertools import islice
from typing import Any, Literal

import msgspec

from .tokens import clusters, tokenize

__all__ = ["MODEL", "Answer", "FinishReason", "Question", "Tool", "ToolCall", "Turn", "answer"]

MODEL = "sim-1"

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class Turn(msgspec.Struct, frozen=True):
    """One message of the conversation, as text.

    Args:
        role: "system", "user", "assistant", or "tool" for the result of a call.
    """

    role: str
    text: str


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may call; `parameters` is a JSON Schema."""

    name: str
    parameters: dict[str, Any] = {}


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


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a tool; the tokens of `arguments` join to a JSON text."""

    name: str
    arguments: Sequence[str]


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


def answer(prompt: str) -> Answer:
    """The model's answer to a prompt."""
    subject = list(islice(clusters(" ".join(prompt[:2000].split())), 61))
    quoted = "".join(subject[:60]) + ("…" if len(subject) > 60 else "")
    choice = zlib.crc32(prompt.encode("utf-8", "replace")) % len(TEXTS)
    thinking = f"The user says “{quoted}”. I know one thing well: how this answer travels. "
    thinking += "想清楚再回答。"
    return Answer(tokenize(thinking), tokenize(TEXTS[choice]))


TEXTS = [
    """\
## One word at a time 🌊

A language model makes **one token at a time**. It could wait until it has them all; instead each
token leaves the moment it exists:

1. the model yields a token,
2. it becomes a `data:` line,
3. the line becomes a *chunk*,
4. your screen shows it. ✨

你现在看到的每一个字，都是这样一块一块到达的。 👩🏽‍🚀
""",
    """\
## What `你好` costs on the wire 🔍

你好 is two characters, and **six bytes** in UTF-8:

| character | bytes |
|---|---|
| 你 | `e4 bd a0` |
| 好 | `e5 a5 bd` |

A chunk's size counts *bytes*, in hexadecimal: `6`, not `2`. 数错了，连接就乱了。 😵‍💫
""",
    """\
## Who is holding my stream? 🕵️

If the words come *all at once*, somebody between us keeps them:

- a proxy that buffers: `X-Accel-Buffering: no`
- a compressor that waits for more: `Cache-Control: no-transform`
- a pipe on your own machine: `curl -N`

流式输出，一路上每一站都要放行。 🚦
""",
]
