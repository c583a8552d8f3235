"""Requests as the upstream gets them, replies as the client gets them, and every failure."""

import logging

import msgspec
import pytest
import trio

from protocol.chunked import ChunkedDecoder
from protocol.sse import EventStreamParser

from ...streams import receive_all
from ..driving import get, until
from .fake_api import END, EVENTS, KEY, chunked, fake_api, proxied, whole

BODY = b'{"model":"gpt-4o-mini","stream":true,"messages":[]}'


def post(*fields: str, body: bytes = BODY, path: str = "/v1/chat/completions") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost:8005", *fields]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def parts(reply: bytes) -> tuple[bytes, bytes]:
    head, _, body = reply.partition(b"\r\n\r\n")
    return head, body


def decoded(body: bytes) -> tuple[bytes, bool]:
    """The data of a chunked body, and whether the body is complete."""
    decoder = ChunkedDecoder()
    return b"".join(decoder.receive_data(body)), decoder.complete


def error_of(reply: bytes) -> tuple[int, str]:
    head, body = parts(reply)
    error = msgspec.json.decode(body)["error"]
    assert KEY not in error["message"]
    assert error["type"] == "upstream_error"
    return int(head[9:12]), error["code"]


async def test_what_the_upstream_receives() -> None:
    """One request with new framing, the listed fields and our key."""
    fields = [
        "Authorization: Bearer the-clients-own",
        "Accept: application/json",
        "Accept-Encoding: gzip, br",
        "Cookie: a=b",
        "Content-Type: application/json",
        "User-Agent: OpenAI/Python 3.54.0",
        "X-Stainless-Lang: python",
        "OpenAI-Organization: org-1",
        "X-Forwarded-For: 10.0.0.1",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "X-Api-Key: other",
    ]
    done = chunked(b"data: [DONE]\n\n") + END
    async with fake_api(EVENTS, done) as api, proxied(api.port) as proxy:
        await proxy.ask(post(*fields))
    assert api.requests == [
        b"POST /v1/chat/completions HTTP/1.1\r\n"
        b"Host: 127.0.0.1:%d\r\n"
        b"accept: application/json\r\n"
        b"content-type: application/json\r\n"
        b"user-agent: OpenAI/Python 3.54.0\r\n"
        b"x-stainless-lang: python\r\n"
        b"openai-organization: org-1\r\n"
        b"Authorization: Bearer %b\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Via: 1.1 streaming-workshop\r\n"
        b"Content-Length: %d\r\n\r\n" % (api.port, KEY.encode(), len(BODY)) + BODY
    ]


async def test_what_the_client_receives() -> None:
    """The same body and the listed header fields; no field of one connection."""
    data = b'data: {"a":1}\n\ndata: [DONE]\n\n'
    async with fake_api(EVENTS, chunked(data) + END) as api, proxied(api.port) as proxy:
        head, body = parts(await proxy.ask(post()))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Type: text/event-stream\r\n" in head
    assert b"\r\nx-request-id: req_upstream\r\n" in head
    assert b"\r\nX-Accel-Buffering: no\r\n" in head
    assert b"\r\nCache-Control: no-cache, no-transform\r\n" in head
    assert b"\r\nVia: 1.1 streaming-workshop\r\n" in head
    assert b"set-cookie" not in head.lower()
    assert decoded(body) == (data, True)


EMOJI = "data: 👩🏽‍🚀 你好\n\n".encode() * 200


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
async def test_bytes_are_the_same_however_they_are_cut(size: int) -> None:
    stream = b"".join(chunked(EMOJI[n : n + 61]) for n in range(0, len(EMOJI), 61)) + END
    pieces = [stream[n : n + size] for n in range(0, len(stream), size)]
    async with fake_api(EVENTS, *pieces) as api, proxied(api.port) as proxy:
        body = parts(await proxy.ask(post()))[1]
    assert decoded(body) == (EMOJI, True)


