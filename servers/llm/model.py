"""The simulated model `sim-1`: what it says, cut into tokens, one after the other.

    prompt  ->  thinking ["The", " user", " says", …]   then text ["#", "#", " One", …]

The same prompt gets the same answer, always: it is chosen by a hash of the prompt. A token is
never less than what a reader sees as one character: an emoji of four code points, or a letter
with its accents, stays whole.
"""

import zlib
from itertools import islice

import msgspec

from .tokens import clusters, tokenize

__all__ = ["MODEL", "Answer", "answer"]

MODEL = "sim-1"


class Answer(msgspec.Struct, frozen=True):
    """What the model will say, in tokens."""

    thinking: list[str]
    text: list[str]


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
