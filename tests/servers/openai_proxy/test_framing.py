"""Each connection has its own framing, and none of it reaches the other connection."""

import logging

import pytest
import trio

from ...streams import SAFETY, receive_all
from ..driving import get
from .fake_api import END, EVENTS, KEY, FakeAPI, chunked, fake_api, proxied, whole
from .test_relay import BODY, JSON, decoded, parts, post

OK = whole(b"{}", "200 OK", JSON)
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = {
    "both framings": CHAT + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": CHAT + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "an unknown coding": CHAT + b"Transfer-Encoding: xchunked\r\n\r\n",
    "a folded line": CHAT + b"X: a\r\n b\r\n\r\n",
    "a path upwards": b"POST /v1/../admin HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another path": b"GET /v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another host": CHAT.replace(b"localhost", b"evil.example") + b"\r\n",
    "another origin": CHAT + b"Origin: https://evil.example\r\n\r\n",
}


@pytest.mark.parametrize("request_", SMUGGLED.values(), ids=SMUGGLED)
async def test_a_refused_request_is_not_relayed(request_: bytes) -> None:
    async with fake_api(OK) as api, proxied(api.port) as proxy:
        client = await proxy.connect()
        await client.send_all(request_)
        await client.send_eof()
        assert (await receive_all(client))[9:10] in b"45"
    assert api.requests == []


def forwarded(api: FakeAPI, body: bytes, method: bytes = b"POST /v1/chat/completions") -> bytes:
    """The request that the API gets, however the client framed it."""
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return (
        b"%b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %b\r\n"
        b"Accept-Encoding: identity\r\nVia: 1.1 streaming-workshop\r\n%b\r\n%b"
        % (method, api.port, KEY.encode(), length, body)
    )


SECOND = b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
HIDING = {
    "a second request in the body": (
        CHAT + b"Content-Length: %d\r\n\r\n" % len(SECOND) + SECOND,
        SECOND,
    ),
    "a second request in a chunk": (
        CHAT + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(SECOND) + END,
        SECOND,
    ),
    "a second request after the body": (
        CHAT + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + SECOND,
        BODY,
    ),
    "chunk extensions and trailers": (
        CHAT
        + b'Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n%x;a="b"\r\n' % len(BODY)
        + BODY
        + b"\r\n0\r\nX-A: b\r\nAuthorization: Bearer other\r\n\r\n",
        BODY,
    ),
    "fields that Connection names": (
        CHAT + b"Connection: close, Accept\r\nUpgrade: h2c\r\nProxy-Authorization: Basic YQ==\r\n"
        b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
        BODY,
    ),
    "a field that is not ASCII": (
        CHAT + "User-Agent: Köln\r\n".encode() + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
        BODY,
    ),
}


@pytest.mark.parametrize(("request_", "body"), HIDING.values(), ids=HIDING)
async def test_exactly_one_request_is_relayed(request_: bytes, body: bytes) -> None:
    """The API gets the same bytes however the body was framed, and nothing after them."""
    async with fake_api(OK) as api, proxied(api.port, fin_is_disconnect=False) as proxy:
        client = await proxy.connect()
        await client.send_all(request_)
        await client.send_eof()
        replies = await receive_all(client)
    assert replies.startswith(b"HTTP/1.1 200 OK\r\n")
    assert api.requests == [forwarded(api, body)]


