"""Events of any size are relayed, and parsed in bounded memory."""

import logging
import tracemalloc

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.sse import EventStreamParser, ServerSentEvent
from servers.openai_proxy import observer
from servers.openai_proxy.log_record import ExchangeSummary
from servers.openai_proxy.observer import EventObserver

from ...streams import receive_until
from .fake_api import END, EVENTS, chunked
from .in_memory import between
from .test_relay import BODY, decoded, parts, post

# A quarter of the real limits: the same lines are too long, with a quarter of the bytes.
MAX_EVENT = observer.MAX_EVENT // 4
TAIL = observer.TAIL // 4

USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":12}}\n\n'
DONE = b"data: [DONE]\n\n"

lines = st.sampled_from(
    [b"data: {}", b"data: " + b"x" * 40, b": ping", b"event: e", b"id: 1", b"data", b"", b""]
)
ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
streams = st.lists(st.tuples(lines, ends).map(b"".join), max_size=20).map(b"".join)


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "MAX_EVENT", MAX_EVENT)
    monkeypatch.setattr(observer, "TAIL", TAIL)


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


@example(b"data: {}\r\r", 2)
@example(b"data: {}\r\r\n", 9)
@given(streams, st.integers(1, 50))
def test_by_line_is_the_same(stream: bytes, size: int) -> None:
    """Both modes find the same events and borders as the parser itself."""
    parser, plain, by_line = EventStreamParser(), EventObserver(), EventObserver()
    for piece in cut(stream, size):
        expected = parser.receive_data(piece)
        assert plain.receive_data(piece) == expected
        by_line._by_line = True
        assert by_line.receive_data(piece) == expected
        assert plain.at_event_border == parser.at_event_border == by_line.at_event_border


@example(b": ping\ndata: {}\n", 2)
@given(streams, st.integers(1, 50))
def test_borders_after_a_long_event(stream: bytes, size: int) -> None:
    """The borders are correct, however much of an event is dropped."""
    parser, cutting = EventStreamParser(), EventObserver()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observer, "MAX_EVENT", 10)
        patch.setattr(observer, "TAIL", 3)
        for piece in cut(stream, size):
            expected = [event.event for event in parser.receive_data(piece)]
            assert len(cutting.receive_data(piece)) <= len(expected)
            assert cutting.at_event_border == parser.at_event_border


