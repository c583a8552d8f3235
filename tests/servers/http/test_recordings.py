"""The events of a recording: the bytes that were sent, each in one span, as they are sent."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from protocol.anatomy import ByteSpan, ResponseAnatomy
from protocol.sse import EventStreamParser, ServerSentEvent
from servers.chat import routes
from servers.http.access import Access
from servers.http.body import Outlet
from servers.http.recordings import Missing, RecordingStore, ReplyDone, ReplyRecording, Sent
from servers.http.reply import Ending, Handler, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.llm.pace import Pace

from ...protocol.test_anatomy import covers
from ...saying import answer
from ...streams import receive_until
from ..driving import Memory, ask, connected, get, streaming

WIRE = "X-Wire: 1"
QUESTION = """\
{"model":"sim-1","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"你"}]}
""".encode()
IN_ONE_PIECE = QUESTION.replace(b"true", b"false")

T = TypeVar("T", Sent, Missing, ReplyDone)
Event = Sent | Missing | ReplyDone
KINDS: dict[str, type[Event]] = {"sent": Sent, "missing": Missing, "done": ReplyDone}


def read(event: ServerSentEvent) -> Event:
    return msgspec.json.decode(event.data, type=KINDS[event.event])


def decode(stream: bytes) -> list[Event]:
    """The events of `GET /wire/{id}`."""
    return [read(event) for event in EventStreamParser().receive_data(stream)]


async def collect(pieces: AsyncGenerator[bytes | Last, None]) -> list[Event]:
    stream = b""
    async with aclosing(pieces):
        async for piece in pieces:
            stream += piece.piece if isinstance(piece, Last) else piece
    return decode(stream)


def post(path: str, body: bytes, *fields: str, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: a", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def all_spans(events: Sequence[Event]) -> list[ByteSpan]:
    spans = [span for event in events if not isinstance(event, Missing) for span in event.spans]
    return sorted(spans, key=lambda span: span.start)


async def written(table: Routes, request: bytes) -> list[bytes]:
    """The writes of a server in reply to a request."""
    async with connected(table) as memory:
        await memory.client.send_all(request)
        await memory.client.send_eof()
        try:
            while await memory.client.receive_some():
                pass
        except trio.BrokenResourceError:
            pass
        return memory.server.writes


async def record(table: Routes, request: bytes) -> tuple[list[bytes], list[Event]]:
    """The writes of a server in reply to a request, and the events of their recording."""
    writes = await written(table, request)
    reply = await wire(table, wire_of(writes))
    assert isinstance(reply, StreamingReply)
    assert isinstance(reply.source, AsyncGenerator)
    return writes, await collect(reply.source)


async def wire(table: Routes, path: str) -> Reply | StreamingReply:
    """The reply of the handler of this path."""
    handler, params = table.find("GET", path)
    assert not isinstance(handler, Reply)
    return await handler(Request("GET", path, params=params))


def wire_of(writes: Sequence[bytes]) -> str:
    return b"".join(writes).partition(b"\r\nX-Wire: ")[2].partition(b"\r\n")[0].decode()


CHAT = post("/v1/chat/completions", QUESTION, WIRE)
RESPONSES = post(
    "/v1/responses", b'{"model":"sim-1","stream":true,"input":"hi"}', WIRE, version="1.0"
)
REQUESTS = {
    "text": (get("/", WIRE), 0),
    "named events": (get("/chat/%E4%BD%A0", WIRE), 142),
    "chat": (CHAT, 9),
    "chat, in one piece": (post("/v1/chat/completions", IN_ONE_PIECE, WIRE), 0),
    "responses, HTTP/1.0": (RESPONSES, 150),
    "HEAD": (b"HEAD /chat/hi HTTP/1.1\r\nHost: a\r\nX-Wire: 1\r\n\r\n", 0),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_each_write_has_its_event(name: str, autojump_clock: MockClock) -> None:
    """One event per write, in order, with its time and offset. Every byte is in one span."""
    request, tokens = REQUESTS[name]
    writes, events = await record(routes(Pace(1, 0.5)), request)
    *sent, done = events
    assert isinstance(done, ReplyDone)
    place = 0
    for event, write in zip(sent, writes, strict=True):
        assert isinstance(event, Sent)
        assert (event.offset, event.bytes) == (place, write)
        place += len(write)
    covers(all_spans(events), place)
    assert (done.how, done.error, done.sends, done.size) == ("done", "", len(writes), place)
    assert done.tokens == tokens
    if tokens:
        times = [event.at for event in sent if isinstance(event, Sent)]
        assert times[0] == 0
        assert times[-3:] == pytest.approx([times[-1] - 1000, times[-1] - 500, times[-1]])
        assert done.at == times[-1]


async def test_tokens_are_distinguished_from_their_envelope() -> None:
    """The bytes of 你, and the bytes around them."""
    writes, events = await record(routes(Pace(0, 0)), get("/chat/%E4%BD%A0", WIRE))
    stream = b"".join(writes)
    tokens = [stream[span.start : span.end] for span in all_spans(events) if span.token]
    said = answer("你")
    text = "".join([*said.thinking, *said.text])
    assert msgspec.json.decode(b'"%b"' % b"".join(tokens)) == text
    done = events[-1]
    assert isinstance(done, ReplyDone)
    assert done.text == sum(map(len, tokens))
    assert done.events == done.tokens + 1


async def test_a_request_without_x_wire_is_not_recorded() -> None:
    for field in ("X-Wire: 0", "X-Other: 1"):
        reply = await ask(routes(Pace(0, 0)), get("/chat/hi", field))
        assert b"x-wire" not in reply.lower()


async def test_an_unrecorded_reply_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its body writes to the connection directly."""
    outlets: list[Outlet] = []

    class Noting:
        async def send_to(self, body: object) -> None:
            outlets.append(body._outlet)  # type: ignore[attr-defined]

    async def handler(request: Request) -> StreamingReply:
        return StreamingReply(Noting())

    recordings = RecordingStore()
    table = Routes({"GET /": recordings.recorded(handler)})
    async with connected(table) as memory:
        await memory.client.send_all(get())
        await wait_all_tasks_blocked()
        assert outlets == [memory.server]


# ---- Live


class Held:
    """A reply whose words the test chooses, and its recording."""

    def __init__(self, max_recordings: int = 16) -> None:
        self.words, self._heard = trio.open_memory_channel[bytes](100)
        recordings = RecordingStore(max_recordings=max_recordings)
        self.table = Routes(
            {
                "GET /": recordings.recorded(streaming(self._pieces)),
                "GET /wire/{id}": recordings.replay,
            }
        )

    async def _pieces(self) -> AsyncGenerator[bytes | Last, None]:
        async for word in self._heard:
            yield word


class Reading:
    """A client of `GET /wire/{id}`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._parser = EventStreamParser()
        self._data = b""
        self._events: list[Event] = []

    async def next(self) -> Event:
        while not self._events:
            self._data += await self._memory.client.receive_some()
            body = [
                self._data[span.start : span.end]
                for span in ResponseAnatomy().receive_data(self._data)
                if span.chunk and span.label not in ("chunk-size", "CRLF")
            ]
            told = EventStreamParser().receive_data(b"".join(body))
            self._events = [read(event) for event in told[self._told :]]
            self._told += len(self._events)
        return self._events.pop(0)

    _told = 0


async def test_a_write_is_reported_before_the_next_exists() -> None:
    held = Held()
    async with connected(held.table) as chat:
        await chat.client.send_all(get("/", WIRE))
        head = await receive_until(chat.client, b"\r\n\r\n")
        async with connected(held.table) as wire:
            await wire.client.send_all(get(wire_of([head])))
            reading = Reading(wire)
            sent = await reading.next()
            assert isinstance(sent, Sent)
            assert sent.bytes == head
            for word in (b"one", b"two", b"three"):
                await held.words.send(word)
                sent = await reading.next()
                assert isinstance(sent, Sent)
                assert sent.bytes == b"%x\r\n%b\r\n" % (len(word), word)
            await held.words.aclose()
            sent, done = await reading.next(), await reading.next()
            assert isinstance(sent, Sent)
            assert sent.bytes == b"0\r\n\r\n"
            assert isinstance(done, ReplyDone)
            assert done.how == "done"


async def test_a_disconnect_is_reported() -> None:
    held = Held()
    async with connected(held.table) as chat:
        await chat.client.send_all(get("/", WIRE))
        head = await receive_until(chat.client, b"\r\n\r\n")
        chat.client.close()
        await held.words.send(b"a")  # answered with an RST
        await held.words.send(b"b")
        await wait_all_tasks_blocked()
    async with connected(held.table) as wire:
        await wire.client.send_all(get(wire_of([head])))
        reading = Reading(wire)
        events = [await reading.next() for _ in range(3)]
        assert isinstance(events[2], ReplyDone)
        assert events[2].how == Ending.DISCONNECTED.value
        assert events[2].error == ""


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNFINISHED = "the chunked body ended early: expected a hex digit of the chunk-size"
MALFORMED = "expected a hex digit of the chunk-size, not b'x'"


@pytest.mark.parametrize(
    ("sent", "how", "error"),
    [
        (b"1\r\na\r\n", Ending.DISCONNECTED, ""),
        (b"1\r\na\r\n", Ending.FAILED, UNFINISHED),
        (b"1\r\na\r\n", Ending.RESET, UNFINISHED),
        (b"xyz\r\n", Ending.DISCONNECTED, MALFORMED),
        (b"xyz\r\n", Ending.DONE, MALFORMED),
    ],
)
async def test_the_cause_of_an_end(sent: bytes, how: Ending, error: str) -> None:
    """A disconnect is not an error; a truncation by the server is one, and so are wrong bytes."""
    recording = ReplyRecording()
    recording.note(HEAD + sent)
    recording.end(how)
    done = (await collect(recording.replay()))[-1]
    assert isinstance(done, ReplyDone)
    assert (done.how, done.error) == (how.value, error)


class SlowOutlet:
    """The machine runs another task after each write, for 20 ms."""

    def __init__(self, clock: MockClock) -> None:
        self._clock = clock

    def send_now(self, data: bytes) -> int:
        self._clock.jump(0.02)
        return len(data)

    async def wait_writable(self) -> None:
        raise NotImplementedError


async def test_a_write_has_the_time_at_which_it_began(mock_clock: MockClock) -> None:
    """Otherwise a client may have read it before."""
    recording = ReplyRecording()
    recording.wrap(SlowOutlet(mock_clock)).send_now(HEAD)
    recording.end(Ending.DONE)
    sent, done = await collect(recording.replay())
    assert isinstance(sent, Sent)
    assert isinstance(done, ReplyDone)
    assert (sent.at, done.at) == (0.0, 20.0)


async def test_a_reader_that_does_not_read_slows_down_no_one() -> None:
    """The answer goes on to its end while the reader of its recording reads nothing."""
    held = Held()
    async with connected(held.table) as chat:
        await chat.client.send_all(get("/", WIRE))
        head = await receive_until(chat.client, b"\r\n\r\n")
        async with connected(held.table, size=64) as wire:
            await wire.client.send_all(get(wire_of([head])))
            for _ in range(20):
                await held.words.send(b"x" * 1000)
            await held.words.aclose()
            body = await receive_until(chat.client, b"0\r\n\r\n")
            assert body.count(b"x") == 20_000
            assert len(b"".join(wire.server.writes)) <= 64


# ---- Access


async def test_no_such_recording() -> None:
    reply = await ask(routes(Pace(0, 0)), get("/wire/req_1"))
    assert reply.startswith(b"HTTP/1.1 404 ")
    assert reply.endswith(b"recording: it was never made, or it has been evicted.\n")


async def test_a_recording_is_guarded_like_the_api() -> None:
    """It needs a key, and pages of other origins may not read it."""
    table = routes(Pace(0, 0), access=Access(keys=["sesame"]))
    key = "Authorization: Bearer sesame"
    path = wire_of(await written(table, post("/v1/chat/completions", QUESTION, WIRE, key)))
    assert (await ask(table, get(path))).startswith(b"HTTP/1.1 401 ")
    reply = await ask(table, get(path, key, "Origin: https://evil.example"))
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert b"access-control" not in reply.lower()


async def test_the_id_is_the_requests() -> None:
    reply = await ask(routes(Pace(0, 0)), CHAT)
    id = reply.partition(b"x-request-id: ")[2].partition(b"\r\n")[0].decode()
    assert wire_of([reply]) == f"/wire/{id}"


async def test_a_shared_reply_is_not_changed() -> None:
    """If a handler returns the same reply to all requests, only those with X-Wire are recorded."""
    shared = Reply("hi")

    async def handler(request: Request) -> Reply:
        return shared

    recorded: Handler = RecordingStore().recorded(handler)
    reply = await recorded(Request("GET", "/", headers=(("x-wire", "1"),)))
    assert reply.observer is not None
    assert shared.observer is None
    assert shared.headers == ()
