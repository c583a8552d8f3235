"""Which targets and fields are relayed, and which requests are refused."""

import gzip

import msgspec
import pytest

from servers.openai_proxy.handlers import Upstream, routes

from ..driving import get, running
from .fake_api import fake_api, proxied, whole
from .test_relay import BODY, JSON, parts, post

OK = whole(b"{}", "200 OK", JSON)


def asking(target: str) -> bytes:
    return get(target, "Connection: close").replace(b"Host: a", b"Host: localhost")


TARGETS = {
    "/v1/models": "/v1/models",
    "/v1/models?": "/v1/models?",
    "/v1/models?api-version=2024&x=%2F..%2f+": "/v1/models?api-version=2024&x=%2F..%2f+",
    "/v1/models?a[]=1#x": "/v1/models?a[]=1%23x",
    "/v1/%6dodels": "/v1/models",
    "/v1/models/gpt-4o": "/v1/models/gpt-4o",
    "/v1/models/gpt%2D4o?x=1": "/v1/models/gpt%2D4o?x=1",
    "/v1/models/ft:gpt-4o:org::a1": "/v1/models/ft:gpt-4o:org::a1",
    "/v1/models/ft%3agpt-4o%3Aorg%3a%3Aa1": "/v1/models/ft%3agpt-4o%3Aorg%3a%3Aa1",
    "/v1/models/meta-llama/Llama-3.1-8B": "/v1/models/meta-llama/Llama-3.1-8B",
    "/v1/models/meta-llama%2FLlama-3.1-8B": "/v1/models/meta-llama%2FLlama-3.1-8B",
    "/v1/models/..a/b..": "/v1/models/..a/b..",
    "/v1/%6Dodels/a%2Fb?c": "/v1/models/a/b?c",
    "http://localhost/v1/models/a%2Fb?c": "/v1/models/a%2Fb?c",
}


@pytest.mark.parametrize(("sent", "passed"), TARGETS.items())
async def test_a_target_is_relayed_unchanged(sent: str, passed: str) -> None:
    async with fake_api(OK) as api, proxied(api.port) as proxy:
        assert (await proxy.ask(asking(sent))).startswith(b"HTTP/1.1 200 ")
    (request,) = api.requests
    assert request.startswith(b"GET %b HTTP/1.1\r\n" % passed.encode())


async def test_a_query_of_a_post() -> None:
    request = post(path="/v1/chat/completions?api-version=2024-10-21")
    async with fake_api(OK) as api, proxied(api.port) as proxy:
        await proxy.ask(request)
    (passed,) = api.requests
    assert passed.startswith(b"POST /v1/chat/completions?api-version=2024-10-21 HTTP/1.1\r\n")
    assert passed.endswith(b"\r\n\r\n" + BODY)


ELSEWHERE = [
    "..",
    ".",
    "...",
    "../files",
    "..%2ffiles",
    "%2e%2e/files",
    "%2E%2E%2Ffiles",
    "a/../../files",
    "a%2f..%2f..%2ffiles",
    "a/.",
    "a//b",
    "%2ffiles",
    "a/",
    "..%5cfiles",
    "..\\files",
    "..;/files",
    "a;b=c",
    "%252e%252e%252ffiles",
    "..%252ffiles",
    "%25252e%25252e/files",
    "x%3fa=b",
    "x%23y",
    "x%00",
    "x%0d%0aX:%20y",
    "a%20b",
    "%ef%bc%8e%ef%bc%8e/files",
    "..%c0%affiles",
]


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_a_model_id_cannot_reach_another_path(name: str) -> None:
    """However often the upstream decodes it, and whatever it treats as a separator."""
    async with fake_api(OK) as api, proxied(api.port) as proxy:
        head, body = parts(await proxy.ask(asking(f"/v1/models/{name}")))
    assert head.startswith(b"HTTP/1.1 400 ")
    # The server refuses a path that is not UTF-8 earlier.
    code = None if name == "..%c0%affiles" else "invalid_model_id"
    assert msgspec.json.decode(body)["error"]["code"] == code
    assert api.requests == []


# ---- fields


async def test_a_compressed_request() -> None:
    """We do not decode its body: the upstream decides whether it accepts the coding."""
    body = gzip.compress(BODY)
    async with fake_api(OK) as api, proxied(api.port) as proxy:
        await proxy.ask(post("Content-Encoding: gzip", "Content-Type: application/json", body=body))
    (request,) = api.requests
    assert b"\r\ncontent-encoding: gzip\r\n" in request
    assert request.endswith(b"\r\n\r\n" + body)


async def test_fields_that_connection_names() -> None:
    """They belong to one connection, whatever they mean otherwise (RFC 9110 §7.6.1)."""
    fields = ["Connection: close, X-Stainless-Hop,\tIdempotency-Key", "Accept: */*"]
    async with fake_api(OK) as api, proxied(api.port) as proxy:
        await proxy.ask(post("X-Stainless-Hop: 1", "Idempotency-Key: 2", *fields))
    (request,) = api.requests
    assert b"\r\naccept: */*\r\n" in request
    assert b"stainless" not in request
    assert b"idempotency" not in request


@pytest.mark.parametrize("field", ["X-Fault: rst@3", "X-Pace: 50"])
async def test_a_field_for_the_simulator(field: str) -> None:
    """Relayed only to an upstream that may be the simulator. Any other would ignore it silently."""
    name, _, value = field.encode().partition(b": ")
    async with fake_api(OK) as api, proxied(api.port) as proxy:
        await proxy.ask(post(field))
    assert b"\r\n%b: %b\r\n" % (name.lower(), value) in api.requests[0]
    async with running(routes(Upstream("https://api.example/v1"))) as far:
        head, body = parts(await far.ask(post(field)))
    assert head.startswith(b"HTTP/1.1 400 ")
    assert msgspec.json.decode(body)["error"]["code"] == "field_not_relayed"
