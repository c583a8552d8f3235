"""Requests that both routes refuse with a special status, as an error object of the API."""

import gzip

import msgspec
import pytest

from servers.chat import routes
from servers.llm.pace import Pace

from ..driving import ask
from .asking import error_of

AT_ONCE = routes(Pace(0, 0))
ROUTES = {
    "/v1/chat/completions": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    "/v1/responses": {"model": "m", "input": "Hi"},
}


def post(path: str, body: bytes, coding: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Encoding: {coding}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(("path", "asked"), ROUTES.items(), ids=ROUTES)
@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_body(path: str, asked: dict[str, object], coding: str) -> None:
    """415 instead of a JSON error. The response names the only coding (RFC 9110 §12.5.3)."""
    body = gzip.compress(msgspec.json.encode(asked))
    reply = await ask(AT_ONCE, post(path, body, coding))
    status, error = error_of(reply)
    assert (status, error["type"], error["code"]) == (
        415,
        "invalid_request_error",
        "unsupported_content_encoding",
    )
    assert error["message"] == f"Send the body without a content coding, not with {coding}"
    assert b"\r\nAccept-Encoding: identity\r\n" in reply


@pytest.mark.parametrize(("path", "asked"), ROUTES.items(), ids=ROUTES)
async def test_the_identity_coding_is_accepted(path: str, asked: dict[str, object]) -> None:
    reply = await ask(AT_ONCE, post(path, msgspec.json.encode(asked), "Identity"))
    assert reply.startswith(b"HTTP/1.1 200 ")