@pytest.mark.parametrize("size", [11, 13, 1 << 14])
@pytest.mark.parametrize("ping", [b"", b": still here\n", b"event: a\n"])
def test_many_short_events(ping: bytes, size: int) -> None:
    """No short event is taken for part of a long one, wherever the reads end."""
    count = 4 * MAX_EVENT // len(USAGE)
    seen = EventObserver()
    pieces = cut((ping + USAGE) * count, size)
    assert sum(len(seen.receive_data(piece)) for piece in pieces) == count
    many = cut(b": still here\n" * (MAX_EVENT // 6) + USAGE, 13 * 5 + 3)
    assert [event.data for piece in many for event in seen.receive_data(piece)] == [
        USAGE[6:-2].decode()
    ]


LONG = b"x" * (8 * MAX_EVENT)
MANY = MAX_EVENT // 4
STREAMS = {
    "a line": b"data: " + LONG + b"\n\n",
    "a line with CR": b"data: " + LONG + b"\r\r",
    "a line with CR LF": b"data: " + LONG + b"\r\n\r\n",
    "many lines": b"data: 0123456789\n" * 2 * MANY + b"\n",
    "many lines with CR": b"data: 0123456789\r" * 2 * MANY + b"\r",
    "a comment": b":" + LONG + b"\n",
    "many comments with CR": b": still here\r" * MANY,
    "many comments": b": still here\n" * MANY,
    "many fields without data": b"foo: still here\n" * MANY,
    "a name": LONG + b"\n\n",
    "lines, then a long one": b"data: 1\n" * (MAX_EVENT // 14) + b"data: " + LONG + b"\n\n",
}


@pytest.mark.parametrize("size", [1000, 1 << 14, 1 << 30])
@pytest.mark.parametrize("long", STREAMS.values(), ids=STREAMS)
def test_what_follows_is_seen(long: bytes, size: int) -> None:
    seen = EventObserver()
    events: list[ServerSentEvent] = []
    for piece in cut(long + USAGE + long + DONE, size):
        events += seen.receive_data(piece)
    texts = [event.data for event in events if len(event.data) < 100]
    assert texts == [USAGE[6:-2].decode(), "[DONE]"]
    assert all(len(event.data) <= 2 * MAX_EVENT + TAIL for event in events)
    assert seen.at_event_border
    assert not seen.is_cutting


@pytest.mark.parametrize("long", STREAMS.values(), ids=STREAMS)
def test_memory_is_bounded(long: bytes) -> None:
    """The limit allows several copies: the pieces, joined, decoded, and split into lines."""
    pieces = cut(long, 1 << 14)
    seen = EventObserver()
    tracemalloc.start()
    try:
        for piece in pieces:
            seen.receive_data(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * MAX_EVENT


def test_the_end_of_a_long_line_is_seen() -> None:
    """A response has its usage there."""
    head = b'event: response.completed\ndata: {"type":"response.completed","response":{"output":"'
    tail = b'","usage":{"input_tokens":7,"output_tokens":9}}}\n\n'
    summary = ExchangeSummary("m", 0)
    seen = EventObserver()
    for piece in cut(head + LONG + tail, 1 << 14):
        for event in seen.receive_data(piece):
            summary.count(event, 0)
    assert (summary.events, summary.tokens, summary.whole) == (1, 9, True)


COMPLETED = {
    "named": ("response.completed", "{}", True),
    "typed": ("message", '{"type":"response.completed","response":{}}', True),
    "typed with spaces": ("message", ' { "type" : "response.failed" }', True),
    "typed last": ("message", '{"sequence_number":3,"type":"response.incomplete"}', True),
    "cut in the middle": ("message", '{"type":"response.completed","response":{"out', True),
    "another type": ("message", '{"type":"response.created"}', False),
    "within another": ("message", '{"type":"x","a":{"type":"response.completed"}}', False),
    "within, and last": ("message", '{"a":{"type":"response.completed"},"type":"x"}', False),
    "in a text": ("message", '{"a":"\\"type\\":\\"response.completed\\""}', False),
    "of another kind": ("message", '{"a":"response.","type":3}', False),
    "not JSON": ("message", '"response.completed', False),
    "too deep": ("message", '{"a":"response.","b":' + "[" * 100_000, False),
    "the end mark": ("message", "[DONE]", True),
}


@pytest.mark.parametrize(("name", "data", "whole"), COMPLETED.values(), ids=COMPLETED)
def test_the_end_of_a_response(name: str, data: str, whole: bool) -> None:
    """Found by the event's name, or by the type in its data: some servers send no names."""
    summary = ExchangeSummary("m", 0)
    summary.count(ServerSentEvent(name, data), 0)
    assert summary.whole is whole


@pytest.mark.parametrize("long", [STREAMS["a line"], STREAMS["many lines"]])
async def test_the_line_in_the_log(long: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stream = long + USAGE + long + DONE
    received = bytearray()
    async with between(size=1 << 20) as proxy, trio.open_nursery() as nursery:
        await proxy.client.send_all(post())
        api = await proxy.connected()
        await receive_until(api, BODY)
        nursery.start_soon(api.send_all, EVENTS + chunked(stream) + END)
        while data := await proxy.client.receive_some(1 << 20):
            received += data
    assert decoded(parts(bytes(received))[1]) == (stream, True)
    (line,) = [line for line in caplog.messages if "gpt-4o-mini" in line]
    assert line.startswith("200 gpt-4o-mini 4 events 12 tokens ")
    assert line.endswith(" done")
