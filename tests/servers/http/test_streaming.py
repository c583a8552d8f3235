"""Streaming replies: the bytes of each write, and what the two sides learn of an error."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from protocol.sse import ServerSentEvent, encode_event
from servers.http.connection import Limits
from servers.http.reply import EventStream, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes

from ...streams import receive_all, receive_until
from ..driving import (
    CHUNKED,
    CLOSE,
    TEXT,
    Pieces,
    connected,
    echo,
    get,
    head,
    streaming,
)

HEAD = head(200, TEXT, CHUNKED)


async def one_two() -> Pieces:
    yield b"one"
    yield "二".encode()


async def one_and_last() -> Pieces:
    yield b"one"
    yield Last(b"last")
    raise AssertionError("never asked for more")


async def empty_pieces() -> Pieces:
    yield b""
    yield b"one"
    yield b""


async def only_an_empty_last() -> Pieces:
    yield Last(b"")


async def nothing() -> Pieces:
    pieces: list[bytes] = []
    for piece in pieces:
        yield piece


async def long_piece() -> Pieces:
    yield b"x" * 300


WRITES = {
    "one write per piece, the size in bytes": (
        one_two,
        [b"3\r\none\r\n", "3\r\n二\r\n".encode(), b"0\r\n\r\n"],
    ),
    "`Last` is sent in one write with the last chunk": (
        one_and_last,
        [b"3\r\none\r\n", b"4\r\nlast\r\n0\r\n\r\n"],
    ),
    "an empty piece is not a chunk, because that would end the body": (
        empty_pieces,
        [b"3\r\none\r\n", b"0\r\n\r\n"],
    ),
    "an empty Last": (only_an_empty_last, [b"0\r\n\r\n"]),
    "no piece": (nothing, [b"0\r\n\r\n"]),
    "the size in hexadecimal": (long_piece, [b"12c\r\n" + b"x" * 300 + b"\r\n", b"0\r\n\r\n"]),
}


@pytest.mark.parametrize(("pieces", "writes"), WRITES.values(), ids=WRITES)
async def test_writes(pieces: Callable[[], Pieces], writes: list[bytes]) -> None:
    """The head at once, and then each piece as one chunk in one write (RFC 9112 §7.1)."""
    async with connected(Routes({"GET /": streaming(pieces)})) as memory:
        await memory.client.send_all(get() + get())
        await memory.client.send_eof()
        assert await receive_all(memory.client) == (HEAD + b"".join(writes)) * 2
        assert memory.server.writes == [HEAD, *writes] * 2


async def test_writes_to_http_1_0() -> None:
    """No chunks: the pieces as they are, and the end of the connection ends the body."""
    async with connected(Routes({"GET /": streaming(one_and_last)})) as memory:
        await memory.client.send_all(b"GET / HTTP/1.0\r\n\r\n")
        await receive_all(memory.client)
        assert memory.server.writes == [head(200, TEXT, CLOSE), b"one", b"last"]


async def test_event_stream_head() -> None:
    """No cache, no compression, no buffering in proxies, and the type that browsers need."""

    async def events(request: Request) -> StreamingReply:
        return EventStream(one_two(), headers=(("X-Own", "1"),))

    async with connected(Routes({"GET /": events})) as memory:
        await memory.client.send_all(get())
        expected = head(
            200,
            b"Content-Type: text/event-stream; charset=utf-8\r\n",
            b"Cache-Control: no-cache, no-transform\r\n",
            b"X-Accel-Buffering: no\r\n",
            b"X-Own: 1\r\n",
            CHUNKED,
        )
        await receive_until(memory.client, b"0\r\n\r\n")
        assert memory.server.writes[0] == expected


async def test_status_and_type() -> None:
    async def handler(request: Request) -> StreamingReply:
        return StreamingReply(one_two(), 201, "text/x-own", (("X-Own", "1"),))

    async with connected(Routes({"GET /": handler})) as memory:
        await memory.client.send_all(get())
        await receive_until(memory.client, b"0\r\n\r\n")
        expected = head(201, b"Content-Type: text/x-own\r\n", b"X-Own: 1\r\n", CHUNKED)
        assert memory.server.writes[0] == expected


async def test_the_head_is_sent_before_the_first_piece() -> None:
    """The client knows at once that an answer comes, however long the model thinks."""

    async def silent() -> Pieces:
        await trio.sleep_forever()
        yield b""

    async with connected(Routes({"GET /": streaming(silent)})) as memory:
        await memory.client.send_all(get())
        assert await memory.client.receive_some() == HEAD


class Broken:
    """A generator that raises after one piece, and records that it was closed."""

    def __init__(self) -> None:
        self.closed = False

    async def pieces(self) -> Pieces:
        try:
            yield b"one"
            raise ValueError("out of words")
        finally:
            self.closed = True


async def test_generator_that_raises(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """It is truncated, without the last chunk, so no client takes it for complete (RFC 9112 §8).

    The client has 0.3 seconds to close first, because a browser would drop what it has not shown
    yet. No other request is answered.
    """
    broken = Broken()
    async with connected(Routes({"GET /": streaming(broken.pieces)})) as memory:
        await memory.client.send_all(get() + get())
        assert await receive_all(memory.client) == HEAD + b"3\r\none\r\n"
        assert trio.current_time() == pytest.approx(0.3)
    assert broken.closed
    assert "200 GET /: failed after its head, so it is cut off" in caplog.text
    assert "ValueError: out of words" in caplog.text


async def test_generator_that_raises_in_http_1_0(autojump_clock: MockClock) -> None:
    """If the close ends the body, a FIN says that it is complete; only an RST says that it is not
    (rule 3 of connection.py; RFC 9112 §8)."""
    async with connected(Routes({"GET /": streaming(Broken().pieces)})) as memory:
        await memory.client.send_all(b"GET / HTTP/1.0\r\n\r\n")
        received = await receive_until(memory.client, b"one")
        assert received == head(200, TEXT, CLOSE) + b"one"
        with pytest.raises(trio.BrokenResourceError):
            await memory.client.receive_some()


async def test_generator_that_raises_to_a_client_that_closes(autojump_clock: MockClock) -> None:
    """The final wait ends when the client closes."""
    async with connected(Routes({"GET /": streaming(Broken().pieces)})) as memory:
        await memory.client.send_all(get())
        await receive_until(memory.client, b"one\r\n")
        memory.client.close()
        await memory.done.wait()
        assert trio.current_time() == 0


async def test_a_wrong_piece_truncates_the_reply(caplog: pytest.LogCaptureFixture) -> None:
    """A generator that yields text, not bytes, is an error like any other."""

    async def pieces() -> Pieces:
        yield b"one"
        yield "two"  # type: ignore[misc]

    async with connected(Routes({"GET /": streaming(pieces)})) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        assert await receive_all(memory.client) == HEAD + b"3\r\none\r\n"
    assert "failed after its head" in caplog.text


class Endless:
    """Endless pieces, each when the test sets `go`."""

    def __init__(self, piece: bytes = b"more") -> None:
        self.piece = piece
        self.made = 0
        self.closed = trio.Event()
        self.go, self._gate = trio.open_memory_channel[None](1000)

    async def pieces(self) -> Pieces:
        try:
            async for _ in self._gate:
                self.made += 1
                yield self.piece
        finally:
            self.closed.set()


async def test_client_disconnects_between_two_pieces(caplog: pytest.LogCaptureFixture) -> None:
    """The next write notices, and the generator's `finally` runs at once. This is not an error."""
    caplog.set_level("INFO", "servers")
    endless = Endless()
    async with connected(Routes({"GET /": streaming(endless.pieces)})) as memory:
        await memory.client.send_all(get())
        assert await memory.client.receive_some() == HEAD
        memory.client.reset()
        await wait_all_tasks_blocked()
        assert not endless.closed.is_set()
        endless.go.send_nowait(None)
        await memory.done.wait()
        assert endless.closed.is_set()
        assert endless.made == 1
        assert memory.server.closed
    (record,) = caplog.records
    assert record.getMessage() == "200 GET / 0 pieces, 0 bytes, the client disconnected"


