"""The event source: every event once and in order, over as many connections as it takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from clients.event_source import (
    EventSourceError,
    EventSourceObserver,
    ReadyState,
    Reconnection,
    open_event_source,
)
from clients.http.exchange import Response

from ..streams import MemoryStream, memory_pair, receive_until

URL = "http://sse.example/news"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
NO_MORE = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Server:
    """A server in memory. Connection n is answered with the n-th script, then closed.

    Args:
        scripts: For each connection the bytes of each write, and "reset" or "stay" as the last one
            in place of a close; "refuse" refuses the connection. After the last script the server
            answers 204.
    """

    scripts: Sequence[Sequence[bytes | str]]
    requests: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    streams: list[MemoryStream] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = iter(self.scripts)

    async def connect(self, host: str, port: int, *, stall_seconds: float = 0) -> MemoryStream:
        script = next(self._left, [NO_MORE])
        self.times.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if script == ["refuse"]:
            raise OSError(111, "Connection refused")
        near, far = memory_pair(1 << 20)
        self.streams.append(near)
        trio.lowlevel.spawn_system_task(self._serve, far, script)
        return near

    async def _serve(self, stream: MemoryStream, script: Sequence[bytes | str]) -> None:
        try:
            self.requests.append(await receive_until(stream, b"\r\n\r\n"))
            for piece in script:
                if isinstance(piece, bytes):
                    await stream.send_all(piece)
                    await trio.sleep(0.001)
                elif piece == "reset":
                    stream.reset()
                    return
                else:
                    await trio.sleep_forever()
            stream.close()
        except (trio.BrokenResourceError, trio.ClosedResourceError, AssertionError):
            pass  # the client has closed first


class Notes(EventSourceObserver):
    def __init__(self) -> None:
        self.all: list[object] = []

    def opened(self, response: Response) -> None:
        self.all.append(response.status)

    def comment(self, text: str) -> None:
        self.all.append(text)

    def broke(self, why: str, seconds: float) -> None:
        self.all.append((why, seconds))


def exactly(**arguments: object) -> Reconnection:
    """A reconnection without chance, that always waits as long as the server said."""
    return Reconnection(URL, **{"jitter": 0.0, "backoff": 1.0, **arguments})  # type: ignore[arg-type]


async def read_all(server: Server, **arguments: object) -> list[str]:
    """The data of all events, up to the 204."""
    options = {"reconnection": exactly(), "connect": server.connect, **arguments}
    async with open_event_source(URL, **options) as source:  # type: ignore[arg-type]
        data = [event.data async for event in source]
        assert source.state is ReadyState.CLOSED
    assert all(stream.closed for stream in server.streams)
    return data


def last_event_ids(server: Server) -> list[str | None]:
    found = []
    for request in server.requests:
        _, named, rest = request.partition(b"Last-Event-ID: ")
        found.append(rest.partition(b"\r\n")[0].decode() if named else None)
    return found


async def test_over_three_connections(autojump_clock: MockClock) -> None:
    """A close, a reset and half an event: the next request names the last one dispatched."""
    server = Server(
        [
            [HEAD + b"id: 1\ndata: a\n\n", b"retry: 700\nid: 2\ndata: b\n\n"],
            [HEAD, b"id: 3\ndata: c\n\nid: 4\ndata: hal", "reset"],
            [HEAD + b"id: 4\ndata: d\n\n"],
        ]
    )
    assert await read_all(server) == ["a", "b", "c", "d"]
    assert last_event_ids(server) == [None, "2", "3", "4"]
    waits = [later - sooner for sooner, later in zip(server.times, server.times[1:], strict=False)]
    assert waits == pytest.approx([0.702, 0.702, 0.701])


async def test_the_request() -> None:
    server = Server([])
    assert await read_all(server) == []
    (request,) = server.requests
    assert request == (
        b"GET /news HTTP/1.1\r\nHost: sse.example\r\nConnection: close\r\n"
        b"Accept: text/event-stream\r\nCache-Control: no-cache\r\n\r\n"
    )


async def test_an_id_outside_ascii_is_sent_as_utf_8(autojump_clock: MockClock) -> None:
    server = Server([[HEAD + "id: 豆腐\ndata: a\n\n".encode()]])
    assert await read_all(server) == ["a"]
    assert last_event_ids(server) == [None, "豆腐"]


async def test_an_empty_id_clears_the_header(autojump_clock: MockClock) -> None:
    """Also one in a block without data, which dispatches no event."""
    server = Server([[HEAD + b"id: 1\ndata: a\n\n"], [HEAD + b"id\n\n"], [HEAD]])
    assert await read_all(server) == ["a"]
    assert last_event_ids(server) == [None, "1", None, None]


async def test_a_new_connection_begins_with_its_own_bom(autojump_clock: MockClock) -> None:
    script = [HEAD, b"\xef", b"\xbb", b"\xbfdata: a\n\n"]
    assert await read_all(Server([script, script])) == ["a", "a"]


async def test_nobody_listens_at_first(autojump_clock: MockClock) -> None:
    notes = Notes()
    server = Server([["refuse"], ["refuse"], [HEAD + b"data: a\n\n"]])
    decides = exactly(seconds=1.0, backoff=2.0)
    assert await read_all(server, reconnection=decides, observer=notes) == ["a"]
    refused = "no connection to sse.example: Connection refused"
    ended = ("the server ended the response", 1.0)
    assert notes.all == [(refused, 1.0), (refused, 2.0), 200, ended]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        HEAD[:-2] + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD[:-2] + b"Content-Length: 100\r\n\r\ndata: half",
    ],
)
async def test_a_broken_answer_is_asked_for_again(answer: bytes, autojump_clock: MockClock) -> None:
    server = Server([[answer], [HEAD + b"data: a\n\n"]])
    assert await read_all(server) == ["a"]
    assert len(server.requests) == 3


async def test_events_come_before_the_error() -> None:
    """The server ends the stream for good while the caller has not taken all events."""
    server = Server([[HEAD + b"retry: 0\ndata: a\n\ndata: b\n\n"], [b"HTTP/1.1 500 X\r\n\r\n"]])
    async with open_event_source(URL, reconnection=exactly(), connect=server.connect) as source:
        assert [(await anext(source)).data for _ in range(2)] == ["a", "b"]
        for _ in range(2):
            with pytest.raises(EventSourceError) as caught:
                await anext(source)
            assert str(caught.value) == "the server answered with status 500"
    assert all(stream.closed for stream in server.streams)


async def test_an_event_over_the_limit_is_not_asked_for_again() -> None:
    server = Server([[HEAD + b"data: a\n\ndata: ", b"x" * (17 << 20)]])
    async with open_event_source(URL, reconnection=exactly(), connect=server.connect) as source:
        assert (await anext(source)).data == "a"
        with pytest.raises(EventSourceError, match="a line of the event stream is over"):
            await anext(source)
    assert len(server.requests) == 1


async def test_a_silent_server_is_asked_again(autojump_clock: MockClock) -> None:
    """Silence before the head and silence after it; a comment is not silence."""
    notes = Notes()
    server = Server(
        [["stay"], [HEAD, b": still here\n", b"data: a\n\n", "stay"], [HEAD + b"data: b\n\n"]]
    )
    assert await read_all(server, read_seconds=5.0, observer=notes) == ["a", "b"]
    assert notes.all == [
        ("no response in 5 s", 3.0),
        200,
        " still here",
        ("nothing came for 5 s", 3.0),
        200,
        ("the server ended the response", 3.0),
    ]


async def test_a_comment_is_told_when_its_line_has_ended(autojump_clock: MockClock) -> None:
    """However the line is cut, with any line end, and as it was written."""
    notes = Notes()
    script = [HEAD, b":on", b"e\r", b"\n:\rdata: x\n:  two ", b" \n\n:never"]
    assert await read_all(Server([script]), observer=notes) == ["x"]
    assert notes.all[:-1] == [200, "one", "", "  two  "]


async def test_the_body_is_sent_with_each_request(autojump_clock: MockClock) -> None:
    server = Server([[HEAD]])
    decides = exactly(method="POST", headers=(("Content-Type", "text/plain"),), body=b"\r\n\r\n")
    assert await read_all(server, reconnection=decides) == []
    assert [request[:10] for request in server.requests] == [b"POST /news", b"POST /news"]
    assert all(b"Content-Length: 4" in request for request in server.requests)


async def test_a_redirect_is_followed_at_once(autojump_clock: MockClock) -> None:
    moved = b"HTTP/1.1 307 X\r\nLocation: http://other.example/b\r\nContent-Length: 0\r\n\r\n"
    server = Server([[moved], [HEAD + b"data: a\n\n"]])
    assert await read_all(server) == ["a"]
    assert [request.split(b"\r\n")[0] for request in server.requests] == [
        b"GET /news HTTP/1.1",
        b"GET /b HTTP/1.1",
        b"GET /news HTTP/1.1",
    ]
    assert server.times[1] == server.times[0]


@pytest.mark.parametrize(
    "arguments", [{"headers": (("X", "a\nb"),)}, {"headers": (("X", "你"),)}, {"method": "A B"}]
)
async def test_a_request_that_cannot_be_sent_ends_it(arguments: dict[str, object]) -> None:
    decides = Reconnection(URL, **arguments)  # type: ignore[arg-type]
    server = Server([])
    opening = open_event_source(URL, reconnection=decides, connect=server.connect)
    async with opening as source:
        with pytest.raises(EventSourceError, match="the request cannot be sent"):
            await anext(source)
        assert source.state is ReadyState.CLOSED
    assert all(stream.closed for stream in server.streams)


async def test_leaving_the_block_closes_the_connection() -> None:
    server = Server([[HEAD + b"data: a\n\n", "stay"]])
    async with open_event_source(URL, connect=server.connect) as source:
        await anext(source)
        states = [source.state]
    assert [*states, source.state] == [ReadyState.OPEN, ReadyState.CLOSED]
    assert server.streams[0].closed
    with pytest.raises(StopAsyncIteration):
        await anext(source)
