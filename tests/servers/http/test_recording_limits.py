"""The limits of recordings: their size, number and age; and the events for missing bytes."""

import base64
from contextlib import aclosing

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from protocol.anatomy import ByteSpan, ResponseAnatomy
from servers.chat import routes
from servers.http.access import Access
from servers.http.recordings import Missing, ReplyDone, ReplyRecording, Sent
from servers.http.reply import Ending, Last
from servers.llm.pace import Pace

from ...streams import memory_pair, receive_until
from ..driving import Memory, ask, connected, get
from ..turns import counted_turns
from .test_recordings import (
    QUESTION,
    WIRE,
    Held,
    collect,
    post,
    wire,
    wire_of,
    written,
)

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SENDS = (HEAD, b"3\r\nabc", b"\r\n2\r\n", b"hi\r\n", b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("max_sends", "max_size", "kept"), [(3, 1000, 3), (100, len(HEAD) + 6, 2), (100, 15, 0)]
)
async def test_a_recording_that_nobody_read_keeps_its_beginning(
    max_sends: int, max_size: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender, for which all streams wait, never describes bytes."""
    recording = ReplyRecording(max_sends=max_sends, max_size=max_size)
    recording.wrap(memory_pair()[0])
    with monkeypatch.context() as patch:
        patch.setattr(ResponseAnatomy, "receive_data", None)
        for data in SENDS:
            recording.note(data)
        recording.end(Ending.DONE)
    *sent, missing, done = await collect(recording.replay())
    assert [event.bytes for event in sent if isinstance(event, Sent)] == list(SENDS[:kept])
    assert missing == Missing(5 - kept, len(b"".join(SENDS[kept:])))
    assert isinstance(done, ReplyDone)
    assert (done.sends, done.size, done.error) == (5, len(b"".join(SENDS)), "")
    assert done.chunks == {3: 2, 2: 1, 0: 0}[kept]


async def test_an_answer_of_25000_tokens_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults have room for all of it, although its reader is slower than the answer."""
    monkeypatch.setattr(ResponseAnatomy, "receive_data", lambda *_: [])
    recording = ReplyRecording()
    recording.wrap(memory_pair()[0])
    recording.note(HEAD)
    async with aclosing(recording.replay()) as pieces:
        await anext(pieces)
        for _ in range(25_000):
            recording.note(b"x" * 300)
        recording.end(Ending.DONE)
        kinds = [(p.piece if isinstance(p, Last) else p)[:13] async for p in pieces]
    assert kinds == [b"event: sent\nd"] * 25_000 + [b"event: done\nd"]


async def test_a_large_write_is_described_in_many_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its readers describes it, a few KB at a time, and gets the same events."""
    body = b"".join(b"data: %d\n\n" % number for number in range(20_000))
    recording = ReplyRecording(max_size=100 << 20)
    recording.wrap(memory_pair()[0])
    head = HEAD[:-2] + b"Content-Type: text/event-stream\r\n\r\n"
    recording.note(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    recording.end(Ending.DONE)
    receive_data = ResponseAnatomy.receive_data
    with counted_turns() as turns:

        def counted(anatomy: ResponseAnatomy, data: bytes) -> list[ByteSpan]:
            turns.did(len(data))
            return receive_data(anatomy, data)

        monkeypatch.setattr(ResponseAnatomy, "receive_data", counted)
        read: list[list[object]] = []

        async def reader() -> None:
            read.append([*await collect(recording.replay())])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader)
            nursery.start_soon(reader)
    assert turns.most <= 8 << 10
    assert read[0] == read[1]
    sent, done = read[0]
    assert isinstance(sent, Sent)
    assert isinstance(done, ReplyDone)
    assert (sent.events, done.error, done.how) == (20_000, "", "done")
    assert turns.total == 2 * sent.size


def test_bytes_are_base64() -> None:
    numbers = dict.fromkeys(("sends", "chunks", "events", "tokens", "size", "body", "text"), 1)
    sent = Sent(at=1.5, offset=0, bytes=b"\xff", spans=[ByteSpan("head", 0, 1)], **numbers)
    data = msgspec.json.decode(msgspec.json.encode(sent))
    assert base64.b64decode(data["bytes"]) == b"\xff"
    assert data["spans"] == [["head", 0, 1, 0, 0, 0]]


async def open_recording(held: Held, chat: Memory) -> str:
    await chat.client.send_all(get("/", WIRE))
    return wire_of([await receive_until(chat.client, b"\r\n\r\n")])


async def test_recordings_are_few() -> None:
    """The oldest that has ended is evicted; if none has ended, the reply is not recorded."""
    held = Held(max_recordings=1)

    async def exists(path: str) -> bool:
        return (await wire(held.table, path)).status == 200

    async with connected(held.table) as first:
        running = await open_recording(held, first)
        assert await exists(running)
        async with connected(held.table) as second:
            assert await open_recording(held, second) == ""
            assert await exists(running)
            first.client.reset()
            await held.words.send(b"x")
            await held.words.send(b"y")
            await wait_all_tasks_blocked()
        async with connected(held.table) as third:
            path = await open_recording(held, third)
            assert path not in ("", running)
            assert not await exists(running)


KEY = "Authorization: Bearer sesame"
NOTHING = {
    "no key": get("/", WIRE),
    "no key for a question": post("/v1/chat/completions", QUESTION, WIRE),
    "the wrong key": get("/chat/hi", WIRE, KEY.replace("sesame", "open")),
}


@pytest.mark.parametrize("hostile", NOTHING.values(), ids=NOTHING)
async def test_a_refused_request_evicts_no_recording(hostile: bytes) -> None:
    """Its client may not read recordings."""
    table = routes(Pace(0, 0), access=Access(["sesame"]))
    kept = wire_of(await written(table, post("/v1/chat/completions", QUESTION, WIRE, KEY)))
    for _ in range(17):
        assert wire_of(await written(table, hostile)) == ""
    assert (await ask(table, get(kept, KEY))).startswith(b"HTTP/1.1 200 ")


async def test_an_old_recording_is_evicted(autojump_clock: MockClock) -> None:
    table = routes(Pace(0, 0))
    async with connected(table) as memory:
        await memory.client.send_all(get("/chat/hi", WIRE))
        path = wire_of([await receive_until(memory.client, b"0\r\n\r\n")])
        await trio.sleep(590)
        assert (await wire(table, path)).status == 200
        await trio.sleep(80)
        assert (await wire(table, path)).status == 404


async def test_what_the_kernel_did_not_take_is_not_recorded() -> None:
    """A write into a full buffer is recorded in parts, as the kernel took it."""
    recording = ReplyRecording()
    _, server = memory_pair(4)
    outlet = recording.wrap(server)
    assert outlet.send_now(b"HTTP/1.1") == 4
    assert outlet.send_now(b"/1.1") == 0
    recording.end(Ending.FAILED)
    sent, done = await collect(recording.replay())
    assert isinstance(sent, Sent)
    assert sent.bytes == b"HTTP"
    assert isinstance(done, ReplyDone)
    assert (done.size, done.sends) == (4, 1)


async def test_a_large_write_is_recorded_in_parts() -> None:
    """A recorded reply is written in parts, each small enough to be encoded in one turn."""
    held = Held()
    async with connected(held.table, size=1 << 20) as chat:
        await chat.client.send_all(get("/", WIRE))
        await receive_until(chat.client, b"\r\n\r\n")
        await held.words.send(b"x" * 300_000)
        await receive_until(chat.client, b"x\r\n")
        assert max(map(len, chat.server.writes)) == 64 << 10
        assert b"".join(chat.server.writes).endswith(b"\r\n493e0\r\n" + b"x" * 300_000 + b"\r\n")
