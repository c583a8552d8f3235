"""The client gets the upstream's status, its error body, and the fields about retrying."""

import gzip
import logging
import zlib

import msgspec
import pytest
import trio
from trio.testing import MockClock

from protocol.secret import Secret
from servers.openai_proxy.error_body import redacted_body
from servers.openai_proxy.handlers import MAX_ERROR_SIZE, Upstream, routes
from servers.openai_proxy.relay import Timeouts

from ...streams import MemoryStream, receive_all, receive_until
from ..driving import get, running
from .fake_api import END, EVENTS, KEY, chunked, fake_api, proxied, whole
from .in_memory import between
from .test_relay import BODY, JSON, decoded, error_of, parts, post

WORDS = b'{"error":{"message":"busy, come back"}}'


async def relayed(sent: bytes, request: bytes = b"") -> tuple[bytes, bytes]:
    """Relay this response. Returns the head and the body that the client gets."""
    async with fake_api(sent) as api, proxied(api.port) as proxy:
        return parts(await proxy.ask(request or post()))


STATUSES = {
    "400 Bad Request": b"400 Bad Request",
    "429 Slow Down": b"429 Slow Down",
    "430 Shopify": b"430 Shopify",
    "499 ": b"499 ",
    "520": b"520 ",
    "529 Overloaded": b"529 Overloaded",
    "599 Net\twork": b"599 Net\twork",
    "503 Köln": b"503 ",
    f"500 {KEY}": b"500 [redacted]",
    "600 Six": b"502 Bad Gateway",
    "999 Odd": b"502 Bad Gateway",
}


@pytest.mark.parametrize(("sent", "line"), STATUSES.items())
async def test_an_error(sent: str, line: bytes) -> None:
    """Registered or not. An invalid status counts as a 5xx (RFC 9110 §15)."""
    head, body = await relayed(whole(WORDS, sent, JSON, "Retry-After: 7"))
    assert head.startswith(b"HTTP/1.1 %b\r\n" % line)
    assert b"\r\nContent-Type: application/json\r\n" in head
    assert b"\r\nretry-after: 7\r\n" in head
    assert body == WORDS


@pytest.mark.parametrize("status", ["201 Created", "202", "299 Odd"])
async def test_an_answer(status: str) -> None:
    """An unknown status counts as the first one of its class (RFC 9110 §15)."""
    head, body = await relayed(whole(b"{}", status, JSON))
    assert head.startswith(b"HTTP/1.1 %b" % status.encode())
    assert decoded(body) == (b"{}", True)
    sent = EVENTS.replace(b"200 OK", status.encode()) + chunked(b"data: [DONE]\n\n") + END
    head, body = await relayed(sent)
    assert head.startswith(b"HTTP/1.1 %b" % status.encode())
    assert decoded(body) == (b"data: [DONE]\n\n", True)


async def test_fields() -> None:
    """The listed fields of an error's header are relayed, but not the fields of one connection."""
    fields = ["x-ratelimit-limit-tokens: 9", "retry-after-ms: 70", "x-should-retry: false"]
    fields += ["OpenAI-Processing-Ms: 5", "openai-poison: yes", "X-Request-Id: req_1", "Allow: GET"]
    hidden = ["Set-Cookie: a=b", "WWW-Authenticate: Basic", "Connection: OpenAI-Poison, x"]
    head, _ = await relayed(whole(WORDS, "405 No", JSON, *fields, *hidden))
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    ours = "date server x-content-type-options content-type content-length via vary connection"
    passed = "x-ratelimit-limit-tokens retry-after-ms x-should-retry openai-processing-ms"
    passed += " x-request-id allow"
    assert sorted(names) == sorted((ours + " " + passed).encode().split())


async def test_a_key_that_an_error_quotes() -> None:
    fields = [f"Content-Type: text/plain; x={KEY}", f"x-request-id: {KEY}"]
    words = b'{"error":{"message":"slow down, %b"}}' % KEY.encode()
    head, body = await relayed(whole(words, "400 Bad Request", *fields))
    assert b"\r\nx-request-id: [redacted]\r\n" in head
    assert b"\r\nContent-Type: text/plain; x=[redacted]\r\n" in head
    assert body == b'{"error":{"message":"slow down, [redacted]"}}'


async def test_a_type_outside_ascii() -> None:
    head, body = await relayed(whole(b"no", "400 Bad Request", "Content-Type: text/plain; x=é"))
    assert (head[9:12], body) == (b"400", b"no")


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "529 Overloaded"])
async def test_an_error_of_a_head_request(status: str) -> None:
    none = f"HTTP/1.1 {status}\r\n{JSON}\r\nContent-Length: 2\r\n\r\n".encode()
    asked = get("/v1/models", "Connection: close").replace(b"Host: a", b"Host: localhost")
    head, body = await relayed(none, asked.replace(b"GET", b"HEAD"))
    expected = b"502 Bad Gateway" if status.startswith("401") else status.encode()
    assert head.startswith(b"HTTP/1.1 %b\r\n" % expected)
    assert body == b""


# ---- error bodies that are too long, compressed, or truncated


async def test_a_long_error_body() -> None:
    """The client gets the beginning, and the status."""
    words = b'{"error":{"message":"' + b"x" * (2 << 20)
    head, body = await relayed(whole(words, "422 Unprocessable Content", JSON, "Retry-After: 7"))
    assert head.startswith(b"HTTP/1.1 422 ")
    assert b"\r\nretry-after: 7\r\n" in head
    assert body == words[:MAX_ERROR_SIZE]


