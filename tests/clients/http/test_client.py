"""The HTTP client: response bytes in, pieces of the body out; a cut body is never complete."""

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import h11
import pytest
import trio
from trio.testing import MockClock

from clients.http.client import Response, exchange, request
from clients.http.errors import ConnectError
from clients.streams.tcp import SocketStream
from servers.chunked import TEXT, routes
from servers.http.server import Server, listen
from servers.llm.model.tokens import tokenize
from servers.llm.pace import Pace

from ...ports import free_port
from ...streams import SAFETY, memory_pair, receive_until

ASKED = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"


async def answered(
    *writes: bytes, method: str = "GET", close: bool = True, bytewise: bool = False
) -> Response:
    """Return the response to a request, from a server in memory that writes this."""
    client, server = memory_pair()
    if bytewise:
        receive = client.receive_now
        client.receive_now = lambda max_bytes=1: receive(1)  # type: ignore[method-assign]
    for write in writes:
        server.send_now(write)
    if close:
        await server.send_eof()
    return await exchange(client, method, "/a", (("Host", "h"),))


async def pieces_of(response: Response) -> tuple[list[bytes], str]:
    """Return all pieces, and the error after them."""
    pieces = []
    try:
        with trio.fail_after(SAFETY):
            async for piece in response:
                pieces.append(piece)
    except h11.RemoteProtocolError as error:
        return pieces, str(error)
    return pieces, ""


BODIES = {
    "chunked": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"abcde",
    ),
    "chunked, with trailers": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n",
        b"abc",
    ),
    "content-length": (HEAD + b"Content-Length: 5\r\n\r\nabcde", b"abcde"),
    "content-length, more than it says": (HEAD + b"Content-Length: 2\r\n\r\nabcde", b"ab"),
    "content-length 0": (HEAD + b"Content-Length: 0\r\n\r\n", b""),
    "until close": (HEAD + b"\r\nabcde", b"abcde"),
    "until close, empty": (HEAD + b"\r\n", b""),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nabcde", b"abcde"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\nabcde", b""),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nabcde", b""),
    "no reason": (b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\na", b"a"),
    "100 first (RFC 9110 §15.2)": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 1\r\n\r\na",
        b"a",
    ),
    "102 and 103 first": (
        b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD + b"Content-Length: 1\r\n\r\na",
        b"a",
    ),
}


@pytest.mark.parametrize(("sent", "body"), BODIES.values(), ids=BODIES)
async def test_body(sent: bytes, body: bytes) -> None:
    """In one read, and byte by byte (RFC 9112 §6.3 says where a body ends)."""
    assert await (await answered(sent)).read() == body
    assert await (await answered(sent, bytewise=True)).read() == body


async def test_response_to_head_has_no_body() -> None:
    """Its Content-Length is that of the response to GET (RFC 9110 §9.3.2)."""
    response = await answered(HEAD + b"Content-Length: 5\r\n\r\n", method="HEAD", close=False)
    assert response.header("content-length") == "5"
    with trio.fail_after(SAFETY):
        assert await response.read() == b""


async def test_a_body_ends_without_a_close() -> None:
    """The framing shows the end: the client does not wait for more bytes."""
    for sent in (
        b"Content-Length: 1\r\n\r\na",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ):
        response = await answered(HEAD + sent, close=False)
        with trio.fail_after(SAFETY):
            assert await response.read() == b"a"
            assert await response.read() == b""


async def test_status_and_headers() -> None:
    sent = b"HTTP/1.1 404 Gone fishing\r\nX-A:  b \r\nx-a: \xe9\r\nContent-Length: 0\r\n\r\n"
    response = await answered(sent)
    assert response.status == 404
    assert response.headers == (("x-a", "b"), ("x-a", "é"), ("content-length", "0"))
    assert response.header("x-a") == "b"
    assert response.header("X-A") is None


async def test_pieces_come_as_they_arrive(autojump_clock: MockClock) -> None:
    """A piece is what one read brought: it waits for no end of a chunk or of the body."""
    client, server = memory_pair()
    server.send_now(HEAD + b"Transfer-Encoding: chunked\r\n\r\n6\r\nabc")
    response = await exchange(client, "GET", "/a", (("Host", "h"),))
    pieces = []

    async def read() -> None:
        pieces.extend([(trio.current_time(), piece) async for piece in response])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(1)
        server.send_now(b"def\r\n1")
        await trio.sleep(1)
        server.send_now(b"\r\ng\r\n1\r\nh\r\n")
        await trio.sleep(1)
        server.send_now(b"0\r\n\r\n")
    assert pieces == [(0, b"abc"), (1, b"def"), (2, b"g"), (2, b"h")]


