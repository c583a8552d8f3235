"""Whole lives of the event source: cut, cancelled, redirected and refused anywhere."""

from collections.abc import Sequence

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from clients.event_source import EventSourceError, open_event_source
from protocol.sse import EventStreamParser, ServerSentEvent, encode_event

from ..cancelling import at_each_await
from ..streams import MemoryStream, receive_until
from .test_event_source import HEAD, NO_MORE, URL, Server, exactly, last_event_ids, read_all


class HonestServer(Server):
    """A server that honours ids: it sends what follows the last event ID of the request.

    Args:
        scripts: For each connection a number of bytes, and how it ends after them: "fin", "reset",
            "302" (a redirect in place of the stream) or "refuse". The others send all.
        events: The events, with the ids "1", "2", …
    """

    def __init__(self, scripts: Sequence[tuple[int, str]], events: Sequence[bytes]) -> None:
        super().__init__([["refuse"] if how == "refuse" else [f"{n} {how}"] for n, how in scripts])
        self.events = events

    async def _serve(self, stream: MemoryStream, script: Sequence[bytes | str]) -> None:
        size, how = str(script[0]).split() if script != [NO_MORE] else ("1000000", "fin")
        try:
            self.requests.append(await receive_until(stream, b"\r\n\r\n"))
            seen = int(last_event_ids(self)[-1] or 0)
            if how == "302":
                await stream.send_all(b"HTTP/1.1 302 X\r\nLocation: /\r\n\r\n")
            elif seen == len(self.events):
                await stream.send_all(NO_MORE)
            else:
                await stream.send_all((HEAD + b"".join(self.events[seen:]))[: int(size)])
                await trio.sleep(0.001)
            if how == "reset":
                stream.reset()
            else:
                stream.close()
        except (trio.BrokenResourceError, AssertionError):
            pass  # the client has closed first


async def test_cancelled_at_each_await(autojump_clock: MockClock) -> None:
    """The next wait continues: each event once, in order; and nothing stays open."""
    events = [b"id: %d\ndata: %d\n\n" % (number, number) for number in (1, 2, 3)]
    scripts = [(len(HEAD) + 20, "fin"), (0, "refuse"), (0, "302"), (len(HEAD) + 20, "reset")]
    runs = 0
    for cancelled in at_each_await():
        runs += 1
        server = HonestServer(scripts, events)
        seen: list[str] = []
        reconnection = exactly()
        async with open_event_source(
            URL, reconnection=reconnection, connect=server.connect
        ) as source:
            with cancelled:
                async for event in source:
                    seen.append(event.data)
            async for event in source:
                seen.append(event.data)
        assert seen == ["1", "2", "3"]
        assert all(stream.closed for stream in server.streams)
    assert runs > 20


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
HOW = st.sampled_from(["fin", "reset", "refuse", "302"])


@given(st.lists(TEXT, min_size=1, max_size=8), st.lists(st.tuples(st.integers(0, 400), HOW)))
def test_whole_lives(texts: list[str], breaks: list[tuple[int, str]]) -> None:
    """A server that honours ids is cut anywhere, any number of times: nothing lost or doubled."""
    events = [
        encode_event(ServerSentEvent("message", text, str(number)))
        for number, text in enumerate(texts, 1)
    ]
    expected = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]

    async def live() -> list[str]:
        return await read_all(HonestServer(breaks, events))

    assert trio.run(live, clock=MockClock(autojump_threshold=0)) == expected


PIECES = [
    b"data: a",
    b"data",
    b"id: 1",
    b"id: 2",
    b"id",
    b"id: \0",
    b"event: x",
    b"retry: 5",
    b": c",
]
BODY = st.lists(
    st.sampled_from([*PIECES, b"\n", b"\n\n", b"\r", b"\r\n\r\n", "你".encode()])
    | st.binary(max_size=3)
).map(b"".join)
ANSWER = st.sampled_from(
    [HEAD, b"HTTP/1.1 302 X\r\nLocation: /\r\n\r\n", b"", b"HTTP/1.1 404 X\r\n\r\n"]
)
ENDS = st.sampled_from([None, "reset", "refuse"])


@given(st.lists(st.tuples(ANSWER, BODY, ENDS), max_size=6))
def test_any_server(life: list[tuple[bytes, bytes, str | None]]) -> None:
    """Any bytes, statuses, redirects and ends: the events are those of the parser, and each request
    names the id of the last event that was dispatched."""
    scripts: list[list[bytes | str]] = []
    wanted: list[str] = []
    ids: list[str] = []
    id = ""
    for head, body, end in (*life, (NO_MORE, b"", None)):
        if end == "refuse":
            scripts.append(["refuse"])
            continue
        try:  # an id may have bytes that no header may contain: that is the end
            headers = dict(exactly(last_event_id=id).next_request()[2])
        except EventSourceError:
            break
        ids.append(headers.get("Last-Event-ID", "").encode("latin-1").decode())
        scripts.append([head + body, *([end] if end else [])])
        if head == HEAD:
            parser = EventStreamParser(id)
            wanted += [event.data for event in parser.receive_data(body)]
            id = parser.last_event_id
        elif head.startswith((b"HTTP/1.1 404", NO_MORE)):
            break
    server = Server(scripts)
    seen: list[str] = []

    async def live() -> None:
        async with open_event_source(URL, reconnection=exactly(), connect=server.connect) as source:
            async for event in source:
                seen.append(event.data)

    try:
        trio.run(live, clock=MockClock(autojump_threshold=0))
    except EventSourceError:
        pass
    assert seen == wanted
    assert [name or "" for name in last_event_ids(server)] == ids
    assert all(stream.closed for stream in server.streams)
