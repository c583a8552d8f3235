"""Heartbeats, slow readers, timeouts and one-byte segments in a relayed body."""

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from clients.streams.tcp import READ_SIZE
from protocol.chunked import ChunkedDecoder, encode_chunk
from protocol.sse import BOM, EventStreamParser
from servers.http.connection import Limits
from servers.openai_proxy.relay import Timeouts

from ...streams import MemoryStream, receive_all, receive_until
from .fake_api import END, EVENTS, chunked, whole
from .in_memory import Between, between
from .test_relay import BODY, JSON, decoded, parts, post

HEARTBEAT = b": keep-alive\n"
LIMITS = Limits(heartbeat_seconds=10)
EVENT = b'data: {"n":1}\n\n'
DONE = b"data: [DONE]\n\n"


async def asked(proxy: Between, body: bytes = BODY) -> MemoryStream:
    """Send a request. Returns the API's end after the request has come."""
    await proxy.client.send_all(post(body=body))
    api = await proxy.connected()
    await receive_until(api, body)
    return api


async def finished(proxy: Between, api: MemoryStream) -> tuple[bytes, bool]:
    """End the API's body. Returns the body that the client got, and whether it was complete."""
    await api.send_all(chunked(DONE) + END)
    return decoded(parts(await receive_all(proxy.client))[1])


# ---- heartbeats


async def test_heartbeats_while_the_api_is_silent(autojump_clock: MockClock) -> None:
    async with between(limits=LIMITS) as proxy:
        api = await asked(proxy)
        await trio.sleep(25)  # before the head nothing can be sent
        await api.send_all(EVENTS)
        await trio.sleep(25)
        await api.send_all(chunked(EVENT))
        await trio.sleep(15)
        assert await finished(proxy, api) == (HEARTBEAT * 2 + EVENT + HEARTBEAT + DONE, True)


INSIDE = {
    "an event": [b'data: {"n"', b":1}\n\n"],
    "two lines": [b"event: x\n", b"data: 1\n\n"],
    "before the blank line": [b"data: 1\n", b"\n"],
    "a character": [b"data: \xe4\xbd", b"\xa0\n\n"],
    "a comment": [b": hel", b"lo\n"],
    "CR and LF": [b"data: 1\r\n\r", b"\n"],
}


@pytest.mark.parametrize("pieces", INSIDE.values(), ids=INSIDE)
async def test_no_heartbeat_inside(pieces: list[bytes], autojump_clock: MockClock) -> None:
    """A heartbeat there would break a line, or split a line end of two bytes."""
    async with between(limits=LIMITS) as proxy:
        api = await asked(proxy)
        await api.send_all(EVENTS)
        for piece in pieces:
            await api.send_all(chunked(piece))
            await wait_all_tasks_blocked()
            if piece is not pieces[-1]:
                await trio.sleep(25)
        await trio.sleep(15)
        assert await finished(proxy, api) == (b"".join(pieces) + HEARTBEAT + DONE, True)


async def test_no_heartbeat_in_json(autojump_clock: MockClock) -> None:
    answer = whole(b'{"choices":[]}', "200 OK", JSON)
    async with between(limits=LIMITS) as proxy:
        api = await asked(proxy)
        await api.send_all(answer[:-5])
        await trio.sleep(60)
        await api.send_all(answer[-5:])
        body = parts(await receive_all(proxy.client))[1]
        assert decoded(body) == (b'{"choices":[]}', True)


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
@pytest.mark.parametrize("is_silent", [False, True])
async def test_byte_order_mark_after_a_heartbeat(
    cut: int, is_silent: bool, autojump_clock: MockClock
) -> None:
    """After a heartbeat the BOM is dropped, or the client would misread the first event. Otherwise
    it is relayed."""
    first = BOM + EVENT
    async with between(limits=LIMITS) as proxy:
        api = await asked(proxy)
        await api.send_all(EVENTS)
        await trio.sleep(15 if is_silent else 1)
        for piece in (first[:cut], first[cut:]):
            await api.send_all(chunked(piece))
            await wait_all_tasks_blocked()
        body, complete = await finished(proxy, api)
    assert body == (HEARTBEAT + EVENT + DONE if is_silent else BOM + EVENT + DONE)
    assert complete
    assert [event.data for event in EventStreamParser().receive_data(body)] == ['{"n":1}', "[DONE]"]