TRUNCATED = {
    "content-length": (
        b"Content-Length: 5\r\n\r\n",
        b"ab",
        "the body ended after 2 of 5 bytes (at byte 2)",
    ),
    "chunked, in a chunk": (
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"5\r\nab",
        "the chunked body ended early: expected chunk-data (at byte 5)",
    ),
    "chunked, no last chunk": (
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"2\r\nab\r\n",
        "the chunked body ended early: expected a hex digit of the chunk-size (at byte 7)",
    ),
}


@pytest.mark.parametrize(("fields", "sent", "message"), TRUNCATED.values(), ids=TRUNCATED)
async def test_truncated(fields: bytes, sent: bytes, message: str) -> None:
    """The bytes that came are delivered, then the error: it is incomplete (RFC 9112 §8)."""
    response = await answered(HEAD + fields, sent)
    assert await pieces_of(response) == ([b"ab"], message)


BROKEN = b"2\r\nab\r\nXX"
MESSAGE = "expected a hex digit of the chunk-size, not b'X' (at byte 7)"


async def test_broken_body(autojump_clock: MockClock) -> None:
    """The pieces before the bad byte are delivered first."""
    client, server = memory_pair()
    server.send_now(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    response = await exchange(client, "GET", "/a", (("Host", "h"),))
    server.send_now(BROKEN)
    await server.send_eof()
    assert await pieces_of(response) == ([b"ab"], MESSAGE)


async def test_broken_body_in_one_read_with_its_head() -> None:
    """The result does not depend on how the bytes are cut."""
    response = await answered(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + BROKEN)
    assert await pieces_of(response) == ([b"ab"], MESSAGE)


async def test_broken_body_on_a_connection_that_stays_open(autojump_clock: MockClock) -> None:
    """The error is raised at once, without waiting for more bytes."""
    client, server = memory_pair()
    server.send_now(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    response = await exchange(client, "GET", "/a", (("Host", "h"),))
    server.send_now(BROKEN)
    assert await pieces_of(response) == ([b"ab"], MESSAGE)


async def test_reset_in_the_body() -> None:
    client, server = memory_pair()
    server.send_now(HEAD + b"\r\nab")
    response = await exchange(client, "GET", "/a", (("Host", "h"),))
    assert await anext(response) == b"ab"
    server.reset()
    with pytest.raises(trio.BrokenResourceError):
        await anext(response)


NO_RESPONSE = {
    b"": (trio.BrokenResourceError, "the server closed the connection without a reply"),
    b"HTTP/1.1 200 OK\r\nA: b\r\n": (
        h11.RemoteProtocolError,
        "the head ended before its empty line (CR LF CR LF) (at byte 23)",
    ),
    b"SSH-2.0-x\r\n\r\n": (
        h11.RemoteProtocolError,
        "not an HTTP/1 status-line: b'SSH-2.0-x' (at byte 0)",
    ),
    b"HTTP/2 200\r\n\r\n": (
        h11.RemoteProtocolError,
        "not an HTTP/1 status-line: b'HTTP/2 200' (at byte 0)",
    ),
    b"HTTP/1.1 200 OK\n\n": (h11.RemoteProtocolError, "a line that ends in LF alone"),
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na": (
        h11.RemoteProtocolError,
        "more than one Content-Length",
    ),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n": (
        h11.RemoteProtocolError,
        "Only Transfer-Encoding: chunked is supported",
    ),
    b"HTTP/1.1 100 Continue\r\n\r\n": (
        trio.BrokenResourceError,
        "the server closed the connection without a reply",
    ),
}


@pytest.mark.parametrize("sent", NO_RESPONSE, ids=lambda sent: sent.decode()[:16] or "nothing")
async def test_no_response(sent: bytes) -> None:
    error, message = NO_RESPONSE[sent]
    with pytest.raises(error) as caught:
        await answered(sent)
    assert str(caught.value).startswith(message)


