"""Refusals that no handler makes: on a path of the API they have the form of its errors, on other
paths they are plain text."""

import msgspec
import pytest
from trio.testing import MockClock

from protocol.openai.common import ErrorResponse
from servers import chat
from servers.http import api_replies
from servers.http.connection import Limits
from servers.http.reply import Reply, Request
from servers.http.routes import Routes
from servers.llm.pace import Pace
from servers.openai_proxy.handlers import Upstream
from servers.openai_proxy.handlers import routes as proxy_routes

from ...streams import receive_all
from ..driving import ask, connected, echo


async def broken(request: Request) -> Reply:
    raise KeyError("secret")


ROUTES = Routes({"POST /v1/echo": echo, "GET /v1/broken": broken}, refuse=api_replies.refuse)
LIMITS = Limits(max_body_size=10)
POST = b"POST /v1/echo HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"

REFUSED = {
    "413 by its length": (POST + b"Content-Length: 11\r\n\r\n", 413),
    "413 by the bytes so far": (CHUNKED + b"\r\n" + b"1\r\nx\r\n" * 11, 413),
    "431": (POST + b"X: y\r\n" * 101 + b"\r\n", 431),
    "431 before its end": (POST + b"X: " + b"y" * (64 << 10), 431),
    "two framings": (CHUNKED + b"Content-Length: 1\r\n\r\n", 400),
    "a transfer coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "a bad chunk": (CHUNKED + b"\r\nx\r\n", 400),
    "half a body": (POST + b"Content-Length: 9\r\n\r\nabc", 400),
    "half a head": (POST, 400),
    "half a request-line": (POST[:20], 400),
    "a bad field": (POST + b"X : y\r\n\r\n", 400),
    "a bad Host": (b"GET /v1/x HTTP/1.1\r\nHost: <x>\r\n\r\n", 400),
    "no Host": (b"GET /v1/x HTTP/1.1\r\n\r\n", 400),
    "HTTP/2.0": (b"GET /v1/x HTTP/2.0\r\n\r\n", 505),
    "absolute-form": (b"GET http://a/v1/x HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    "404": (b"GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    "405": (b"DELETE /v1/echo HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "500": (b"GET /v1/broken HTTP/1.1\r\nHost: a\r\n\r\n", 500),
}


def error_of(response: bytes, status: int) -> str:
    """The message of an error of the API, after checks of its form, length and status."""
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), response
    assert b"\r\nContent-Type: application/json\r\n" in head
    assert b"\r\nContent-Length: %d" % len(body) in head
    error = msgspec.json.decode(body, type=ErrorResponse, strict=True).error
    assert error.type == ("server_error" if status >= 500 else "invalid_request_error")
    return error.message


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_has_the_form_of_the_api(request_: bytes, status: int) -> None:
    assert error_of(await ask(ROUTES, request_, limits=LIMITS), status)


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_of_another_path_is_text(request_: bytes, status: int) -> None:
    """The same requests, for a path outside the API."""
    routes = Routes({"POST /v2/echo": echo, "GET /v2/broken": broken}, refuse=api_replies.refuse)
    reply = await ask(routes, request_.replace(b"/v1/", b"/v2/"), limits=LIMITS)
    assert reply.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nContent-Type: text/plain; charset=utf-8\r\n" in reply


async def test_405_lists_the_methods() -> None:
    reply = await ask(ROUTES, b"DELETE /v1/echo HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"\r\nAllow: OPTIONS, POST\r\n" in reply


async def test_no_body_after_head() -> None:
    """Also if the head of the request is bad (RFC 9110 §9.3.2)."""
    for rest in (b"1.1\r\nHost: a\r\n\r\n", b"1.1\r\nHost: <\r\n\r\n", b"9.9\r\n\r\n"):
        assert (await ask(ROUTES, b"HEAD /v1/x HTTP/" + rest)).endswith(b"\r\n\r\n")


LATE = {
    "a head": (POST, "The request's head did not end in time."),
    "a body": (POST + b"Content-Length: 9\r\n\r\nabc", "The request's body did not come in time."),
}


@pytest.mark.parametrize(("sent", "message"), LATE.values(), ids=LATE)
async def test_408(sent: bytes, message: str, autojump_clock: MockClock) -> None:
    async with connected(ROUTES) as memory:
        await memory.client.send_all(sent)
        assert error_of(await receive_all(memory.client), 408) == message


@pytest.mark.parametrize(
    "routes", [chat.routes(Pace(0, 0)), proxy_routes(Upstream())], ids=["chat", "proxy"]
)
async def test_the_servers_of_the_api(routes: Routes) -> None:
    """Both servers use this form."""
    bare = Routes({}, refuse=routes.refuse)  # without their tasks
    malformed = b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"
    assert error_of(await ask(bare, malformed), 400) == "not a Content-Length: b'x'"
    reply, _ = routes.find("DELETE", "/v1/responses")
    assert isinstance(reply, Reply)
    assert reply.content_type == "application/json"