async def test_bytes_that_only_begin_like_a_byte_order_mark(autojump_clock: MockClock) -> None:
    """Every byte is relayed."""
    async with between(limits=LIMITS) as proxy:
        api = await asked(proxy)
        await api.send_all(EVENTS)
        await trio.sleep(15)
        for piece in (BOM[:2], b"\xbe: x\n", EVENT):
            await api.send_all(chunked(piece))
            await wait_all_tasks_blocked()
        body, _ = await finished(proxy, api)
    assert body == HEARTBEAT + BOM[:2] + b"\xbe: x\n" + EVENT + DONE


# ---- slow readers


SIZE = 8 << 10  # bytes that each direction of each connection can hold
SECONDS = 60


async def test_a_slow_reader_pauses_the_api(autojump_clock: MockClock) -> None:
    """The client reads 1 KiB/s of megabytes. The API can send only what the client has read, plus
    what two connections and one read of ours can hold."""
    events = chunked(b"data: " + b"x" * 242 + b"\n\n") * 100
    sent = 0

    async def pour(api: MemoryStream) -> None:
        nonlocal sent
        while True:
            await api.wait_writable()
            sent += api.send_now(events[sent % len(events) :])

    async with between(size=SIZE) as proxy, trio.open_nursery() as nursery:
        api = await asked(proxy)
        await api.send_all(EVENTS)
        nursery.start_soon(pour, api)
        read = 0
        for _ in range(SECONDS):
            read += len(await proxy.client.receive_some(1 << 10))
            await trio.sleep(1)
            assert sent <= read + 2 * SIZE + READ_SIZE
        assert read > (SECONDS - 2) << 10  # the first read may return only the head
        nursery.cancel_scope.cancel()


async def test_slow_reader_does_not_cause_an_idle_timeout(autojump_clock: MockClock) -> None:
    """A stalled client blocks the API, so the idle timeout restarts after the stall."""
    timeouts = Timeouts(idle=5)
    long = b"data: " + b"x" * 6000
    async with between(timeouts=timeouts, size=4096) as proxy:
        api = await asked(proxy)
        await api.send_all(EVENTS + chunked(EVENT))
        await api.send_all(chunked(long))
        await trio.sleep(60)  # the client reads nothing
        received = await proxy.client.receive_some()
        received += await proxy.client.receive_some()
        await trio.sleep(4)
        await api.send_all(chunked(b"\n\n") + chunked(DONE) + END)
        received += await receive_all(proxy.client)
    assert decoded(parts(received)[1]) == (EVENT + long + b"\n\n" + DONE, True)


# ---- timeouts


async def test_each_event_resets_the_idle_timeout(autojump_clock: MockClock) -> None:
    """Comments do not reset it. The error names the timeout and its seconds."""
    timeouts, limits = Timeouts(first_event=20, idle=5), Limits(heartbeat_seconds=3600)
    async with between(timeouts=timeouts, limits=limits) as proxy:
        api = await asked(proxy)
        await api.send_all(EVENTS)
        await trio.sleep(19)
        for _ in range(10):
            await api.send_all(chunked(EVENT))
            await trio.sleep(4)
        await api.send_all(chunked(b": still here\n"))
        since = trio.current_time()
        with trio.fail_after(2):
            body = parts(await receive_all(proxy.client))[1]
        assert trio.current_time() - since <= 1.5  # 1 s was left, plus the final wait
        proxy.client.close()
        await proxy.api_sees_the_end(api)
    data, complete = decoded(body)
    assert not complete
    assert data.startswith(EVENT * 10 + b": still here\n")
    assert b"was silent for 5 s (idle timeout)" in data
    assert b'"code":"upstream_idle_timeout"' in data


@pytest.mark.parametrize("sent", [b"", EVENTS, EVENTS + chunked(b": still here\n\n")])
async def test_no_first_event(sent: bytes, autojump_clock: MockClock) -> None:
    """Comments do not count: a stalled API may still send heartbeats."""
    async with between(timeouts=Timeouts(first_event=20, idle=5)) as proxy:
        api = await asked(proxy)
        since = trio.current_time()
        if sent:
            await api.send_all(sent)
        reply = await receive_all(proxy.client)
        assert 20 <= trio.current_time() - since <= 20.5  # with a moment for the final wait
    assert reply.startswith(b"HTTP/1.1 200 " if sent else b"HTTP/1.1 504 ")
    assert b'"code":"upstream_first_event_timeout"' in reply
    assert not reply.endswith(END)


