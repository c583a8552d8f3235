"""Lesson 3's server: the same text in chunks, and in one piece."""

from trio.testing import MockClock

from servers.chunked import TEXT, routes
from servers.llm.model.tokens import tokenize
from servers.llm.pace import Pace

from .driving import CHUNKED, ask, get, head, text, timed
from .driving import TEXT as PLAIN

ROUTES = routes(Pace(1, 0.5))


async def test_each_word_is_a_chunk(autojump_clock: MockClock) -> None:
    """The exact bytes: sizes count bytes, in hexadecimal."""
    reply = await ask(ROUTES, get())
    assert reply == head(200, PLAIN, CHUNKED) + (
        "6\r\nChunks\r\n4\r\n say\r\n4\r\n how\r\n5\r\n long\r\n5\r\n they\r\n"
        "4\r\n are\r\n1\r\n:\r\n1\r\n \r\n3\r\n你\r\n3\r\n好\r\n3\r\n is\r\n"
        "2\r\n 6\r\n6\r\n bytes\r\n1\r\n,\r\n4\r\n not\r\n2\r\n 2\r\n"
        "b\r\n characters\r\n1\r\n.\r\n1\r\n \r\n4\r\n🌊\r\n1\r\n\n\r\n"
        "0\r\n\r\n"
    ).encode()  # fmt: skip


async def test_pace(autojump_clock: MockClock) -> None:
    """The head comes at once, the first word when it is due, then one word after the other."""
    _, words = await timed(ROUTES, get())
    assert words == {1 + 0.5 * n: word.encode() for n, word in enumerate(tokenize(TEXT))}


async def test_whole(autojump_clock: MockClock) -> None:
    """The same bytes with their length: the reader gets the first word only after the last."""
    assert await ask(ROUTES, get("/whole")) == text(TEXT.encode())
    assert autojump_clock.current_time() == 1 + 0.5 * (len(tokenize(TEXT)) - 1)
