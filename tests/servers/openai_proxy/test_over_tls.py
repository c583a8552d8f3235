"""An upstream over TLS: refused certificates and truncated responses."""

import ssl
from collections.abc import Callable, Sequence

import msgspec
import pytest
import trio
import trustme

from clients.streams.tls import TLSStream
from protocol.sse import EventStreamParser
from servers.http.redact import Secret
from servers.openai_proxy.handlers import Upstream, routes

from ...clients.http.test_https import EXPIRED, Server, plain, serving
from ...clients.streams.tls_peers import certificate, server_context
from ..driving import running
from .fake_api import END, EVENTS, KEY, chunked
from .test_relay import BODY, decoded, parts, post

EVENT = chunked(b'data: {"choices":[]}\n\n')
DONE = chunked(b"data: [DONE]\n\n")
RESET = b"reset"


async def read_request(stream: TLSStream) -> bytes:
    data = b""
    while not data.endswith(BODY):
        data += await stream.receive_some()
    return data


async def ask_through(port: int, ca_file: str | None) -> bytes:
    """The reply that a client of the proxy gets, or RESET."""
    upstream = Upstream(f"https://localhost:{port}/v1", Secret(KEY), ca_file)
    async with running(routes(upstream)) as proxy:
        try:
            return await proxy.ask(post())
        except trio.BrokenResourceError:
            return RESET


async def test_an_answer(ca_file: str) -> None:
    async def serve(server: Server, stream: TLSStream) -> None:
        server.requests[-1].append(await read_request(stream))
        for piece in (EVENTS, EVENT, DONE + END):
            await stream.send_all(piece)
        await stream.send_eof()

    async with serving(serve) as server:
        body = parts(await ask_through(server.port, ca_file))[1]
    assert decoded(body) == (b'data: {"choices":[]}\n\ndata: [DONE]\n\n', True)
    assert b"\r\nAuthorization: Bearer " + KEY.encode() in server.requests[0][0]


REFUSED: dict[str, tuple[Callable[[], ssl.SSLContext], str]] = {
    "another name": (
        lambda: server_context(certificate("other.example")),
        "the certificate of localhost is refused: it is for another name",
    ),
    "an unknown CA": (
        lambda: server_context(trustme.CA().issue_cert("localhost")),
        "the certificate of localhost is refused: no CA that is trusted here signed it",
    ),
    "expired": (
        lambda: server_context(EXPIRED),
        "the certificate of localhost is refused: it has expired, or this machine's clock is wrong",
    ),
}


def error_of(reply: bytes) -> str:
    """The message of a 502 after a TLS error. Fails if the reply contains the key."""
    head, body = parts(reply)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert KEY.encode() not in reply
    error = msgspec.json.decode(body)["error"]
    assert (error["type"], error["code"]) == ("upstream_error", "upstream_tls_error")
    message: str = error["message"]
    return message


@pytest.mark.parametrize(("context", "reason"), REFUSED.values(), ids=REFUSED)
async def test_a_refused_certificate(
    context: Callable[[], ssl.SSLContext], reason: str, ca_file: str
) -> None:
    """The 502 says what is wrong, and no byte of the request was sent."""
    async with serving(context=context()) as server:
        assert reason in error_of(await ask_through(server.port, ca_file))
    assert server.requests == [[]]


async def test_a_port_without_tls(ca_file: str) -> None:
    async with plain(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        message = error_of(await ask_through(port, ca_file))
    assert "localhost does not speak TLS: its first byte is b'H', as from a port for" in message


async def test_a_bad_https_proxy_setting(
    ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 502 says how to correct the setting."""
    monkeypatch.setenv("https_proxy", "socks5://me:secret@localhost:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    head, body = parts(await ask_through(443, ca_file))
    assert head.startswith(b"HTTP/1.1 502 ")
    error = msgspec.json.decode(body)["error"]
    assert error["code"] == "upstream_proxy_error"
    assert error["message"].endswith("like http://host:port, or user:password@host:port")


async def truncated_after(pieces: Sequence[bytes], ca_file: str, *, resets: bool = False) -> bytes:
    """The client's reply if the API closes after these records, without close_notify."""

    async def serve(server: Server, stream: TLSStream) -> None:
        await read_request(stream)
        for piece in pieces:
            await stream.send_all(piece)
        if resets:
            stream.reset()
            return
        await stream._stream.send_eof()
        await stream._stream.receive_some()

    async with serving(serve) as server:
        return await ask_through(server.port, ca_file)


STREAM = (EVENTS[:40], EVENTS[40:], EVENT, EVENT[:20], EVENT[20:], DONE)


@pytest.mark.parametrize("resets", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("count", range(len(STREAM) + 1))
async def test_a_stream_truncated_after_each_record(
    count: int, resets: bool, ca_file: str
) -> None:
    """Before the head the client gets a 502, after it an error event; never a clean end.

    Inside an event the proxy sends nothing more.
    """
    head, body = parts(await truncated_after(STREAM[:count], ca_file, resets=resets))
    if count < 2:
        assert head.startswith(b"HTTP/1.1 502 ")
        return
    data, complete = decoded(body)
    assert not complete
    if STREAM[count - 1] == EVENT[:20]:
        assert data == decoded(EVENT + EVENT[:20])[0]
        return
    *_, last = EventStreamParser().receive_data(data)
    code = msgspec.json.decode(last.data)["error"]["code"]
    assert code in ("upstream_bad_response", "upstream_disconnected")


ANSWER = b'{"choices":[]}'
FRAMED = {
    "with a length": b"Content-Length: 14\r\n\r\n" + ANSWER,
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n" + chunked(ANSWER) + END,
    "to the end of the connection": b"\r\n" + ANSWER,
}
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("framed", FRAMED.values(), ids=FRAMED)
async def test_json_truncated_after_each_record(framed: bytes, ca_file: str) -> None:
    """Before the head the client gets a 502, after it a reset; never a whole body.

    Each record has ten bytes. If the body ends with the connection, close_notify is its end: so it
    is truncated even when only close_notify is missing.
    """
    pieces = [JSON_HEAD, *(framed[start : start + 10] for start in range(0, len(framed), 10))]
    headless = sum(b"\r\n\r\n" not in b"".join(pieces[:count]) for count in range(len(pieces) + 1))
    until_close = framed.startswith(b"\r\n")
    for count in range(len(pieces) + until_close):
        reply = await truncated_after(pieces[:count], ca_file)
        if count < headless:
            assert reply.startswith(b"HTTP/1.1 502 ")
        else:
            assert reply == RESET, count


async def test_close_notify_without_fin(ca_file: str) -> None:
    """close_notify ends the body. The API waits for our close_notify before it sends FIN."""

    async def serve(server: Server, stream: TLSStream) -> None:
        await read_request(stream)
        stream._encrypt(JSON_HEAD + b"\r\n" + ANSWER)
        stream._send_close_notify()
        await stream._flush()
        await stream._stream.receive_some()

    async with serving(serve) as server:
        assert decoded(parts(await ask_through(server.port, ca_file))[1]) == (ANSWER, True)