@pytest.mark.parametrize("first_event", [300, 120, 10, 5])
@pytest.mark.parametrize("after", [0, 1, 4.5])
async def test_silence_after_the_first_event(
    first_event: float, after: float, autojump_clock: MockClock
) -> None:
    """The idle timeout starts at the first event, however long the first-event timeout is."""
    timeouts, limits = Timeouts(first_event=first_event, idle=5), Limits(heartbeat_seconds=3600)
    async with between(timeouts=timeouts, limits=limits) as proxy:
        api = await asked(proxy)
        await api.send_all(EVENTS)
        await trio.sleep(after)
        await api.send_all(chunked(EVENT))
        since = trio.current_time()
        data, complete = decoded(parts(await receive_all(proxy.client))[1])
        assert 5 <= trio.current_time() - since <= 5.5  # with a moment for the final wait
    assert data.startswith(EVENT + b'data: {"error"')
    assert b'"code":"upstream_idle_timeout"' in data
    assert not complete


STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
TWO = b'{"model":"gpt-4o-mini","n":2}'
COMPLETED = b'data: {"type":"response.completed","response":{"usage":null}}\n\n'


@pytest.mark.parametrize("timeouts", [Timeouts(idle=5), Timeouts(total=5)])
@pytest.mark.parametrize(
    ("asked_for", "sent", "words"),
    [
        (BODY, EVENT + STOP, "finish_reason came, no end mark"),
        (BODY, EVENT + STOP + DONE, "done"),
        (BODY, EVENT + COMPLETED, "done"),
        (TWO, EVENT + STOP + STOP, "finish_reason came, no end mark"),
    ],
)
async def test_an_answer_whose_connection_stays_open(
    asked_for: bytes,
    sent: bytes,
    words: str,
    timeouts: Timeouts,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The upstream has answered, and does not close. The client gets all of it, and an end."""
    caplog.set_level(logging.INFO)
    limits = Limits(heartbeat_seconds=3600)
    async with between(timeouts=timeouts, limits=limits) as proxy:
        api = await asked(proxy, asked_for)
        await api.send_all(EVENTS + chunked(sent))
        since = trio.current_time()
        received = await receive_until(proxy.client, END)
        assert trio.current_time() - since == 5
        proxy.client.close()
    assert decoded(parts(received)[1]) == (sent, True)
    assert any(line.endswith(words) for line in caplog.messages)


@pytest.mark.parametrize(
    ("asked_for", "sent"), [(TWO, EVENT + STOP), (BODY, EVENT + STOP + b"data: ")]
)
async def test_a_part_of_an_answer_whose_connection_stays_open(
    asked_for: bytes, sent: bytes, autojump_clock: MockClock
) -> None:
    """The second answer, or half an event, is missing: this is a failure."""
    limits = Limits(heartbeat_seconds=3600)
    async with between(timeouts=Timeouts(idle=5), limits=limits) as proxy:
        api = await asked(proxy, asked_for)
        await api.send_all(EVENTS + chunked(sent))
        data, complete = decoded(parts(await receive_all(proxy.client))[1])
    assert data.startswith(sent)
    assert not complete


async def test_events_do_not_reset_the_total_timeout(autojump_clock: MockClock) -> None:
    async with between(timeouts=Timeouts(total=10)) as proxy:
        api = await asked(proxy)
        await api.send_all(EVENTS)
        for _ in range(10):
            await trio.sleep(0.9)
            await api.send_all(chunked(EVENT))
        data, complete = decoded(parts(await receive_all(proxy.client))[1])
    assert not complete
    assert b"was not done after 10 s (total timeout)" in data
    assert b'"code":"upstream_total_timeout"' in data


# ---- the smallest segments


async def test_one_byte_per_segment_in_both_directions() -> None:
    text = "data: 👩🏽‍🚀 你好\n\n".encode()
    stream = encode_chunk(text) * 5 + encode_chunk(DONE) + END
    received = b""

    async def read(client: MemoryStream) -> None:
        nonlocal received
        received = await receive_all(client)

    async with between(size=1) as proxy, trio.open_nursery() as nursery:
        nursery.start_soon(read, proxy.client)
        api = await asked(proxy)
        await api.send_all(EVENTS + stream)
    decoder = ChunkedDecoder()
    assert b"".join(decoder.receive_data(parts(received)[1])) == text * 5 + DONE
    assert decoder.complete


@pytest.mark.parametrize("before", [b"", chunked(EVENT)], ids=["alone", "after an event"])
async def test_bad_framing_is_reported_at_once(before: bytes, autojump_clock: MockClock) -> None:
    """The proxy needs no more bytes and no timeout to report it."""
    async with between() as proxy:
        api = await asked(proxy)
        await api.send_all(EVENTS)
        await wait_all_tasks_blocked()
        await api.send_all(before + b"xyz\r\n")
        with trio.fail_after(1):
            data, complete = decoded(parts(await receive_all(proxy.client))[1])
    assert b'"code":"upstream_bad_response"' in data
    assert data.startswith(EVENT if before else b'data: {"error"')
    assert not complete
