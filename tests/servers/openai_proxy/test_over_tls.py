"""An API behind the proxy that is reached over TLS: who is refused, and what is cut."""

import ssl
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import trustme

from clients.tls import TLSStream
from servers.openai_proxy.handlers import Upstream, routes
from servers.redact import Secret

from ...clients.test_https import Server, serving
from ...clients.tls_peers import CA, certificate, server_context
from ..driving import running
from .behind import END, EVENTS, KEY, chunked
from .test_relay import BODY, decoded, parts, post

EVENT = chunked(b'data: {"choices":[]}\n\n')
DONE = chunked(b"data: [DONE]\n\n")


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)


async def read_request(stream: TLSStream) -> bytes:
    data = b""
    while not data.endswith(BODY):
        data += await stream.receive_some()
    return data


async def ask_through(server: Server, ca_file: str | None) -> bytes:
    """What a client of the proxy gets."""
    upstream = Upstream(f"https://localhost:{server.port}/v1", Secret(KEY), ca_file)
    async with running(routes(upstream)) as proxy:
        return await proxy.ask(post())


async def test_an_answer(ca_file: str) -> None:
    async def serve(server: Server, stream: TLSStream) -> None:
        server.requests[-1].append(await read_request(stream))
        for piece in (EVENTS, EVENT, DONE + END):
            await stream.send_all(piece)
        await stream.send_eof()

    async with serving(serve) as server:
        body = parts(await ask_through(server, ca_file))[1]
    assert decoded(body) == (b'data: {"choices":[]}\n\ndata: [DONE]\n\n', True)
    assert b"\r\nAuthorization: Bearer " + KEY.encode() in server.requests[0][0]


REFUSED: dict[str, tuple[Callable[[], ssl.SSLContext], str]] = {
    "another name": (
        lambda: server_context(certificate("other.example")),
        "it is for another name",
    ),
    "an unknown CA": (
        lambda: server_context(trustme.CA().issue_cert("localhost")),
        "it is signed by no CA that is trusted here",
    ),
}


@pytest.mark.parametrize(("context", "reason"), REFUSED.values(), ids=REFUSED)
async def test_who_is_refused(
    context: Callable[[], ssl.SSLContext], reason: str, ca_file: str
) -> None:
    """502 that says what is wrong, and the key has not left."""
    async with serving(context=context()) as server:
        head, body = parts(await ask_through(server, ca_file))
    assert head.startswith(b"HTTP/1.1 502 ")
    error = msgspec.json.decode(body)["error"]
    assert error["code"] == "upstream_tls_error"
    assert reason in error["message"]
    assert server.requests == [[]]


@pytest.mark.parametrize("count", range(4))
async def test_truncated_behind_each_record(count: int, ca_file: str) -> None:
    """A FIN without close_notify: a 502 while there is no head, then an error event; never a clean
    end."""

    async def serve(server: Server, stream: TLSStream) -> None:
        await read_request(stream)
        for piece in [EVENTS, EVENT, DONE][:count]:
            await stream.send_all(piece)
        await stream._stream.send_eof()
        await stream._stream.receive_some()

    async with serving(serve) as server:
        head, body = parts(await ask_through(server, ca_file))
    if count == 0:
        assert head.startswith(b"HTTP/1.1 502 ")
        return
    data, complete = decoded(body)
    assert not complete
    assert b'"code":"upstream_bad_response"' in data
