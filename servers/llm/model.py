"""What the simulated model says, and to whom: a `Question` in, an `Answer` in tokens out.

    Question(model="sim-1", turns=[Turn("user", "你好")])
        ->  Answer(thinking=["The", " user", …], text=["#", "#", " One", …])

A real model does not know the end of its answer when it begins; this one does, so that an answer
is cut to `max_tokens`, and at a `stop` sequence, before its first token leaves. The same question
gets the same answer, always, on every replica.
"""

import zlib
from itertools import islice

from protocol.chat_completions import FinishReason

from .conversation import Answer, Question, Tool, ToolCall, Turn
from .tokens import clusters, tokenize

__all__ = ["MODEL", "Answer", "FinishReason", "Question", "Tool", "ToolCall", "Turn", "answer"]

MODEL = "sim-1"

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
