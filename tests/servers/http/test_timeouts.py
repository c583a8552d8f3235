"""Every wait has a limit, and silence has a heartbeat, in virtual time.

The watch checks all timeouts every TICK seconds, so a timeout expires at most that late. trio's
autojump clock starts at 0 and jumps ahead whenever all tasks wait.
"""

import pytest
import trio
from trio.testing import MockClock

from servers.http.connection import Limits
from servers.http.reply import EventStream, Reply, Request
from servers.http.routes import Routes
from servers.http.watch import TICK

from ...streams import MemoryStream, receive_all, receive_until
from ..driving import (
    Memory,
    Pieces,
    arrivals,
    connected,
    echo,
    get,
    refusal,
    replying,
    streaming,
    text,
)

ROUTES = Routes({"GET /": replying(Reply("hello\n")), "POST /": echo})
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
TOO_SLOW_HEAD = refusal(408, "The request's head did not end in time.")
TOO_SLOW_BODY = refusal(408, "The request's body did not come in time.")
BEAT = b"d\r\n: keep-alive\n\r\n"


async def drip(stream: MemoryStream, data: bytes, seconds: float) -> None:
    """Send a byte every so many seconds, until the server closes."""
    try:
        for byte in data:
            await stream.send_all(bytes([byte]))
            await trio.sleep(seconds)
    except trio.BrokenResourceError:
        pass


async def closing_time(memory: Memory) -> tuple[bytes, float]:
    received = await receive_all(memory.client)
    return received, trio.current_time()


async def test_slow_head(autojump_clock: MockClock) -> None:
    """Slowloris (a head that is sent byte by byte) gets a 408: the whole head has a limit."""
    async with (
        connected(ROUTES, Limits(head_seconds=10)) as memory,
        trio.open_nursery() as nursery,
    ):
        await trio.sleep(5)
        nursery.start_soon(drip, memory.client, get("/" + "x" * 100), 3)
        received, time = await closing_time(memory)
        nursery.cancel_scope.cancel()
    assert received == TOO_SLOW_HEAD
    assert 15 <= time <= 15 + TICK


async def test_head_in_time(autojump_clock: MockClock) -> None:
    async with connected(ROUTES, Limits(head_seconds=10)) as memory:
        for part in (b"GET / HT", b"TP/1.1\r\nHo", b"st: a\r\n\r\n"):
            await trio.sleep(4)
            await memory.client.send_all(part)
        assert await receive_until(memory.client, b"hello\n") == text(b"hello\n")


async def test_slow_body(autojump_clock: MockClock) -> None:
    """The limit is on the time between two reads: four seconds are fine, then it stops."""
    async with connected(ROUTES, Limits(body_seconds=5)) as memory:
        await memory.client.send_all(POST)
        await drip(memory.client, b"x" * 9, 4)  # the last byte at 32 s
        received, time = await closing_time(memory)
        assert not memory.server.closed  # it waits for our FIN, so that no RST overtakes the 408
    assert received == TOO_SLOW_BODY
    assert 37 <= time <= 37 + TICK


@pytest.mark.parametrize("begin", [b"", b"\r\n"], ids=["nothing", "an empty line"])
async def test_idle(begin: bytes, autojump_clock: MockClock) -> None:
    """There was no request, so the server closes without a response."""
    async with connected(ROUTES, Limits(idle_seconds=20, head_seconds=5)) as memory:
        await memory.client.send_all(begin)
        received, time = await closing_time(memory)
    assert received == b""
    assert 20 <= time <= 20 + TICK


async def test_idle_between_two_requests(autojump_clock: MockClock) -> None:
    """The timeout begins anew after each reply."""
    async with connected(ROUTES, Limits(idle_seconds=20)) as memory:
        for _ in range(3):
            await trio.sleep(15)
            await memory.client.send_all(get())
        received, time = await closing_time(memory)
    assert received == text(b"hello\n") * 3
    assert 65 <= time <= 65 + TICK


async def test_the_handler_has_all_time(autojump_clock: MockClock) -> None:
    """These limits are for the client; a model may think as long as it likes."""

    async def think(request: Request) -> Reply:
        await trio.sleep(3600)
        return Reply(request.body)

    limits = Limits(head_seconds=1, idle_seconds=1, body_seconds=1, stall_seconds=1)
    async with connected(Routes({"POST /": think}), limits) as memory:
        await memory.client.send_all(POST + b"x" * 100)
        await receive_until(memory.client, b"x" * 100)
        assert trio.current_time() == 3600


