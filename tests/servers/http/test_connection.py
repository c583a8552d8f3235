"""One connection, request after request: the exact replies to given bytes."""

from collections.abc import AsyncGenerator

import pytest
import trio
from trio.testing import MockClock

from servers.http.connection import Limits
from servers.http.reply import Last, Reply, Request, StreamingReply
from servers.http.routes import Routes

from ...streams import receive_all, receive_until
from ..driving import CHUNKED, CLOSE, TEXT, ask, connected, echo, get, head, refusal, replying
from ..driving import text as plain


async def stream(request: Request) -> StreamingReply:
    async def pieces() -> AsyncGenerator[bytes | Last, None]:
        yield b"one"
        yield Last(b"two")

    return StreamingReply(pieces())


async def tell(request: Request) -> Reply:
    """Replies with the request as the handler got it."""
    return Reply(f"{request.method} {request.path} ?{request.query} {request.params}\n")


ROUTES = Routes(
    {
        "GET /": replying(Reply("hello\n")),
        "POST /echo": echo,
        "GET /stream": stream,
        "GET /tell/{name}": tell,
        "GET /nothing": replying(Reply(status=204)),
    }
)
HELLO = plain(b"hello\n")
STREAM = head(200, TEXT, CHUNKED) + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
LAST_GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
HELLO_CLOSE = plain(b"hello\n", CLOSE)


async def test_keep_alive() -> None:
    """HTTP/1.1 connections persist (RFC 9112 §9.3): one request after the other."""
    async with connected(ROUTES) as memory:
        for _ in range(3):
            await memory.client.send_all(get("/"))
            assert await receive_until(memory.client, b"hello\n") == HELLO
            await memory.client.send_all(get("/stream"))
            assert await receive_until(memory.client, b"0\r\n\r\n") == STREAM
        assert not memory.server.closed


REQUESTS = {
    "pipelined": (
        # "A server MAY process a sequence of pipelined requests in parallel if they all have safe
        # methods, but it MUST send the corresponding responses in the same order" (§9.3.2)
        get("/") + get("/stream") + get("/"),
        HELLO + STREAM + HELLO,
    ),
    "pipelined after a body": (
        POST + b"Content-Length: 3\r\n\r\nabc" + get("/"),
        plain(b"abc") + HELLO,
    ),
    "pipelined after a chunked body": (
        POST
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"3\r\nabc\r\n"
        + b"0\r\nX: y\r\n\r\n"
        + get("/"),
        plain(b"abc") + HELLO,
    ),
    "an empty line between two requests": (get("/") + b"\r\n" + get("/"), HELLO + HELLO),
    "a body that looks like a request": (
        POST + b"Content-Length: %d\r\n\r\n" % len(LAST_GET) + LAST_GET + get("/"),
        plain(LAST_GET) + HELLO,
    ),
    "close": (
        # "The server … MUST close the connection after it sends the response" (§9.6)
        LAST_GET + get("/"),
        HELLO_CLOSE,
    ),
    "close among other options": (
        get("/", "Connection: x, Close") + get("/"),
        HELLO_CLOSE,
    ),
    "HTTP/1.0 closes, whatever it asks": (
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/"),
        HELLO_CLOSE,
    ),
    "HTTP/1.0 has no chunks: the body ends with the connection": (
        b"GET /stream HTTP/1.0\r\n\r\n",
        head(200, TEXT, CLOSE) + b"onetwo",
    ),
    "HEAD": (
        # The fields that GET would have brought, and no body (RFC 9110 §9.3.2)
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/"),
        head(200, TEXT, b"Content-Length: 6\r\n") + HELLO,
    ),
    "HEAD of a stream": (
        b"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" + get("/"),
        head(200, TEXT, CHUNKED) + HELLO,
    ),
    "HEAD of an unknown path": (
        b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" + get("/"),
        head(404, TEXT, b"Content-Length: 38\r\n") + HELLO,
    ),
    "204 has no body, no type, no length (RFC 9110 §15.3.5)": (
        get("/nothing") + get("/"),
        head(204) + HELLO,
    ),
    "OPTIONS": (
        b"OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        head(204, b"Allow: OPTIONS, POST\r\n") + head(204, b"Allow: GET, HEAD, OPTIONS, POST\r\n"),
    ),
    "404": (
        get("/x?y") + get("/"),
        plain(b"404 Not Found\n\nThere is nothing at /x\n", status=404) + HELLO,
    ),
    "405 lists the methods (RFC 9110 §15.5.6)": (
        b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/"),
        plain(
            b"405 Method Not Allowed\n\n/ answers GET, HEAD, OPTIONS, not DELETE\n",
            b"Allow: GET, HEAD, OPTIONS\r\n",
            status=405,
        )
        + HELLO,
    ),
    "404 with a body, which stays unread: close": (
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get("/"),
        plain(b"404 Not Found\n\nThere is nothing at /x\n", CLOSE, status=404),
    ),
    "percent-encoded path, raw query": (
        get("/tell/%E4%BD%A0%20%2f?a=%41&b"),
        plain("GET /tell/你 / ?a=%41&b {'name': '你 /'}\n".encode()),
    ),
    "absolute-form, which every server must take (RFC 9112 §3.2.2)": (
        get("http://a/tell/x?q") + get("HTTP://a"),
        plain(b"GET /tell/x ?q {'name': 'x'}\n") + HELLO,
    ),
    "bare LF": (
        b"GET / HTTP/1.1\n",
        refusal(
            400,
            "a line that ends in LF alone: HTTP lines end in CR LF. Use `nc -C` "
            r"(or `workshop nc -C`), or printf 'GET / HTTP/1.1\r\nHost: localhost\r\n"
            r"Connection: close\r\n\r\n' | nc …",
        ),
    ),
    "raw UTF-8 in the target": (
        "GET /chat/你好?q=ä HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
        refusal(
            400,
            "a request-target with spaces or bytes that are not ASCII. "
            "Percent-encoded, the line is:\n\n"
            "GET /chat/%E4%BD%A0%E5%A5%BD?q=%C3%A4 HTTP/1.1",
        ),
    ),
    "a good request and a bad one": (
        get("/") + b"GET / HTTP/2.0\r\n\r\n" + get("/"),
        HELLO + refusal(505, "only HTTP/1.1 and HTTP/1.0 here"),
    ),
    "a head that ends too early": (
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        refusal(400, "the head ended before its empty line (CR LF CR LF)"),
    ),
    "a body that ends too early": (
        POST + b"Content-Length: 10\r\n\r\nabc",
        refusal(400, "the body ended after 3 of 10 bytes"),
    ),
    "nothing at all": (b"", b""),
    "an empty line and nothing": (b"\r\n", b""),
}