@asynccontextmanager
async def serving(
    serve: Callable[[SocketStream], Awaitable[None]],
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve one connection. Yields the port, and a list to which its request will be added."""
    requests: list[bytes] = []
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery, listeners[0] as listener:

        async def accept() -> None:
            stream = SocketStream.adopt(await listener.accept())
            requests.append(await receive_until(stream, b"\r\n\r\n"))
            await serve(stream)
            stream.close()

        nursery.start_soon(accept)
        with trio.fail_after(SAFETY):
            yield listener.socket.getsockname()[1], requests
        nursery.cancel_scope.cancel()


async def say_ok(stream: SocketStream) -> None:
    await stream.send_all(HEAD + b"Content-Length: 2\r\n\r\nok")


TARGETS = {
    "": b"/",
    "/": b"/",
    "?a=b": b"/?a=b",
    "/a/b?c=d&e": b"/a/b?c=d&e",
    "/chat/你 好?q=ä b": b"/chat/%E4%BD%A0%20%E5%A5%BD?q=%C3%A4%20b",
    "/a%20b?%41": b"/a%20b?%41",
    "/a#part": b"/a",
    "/a\r\nX: y": b"/aX:%20y",
}


@pytest.mark.parametrize(("path", "target"), TARGETS.items())
async def test_request_line(path: str, target: bytes) -> None:
    """Non-ASCII is percent-encoded, the fragment is not sent, and no line can be injected."""
    async with serving(say_ok) as (port, requests):
        async with request("GET", f"http://127.0.0.1:{port}{path}", (("X-A", "b"),)) as response:
            assert await response.read() == b"ok"
        host = b"Host: 127.0.0.1:%d\r\n" % port
        assert requests == [
            b"GET " + target + b" HTTP/1.1\r\n" + host + b"Connection: close\r\nX-A: b\r\n\r\n"
        ]


async def test_host_without_the_name_and_password() -> None:
    """Host does not contain them (RFC 9110 §4.2.4, §7.2)."""
    async with serving(say_ok) as (port, requests):
        async with request("GET", f"http://me:secret@127.0.0.1:{port}/"):
            pass
        assert requests == [
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % port
        ]


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("POST", b"abc", b"3"), ("POST", b"", b"0"), ("PUT", b"", b"0"), ("PATCH", b"a", b"1")],
)
async def test_request_body(method: str, body: bytes, length: bytes) -> None:
    """It is sent with its length. An empty POST sends length 0 (RFC 9110 §8.6)."""
    client, server = memory_pair()
    server.send_now(HEAD + b"Content-Length: 0\r\n\r\n")
    await exchange(client, method, "/a", (("Host", "h"),), body)
    head = f"{method} /a HTTP/1.1\r\nHost: h\r\nContent-Length: ".encode()
    assert client.writes == [head + length + b"\r\n\r\n" + body]


async def test_nobody_listens() -> None:
    refused = os.strerror(errno.ECONNREFUSED)
    with pytest.raises(ConnectError, match=rf"^no connection to .*:\d+: {refused}$"):
        async with request("GET", f"http://127.0.0.1:{free_port()}/"):
            pass


async def test_a_real_server() -> None:
    """Lesson 3's server, reached by name: a chunked body, no body, and a body with a length."""
    sockets = listen("localhost", 0)
    port = sockets[0].getsockname()[1]
    server = Server(routes(Pace(0, 0)))
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, sockets)
            async with request("GET", f"http://localhost:{port}/") as response:
                assert response.status == 200
                assert response.header("transfer-encoding") == "chunked"
                assert await response.read() == TEXT.encode()
            async with request("HEAD", f"http://localhost:{port}/") as response:
                assert await response.read() == b""
            async with request("GET", f"http://localhost:{port}/whole") as response:
                assert response.header("content-length") == str(len(TEXT.encode()))
                assert await response.read() == TEXT.encode()
            server.stop()


async def test_leaving_the_block_ends_the_stream() -> None:
    """The client disconnects, and the server closes its generator."""
    sockets = listen("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    server = Server(routes(Pace(0, 0.02)))
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, sockets)
            async with request("GET", f"http://127.0.0.1:{port}/") as response:
                assert await anext(response) == tokenize(TEXT)[0].encode()
                assert server.connection_count == 1
            server.stop()
    assert server.connection_count == 0


async def test_too_many_informational_responses() -> None:
    with pytest.raises(h11.RemoteProtocolError, match="20 responses, and none of them is final"):
        await answered(b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + HEAD)


async def test_the_error_of_a_servers_bare_lf_gives_no_advice_for_typing() -> None:
    with pytest.raises(h11.RemoteProtocolError) as caught:
        await answered(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n")
    assert str(caught.value) == (
        "a line that ends in LF alone: HTTP lines end in CR LF (at byte 15)"
    )
