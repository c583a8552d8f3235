"""Lesson 3: the reader types a word, says which number is in front of its chunk, and sees it.

the page   {"word":"你","guess":"1"}
a server   sends the word as one chunk
the page   3 \\r\\n 你 \\r\\n 0 \\r\\n \\r\\n
"""

from collections.abc import AsyncGenerator
from typing import Annotated

import msgspec

from protocol.chunked import encode_chunk, encode_last_chunk
from servers.http.reply import Last, Request, StreamingReply
from servers.http.routes import Routes

from ..words import Words
from .kit import Figure, Tell, field
from .lab import get, reads, serving
from .wire import chips, label

__all__ = ["CHUNK"]

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Options(msgspec.Struct):
    word: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


def form(say: Words) -> str:
    return field(
        say, "figure.chunk.word", "word", 'value="你" required maxlength="200" size="14"'
    ) + field(
        say, "figure.chunk.guess", "guess", 'size="4" required maxlength="8" autocomplete="off"'
    )


def still(say: Words) -> str:
    return chips(label(HEAD + encode_chunk("你".encode()) + encode_last_chunk()))


async def run(options: Options, tell: Tell) -> None:
    word = options.word.encode(errors="replace")

    async def send(request: Request) -> StreamingReply:
        async def pieces() -> AsyncGenerator[bytes | Last, None]:
            yield word

        return StreamingReply(pieces())

    response = b""
    async with serving(Routes({"GET /": send})) as port:
        async for _, data in reads(port, get("/")):
            response += data
    await tell({
        "chips": label(response),
        "size": f"{len(word):x}",
        "bytes": len(word),
        "characters": len(options.word),
    })  # fmt: skip


CHUNK = Figure("chunk", Options, form, still, run)
