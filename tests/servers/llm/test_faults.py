"""Every fault: the exact bytes that a client gets, and how its connection ends.

The healthy stream has five events, each in a chunk. Each row of the table has the body that a
client receives and the end of its connection. The letters A to E stand for healthy chunks.
"""

from collections.abc import AsyncGenerator

import msgspec
import pytest
import trio
from trio.testing import MockClock

from protocol.chunked import encode_chunk
from protocol.openai.common import ErrorResponse
from servers.http.reply import EventStream, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.llm.faults import FAULTS, Fault, injection, listing, parse, stream_faults

from ...streams import MemoryStream, receive_until
from ..driving import CHUNKED, connected, get, head, text

EVENTS = [
    b'data: {"t":"a"}\n\n',
    b'data: {"t":"b"}\n\n',
    'data: {"t":"é!"}\n\n'.encode(),
    b'data: {"t":"d"}\n\n',
    b"data: [DONE]\n\n",
]
A = b'11\r\ndata: {"t":"a"}\n\n\r\n'
B = b'11\r\ndata: {"t":"b"}\n\n\r\n'
C = b'13\r\ndata: {"t":"\xc3\xa9!"}\n\n\r\n'
D = b'11\r\ndata: {"t":"d"}\n\n\r\n'
E = b"e\r\ndata: [DONE]\n\n\r\n"
END = b"0\r\n\r\n"
HEARTBEAT = b"d\r\n: keep-alive\n\r\n"

STREAM = b"Content-Type: text/event-stream; charset=utf-8\r\n"
CACHE = b"Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n"
HEAD = head(200, STREAM, CACHE, CHUNKED)
NEXT = text(b"next\n")

# What happens to the connection after the reply.
KEPT = "the next request is answered"
FIN = "FIN"
RST = "RST"
HELD = "FIN after the hold"
HOLD = 60