class Counted:
    """Endless pieces of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.closed = False

    async def pieces(self) -> Pieces:
        try:
            while True:
                yield b"x" * self.size
        finally:
            self.closed = True


@pytest.mark.parametrize("kind", [EventStream, None], ids=["events", "plain"])
async def test_stall(kind: type[EventStream] | None, autojump_clock: MockClock) -> None:
    """A client that reads nothing for too long is closed, and its generator, too."""
    counted = Counted(100)
    handler = streaming(counted.pieces, kind) if kind else streaming(counted.pieces)
    async with connected(Routes({"GET /": handler}), Limits(stall_seconds=30), 1000) as memory:
        await memory.client.send_all(get())
        await memory.done.wait()
        assert 30 <= trio.current_time() <= 30 + TICK
    assert counted.closed


async def test_silence_is_not_a_stall(autojump_clock: MockClock) -> None:
    """A reader can stall while a piece waits for it, not while it waits for a piece."""

    async def late() -> Pieces:
        await trio.sleep(1000)
        yield b"x" * 2000  # more than fits
        await trio.sleep_forever()

    routes = Routes({"GET /": streaming(late)})
    async with connected(routes, Limits(stall_seconds=30), 1000) as memory:
        await memory.client.send_all(get())
        await memory.done.wait()
        assert 1030 <= trio.current_time() <= 1030 + TICK


async def test_slow_is_not_stalled(autojump_clock: MockClock) -> None:
    """A reader that takes a piece every 25 seconds keeps its stream."""
    counted = Counted(100)
    routes = Routes({"GET /": streaming(counted.pieces)})
    async with connected(routes, Limits(stall_seconds=30), 1000) as memory:
        await memory.client.send_all(get())
        for _ in range(20):
            await trio.sleep(25)
            assert await memory.client.receive_some(106)
        assert not memory.done.is_set()


async def test_slow_within_one_piece_is_not_stalled(autojump_clock: MockClock) -> None:
    """Only a client that reads NOTHING stalls. This one reads 100 bytes a second."""
    routes = Routes({"GET /": streaming(Counted(2000).pieces)})
    async with connected(routes, Limits(stall_seconds=5), 1000) as memory:
        await memory.client.send_all(get())
        for _ in range(15):
            await trio.sleep(1)
            assert await memory.client.receive_some(100)
        assert not memory.done.is_set()


async def test_stall_of_a_plain_reply(autojump_clock: MockClock) -> None:
    """The wait for the reader of a reply with a length has the same limit."""
    routes = Routes({"GET /": replying(Reply(b"x" * 5000))})
    async with connected(routes, Limits(stall_seconds=5), 1000) as memory:
        await memory.client.send_all(get())
        with trio.move_on_after(3600):
            await memory.done.wait()
        assert memory.done.is_set()


async def pauses() -> Pieces:
    """Silent for 7 seconds, for 3, for 2.25 twice."""
    await trio.sleep(7)
    yield b"data: 1\n\n"
    await trio.sleep(3)
    yield b"data: 2\n\n"
    for _ in range(2):
        await trio.sleep(2.25)
        yield b"data: 3\n\n"


async def test_heartbeat(autojump_clock: MockClock) -> None:
    """A comment in a chunk of its own after each `heartbeat_seconds` of silence, and ONE newline.

    Each piece resets the timeout, so a stream that is never silent for so long has no heartbeat.
    """
    routes = Routes({"GET /": streaming(pauses, EventStream)})
    async with connected(routes, Limits(heartbeat_seconds=2.5)) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        came = await arrivals(memory.client)
    assert came.pop(0).endswith(b"\r\n\r\n")
    assert came == {
        2.5: BEAT,
        5.0: BEAT,
        7.0: b"9\r\ndata: 1\n\n\r\n",
        9.5: BEAT,
        10.0: b"9\r\ndata: 2\n\n\r\n",
        12.25: b"9\r\ndata: 3\n\n\r\n",
        14.5: b"9\r\ndata: 3\n\n\r\n0\r\n\r\n",
    }


async def test_no_heartbeat_after_the_end(autojump_clock: MockClock) -> None:
    """Between two responses no byte may be sent: the client would take it for the next response."""
    routes = Routes({"GET /": streaming(pauses, EventStream)})
    limits = Limits(heartbeat_seconds=6.5, idle_seconds=60, stall_seconds=10)
    async with connected(routes, limits) as memory:
        for _ in range(2):
            await memory.client.send_all(get())
            received = await receive_until(memory.client, b"0\r\n\r\n")
            assert received.count(BEAT) == 1
        received, time = await closing_time(memory)
    assert received == b""
    assert time >= 2 * 14.5 + 60


async def test_no_heartbeat_in_plain_text(autojump_clock: MockClock) -> None:
    """A comment would be part of the text."""
    routes = Routes({"GET /": streaming(pauses)})
    async with connected(routes, Limits(heartbeat_seconds=1)) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        body = (await receive_all(memory.client)).partition(b"\r\n\r\n")[2]
    assert body == b"".join(b"9\r\ndata: %d\n\n\r\n" % n for n in (1, 2, 3, 3)) + b"0\r\n\r\n"


async def test_heartbeat_in_http_1_0(autojump_clock: MockClock) -> None:
    """It is not in a chunk, like all pieces in HTTP/1.0."""
    routes = Routes({"GET /": streaming(pauses, EventStream)})
    async with connected(routes, Limits(heartbeat_seconds=6)) as memory:
        await memory.client.send_all(b"GET / HTTP/1.0\r\n\r\n")
        body = (await receive_all(memory.client)).partition(b"\r\n\r\n")[2]
    assert body == b": keep-alive\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 3\n\n"


async def one_long_event() -> Pieces:
    yield b"data: " + b"x" * 1000 + b"\n\n"
    await trio.sleep(10)
    yield b"data: end\n\n"


async def test_no_heartbeat_inside_a_frame(autojump_clock: MockClock) -> None:
    """While a piece waits for a slow reader, no heartbeat is due."""
    routes = Routes({"GET /": streaming(one_long_event, EventStream)})
    async with connected(routes, Limits(heartbeat_seconds=1.5), size=600) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        await trio.sleep(50)
        body = (await receive_all(memory.client)).partition(b"\r\n\r\n")[2]
    frame = b"3f0\r\ndata: " + b"x" * 1000 + b"\n\n\r\n"
    assert body == frame + BEAT * 6 + b"b\r\ndata: end\n\n\r\n0\r\n\r\n"


async def short_then_silent() -> Pieces:
    yield b"data: 1\n\n"
    await trio.sleep(10)
    yield b"data: 2\n\n"


async def test_heartbeat_that_does_not_fit(autojump_clock: MockClock) -> None:
    """Its rest is sent before the next piece, and no second heartbeat begins inside it."""
    routes = Routes({"GET /": streaming(short_then_silent, EventStream)})
    async with connected(routes) as memory:  # how long is the head?
        await memory.client.send_all(get())
        before = len(await receive_until(memory.client, b"data: 1\n\n\r\n"))
    async with connected(routes, Limits(heartbeat_seconds=2), size=before + 5) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        await trio.sleep(60)
        received = await receive_all(memory.client)
    assert received[before:] == BEAT + b"9\r\ndata: 2\n\n\r\n0\r\n\r\n"


async def test_heartbeat_goes_on_after_one_that_did_not_fit(autojump_clock: MockClock) -> None:
    """The reader reads again: the rest of the heartbeat is sent when the next one is due."""
    routes = Routes({"GET /": streaming(short_then_silent, EventStream)})
    async with connected(routes) as memory:
        await memory.client.send_all(get())
        before = len(await receive_until(memory.client, b"data: 1\n\n\r\n"))
    start = trio.current_time()
    async with connected(routes, Limits(heartbeat_seconds=2), size=before + 5) as memory:
        await memory.client.send_all(get())
        await trio.sleep(2.75)
        assert await memory.client.receive_some() == memory.server.writes[0] + (
            b"9\r\ndata: 1\n\n\r\n" + BEAT[:5]
        )
        with trio.move_on_at(start + 9):
            assert await memory.client.receive_some() == BEAT[5:]
            return
        pytest.fail("nothing came for six seconds")


async def test_empty_pieces_are_silence(autojump_clock: MockClock) -> None:
    """A generator that yields b"" sends nothing, so it does not reset the timeouts."""

    async def empty() -> Pieces:
        for _ in range(10):
            await trio.sleep(1)
            yield b""

    routes = Routes({"GET /": streaming(empty, EventStream)})
    async with connected(routes, Limits(heartbeat_seconds=3)) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        assert BEAT in await receive_all(memory.client)


async def test_a_heartbeat_notices_a_disconnect(autojump_clock: MockClock) -> None:
    """A silent stream to a closed client: an RST answers the heartbeat, and ends it.

    If the kernel reports it (epoll), the first heartbeat is enough; in memory it takes two.
    """
    closed = trio.Event()

    async def silent() -> Pieces:
        try:
            yield b"data: 1\n\n"
            await trio.sleep_forever()
        finally:
            closed.set()

    routes = Routes({"GET /": streaming(silent, EventStream)})
    async with connected(routes, Limits(heartbeat_seconds=2)) as memory:
        await memory.client.send_all(get())
        await receive_until(memory.client, b"data: 1\n\n\r\n")
        memory.client.close()
        await closed.wait()
        assert trio.current_time() == 4
        await memory.done.wait()


async def test_stall_of_an_error_reply(autojump_clock: MockClock) -> None:
    """Half of a 400 is sent and nobody reads the rest: no 408 follows it."""
    async with connected(Routes({}), Limits(stall_seconds=5), 100) as memory:
        await memory.client.send_all(b"GET / HTTP/3.0\r\n\r\n")
        with trio.fail_after(3600):
            await memory.done.wait()
        assert trio.current_time() < 10
        assert b"".join(memory.server.writes).startswith(b"HTTP/1.1 505 ")
        assert b" 408 " not in b"".join(memory.server.writes)