PACKED = {
    "gzip": ("gzip", gzip.compress(WORDS)),
    "x-gzip": ("X-GZip", gzip.compress(WORDS)),
    "deflate": ("deflate", zlib.compress(WORDS)),
}


@pytest.mark.parametrize(("coding", "packed"), PACKED.values(), ids=PACKED)
async def test_a_compressed_error_body(coding: str, packed: bytes) -> None:
    sent = whole(packed, "429 Too Many Requests", JSON, f"Content-Encoding: {coding}")
    head, body = await relayed(sent.replace(b"\r\n\r\n", b"\r\nRetry-After: 7\r\n\r\n", 1))
    assert head.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nretry-after: 7\r\n" in head
    assert b"content-encoding" not in head.lower()
    assert body == WORDS


@pytest.mark.parametrize("coding", ["br", "gzip", "gzip, gzip", "é"])
async def test_an_unreadable_error_body(coding: str) -> None:
    """The status and Retry-After are relayed; the body is ours."""
    fields = [JSON, f"Content-Encoding: {coding}", "Retry-After: 7"]
    head, body = await relayed(whole(b"\x8b\x00{}", "429 Too Many Requests", *fields))
    assert head.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nretry-after: 7\r\n" in head
    error = msgspec.json.decode(body)["error"]
    assert error["code"] == "upstream_content_encoding"
    assert error["message"].startswith("The upstream API sent status 429 with a body in")


def test_a_compression_bomb() -> None:
    """A small body that decodes to 8 MiB: only as much is decoded as the limit allows."""
    packed = gzip.compress(b"x" * (8 << 20))
    assert redacted_body(packed, "gzip", 1000, is_whole=True) == b"x" * 1000


@pytest.mark.parametrize("body", [b"caf\xe9 \xff", "你好".encode()[:-1], b"\x00", b""])
def test_an_error_body_in_any_charset(body: bytes) -> None:
    assert redacted_body(body, "", 1000, is_whole=True) == body


@pytest.mark.parametrize("size", range(len(KEY) - 3))
def test_half_a_key(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body truncated inside a key shows none of it. A whole body keeps the same ending."""
    monkeypatch.setattr(Secret, "known", {KEY, KEY[3:]})
    cut = b"no such key: " + KEY[3:][:size].encode()
    for coding, body in (("", cut), ("gzip", gzip.compress(cut)[:-8])):
        words = redacted_body(body, coding, 1000, is_whole=False)
        assert words in (b"no such key: ", b"no such key: [redacted]")
    assert redacted_body(b"ask", "", 1000, is_whole=True) == b"ask"
    assert redacted_body(b"ask", "", 1000, is_whole=False) == b"a"


@pytest.mark.parametrize("resets", [False, True])
async def test_a_truncated_error_body(resets: bool) -> None:
    """The client gets the status and the part of the body that came."""
    sent = whole(WORDS, "400 Bad Request", JSON, "Retry-After: 7")
    async with fake_api(sent[:-9], resets=resets) as api, proxied(api.port) as proxy:
        head, body = parts(await proxy.ask(post()))
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nretry-after: 7\r\n" in head
    assert body == WORDS[:-9] or (resets and WORDS.startswith(body))  # RST may discard some


async def test_an_error_body_that_does_not_end(autojump_clock: MockClock) -> None:
    """The idle timeout limits the whole error body: single bytes do not reset it."""
    async with between(timeouts=Timeouts(first_event=300, idle=5)) as proxy:
        await proxy.client.send_all(post())
        api = await proxy.connected()
        await receive_until(api, BODY)
        since = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip, api, whole(b"x" * 100, "503 Busy", JSON))
            head, body = parts(await receive_all(proxy.client))
            nursery.cancel_scope.cancel()
        assert trio.current_time() - since == 5
        proxy.client.close()
        await proxy.api_sees_the_end(api)
    assert head.startswith(b"HTTP/1.1 503 Busy\r\n")
    assert body == b"x" * 5


async def test_an_error_while_the_upload_runs(autojump_clock: MockClock) -> None:
    """The API refuses the body early, reads no more of it, and keeps the connection open: the
    client gets the status at once."""
    async with between() as proxy:
        await proxy.client.send_all(post(body=b"x" * (1 << 20)))
        api = await proxy.connected()
        assert await api.receive_some()
        since = trio.current_time()
        await api.send_all(whole(WORDS, "413 Content Too Large", JSON))
        head, body = parts(await receive_until(proxy.client, WORDS))
        assert trio.current_time() == since
        proxy.client.close()
        await proxy.api_sees_the_end(api)
    assert head.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert body == WORDS


async def drip(api: MemoryStream, sent: bytes) -> None:
    await api.send_all(sent[:-99])
    for _ in range(99):
        await trio.sleep(1)
        await api.send_all(b"x")


# ---- our own key


@pytest.mark.parametrize("has_key", [True, False])
async def test_a_key_that_is_refused(has_key: bool, caplog: pytest.LogCaptureFixture) -> None:
    """It is not the client's key, so the status is not 401; and a retry would not help."""
    caplog.set_level(logging.INFO)
    async with fake_api(whole(b"no", "401 Unauthorized")) as api:
        key = Secret(KEY) if has_key else None
        async with running(routes(Upstream(f"http://127.0.0.1:{api.port}/v1", key))) as proxy:
            reply = await proxy.ask(post())
    assert error_of(reply) == (502, "upstream_refused_key")
    assert b"\r\nX-Should-Retry: false\r\n" in reply
    said = b"refuses this proxy's own key" if has_key else b"this proxy has none"
    assert said in reply
    assert "502 gpt-4o-mini upstream_refused_key" in caplog.messages