async def test_expect_is_answered_here() -> None:
    """The API gets the head and the body together, without Expect."""
    head, body = parts(post("Expect: 100-continue"))
    async with fake_api(OK) as api, proxied(api.port) as proxy:
        client = await proxy.connect()
        await client.send_all(head + b"\r\n\r\n")
        assert await client.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert api.requests == []
        await client.send_all(body)
        assert (await receive_all(client)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert api.requests == [forwarded(api, BODY)]


async def test_informational_responses_and_trailers_end_here() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    last = b"0\r\nX-Request-Id: other\r\nSet-Cookie: a=b\r\n\r\n"
    data = b"data: [DONE]\n\n"
    async with (
        fake_api(early + early, EVENTS, chunked(data), last) as api,
        proxied(api.port) as proxy,
    ):
        reply = await proxy.ask(post())
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
    assert reply.endswith(END)
    assert decoded(parts(reply)[1]) == (data, True)
    assert reply.count(b"HTTP/1.1") == 1
    assert b"Cookie" not in reply


DATA = b"data: [DONE]\n\n"
EVENTS_HEAD = b"200 OK\r\nContent-Type: text/event-stream\r\n"
FRAMED = {
    "chunk extensions": EVENTS + b'%x;a="b";c\r\n%b\r\n0;d\r\n\r\n' % (len(DATA), DATA),
    "a length": b"HTTP/1.1 %bContent-Length: %d\r\n\r\n%b" % (EVENTS_HEAD, len(DATA), DATA),
    "the end of the connection": b"HTTP/1.1 " + EVENTS_HEAD + b"\r\n" + DATA,
    "HTTP/1.0": b"HTTP/1.0 " + EVENTS_HEAD + b"\r\n" + DATA,
    "HTTP/1.0 with a length": b"HTTP/1.0 %bContent-Length: 14\r\n\r\n%b" % (EVENTS_HEAD, DATA),
    "bytes after the end": b"HTTP/1.1 %bContent-Length: 14\r\n\r\n" % EVENTS_HEAD + DATA + DATA,
}


@pytest.mark.parametrize("sent", FRAMED.values(), ids=FRAMED)
async def test_a_response_framed_in_any_way(sent: bytes) -> None:
    """The client gets a chunked body with the data inside the API's framing."""
    async with fake_api(sent) as api, proxied(api.port) as proxy:
        head, body = parts(await proxy.ask(post()))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert head.lower().count(b"\r\ntransfer-encoding: chunked") == 1
    assert b"content-length" not in head.lower()
    assert decoded(body) == (DATA, True)


async def test_a_request_id_is_there_once() -> None:
    """The API's own id, or ours if the API sends none."""
    sent = EVENTS + chunked(b"data: [DONE]\n\n") + END
    async with fake_api(sent) as api, proxied(api.port) as proxy:
        head, _ = parts(await proxy.ask(post()))
        assert head.lower().count(b"\r\nx-request-id: ") == 1
        assert b"\r\nx-request-id: req_upstream" in head
    async with fake_api(OK) as api, proxied(api.port) as proxy:
        head, _ = parts(await proxy.ask(post()))
        assert head.lower().count(b"\r\nx-request-id: req_") == 1


async def test_head_and_options(caplog: pytest.LogCaptureFixture) -> None:
    """HEAD is relayed as HEAD; the proxy itself answers OPTIONS."""
    caplog.set_level(logging.INFO)
    none = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    async with fake_api(none) as api, proxied(api.port) as proxy:
        asked = get("/v1/models", "Connection: close").replace(b"Host: a", b"Host: localhost")
        head, body = parts(await proxy.ask(asked.replace(b"GET", b"HEAD")))
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b""
        assert api.requests == [forwarded(api, b"", b"HEAD /v1/models")]
        assert "200 - head only" in caplog.messages  # not "client gone"
        for path in ("/v1/models", "/v1/chat/completions"):
            head, body = parts(
                await proxy.ask(asked.replace(b"GET /v1/models", f"OPTIONS {path}".encode()))
            )
            assert head.startswith(b"HTTP/1.1 204 ")
        assert len(api.requests) == 1


async def test_two_requests_on_one_connection() -> None:
    """The API gets two separate requests."""
    first = post(body=b"{}").replace(b"Connection: close\r\n", b"")
    once = whole(b"{}", "200 OK", JSON, "Connection: close")
    async with fake_api(once) as api, proxied(api.port) as proxy:
        client = await proxy.connect()
        with trio.fail_after(SAFETY):
            await client.send_all(first + post())
            replies = await receive_all(client)
    assert replies.count(b"HTTP/1.1 200 OK") == 2
    assert api.requests == [forwarded(api, b"{}"), forwarded(api, BODY)]