@pytest.fixture(autouse=True)
def _minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault holds its connection for a minute, not for an hour, in which the server would check
    its timeouts 7,200 times (`stall@12s` in test_fault_positions.py takes the hour)."""
    for module in (injection, stream_faults):
        monkeypatch.setattr(module, "HOLD_SECONDS", HOLD)


def one_byte_chunks(data: bytes) -> bytes:
    return b"".join(b"1\r\n%c\r\n" % byte for byte in data)


def error(data: bytes) -> bytes:
    return encode_chunk(b"data: " + data + b"\n\n")


ERROR = b'{"message":"The model failed: a simulated fault.","type":"server_error",'
ERROR += b'"param":null,"code":"simulated"}'
FLAT = b'{"code":"simulated","message":"The model failed: a simulated fault.","param":null}'

BODIES: dict[str, tuple[bytes, str]] = {
    # The connection ends inside the body.
    "fin": (A + B, FIN),
    "fin-mid-event": (A + B + b'9\r\ndata: {"t\r\n', FIN),
    "fin-mid-chunk": (A + B + b'13\r\ndata: {"t', FIN),
    "rst": (A + B, RST),
    "rst-mid-event": (A + B + b'9\r\ndata: {"t\r\n', RST),
    "rst-mid-chunk": (A + B + b'13\r\ndata: {"t', RST),
    "no-last-chunk": (A + B + C + D + E, FIN),
    # The body ends, but the answer has not.
    "no-done": (A + B + C + D + END, KEPT),
    "clean-cut": (A + B + END, KEPT),
    "bare-json": (A + B + encode_chunk(b'{"error":%b}\n\n' % ERROR) + END, KEPT),
    # Chunks.
    "half-chunk": (A + B + b'13\r\ndata: {"t', HELD),
    "bad-chunk-size": (A + B + b'xyz\r\ndata: {"t":"\xc3\xa9!"}\n\n\r\n' + D + E + END, KEPT),
    "after-end": (A + B + C + D + E + END + b"data: too late\n\n", KEPT),
    # Error events.
    "error-nested": (A + B + error(b'{"error":%b}' % ERROR), FIN),
    "error-flat": (A + B + encode_chunk(b"event: error\ndata: %b\n\n" % FLAT), FIN),
    "error-string": (A + B + error(b'{"error":"The model failed: a simulated fault."}'), FIN),
    "error-open": (A + B + error(b'{"error":%b}' % ERROR), HELD),
    # Bytes of events.
    "broken-json": (A + B + b'12\r\ndata: {"t":"\xc3\xa9!"\n\n\r\n' + D + E + END, KEPT),
    "invalid-utf8": (A + B + b'14\r\ndata: {"t":"\xff\xc3\xa9!"}\n\n\r\n' + D + E + END, KEPT),
    "giant-line": (
        A + B + b"400013\r\ndata: {" + b" " * 4194304 + b'"t":"\xc3\xa9!"}\n\n\r\n' + D + E + END,
        KEPT,
    ),
    "split-utf8-chunks": (
        A + B + b'd\r\ndata: {"t":"\xc3\r\n' + b'6\r\n\xa9!"}\n\n\r\n' + D + E + END,
        KEPT,
    ),
    "split-utf8-segments": (A + B + C + D + E + END, KEPT),
    "cr": (
        A
        + B
        + b'13\r\ndata: {"t":"\xc3\xa9!"}\r\r\r\n'
        + b'11\r\ndata: {"t":"d"}\r\r\r\n'
        + b"e\r\ndata: [DONE]\r\r\r\n"
        + END,
        KEPT,
    ),
    "crlf": (
        A
        + B
        + b'15\r\ndata: {"t":"\xc3\xa9!"}\r\n\r\n\r\n'
        + b'13\r\ndata: {"t":"d"}\r\n\r\n\r\n'
        + b"10\r\ndata: [DONE]\r\n\r\n\r\n"
        + END,
        KEPT,
    ),
    "bom": (b'14\r\n\xef\xbb\xbfdata: {"t":"a"}\n\n\r\n' + B + C + D + E + END, KEPT),
    # Lines that the format allows.
    "id-comment": (
        A
        + B
        + b'19\r\nid: 1\ndata: {"t":"\xc3\xa9!"}\n\n\r\n'
        + b"e\r\n: keep-alive\n\n\r\n"
        + D
        + E
        + END,
        KEPT,
    ),
    "retry": (A + B + b"d\r\nretry: 3000\n\n\r\n" + C + D + E + END, KEPT),
    "empty-data": (A + B + b"7\r\ndata:\n\n\r\n" + C + D + E + END, KEPT),
    "duplicate": (A + B + C + C + D + E + END, KEPT),
    "keepalive-event": (
        A
        + B
        + encode_chunk(b'data: {"type":"keepalive","sequence_number":2}\n\n')
        + C
        + D
        + E
        + END,
        KEPT,
    ),
    "comments": (
        A + B + HEARTBEAT + C + HEARTBEAT + D + HEARTBEAT + E + END,
        KEPT,
    ),
    # Time.
    "stall": (A + B, HELD),
    "stall-heartbeat": (A + B + HEARTBEAT * HOLD, HELD),
    "open-after-finish": (A + B + C + D, HELD),
    "open-after-done": (A + B + C + D + E, HELD),
    "drip": (A + B + one_byte_chunks(b"".join(EVENTS[2:])) + END, KEPT),
}

# If the fault is only in the head, the chunks are as the source wrote them.
BODY = b"22\r\n" + EVENTS[0] + EVENTS[1] + b"\r\n" + C + D + E + END

HEADS: dict[str, tuple[bytes, str]] = {
    "no-head": (b"", FIN),
    "hang": (b"", HELD),
    "early-hints": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"
        + HEAD
        + BODY,
        KEPT,
    ),
    "length-and-chunked": (
        head(200, STREAM, CACHE, CHUNKED, b"Content-Length: 5\r\n") + BODY,
        KEPT,
    ),
    "json-200": (
        head(200, b"Content-Type: application/json\r\n", b"Content-Length: 114\r\n", CACHE)
        + b'{"error":%b}' % ERROR,
        KEPT,
    ),
    "html-200": (
        head(200, b"Content-Type: text/html; charset=utf-8\r\n", b"Content-Length: 78\r\n", CACHE)
        + b"<!doctype html>\n<title>Sign in</title>\n"
        + b"<p>Please sign in to use this network.\n",
        KEPT,
    ),
}


async def pieces() -> AsyncGenerator[bytes | Last, None]:
    """The healthy stream, as a server may write it: with two events in its first write."""
    yield EVENTS[0] + EVENTS[1]
    yield EVENTS[2]
    yield EVENTS[3]
    yield Last(EVENTS[4])


async def received_with(fault: Fault, reply: Reply | StreamingReply) -> tuple[bytes, str]:
    """What a client receives that sends two requests, the first for this reply with the fault."""

    async def first(request: Request) -> Reply | StreamingReply:
        return fault.apply(reply)

    async def second(request: Request) -> Reply:
        return Reply("next\n")

    routes = Routes({"GET /first": first, "GET /second": second})
    async with connected(routes) as memory:
        start = trio.current_time()
        await memory.client.send_all(get("/first") + get("/second"))
        data, end = await receive_to_the_end(memory.client)
        if data.endswith(NEXT):
            return data.removesuffix(NEXT), KEPT
        if end == FIN and trio.current_time() - start >= HOLD:
            return data, HELD
    return data, end


async def receive_to_the_end(stream: MemoryStream) -> tuple[bytes, str]:
    data = bytearray()
    try:
        while more := await stream.receive_some():
            data += more
    except trio.BrokenResourceError:
        return bytes(data), RST
    return bytes(data), FIN


@pytest.mark.parametrize("name", BODIES)
async def test_body(name: str, autojump_clock: MockClock) -> None:
    body, end = BODIES[name]
    assert await received_with(parse(name), EventStream(pieces())) == (HEAD + body, end)


@pytest.mark.parametrize("name", HEADS)
async def test_head(name: str, autojump_clock: MockClock) -> None:
    assert await received_with(parse(name), EventStream(pieces())) == HEADS[name]


async def test_one_byte_per_write() -> None:
    """`split-utf8-segments` changes nothing except the writes."""

    async def stream(request: Request) -> Reply | StreamingReply:
        return parse("split-utf8-segments@last").apply(EventStream(pieces()))

    async with connected(Routes({"GET /": stream})) as memory:
        await memory.client.send_all(get())
        await receive_until(memory.client, END)
        assert memory.server.writes == [HEAD, A, B, C, D, *(b"%c" % byte for byte in E), END]


NAMED = [
    b'event: %b\ndata: {"type":"%b","sequence_number":%d}\n\n' % (name, name, number)
    for number, name in enumerate((b"response.created", b"response.delta", b"response.completed"))
]


async def named() -> AsyncGenerator[bytes | Last, None]:
    """A stream of the Responses API, in short."""
    for event in NAMED[:-1]:
        yield event
    yield Last(NAMED[-1])


@pytest.mark.parametrize("position", [1, 2, 3])
async def test_keepalive_in_a_response(position: int, autojump_clock: MockClock) -> None:
    """The event has the name and the next number; the number of each later event grows by one."""
    keepalive = b'{"type":"keepalive","sequence_number":%d}' % (position - 1)
    later = [
        event.replace(b'":%d}' % number, b'":%d}' % (number + 1))
        for number, event in enumerate(NAMED)
    ]
    events = [
        *NAMED[: position - 1],
        b"event: keepalive\ndata: %b\n\n" % keepalive,
        *later[position - 1 :],
    ]
    faulty = await received_with(parse(f"keepalive-event@{position}"), EventStream(named()))
    assert faulty == (HEAD + b"".join(map(encode_chunk, events)) + END, KEPT)


async def test_a_response_that_stays_open(autojump_clock: MockClock) -> None:
    """Its last event says that it is complete, so it is sent."""
    faulty = await received_with(parse("open-after-finish"), EventStream(named()))
    assert faulty == (HEAD + b"".join(map(encode_chunk, NAMED)), HELD)


@pytest.mark.parametrize(
    ("character", "first", "rest"),
    [("é", b"\xc3", b"\xa9"), ("你", b"\xe4", b"\xbd\xa0"), ("👋", b"\xf0", b"\x9f\x91\x8b")],
)
async def test_split_character(
    character: str, first: bytes, rest: bytes, autojump_clock: MockClock
) -> None:
    """The first of two, three or four bytes is sent in its own chunk."""

    async def one_event() -> AsyncGenerator[bytes | Last, None]:
        yield Last(f"data: {character}{character}\n\n".encode())

    chunks = (b"data: " + first, rest + first, rest + b"\n\n")
    body = b"".join(encode_chunk(chunk) for chunk in chunks)
    assert await received_with(parse("split-utf8-chunks"), EventStream(one_event())) == (
        HEAD + body + END,
        KEPT,
    )


async def test_the_end_after_a_fault_is_one_write() -> None:
    """The rest of the answer is healthy: [DONE] and the last chunk are sent in one write."""

    async def stream(request: Request) -> Reply | StreamingReply:
        return parse("duplicate@2").apply(EventStream(pieces()))

    async with connected(Routes({"GET /": stream})) as memory:
        await memory.client.send_all(get())
        await receive_until(memory.client, END)
        assert memory.server.writes == [HEAD, A, B, B, C, D, E + END]


# status: type, code and param, which clients show or branch on
ERRORS = {
    "400": ("invalid_request_error", "context_length_exceeded", "messages"),
    "401": ("invalid_request_error", "invalid_api_key", None),
    "403": ("request_forbidden", "unsupported_country_region_territory", None),
    "404": ("invalid_request_error", "model_not_found", None),
    "408": ("server_error", "request_timeout", None),
    "409": ("invalid_request_error", None, None),
    "413": ("invalid_request_error", None, None),
    "422": ("invalid_request_error", None, None),
    "429": ("requests", "rate_limit_exceeded", None),
    "500": ("server_error", None, None),
    "502": ("server_error", None, None),
    "503": ("server_error", None, None),
    "504": ("server_error", None, None),
}
RETRY = (("Retry-After", "1"), ("retry-after-ms", "1000"))
MORE_HEADERS = {
    "429": (
        *RETRY,
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-reset-tokens", "6ms"),
    ),
    "503": RETRY,
}


@pytest.mark.parametrize("name", ERRORS)
def test_status(name: str) -> None:
    """The API's error object. The headers of the answer, such as its request id, are kept."""
    request_id = ("x-request-id", "req_1")
    reply = parse(name).apply(Reply("the answer", headers=(request_id,)))
    assert isinstance(reply, Reply)
    assert reply.status == int(name)
    assert reply.content_type == "application/json"
    assert reply.headers == (request_id, *MORE_HEADERS.get(name, ()))
    error = msgspec.json.decode(reply.body, type=ErrorResponse).error
    assert (error.type, error.code, error.param) == ERRORS[name]
    assert error.message.endswith(".")


def test_every_fault_is_in_a_table() -> None:
    assert set(FAULTS) == {*BODIES, *HEADS, *ERRORS}


def test_every_fault_has_a_description() -> None:
    """The grammar, then a line for each fault: one sentence."""
    grammar, lines = listing().split("\n\n", 2)[1:]
    assert "NAME@5, NAME@event 5 " in grammar
    width = max(map(len, FAULTS)) + 2
    assert [line[:width].rstrip() for line in lines.splitlines()] == list(FAULTS)
    for line in lines.splitlines():
        assert line[width].isupper() or line[width] in "0123456789`"
        assert line.endswith(".")
        assert len(line) <= 120