async def test_client_disconnects_while_a_piece_waits() -> None:
    """The reader's RST wakes a writer that waits for it."""
    endless = Endless(b"x" * 1000)
    async with connected(Routes({"GET /": streaming(endless.pieces)}), size=300) as memory:
        await memory.client.send_all(get())
        endless.go.send_nowait(None)
        await wait_all_tasks_blocked()
        assert not memory.done.is_set()
        memory.client.reset()
        await memory.done.wait()
        assert endless.closed.is_set()


@pytest.mark.parametrize("how", ["client_disconnected", "abort"])
async def test_silent_generator_is_closed_where_it_stands(how: str) -> None:
    """By the watch, when the kernel reports a disconnect; and by a server that is aborted."""
    endless = Endless()
    async with connected(Routes({"GET /": streaming(endless.pieces)})) as memory:
        await memory.client.send_all(get())
        await wait_all_tasks_blocked()
        getattr(memory.connection, how)()
        await memory.done.wait()
        assert endless.closed.is_set()
        assert memory.server.writes == [HEAD]
        assert memory.server.closed


async def test_fin_is_a_half_close() -> None:
    """`printf … | nc` sends FIN and still reads: the reply goes on, and then both close."""
    endless = Endless()
    async with connected(Routes({"GET /": streaming(endless.pieces)})) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        await wait_all_tasks_blocked()
        for _ in range(3):
            endless.go.send_nowait(None)
        endless.go.close()
        received = await receive_all(memory.client)
        assert received == HEAD + b"4\r\nmore\r\n" * 3 + b"0\r\n\r\n"
        await memory.done.wait()