async def test_each_piece_is_relayed_at_once() -> None:
    """The API sends the next piece only after the client has read this one."""
    events = [chunked(b"data: %d\n\n" % number) for number in range(5)]
    async with fake_api(EVENTS, *events, END, held=True) as api, proxied(api.port) as proxy:
        client = await proxy.connect()
        await client.send_all(post())
        api.go.release()
        seen = b""
        for number in range(5):
            api.go.release()
            while b"data: %d\n\n" % number not in seen:
                seen += await client.receive_some()
            assert api.sent == number + 2
        api.go.release()
        assert (await receive_all(client)).endswith(END)


CUTS = {
    "between events": (chunked(b"data: 1\n\n"), b"data: 1\n\n"),
    "after a comment": (chunked(b"data: 1\n\n: here\n"), b"data: 1\n\n: here\n"),
    "bad framing": (chunked(b"data: 1\n\n") + b"xyz\r\n", b"data: 1\n\n"),
}
HALVES = {
    "in its data": (chunked(b'data: 1\n\ndata: {"a'), b'data: 1\n\ndata: {"a'),
    "inside a chunk": (chunked(b"data: 1\n\n")[:-9], b"da"),
    "inside a character": (chunked(b"data: \xe4\xbd"), b"data: \xe4\xbd"),
    "before the blank line": (chunked(b"data: 1\n"), b"data: 1\n"),
    "between CR and LF": (chunked(b"data: 1\r\n\r"), b"data: 1\r\n\r"),
    "after its name": (chunked(b"event: error\n"), b"event: error\n"),
    "in a comment": (chunked(b": her"), b": her"),
}


@pytest.mark.parametrize(("sent", "data"), CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("resets", [False, True])
async def test_a_cut_stream_ends_with_an_error_and_no_last_chunk(
    sent: bytes, data: bytes, resets: bool
) -> None:
    async with fake_api(EVENTS + sent, resets=resets) as api, proxied(api.port) as proxy:
        body, complete = decoded(parts(await proxy.ask(post()))[1])
    assert not complete
    assert body.startswith(data)
    *_, last = EventStreamParser().receive_data(body)
    code = msgspec.json.decode(last.data)["error"]["code"]
    reset_first = resets and b"xyz" not in sent
    assert code == ("upstream_disconnected" if reset_first else "upstream_bad_response")


@pytest.mark.parametrize(("sent", "data"), HALVES.values(), ids=HALVES)
@pytest.mark.parametrize("resets", [False, True])
async def test_a_stream_that_is_cut_inside_an_event(sent: bytes, data: bytes, resets: bool) -> None:
    """The proxy adds no byte, which could complete the half event, and no last chunk."""
    async with fake_api(EVENTS + sent, resets=resets) as api, proxied(api.port) as proxy:
        assert decoded(parts(await proxy.ask(post()))[1]) == (data, False)


async def test_a_cut_responses_stream() -> None:
    """The Responses API has its own event type for errors."""
    request = post(path="/v1/responses")
    async with fake_api(EVENTS, chunked(b"data: 1\n\n")) as api, proxied(api.port) as proxy:
        body, complete = decoded(parts(await proxy.ask(request))[1])
    assert not complete
    *_, last = EventStreamParser().receive_data(body)
    assert last.event == "error"
    assert msgspec.json.decode(last.data)["type"] == "error"


async def test_cut_json_is_an_aborted_connection() -> None:
    cut = whole(b'{"choices":[]}', "200 OK", "Content-Type: application/json")[:-3]
    async with fake_api(cut) as api, proxied(api.port) as proxy:
        with pytest.raises(trio.BrokenResourceError):
            await proxy.ask(post())


JSON = "Content-Type: application/json"
REPLIES = {
    "401": (whole(b'{"error":"bad key"}', "401 Unauthorized", JSON), 502, "refused_key"),
    "redirect": (whole(b"", "307 Temporary Redirect", "Location: http://evil/"), 502, "redirect"),
    "html": (whole(b"<html>", "200 OK", "Content-Type: text/html"), 502, "content_type"),
    "gzip": (whole(b"x", "200 OK", JSON, "Content-Encoding: gzip"), 502, "content_encoding"),
    "gzip in a second field": (
        whole(b"x", "200 OK", JSON, "Content-Encoding: identity", "Content-Encoding: gzip"),
        502,
        "content_encoding",
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n" + JSON.encode() + b"\r\n\r\n", 502, "status"),
    "a part": (whole(b"{}", "206 Partial Content", JSON), 502, "status"),
    "status of many": (whole(b"{}", "207 Multi-Status", JSON), 502, "status"),
    "a switch of protocols": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        502,
        "bad_response",
    ),
    "a type outside ASCII": (whole(b"{}", "200 OK", JSON + "; x=é"), 502, "content_type"),
    "no reply": (b"", 502, "disconnected"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-", 502, "bad_response"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", 502, "bad_response"),
    "both framings": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        502,
        "bad_response",
    ),
}


