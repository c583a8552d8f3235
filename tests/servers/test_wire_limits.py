"""The limits of recordings: how much, how many, how long; what is missing is told."""

import base64
from contextlib import aclosing

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from protocol.anatomy import Span
from servers.access import Access
from servers.chat import routes
from servers.pace import Pace
from servers.reply import Ending
from servers.wire import Done, Missing, Recording, Sent

from ..streams import memory_pair, receive_until
from .driving import Memory, ask, connected, get
from .test_wire import (
    QUESTION,
    WIRE,
    Held,
    all_spans,
    collect,
    decode,
    post,
    wire,
    wire_of,
    written,
)


async def test_a_recording_over_its_limit_tells_what_is_missing() -> None:
    """The oldest goes; what follows is described as if all were there."""
    for max_sends, max_size in ((3, 1000), (100, 15)):
        recording = Recording(max_sends=max_sends, max_size=max_size)
        recording.through(memory_pair()[0])
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for data in (head, b"3\r\nabc", b"\r\n2\r\n", b"hi\r\n", b"0\r\n\r\n"):
            recording.note(data)
        recording.end(Ending.DONE)
        if max_sends == 3:
            missing, *sent, done = await collect(recording.replay())
            assert missing == Missing(2, len(head) + 6)
            assert [event.bytes for event in sent if isinstance(event, Sent)] == [
                b"\r\n2\r\n",
                b"hi\r\n",
                b"0\r\n\r\n",
            ]
            start = len(head) + 6
            assert all_spans(sent)[:3] == [
                Span("CRLF", start, start + 2, 1),
                Span("chunk-size", start + 2, start + 3, 2),
                Span("CRLF", start + 3, start + 5, 2),
            ]
        else:  # each description is larger than that
            missing, done = await collect(recording.replay())
            assert missing == Missing(5, len(head) + 6 + 5 + 4 + 5)
        assert isinstance(done, Done)
        assert (done.sends, done.chunks, done.size) == (5, 2, len(head) + 6 + 5 + 4 + 5)


async def test_a_reader_that_is_too_slow_is_told_what_it_missed() -> None:
    recording = Recording(max_sends=2)
    recording.through(memory_pair()[0])
    async with aclosing(recording.replay()) as pieces:
        recording.note(b"a")
        (first,) = decode(await anext(pieces))  # type: ignore[arg-type]
        for data in (b"b", b"c", b"d"):
            recording.note(data)
        (missing,) = decode(await anext(pieces))  # type: ignore[arg-type]
        assert (isinstance(first, Sent), missing) == (True, Missing(1, 1))
        (third,) = decode(await anext(pieces))  # type: ignore[arg-type]
        assert isinstance(third, Sent)
        assert (third.bytes, third.offset) == (b"c", 2)


def test_bytes_are_base64() -> None:
    numbers = dict.fromkeys(("sends", "chunks", "events", "tokens", "size", "body", "text"), 1)
    sent = Sent(at=1.5, offset=0, bytes=b"\xff", spans=[Span("head", 0, 1)], **numbers)
    data = msgspec.json.decode(msgspec.json.encode(sent))
    assert base64.b64decode(data["bytes"]) == b"\xff"
    assert data["spans"] == [["head", 0, 1, 0, 0, 0]]


async def open_recording(held: Held, chat: Memory) -> str:
    await chat.client.send_all(get("/", WIRE))
    return wire_of([await receive_until(chat.client, b"\r\n\r\n")])


async def test_recordings_are_few() -> None:
    """The oldest that has ended makes room; if none has, the reply is not recorded."""
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
async def test_who_gets_nothing_pushes_no_recording_out(hostile: bytes) -> None:
    """It could not read a recording of its own."""
    table = routes(Pace(0, 0), access=Access(["sesame"]))
    kept = wire_of(await written(table, post("/v1/chat/completions", QUESTION, WIRE, KEY)))
    for _ in range(17):
        assert wire_of(await written(table, hostile)) == ""
    assert (await ask(table, get(kept, KEY))).startswith(b"HTTP/1.1 200 ")


async def test_a_recording_is_forgotten(autojump_clock: MockClock) -> None:
    table = routes(Pace(0, 0))
    async with connected(table) as memory:
        await memory.client.send_all(get("/chat/hi", WIRE))
        path = wire_of([await receive_until(memory.client, b"0\r\n\r\n")])
        await trio.sleep(590)
        assert (await wire(table, path)).status == 200
        await trio.sleep(80)
        assert (await wire(table, path)).status == 404


async def test_what_the_kernel_did_not_take_is_not_recorded() -> None:
    """A write into a full buffer is noted in parts, as it left."""
    recording = Recording()
    _, server = memory_pair(4)
    outlet = recording.through(server)
    assert outlet.send_now(b"HTTP/1.1") == 4
    assert outlet.send_now(b"/1.1") == 0
    recording.end(Ending.FAILED)
    sent, done = await collect(recording.replay())
    assert isinstance(sent, Sent)
    assert sent.bytes == b"HTTP"
    assert isinstance(done, Done)
    assert (done.size, done.sends) == (4, 1)
