"""Lesson 4's server: an event stream with ids, and its replies to clients that reconnect."""

import pytest
from trio.testing import MockClock

from protocol.sse import EventStreamParser, ServerSentEvent
from servers.llm.model.tokens import tokenize
from servers.llm.pace import Pace
from servers.sse import TEXT, routes

from .driving import CHUNKED, ask, get, head, timed

WORDS = tokenize(TEXT)
ROUTES = routes(Pace(1, 0.5))
HEAD = head(
    200,
    b"Content-Type: text/event-stream; charset=utf-8\r\n",
    b"Cache-Control: no-cache, no-transform\r\n",
    b"X-Accel-Buffering: no\r\n",
    CHUNKED,
)
RETRY = b"retry: 2000\n\n"
DONE = b'event: done\nid: end\ndata: {"words":21}\n\n'
COMMENT = b": a comment, which nobody is shown\n"


def word(number: int) -> bytes:
    return f'event: word\nid: {number}\ndata: {{"text":"{WORDS[number - 1]}"}}\n\n'.encode()


async def test_exact_stream_and_pace(autojump_clock: MockClock) -> None:
    """First `retry`, then each word when it is due, a comment in the middle, and `done`."""
    received, events = await timed(ROUTES, get())
    assert received == HEAD
    expected = {1 + 0.5 * n: word(n + 1) for n in range(21)}
    expected[1 + 0.5 * 9] += COMMENT
    expected[1 + 0.5 * 20] += DONE
    assert events == {0: RETRY} | expected
    assert word(1) == b'event: word\nid: 1\ndata: {"text":"Events"}\n\n'




async def events_after(last_event_id: str) -> list[ServerSentEvent]:
    _, came = await timed(ROUTES, get("/", f"Last-Event-ID: {last_event_id}"))
    return EventStreamParser(last_event_id).receive_data(b"".join(came.values()))


ALL = [
    *(ServerSentEvent("word", f'{{"text":"{text}"}}', str(n)) for n, text in enumerate(WORDS, 1)),
    ServerSentEvent("done", '{"words":21}', "end"),
]


@pytest.mark.parametrize("position", range(22))
async def test_resume_from_every_position(position: int, autojump_clock: MockClock) -> None:
    """A client that reconnects with the id of any event loses nothing and gets nothing twice."""
    assert await events_after(str(position)) == ALL[position:]


IDS = {
    "007": 7,
    "21": 21,
    "22": 21,  # past the end: only done
    "999999999": 21,
    "1000000000": 0,  # not an id of ours: as if there was none
    "-1": 0,
    "+7": 0,
    "7.0": 0,
    "7 7": 0,
    "0x7": 0,
    "1_0": 0,
    "END": 0,
    "end2": 0,
    "\u00b2": 0,  # a digit to str.isdigit
    "9" * 5000: 0,
}


@pytest.mark.parametrize(("last_event_id", "position"), IDS.items(), ids=lambda x: str(x)[:12])
async def test_strange_ids(
    last_event_id: str, position: int, autojump_clock: MockClock
) -> None:
    """For HTTP, field values are bytes; the server reads them as latin-1."""
    request = get("/", "Last-Event-ID: ?").replace(b"?", last_event_id.encode("latin-1"))
    _, came = await timed(ROUTES, request)
    assert EventStreamParser().receive_data(b"".join(came.values())) == ALL[position:]


async def test_204_after_the_end() -> None:
    """ "a client can be told to stop reconnecting using the HTTP 204 No Content response code"
    (WHATWG HTML §9.2.1)"""
    assert await ask(ROUTES, get("/", "Last-Event-ID: end")) == head(204)