@pytest.mark.parametrize(("requests", "replies"), REQUESTS.values(), ids=REQUESTS)
async def test_requests_and_replies(requests: bytes, replies: bytes) -> None:
    """In one piece and byte by byte: it does not matter how TCP splits a request."""
    assert await ask(ROUTES, requests) == replies
    assert await ask(ROUTES, *(requests[i : i + 1] for i in range(len(requests)))) == replies


@pytest.mark.parametrize(
    "last",
    [LAST_GET, b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01"],
    ids=["close", "HTTP/1.0", "error", "TLS"],
)
async def test_the_server_closes_first(last: bytes, autojump_clock: MockClock) -> None:
    """After the last reply or an error, without waiting for the client's FIN."""
    async with connected(ROUTES) as memory:
        await memory.client.send_all(last)
        start = trio.current_time()
        assert (await receive_all(memory.client)).endswith(b"\n")
        assert trio.current_time() == start
        memory.client.close()
        await memory.done.wait()
        assert trio.current_time() == start


EXPECT = POST + b"Expect: 100-continue\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 3\r\n\r\n", b"abc"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    ],
    ids=["length", "chunked"],
)
async def test_100_continue(framing: bytes, body: bytes) -> None:
    """The client waits for it before it sends its body (RFC 9110 §10.1.1)."""
    async with connected(ROUTES) as memory:
        await memory.client.send_all(EXPECT + framing)
        assert await memory.client.receive_some() == CONTINUE
        await memory.client.send_all(body)
        assert await receive_until(memory.client, b"abc") == plain(b"abc")
        assert not memory.server.closed


NOT_CONTINUED = {
    "the body came with the head": (EXPECT + b"Content-Length: 3\r\n\r\nabc", plain(b"abc")),
    "no body is announced": (EXPECT + b"\r\n", plain(b"")),
    "an empty body": (EXPECT + b"Content-Length: 0\r\n\r\n", plain(b"")),
    "another expectation": (
        POST + b"Expect: x-100-continue\r\nContent-Length: 3\r\n\r\nabc",
        plain(b"abc"),
    ),
    "HTTP/1.0 has no 1xx": (
        b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        plain(b"abc", CLOSE),
    ),
    "nothing would read the body": (
        b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        plain(b"404 Not Found\n\nThere is nothing at /x\n", CLOSE, status=404),
    ),
    "the body would be too large": (
        EXPECT + b"Content-Length: 11\r\n\r\n",
        refusal(413, "a request body over 10 bytes"),
    ),
}


@pytest.mark.parametrize(("request_", "reply"), NOT_CONTINUED.values(), ids=NOT_CONTINUED)
async def test_no_100_continue(request_: bytes, reply: bytes) -> None:
    """A server may leave it out when it answers at once; HTTP/1.0 must never see it."""
    assert await ask(ROUTES, request_, limits=Limits(max_body_size=10)) == reply


async def test_no_100_continue_when_the_body_has_begun() -> None:
    """A server that has some of the body already may leave it out, and this one does."""
    begin = EXPECT + b"Content-Length: 3\r\n\r\nab"
    assert await ask(ROUTES, begin, b"c") == plain(b"abc")


