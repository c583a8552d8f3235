"""The modes that hold, gate, measure, gather, repeat or rewrite a stream: for each of them the
exact bytes, and the times at which they are sent.

Helpers and the first modes: test_badproxy.py. The modes that go quiet: test_badproxy_quiet.py.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import cast

import pytest
import trio
from msgspec.structs import replace

from clients.http.client import Response
from clients.http.errors import DisconnectedError, RequestError
from protocol.chunked import encode_chunk
from servers.badproxy import modes
from servers.badproxy.catalogue import MAX_HELD
from servers.badproxy.stages import Lag, Rewrite, Stage
from servers.badproxy.upstream import Upstream
from servers.http.reply import Reply, Request, StreamingReply

from ..streams import receive_all
from .driving import Pieces, arrivals, get, replying, streaming
from .test_badproxy import (
    ACCEPTS,
    BODY,
    END,
    EVENTS,
    ONE,
    THREE,
    TWO,
    Origin,
    hop,
    three,
    three_and_a_cut,
    timed,
    whole_answer,
)

LIVE = {1: ONE, 2: TWO, 3: THREE + END}
WHOLE = {3: encode_chunk(BODY) + END}
FIRST_TWO = encode_chunk(EVENTS[0] + EVENTS[1])

# The upstream sends an event at 1, 2 and 3 seconds.
WHEN = {
    "lag=1": {2: ONE, 3: TWO + THREE + END},
    "lag=2": {3: ONE + encode_chunk(EVENTS[1] + EVENTS[2]) + END},
    "lag=3": WHOLE,
    "coalesce=500": {1.5: ONE, 2.5: TWO, 3: THREE + END},
    "coalesce=1500": {2.5: FIRST_TWO, 3: THREE + END},
    "coalesce=60000": WHOLE,
    "coalesce=1500,idle=1.2": {2.5: FIRST_TWO, 3: THREE + END},
    "only-type=text/plain": LIVE,
    "only-type=text/event-stream": WHOLE,
    "only-method=GET": LIVE,
    "only-method=POST": WHOLE,
    "only-method=POST,rechunk=50": {3: encode_chunk(BODY[:50]) + encode_chunk(BODY[50:]) + END},
    "total=2.5": {1: ONE, 2: TWO},
    "total=3600": LIVE,
    "buffer,total=2.5": {},
    "http10,total=2.5": {1: EVENTS[0], 2: EVENTS[1]},
    "rewrite": LIVE,
    "replay=1": {1: ONE, 2: ONE, 3: TWO, 4: THREE + END},
    "replay=2": {1: ONE, 2: TWO, 3: ONE, 4: TWO, 5: THREE + END},
    "replay=4": LIVE,
    "replay=1,total=2.5": {1: ONE, 2: ONE},
    "lag=1,replay=1": {2: ONE, 3: ONE, 4: TWO + THREE + END},
    "coalesce=1500,replay=1": {2.5: encode_chunk(EVENTS[0] * 2), 4: encode_chunk(BODY[22:]) + END},
}


@pytest.mark.parametrize("mode", WHEN)
async def test_what_is_sent_when(mode: str, autojump_clock: object) -> None:
    head, came = await timed(streaming(three), mode)
    assert came == WHEN[mode]
    assert f"\r\nVia: 1.1 badproxy ({mode.replace(',', ' ')})\r\n".encode() in head


@pytest.mark.parametrize("mode", ["lag=1", "coalesce=1500", "rewrite", "only-method=POST"])
async def test_a_truncated_body_never_gets_an_end(mode: str, autojump_clock: object) -> None:
    """All bytes that have arrived are relayed, and then the connection is closed."""
    _, whole = await timed(streaming(three), mode)
    _, came = await timed(streaming(three_and_a_cut), mode)
    assert b"".join(came.values()) + END == b"".join(whole.values())


# ---- The head comes late


@pytest.mark.parametrize(
    ("mode", "rest"),
    {
        "hold-head": [ONE, TWO, THREE + END],
        "hold-head,total=2.5": [ONE, TWO],
        "hold-head,idle=1.5": [ONE, TWO, THREE + END],
        "hold-head,http10": list(EVENTS),
    }.items(),
)
async def test_the_head_waits_for_the_body(
    mode: str, rest: list[bytes], autojump_clock: object
) -> None:
    came = await whole_answer(mode)
    head, _, came[1] = came[1].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.")
    assert came == dict(enumerate(rest, 1))


async def test_a_held_head_of_an_empty_body(autojump_clock: object) -> None:
    async def nothing() -> Pieces:
        await trio.sleep(1)
        return
        yield

    async with hop(streaming(nothing), "hold-head") as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        ((time, answer),) = (await arrivals(memory.client)).items()
    assert time == 1
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n" + END)


@pytest.mark.parametrize("mode", ["measure", "measure,rechunk=20", "measure,hold-head,coalesce=9"])
async def test_the_body_is_measured(mode: str, autojump_clock: object) -> None:
    ((time, answer),) = (await whole_answer(mode)).items()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert time == 3
    assert body == BODY
    fields = head.lower().split(b"\r\n")
    assert b"content-length: %d" % len(BODY) in fields
    assert b'etag: w/"fa8af567b2644d11d21079f9cb13acd7"' in fields
    assert b"transfer-encoding" not in head.lower()


async def test_what_is_measured_is_what_is_sent(autojump_clock: object) -> None:
    """The length is that of the compressed body. A truncation comes after the length was
    announced."""
    ((_, answer),) = (await whole_answer("measure,gzip,truncate=10", ACCEPTS)).items()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body.startswith(b"\x1f\x8b")
    assert len(body) == 10
    assert b"\r\ncontent-encoding: gzip\r\n" in head.lower()
    assert b"\r\ncontent-length: 10\r\n" not in head.lower()
    assert b"\r\ncontent-length: " in head.lower()


async def test_head_of_a_measured_body() -> None:
    """The answer to HEAD has no body, so there is nothing to measure."""
    async with hop(streaming(three), "measure") as memory:
        await memory.client.send_all(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head = await receive_all(memory.client)
    assert head.endswith(b"\r\n\r\n")
    assert b"content-length" not in head.lower()


@pytest.mark.parametrize("mode", ["measure", "hold-head"])
async def test_a_cut_before_the_head_is_a_502(mode: str, autojump_clock: object) -> None:
    async def cut() -> Pieces:
        await trio.sleep(1)
        raise RuntimeError
        yield

    async with hop(streaming(cut), mode) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        answer = await receive_all(memory.client)
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")


async def test_a_body_that_is_too_large_to_measure() -> None:
    reply = Reply(bytes(MAX_HELD + 1))
    async with hop(replying(reply), "measure") as memory:
        await memory.client.send_all(get("/", "Connection: close"))
        answer = await receive_all(memory.client)
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert answer.endswith(b"a body over 16777216 bytes\n")


@pytest.mark.parametrize(
    ("mode", "time", "why"),
    [
        ("measure,total=2.5", 2.5, "The response took longer than 2.5 s."),
        ("hold-head,total=0.5", 0.5, "The response took longer than 0.5 s."),
        ("hold-head,idle=0.5", 0.5, "The upstream was silent for 0.5 s."),
    ],
)
async def test_a_timeout_before_the_head_is_a_504(
    mode: str, time: float, why: str, autojump_clock: object
) -> None:
    ((came_at, answer),) = (await whole_answer(mode)).items()
    assert came_at == time
    assert answer.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert answer.endswith(b"504 Gateway Timeout\n\n%b\n" % why.encode())


# ---- Only some responses stream


@pytest.mark.parametrize(
    ("kind", "live"),
    [
        ("text/event-stream", True),
        ("text/event-stream; charset=utf-8", True),
        ("Text/Event-Stream ;a=b", True),
        ("application/x-ndjson", False),
        ("text/plain", False),
    ],
)
async def test_only_one_type_streams(kind: str, live: bool, autojump_clock: object) -> None:
    async def handler(request: Request) -> StreamingReply:
        return StreamingReply(three(), content_type=kind)

    assert (await timed(handler, "only-type=text/event-stream"))[1] == (LIVE if live else WHOLE)


async def test_only_one_method_streams(autojump_clock: object) -> None:
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    assert (await timed(streaming(three), "only-method=post", post))[1] == LIVE
    assert (await timed(streaming(three), "only-method=post"))[1] == WHOLE


# ---- Gathered bytes, and an error after them


class Broken:
    """The body of a response that is reset after its first piece. The kernel reports the reset only
    once. After that, the socket looks as if the peer had closed the connection."""

    def __init__(self) -> None:
        self._left: list[bytes | RequestError] = [b"a", DisconnectedError("reset", sent=True)]

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        match self._left.pop(0) if self._left else b"":
            case bytes() as piece if piece:
                return piece
            case RequestError() as error:
                raise error
        raise StopAsyncIteration


async def test_an_error_after_gathered_bytes() -> None:
    @asynccontextmanager
    async def ask() -> AsyncIterator[Response]:
        yield cast(Response, Broken())

    async with aclosing(Upstream(ask, modes("coalesce=5"))) as upstream:
        assert await upstream.receive() == b"a"
        for _ in range(2):
            with pytest.raises(DisconnectedError, match=r"^reset$"):
                await upstream.receive()


# ---- Events


def fed(stage: Stage, pieces: list[bytes]) -> list[list[bytes]]:
    return [*map(stage.receive_data, pieces), stage.receive_eof()]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n"])
def test_lag_finds_the_end_of_an_event_wherever_it_was_cut(end: bytes) -> None:
    events = [b"data: 1" + end, b": beat\n", b"data: 2" + end, b"data: 3"]
    body = b"".join(events)
    assert fed(Lag(1), [body]) == [[events[0]], [b"".join(events[1:])]]
    bytewise = fed(Lag(1), [body[index : index + 1] for index in range(len(body))])
    ends_of_two = len(events[0] + events[1] + events[2])
    assert bytewise[ends_of_two - 1] == [events[0]]
    assert bytewise[-1] == [b"".join(events[1:])]
    assert [piece for pieces in bytewise for piece in pieces] == [events[0], body[len(events[0]) :]]


def test_lag_holds_a_limited_number_of_bytes() -> None:
    stage = Lag(1)
    assert stage.receive_data(bytes(MAX_HELD)) == []
    assert stage.receive_data(b"data: 1\n\n") == [bytes(MAX_HELD) + b"data: 1\n\n"]
    assert fed(stage, [b"data: 2\n\n", b"data: 3\n\n"]) == [[], [b"data: 2\n\n"], [b"data: 3\n\n"]]


@pytest.mark.parametrize(
    ("pieces", "sent"),
    [
        # In Chat Completions, the finish_reason is in the same read, and [DONE] in the next one.
        (
            [
                b'data: {"text":"a","usage":null}\n\n',
                b'data: {"finish_reason":"stop"}\n\ndata: {"choices":[],"usage":{"n":1}}\n\n',
                b"data: [DONE]\n\n",
            ],
            [
                [b'data: {"text":"a","usage":null}\n\n'],
                [b'{"finish_reason":"stop"}\n\ndata: {"choices":[],"usage":{"n":1}}\n\n'],
                [b"[DONE]\n\n"],
                [],
            ],
        ),
        # In the Responses API, all events lose their names.
        (
            [
                b'event: response.created\ndata: {"type":"response.created"}\n\n',
                b"event: response.completed\r\n",
                b'data: {"type":"response.completed","usage": {"n":1}}\r\n\r\n',
            ],
            [
                [b'data: {"type":"response.created"}\n\n'],
                [],
                [b'data: {"type":"response.completed","usage": {"n":1}}\r\n\r\n'],
                [],
            ],
        ),
    ],
)
def test_events_are_rewritten(pieces: list[bytes], sent: list[list[bytes]]) -> None:
    assert fed(Rewrite(), pieces) == sent


# ---- A second request


async def test_a_retry_sends_the_same_request(
    autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    origin = Origin(streaming(three))
    request = b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
    async with hop(origin, "replay=2") as memory:
        await memory.client.send_all(request)
        await memory.client.send_eof()
        await receive_all(memory.client)
    first, second = origin.asked
    assert replace(second, arrived=first.arrived) == first
    assert first.body == b"hi"
    assert "asks the upstream again after 2 events" in caplog.messages


@pytest.mark.parametrize(
    ("first", "rest"), [(b"\n", b"\n"), (b"\r\n", b"\r\n"), (b"\r\n\r", b"\n")]
)
async def test_a_retry_inside_a_piece_drops_its_rest(first: bytes, rest: bytes) -> None:
    """The blank line that ends event 2 is cut between two pieces."""

    async def pieces() -> Pieces:
        yield b"data: 1\n\ndata: 2" + first
        yield rest + b"data: 3\n\n"

    async with hop(streaming(pieces), "replay=2") as memory:
        await memory.client.send_all(get("/", "Connection: close"))
        answer = await receive_all(memory.client)
    begun = b"data: 1\n\ndata: 2" + first
    body = [begun, rest, begun, rest + b"data: 3\n\n"]
    assert answer.endswith(b"\r\n\r\n" + b"".join(map(encode_chunk, body)) + END)


async def test_a_retry_that_fails(autojump_clock: object) -> None:
    asked: list[Request] = []

    async def only_once(request: Request) -> StreamingReply:
        asked.append(request)
        if len(asked) > 1:
            await trio.sleep(10)
        return StreamingReply(three())

    assert (await timed(only_once, "replay=1,idle=2"))[1] == {1: ONE}