@pytest.mark.parametrize(("sent", "status", "code"), REPLIES.values(), ids=REPLIES)
async def test_an_unusable_reply(sent: bytes, status: int, code: str) -> None:
    async with fake_api(sent) as api, proxied(api.port) as proxy:
        assert error_of(await proxy.ask(post())) == (status, f"upstream_{code}")


async def test_nobody_listens() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    async with proxied(port) as proxy:
        assert error_of(await proxy.ask(post())) == (502, "upstream_unreachable")


# ---- disconnects


PIECES = {
    "before the head": (),
    "mid-stream": (EVENTS, chunked(b"data: 1\n\n")),
    "in a whole answer": (whole(b'{"a":"data: 1"}', "200 OK", JSON)[:-2],),
}


@pytest.mark.parametrize("how", ["close", "reset", "send_eof"])
@pytest.mark.parametrize("when", PIECES)
async def test_a_disconnect_closes_the_upstream_connection(how: str, when: str) -> None:
    """FIN counts as a disconnect too, because an unread answer costs money. The same holds for an
    answer in one piece, on a connection that would be kept."""
    pieces = PIECES[when]
    async with fake_api(*pieces, stays=True) as api, proxied(api.port) as proxy:
        client = await proxy.connect()
        asking = post() if when == "mid-stream" else post(body=b'{"model":"m"}')
        await client.send_all(asking.replace(b"Connection: close\r\n", b""))
        if pieces:
            seen = b""
            while b"data: 1" not in seen:
                seen += await client.receive_some()
        else:
            await until(lambda: bool(api.requests))
        if how == "send_eof":
            await client.send_eof()
        else:
            getattr(client, how)()
        await api.gone.wait()
        await until(lambda: proxy.server.connection_count == 0)


async def test_a_half_closed_client_may_read_on_if_allowed() -> None:
    sent = [EVENTS, chunked(b"data: [DONE]\n\n") + END]
    async with fake_api(*sent, held=True) as api, proxied(api.port, fin_is_disconnect=False) as p:
        client = await p.connect()
        await client.send_all(post())
        await client.send_eof()
        api.go.release()
        api.go.release()
        assert (await receive_all(client)).endswith(END)


async def test_connections_are_reused() -> None:
    """The connection stays open after a reply that was read whole."""
    sent = whole(b"{}", "200 OK", JSON)
    async with fake_api(sent, stays=True) as api, proxied(api.port) as proxy:
        await proxy.ask(post())
        assert not api.gone.is_set()


async def test_a_browser_at_its_address() -> None:
    """`workshop` prints this address. A 404 there would look as if no server were running."""
    async with fake_api() as api, proxied(api.port) as proxy:
        answer = await proxy.ask(get("/", "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"Base URL for clients: /v1\n")
    assert api.requests == []


async def test_the_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":12}}\n\n'
    data = b"data: {}\n\n" + usage + b"data: [DONE]\n\n"
    async with fake_api(EVENTS, chunked(data) + END) as api, proxied(api.port) as proxy:
        await proxy.ask(post())
    (line,) = [r.getMessage() for r in caplog.records if "gpt-4o-mini" in r.getMessage()]
    assert line.startswith("200 gpt-4o-mini 3 events 12 tokens ttft ")
    assert line.endswith(" ms done")