TEN = b"0123456789"
CHUNKED_POST = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BODIES = {
    "length, at the limit": (POST + b"Content-Length: 10\r\n\r\n" + TEN, plain(TEN)),
    "length, over": (POST + b"Content-Length: 11\r\n\r\n", None),
    "chunked, at the limit": (CHUNKED_POST + b"a\r\n" + TEN + b"\r\n0\r\n\r\n", plain(TEN)),
    "chunked, over in one chunk": (
        CHUNKED_POST + b"b\r\n" + TEN + b"x",
        refusal(413, "the chunk-size is larger than the limit"),
    ),
    "chunked, over in many": (CHUNKED_POST + b"1\r\nx\r\n" * 11, None),
}


@pytest.mark.parametrize(("request_", "reply"), BODIES.values(), ids=BODIES)
async def test_body_limit(request_: bytes, reply: bytes | None) -> None:
    """413 (RFC 9110 §15.5.14) as soon as the announced length or the bytes so far are over it."""
    limits = Limits(max_body_size=10)
    too_large = refusal(413, "a request body over 10 bytes")
    assert await ask(ROUTES, request_, limits=limits) == (reply or too_large)
    pieces = [request_[i : i + 1] for i in range(len(request_))]
    assert await ask(ROUTES, *pieces, limits=limits) == (reply or too_large)


async def test_handler_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """500 and a close. Only the log has the reason."""

    async def broken(request: Request) -> Reply:
        raise KeyError("secret")

    reply = await ask(Routes({"GET /": broken}), get("/") + get("/"))
    body = b"500 Internal Server Error\n\nThe server's log says why.\n"
    assert reply == plain(body, CLOSE, status=500)
    head_only = await ask(Routes({"GET /": broken}), b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head_only == reply.removesuffix(body)
    assert "500 GET /: the handler failed" in caplog.text
    assert "KeyError: 'secret'" in caplog.text


async def test_a_stream_whose_head_cannot_be_written() -> None:
    """Its source is closed, because it may hold a connection to an upstream."""
    let_go = []

    class Holding(StreamingReply):
        async def aclose(self) -> None:
            let_go.append(self)

    async def nothing() -> AsyncGenerator[bytes | Last, None]:
        yield b""

    async def handler(request: Request) -> StreamingReply:
        return Holding(nothing(), status=999)

    assert (await ask(Routes({"GET /": handler}), get("/")))[9:12] == b"500"
    assert len(let_go) == 1


async def test_headers_reach_the_handler() -> None:
    async def show(request: Request) -> Reply:
        assert request.header("x") == "é 1"
        assert request.header("y") is None
        return Reply(repr(request.headers))

    request = "GET / HTTP/1.1\r\nHost: a\r\nX:  é 1 \r\nx: 2\r\n\r\n".encode("latin-1")
    shown = "(('host', 'a'), ('x', 'é 1'), ('x', '2'))".encode()
    assert await ask(Routes({"GET /": show}), request) == plain(shown)


async def test_one_log_line_for_each_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "servers")
    await ask(ROUTES, get("/") + get("/stream") + b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + b"\0")
    assert [record.getMessage() for record in caplog.records] == [
        "200 GET / 6 bytes",
        "200 GET /stream 2 pieces, 6 bytes, done",
        "200 HEAD / head only",
        "400 a control character in the head: b'\\x00'",
    ]


FORGERIES = {
    "/a%0A200%20GET%20/b": r"404 GET /a\n200 GET /b 49 bytes",
    "/a%1B%5B2J": r"404 GET /a\x1b[2J 42 bytes",
    "/a%0D%E4%BD%A0": r"404 GET /a\r你 42 bytes",
}


@pytest.mark.parametrize(("path", "line"), FORGERIES.items())
async def test_log_lines_cannot_be_forged(
    path: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A client's text must not end a log line or control the operator's terminal."""
    caplog.set_level("INFO", "servers")
    await ask(ROUTES, get(path))
    assert [record.getMessage() for record in caplog.records] == [line]


@pytest.mark.parametrize("target", ["http://[", "http://[zz]/", "http://a]/"])
async def test_absolute_form_with_a_bad_host(target: str) -> None:
    assert (await ask(ROUTES, get(target))).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("target", ["/%ff", "http://["])
async def test_no_body_after_head_even_for_errors(target: str) -> None:
    """A response to HEAD has no body (RFC 9110 §9.3.2): its bytes would be the next response's."""
    reply = await ask(ROUTES, f"HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert reply.endswith(b"\r\n\r\n")


async def test_a_slow_body_has_a_limit_in_all(autojump_clock: MockClock) -> None:
    """Each byte comes in time, but the whole body does not."""
    async with connected(ROUTES, Limits(body_seconds=10, body_total_seconds=60)) as memory:
        await memory.client.send_all(POST + b"Content-Length: 1000\r\n\r\n")
        with trio.fail_after(3600):
            while not memory.done.is_set():
                await trio.sleep(5)
                try:
                    memory.client.send_now(b"x")
                except trio.BrokenResourceError:
                    break
        assert trio.current_time() < 70
        assert b"HTTP/1.1 408 " in b"".join(memory.server.writes)