async def test_back_pressure(autojump_clock: MockClock) -> None:
    """The generator is asked for the next piece when the kernel has taken the last one."""
    endless = Endless(b"x" * 95)  # a chunk of 101 bytes
    async with connected(Routes({"GET /": streaming(endless.pieces)}), size=250) as memory:
        await memory.client.send_all(get())
        assert await receive_until(memory.client, b"\r\n\r\n") == HEAD
        for _ in range(100):
            endless.go.send_nowait(None)
        await trio.sleep(10)
        assert endless.made == 3  # two fit, the third waits, no fourth is made
        await memory.client.receive_some(52)
        await trio.sleep(10)
        assert endless.made == 3  # one byte of the third still waits
        await memory.client.receive_some(1)
        await trio.sleep(10)
        assert endless.made == 4


async def test_finish_closes_an_idle_connection() -> None:
    """A server that stops does not wait for a client that sends no request."""
    async with connected(Routes({"POST /": echo})) as memory:
        await wait_all_tasks_blocked()
        memory.connection.finish()
        await memory.done.wait()
        assert memory.server.writes == []
        assert memory.server.closed


async def test_finish_lets_a_stream_end() -> None:
    """Then the connection is closed: no request is read after it."""
    endless = Endless()
    async with connected(Routes({"GET /": streaming(endless.pieces)})) as memory:
        await memory.client.send_all(get() + get())
        await wait_all_tasks_blocked()
        memory.connection.finish()
        endless.go.send_nowait(None)
        endless.go.close()
        assert await receive_all(memory.client) == HEAD + b"4\r\nmore\r\n" + b"0\r\n\r\n"


async def test_finish_while_a_head_is_received() -> None:
    """A request that has begun is answered with `Connection: close`."""
    async with connected(Routes({"POST /": echo})) as memory:
        await memory.client.send_all(b"POST / HTTP/1.1\r\nHost: a\r\n")
        await wait_all_tasks_blocked()
        memory.connection.finish()
        await memory.client.send_all(b"Content-Length: 2\r\n\r\nok" + get())
        received = await receive_all(memory.client)
        assert received == head(200, TEXT, b"Content-Length: 2\r\n", CLOSE) + b"ok"


async def test_each_event_is_one_chunk() -> None:
    """The server does not look into the pieces of a handler."""

    async def events() -> Pieces:
        yield encode_event(ServerSentEvent(data="a\nb"))
        yield Last(b"data: [DONE]\n\n")

    async with connected(Routes({"GET /": streaming(events, EventStream)})) as memory:
        await memory.client.send_all(get())
        await receive_until(memory.client, b"0\r\n\r\n")
        assert memory.server.writes[1:] == [
            b"11\r\ndata: a\ndata: b\n\n\r\n",
            b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
        ]


@pytest.mark.parametrize(
    "reply",
    [None, Reply("x", status=999), Reply("x", headers=(("X", "a\r\nb"),))],
    ids=["None", "status", "header"],
)
async def test_a_reply_that_cannot_be_sent(reply: Reply) -> None:
    """It is an error of the handler like any other: 500 (RFC 9110 §15.6.1), and not silence."""

    async def handler(request: Request) -> Reply:
        return reply

    async with connected(Routes({"GET /": handler})) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        received = await receive_all(memory.client)
        assert received.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")


async def test_heartbeats_end_with_the_body(autojump_clock: MockClock) -> None:
    """A generator may take long to clean up. Nothing may follow the last chunk."""

    async def slow_to_clean_up() -> Pieces:
        try:
            yield Last(b"data: bye\n\n")
        finally:
            await trio.sleep(60)

    routes = Routes({"GET /": streaming(slow_to_clean_up, EventStream)})
    async with connected(routes, Limits(heartbeat_seconds=1)) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        received = await receive_all(memory.client)
        assert received.endswith(b"b\r\ndata: bye\n\n\r\n0\r\n\r\n")
