"""`GET /chat/{text}`: its events, and what a client receives that reconnects."""

import msgspec
import pytest
from trio.testing import MockClock

from protocol.chunked import ChunkedDecoder
from protocol.sse import EventStreamParser, ServerSentEvent
from servers.chat import routes
from servers.llm.model.models import Model
from servers.llm.pace import Normal, Pace
from servers.llm.writers.named_events import EventID

from ....saying import answer
from ...driving import CHUNKED, ask, get, head, timed

AT_ONCE = routes(Pace(0, 0))
OTHER_SEED = routes(Pace(0, 0), model=Model(seed=-12))
EVENT_STREAM = (
    b"Content-Type: text/event-stream; charset=utf-8\r\n",
    b"Cache-Control: no-cache, no-transform\r\n",
    b"X-Accel-Buffering: no\r\n",
)
PATH = "/chat/hi"
SAID = answer("hi")
NAMED = [("thinking", token) for token in SAID.thinking] + [("message", t) for t in SAID.text]
EVENTS = [
    ServerSentEvent(name, msgspec.json.encode({"text": token}).decode(), f"0-{number}")
    for number, (name, token) in enumerate(NAMED, 1)
]
DONE = ServerSentEvent("done", '{"finish_reason":"stop"}', "0-end")


def parsed(events: list[ServerSentEvent]) -> list[ServerSentEvent]:
    """The events without `retry`, which only the first event of a connection has."""
    return [msgspec.structs.replace(event, retry=None) for event in events]


async def body(*fields: str, path: str = PATH) -> bytes:
    reply = await ask(AT_ONCE, get(path, *fields))
    return b"".join(ChunkedDecoder().receive_data(reply.partition(b"\r\n\r\n")[2]))


async def rest(last_event_id: str) -> list[ServerSentEvent]:
    """The events for a client that reconnects with this id."""
    return parsed(EventStreamParser().receive_data(await body(f"Last-Event-ID: {last_event_id}")))


async def test_each_token_is_an_event_with_an_id(autojump_clock: MockClock) -> None:
    """thinking, message, done: each event is sent when it is due."""
    received, events = await timed(routes(Pace(1, 0.5)), get("/chat/%E4%BD%A0%E5%A5%BD"))
    assert received == head(200, *EVENT_STREAM, CHUNKED)
    said = answer("你好")
    expected = [
        # "message" is the default event type and is not written (WHATWG HTML §9.2.6)
        b"%bid: 0-%%d\n%%bdata: %b\n\n" % (name, msgspec.json.encode({"text": token}))
        for name, tokens in ((b"event: thinking\n", said.thinking), (b"", said.text))
        for token in tokens
    ]
    expected = [
        event % (n, b"retry: 1000\n" if n == 1 else b"") for n, event in enumerate(expected, 1)
    ]
    assert expected[0] == b'event: thinking\nid: 0-1\nretry: 1000\ndata: {"text":"The"}\n\n'
    assert expected[len(said.thinking)] == b'id: 0-%d\ndata: {"text":"#"}\n\n' % (
        len(said.thinking) + 1
    )
    # The end is a step like the others.
    expected.append(b'event: done\nid: 0-end\ndata: {"finish_reason":"stop"}\n\n')
    assert events == {1 + 0.5 * n: event for n, event in enumerate(expected)}


async def test_resuming_after_any_byte_loses_and_repeats_nothing() -> None:
    """The client has the events that were complete before the cut. The second connection has all
    others, wherever the cut was."""
    whole = await body()
    assert parsed(EventStreamParser().receive_data(whole)) == [*EVENTS, DONE]
    rests: dict[str, list[ServerSentEvent]] = {"0-end": []}
    for cut in range(len(whole)):
        parser = EventStreamParser()
        before = parsed(parser.receive_data(whole[:cut]))
        seen = parser.last_event_id
        if seen not in rests:
            rests[seen] = await rest(seen)
        assert [*before, *rests[seen]] == [*EVENTS, DONE]
    assert len(rests) == len(EVENTS) + 2  # each id, and no id


async def test_another_replica_continues_the_same_answer() -> None:
    """The id has the seed, because the replica's own seed would give another answer."""
    request = get(PATH, "Last-Event-ID: 0-9")
    assert await ask(OTHER_SEED, request) == await ask(AT_ONCE, request)
    assert await ask(OTHER_SEED, get(PATH)) != await ask(AT_ONCE, get(PATH))
    assert b"\nid: -12-1\n" in await ask(OTHER_SEED, get(PATH))
    theirs = get(PATH, "Last-Event-ID: -12-9")
    assert await ask(AT_ONCE, theirs) == await ask(OTHER_SEED, theirs)


FOREIGN = ["", "7", "end", "0-", "-9", "0--1", "0-1-2", "0x0-1", "0-1 2", "0-1\t2", "0-END", "{}"]
FOREIGN += ["0-9999999999", "9" * 20 + "-1", "0-" + "9" * 5000, "../0-1", "0-\N{BENGALI DIGIT ONE}"]


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_an_unknown_id_starts_from_the_beginning(foreign: str) -> None:
    assert await rest(foreign) == [*EVENTS, DONE]


@pytest.mark.parametrize("past", [len(EVENTS), len(EVENTS) + 1, 999_999_999])
async def test_a_position_past_the_end_is_the_end(past: int) -> None:
    assert await rest(f"0-{past}") == [DONE]


@pytest.mark.parametrize("last", ["0-end", "-12-end", "5-end"])
async def test_after_the_end_a_client_is_told_to_stop(last: str) -> None:
    reply = await ask(AT_ONCE, get(PATH, f"Last-Event-ID: {last}"))
    assert reply.startswith(b"HTTP/1.1 204 No Content\r\n")


async def test_a_resumed_answer_keeps_its_gaps(autojump_clock: MockClock) -> None:
    """Its first token is due at once, because the prompt has been read before."""
    served = routes(Pace(1, 0.5, spread=Normal()))
    _, whole = await timed(served, get(PATH))
    _, events = await timed(served, get(PATH, "Last-Event-ID: 0-5"))
    times, later = list(whole)[5:], list(events)
    assert len(later) == len(times)
    assert later[0] == 0
    # The engine works in slots, so a token may be 5 ms late.
    for before, after in zip(times, later, strict=True):
        assert after == pytest.approx(before - times[0], abs=0.011)


@pytest.mark.parametrize("place", [EventID(0), EventID(-5, 3), EventID(2**60, None)])
def test_an_id_is_read_as_it_was_written(place: EventID) -> None:
    assert EventID.read(str(place)) == place
