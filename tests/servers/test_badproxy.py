"""The bad proxy: for each mode the exact bytes, and the times at which they are sent.

    origin: Connection ── memory ── bad proxy: Connection ── memory ── the test

On trio's autojump clock all times are exact, and bytes that have not arrived were not sent.
"""

import logging
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from protocol.chunked import ChunkedDecoder, encode_chunk
from servers import badproxy
from servers.badproxy import Modes, modes
from servers.badproxy.catalogue import MAX_HELD
from servers.badproxy.proxy import MAX_HOPS
from servers.badproxy.stages import Gather
from servers.http.connection import Connection, Limits
from servers.http.reply import CutOff, EventStream, Handler, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.http.watch import Watch

from ..streams import MemoryStream, memory_pair, receive_all, receive_until
from .driving import Memory, Pieces, arrivals, ask, connected, get, replying, streaming
from .http.hostile import ATTACKS

EVENTS = [f'data: {{"text":"{word}"}}\n\n'.encode() for word in ("你", "be", "好")]
BODY = b"".join(EVENTS)
END = b"0\r\n\r\n"


class Origin(Routes):
    """Gives one answer to all requests, and keeps the requests."""

    def __init__(self, handler: Handler) -> None:
        super().__init__({})
        self.asked: list[Request] = []
        self._handler = handler

    def find(self, method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        async def noted(request: Request) -> Reply | StreamingReply:
            self.asked.append(request)
            return await self._handler(request)

        return noted, {"path": path[1:]}


@asynccontextmanager
async def hop(
    origin: Handler | Origin, mode: str = "none", limits: Limits | None = None
) -> AsyncIterator[Memory]:
    """A client of a bad proxy whose upstream is this origin."""
    routes = origin if isinstance(origin, Origin) else Origin(origin)
    watch = Watch()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)

        async def reach(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
            ours, theirs = memory_pair()
            nursery.start_soon(Connection(theirs, routes, watch, limits).serve)
            return ours

        served = badproxy.routes("http://origin/base/", modes(mode), reach)
        async with connected(served) as memory:
            yield memory
        nursery.cancel_scope.cancel()
    watch.close()


async def three() -> Pieces:
    """An event at 1, 2 and 3 seconds."""
    for event in EVENTS:
        await trio.sleep(1)
        yield event


async def three_and_a_cut() -> Pieces:
    async for event in three():
        yield event
    raise CutOff


async def timed(
    handler: Handler, mode: str, request: bytes = get(), limits: Limits | None = None
) -> tuple[bytes, dict[float, bytes]]:
    """Return the head of the answer, and the bytes that arrived at each time in seconds, until the
    end."""
    async with hop(handler, mode, limits) as memory:
        await memory.client.send_all(request)
        await memory.client.send_eof()
        came = await arrivals(memory.client)
    head, _, came[0] = came[0].partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", {round(time, 3): data for time, data in came.items() if data}


async def whole_answer(mode: str, request: bytes = get()) -> dict[float, bytes]:
    """Return the bytes that arrived at each time in seconds, including the head."""
    async with hop(streaming(three), mode) as memory:
        await memory.client.send_all(request)
        await memory.client.send_eof()
        return {round(time, 3): data for time, data in (await arrivals(memory.client)).items()}


ONE, TWO, THREE = map(encode_chunk, EVENTS)
HALVES = [(event[:16], event[16:]) for event in EVENTS]
WHEN: dict[str, dict[float, bytes]] = {
    "none": {1: ONE, 2: TWO, 3: THREE + END},
    "buffer": {3: encode_chunk(BODY) + END},
    "rechunk=20": {
        1: encode_chunk(BODY[:20]),
        2: encode_chunk(BODY[20:40]),
        3: encode_chunk(BODY[40:60]) + encode_chunk(BODY[60:]) + END,
    },
    "rechunk=50": {3: encode_chunk(BODY[:50]) + encode_chunk(BODY[50:]) + END},
    "split-utf8": {
        1: encode_chunk(HALVES[0][0]),
        1.01: encode_chunk(HALVES[0][1]),
        2: TWO,
        3: encode_chunk(HALVES[2][0]),
        3.01: encode_chunk(HALVES[2][1]) + END,
    },
    "truncate=30": {1: ONE, 2: encode_chunk(BODY[len(EVENTS[0]) : 30])},
    "truncate=0": {1: b""},
    "truncate=1000": {1: ONE, 2: TWO, 3: THREE + END},
    "http10": {1: EVENTS[0], 2: EVENTS[1], 3: EVENTS[2]},
    "http10,truncate=30": {1: EVENTS[0], 2: BODY[len(EVENTS[0]) : 30]},
    "idle=1.5": {1: ONE, 2: TWO, 3: THREE + END},
    "strip-accel": {1: ONE, 2: TWO, 3: THREE + END},
    "buffer,truncate=30": {3: encode_chunk(BODY[:30])},
    "rechunk=20,split-utf8": {
        1: encode_chunk(BODY[:16]),
        1.01: encode_chunk(BODY[16:20]),
        2: encode_chunk(BODY[20:40]),
        3: encode_chunk(BODY[40:59]),
        3.01: encode_chunk(BODY[59:60]) + encode_chunk(BODY[60:]) + END,
    },
}


@pytest.mark.parametrize("mode", WHEN)
async def test_what_is_sent_when(mode: str, autojump_clock: object) -> None:
    head, came = await timed(streaming(three), mode)
    assert came == {time: data for time, data in WHEN[mode].items() if data}
    assert (b"\r\nTransfer-Encoding: chunked\r\n" in head) == ("http10" not in mode)
    assert head.startswith(b"HTTP/1.0 200 OK\r\n" if "http10" in mode else b"HTTP/1.1 200 OK\r\n")
    assert f"\r\nvia: 1.1 badproxy ({mode.replace(',', ' ')})\r\n".encode() in head.lower()


@pytest.mark.parametrize("mode", ["none", "buffer", "rechunk=20", "split-utf8", "gzip"])
async def test_a_truncated_body_never_gets_an_end(mode: str, autojump_clock: object) -> None:
    """All bytes that have arrived are relayed, and then the connection is closed."""
    request = get("/", "Accept-Encoding: gzip")
    _, whole = await timed(streaming(three), mode, request)
    _, came = await timed(streaming(three_and_a_cut), mode, request)
    assert b"".join(came.values()) + END == b"".join(whole.values())


async def test_in_http10_a_truncation_looks_like_the_end(autojump_clock: object) -> None:
    whole = await timed(streaming(three), "http10")
    assert whole == await timed(streaming(three_and_a_cut), "http10")


# ---- Compression

ACCEPTS = get("/", "Accept-Encoding: br, gzip;q=0.8")


async def readable(mode: str, kind: type[StreamingReply] = StreamingReply) -> dict[float, bytes]:
    """The text that a reader can decompress at each time in seconds."""
    head, came = await timed(streaming(three, kind), mode, ACCEPTS)
    assert b"\r\ncontent-encoding: gzip\r\nvary: accept-encoding\r\n" in head.lower()
    chunks, decompressor = ChunkedDecoder(), zlib.decompressobj(wbits=31)
    texts = {
        time: b"".join(map(decompressor.decompress, chunks.receive_data(data)))
        for time, data in came.items()
    }
    assert chunks.complete
    assert decompressor.eof
    return {time: text for time, text in texts.items() if text}


async def test_gzip_with_a_sync_flush_streams(autojump_clock: object) -> None:
    assert await readable("gzip") == {1: EVENTS[0], 2: EVENTS[1], 3: EVENTS[2]}


async def test_gzip_without_a_sync_flush_waits_for_the_end(autojump_clock: object) -> None:
    assert await readable("gzip-nosync") == {3: BODY}


@pytest.mark.parametrize("mode", ["gzip", "gzip-nosync"])
async def test_no_transform_is_obeyed(mode: str, autojump_clock: object) -> None:
    head, came = await timed(streaming(three, EventStream), mode, ACCEPTS)
    assert b"content-encoding" not in head.lower()
    assert came == WHEN["none"]
    assert await readable(f"strip-no-transform,{mode}", EventStream) == await readable(mode)


@pytest.mark.parametrize(
    "accepted", ["", "br", "identity", "gzip;q=0", "gzip ; q=0.000", "xgzip", "deflate, br"]
)
async def test_a_client_that_does_not_accept_gzip_does_not_get_it(
    accepted: str, autojump_clock: object
) -> None:
    request = get("/", f"Accept-Encoding: {accepted}")
    assert (await timed(streaming(three), "gzip", request))[1] == WHEN["none"]


async def test_a_compressed_body_is_not_compressed_again(autojump_clock: object) -> None:
    reply = Reply(b"\x1f\x8b\x08\x00", headers=(("Content-Encoding", "gzip"),))
    head, came = await timed(replying(reply), "gzip", ACCEPTS)
    assert head.lower().count(b"content-encoding: gzip") == 1
    assert came == {0: encode_chunk(reply.body) + END}


# ---- Silence


async def silent() -> Pieces:
    yield EVENTS[0]
    await trio.sleep(10)
    yield EVENTS[1]


@pytest.mark.parametrize(("heartbeat", "whole"), [(1, True), (3600, False)])
async def test_a_heartbeat_keeps_an_idle_connection(
    heartbeat: float, whole: bool, autojump_clock: object
) -> None:
    limits = Limits(heartbeat_seconds=heartbeat)
    _, came = await timed(streaming(silent, EventStream), "idle=2.5", limits=limits)
    assert came[0] == ONE
    body = b"".join(came.values())
    assert body.endswith(TWO + END if whole else ONE)
    assert (encode_chunk(b": keep-alive\n") in body) == whole


async def test_silence_before_the_head_is_a_504(autojump_clock: object) -> None:
    async def slow(request: Request) -> Reply:
        await trio.sleep(10)
        return Reply()

    async with hop(slow, "idle=2.5") as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        ((time, answer),) = (await arrivals(memory.client)).items()
    assert time == 2.5
    assert answer.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert answer.endswith(b"The upstream was silent for 2.5 s.\n")


# ---- What is passed on


async def test_a_request_is_passed_on() -> None:
    origin = Origin(replying(Reply("ok")))
    request = (
        b"POST /a%20b/%E4%BD%A0%25?q=%20&r=1 HTTP/1.1\r\nHost: front\r\nContent-Length: 3\r\n"
        b"Connection: keep-alive, X-Mine\r\nX-Mine: dropped\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
        b"Proxy-Authorization: secret\r\nUpgrade: h2c\r\nVia: 1.0 first\r\nX-Kept: yes\r\n\r\nabc"
    )
    async with hop(origin) as memory:
        await memory.client.send_all(request)
        await receive_until(memory.client, END)
    (asked,) = origin.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/base/a b/你%", "q=%20&r=1")
    assert asked.body == b"abc"
    assert asked.headers == (
        ("host", "origin"),
        ("connection", "close"),
        ("via", "1.0 first"),
        ("x-kept", "yes"),
        ("via", "1.1 badproxy"),
        ("content-length", "3"),
    )


async def test_fields_of_a_response_are_passed_on() -> None:
    mine = (("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no"), ("Connection", "X-A"))
    reply = Reply("no\n", 404, headers=(*mine, ("X-A", "dropped"), ("Set-Cookie", "a=b")))
    for mode, accel in {"none": True, "strip-accel": False}.items():
        async with hop(replying(reply), mode) as memory:
            await memory.client.send_all(get())
            head, _, body = (await receive_until(memory.client, END)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert body == encode_chunk(b"no\n") + END
        names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
        assert (b"x-accel-buffering" in names) == accel
        assert {b"cache-control", b"set-cookie", b"content-type"} <= {*names}
        assert b"x-a" not in names
        assert len(names) == len({*names})


@pytest.mark.parametrize("status", [204, 304])
async def test_a_response_without_a_body(status: int) -> None:
    async with hop(replying(Reply(status=status))) as memory:
        await memory.client.send_all(get("/", "Connection: close"))
        answer = await receive_all(memory.client)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.endswith(b"\r\n\r\n")
    assert [answer.count(text) for text in (b"\r\n\r\n", b"\r\nDate: ", b"badproxy")] == [1, 1, 1]


async def test_a_head_request() -> None:
    async with hop(streaming(three), "buffer") as memory:
        await memory.client.send_all(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await receive_all(memory.client)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


async def test_a_disconnect_cancels_the_upstream_request(autojump_clock: object) -> None:
    closed = trio.Event()

    async def endless() -> Pieces:
        try:
            while True:
                await trio.sleep(1)
                yield b"x"
        finally:
            closed.set()

    async with hop(streaming(endless), "buffer,idle=5") as memory:
        await memory.client.send_all(get())
        await receive_until(memory.client, b"\r\n\r\n")
        memory.connection.client_disconnected()  # as the watch does for a socket
        await closed.wait()


async def test_a_full_buffer_is_passed_on() -> None:
    stage = Gather(MAX_HELD)
    assert stage.receive_data(bytes(MAX_HELD - 1)) == []
    assert stage.receive_data(b"xyz") == [bytes(MAX_HELD - 1) + b"x"]
    assert stage.receive_eof() == [b"yz"]


# ---- Errors


async def test_no_upstream_listens() -> None:
    answer = await ask(badproxy.routes("http://127.0.0.1:1", Modes()), get())
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"no connection to 127.0.0.1:1" in answer


async def test_a_proxy_loop_is_found() -> None:
    via = ", ".join(["1.1 badproxy"] * MAX_HOPS)
    answer = await ask(badproxy.routes("http://127.0.0.1:1", Modes()), get("/", f"Via: {via}"))
    assert answer.startswith(b"HTTP/1.1 508 Loop Detected\r\n")


REFUSED = [row for row in ATTACKS if row.statuses and row.statuses[0] in (400, 501, 505, 431)]


async def test_hostile_requests_do_not_reach_the_upstream() -> None:
    origin = Origin(replying(Reply()))
    assert len(REFUSED) > 50
    for row in REFUSED:
        async with hop(origin) as memory:
            await memory.client.send_all(row.sent)
            await memory.client.send_eof()
            assert (await receive_all(memory.client)).startswith(
                b"HTTP/1.1 %d " % row.statuses[0]
            ), row.name
    assert origin.asked == []


@pytest.mark.parametrize("path", ["/", "/chat/a-secret", "//a-secret", "/a?key=a-secret"])
async def test_no_path_in_the_log(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """The path is not logged, because it may be a prompt or the secret id of a recording. This is
    also true for absolute targets."""
    caplog.set_level(logging.DEBUG)
    for target in (path, f"http://a-secret:pw@origin{path}"):
        async with hop(replying(Reply("hello\n"))) as memory:
            await memory.client.send_all(get(target, "Connection: close"))
            await receive_all(memory.client)
    assert caplog.messages.count("200 GET /{path} 1 pieces, 6 bytes, done") == 1
    assert "secret" not in caplog.text
