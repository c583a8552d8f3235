"""Forward proxies: the bytes of CONNECT, refusals, and hosts reached without a proxy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote

import pytest
import trio

from clients.http.errors import ProxyError
from clients.http.tunnel import Proxy, open_tunnel, proxy_for
from clients.streams.tcp import SocketStream
from protocol.secret import MIN_SIZE, Secret, redact

from ...streams import SAFETY, receive_until

HOST = ("api.example.com", 443)


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, Proxy("p", 3128)),
        ({"HTTPS_PROXY": "http://p"}, Proxy("p", 80)),
        ({"HTTPS_PROXY": "p:3128"}, Proxy("p", 3128)),
        ({"https_proxy": "http://q:1", "HTTPS_PROXY": "http://p:2"}, Proxy("q", 1)),
        ({"HTTPS_PROXY": "http://[::1]:3128/"}, Proxy("::1", 3128)),
    ],
)
def test_the_proxy_of_the_environment(environment: dict[str, str], proxy: Proxy | None) -> None:
    assert proxy_for(*HOST, environment) == proxy


def test_a_proxy_with_a_password() -> None:
    proxy = proxy_for(*HOST, {"HTTPS_PROXY": "http://me:a%20b@p:1"})
    assert proxy is not None
    assert (proxy.host, proxy.port) == ("p", 1)
    assert proxy.authorization is not None
    assert proxy.authorization.reveal() == "Basic bWU6YSBi"


@pytest.mark.parametrize("userinfo", ["me:short", "me:a%20longer%20password", "only-a-token"])
def test_a_password_that_a_proxy_quotes_is_redacted(userinfo: str) -> None:
    """Both the token in the header and the password that it was made of."""
    proxy = proxy_for(*HOST, {"HTTPS_PROXY": f"http://{userinfo}@p:1"})
    assert proxy is not None
    assert proxy.authorization is not None
    token = proxy.authorization.reveal().removeprefix("Basic ")
    assert redact(f"refused: {token}!") == "refused: [redacted]!"
    secret = unquote(userinfo.rpartition(":")[2])
    if len(secret) >= MIN_SIZE:
        assert redact(f"refused: {secret}!") == "refused: [redacted]!"


def test_a_password_that_is_not_utf_8() -> None:
    """Python reads such bytes of the environment as surrogates."""
    proxy = proxy_for(*HOST, {"HTTPS_PROXY": "http://me:p\udcffw@p:1"})
    assert proxy is not None
    assert proxy.authorization is not None
    assert proxy.authorization.reveal() == "Basic bWU6cP93"


BAD_URLS = ["https://p:1", "socks5://p:1", "http://", "http://me:secret@p:x", "http://["]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_bad_proxy_url(url: str) -> None:
    """The message does not quote it, because it may contain a password."""
    with pytest.raises(ProxyError, match="HTTPS_PROXY must look like") as caught:
        proxy_for(*HOST, {"HTTPS_PROXY": url})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "host", "without"),
    [
        ("*", "api.example.com", True),
        ("example.com", "api.example.com", True),
        (".example.com", "api.example.com", True),
        ("example.com", "example.com", True),
        ("EXAMPLE.com", "api.example.com", True),
        ("ample.com", "api.example.com", False),
        ("localhost, example.com", "api.example.com", True),
        ("example.com:443", "api.example.com", True),
        ("example.com:80", "api.example.com", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("0.0.1", "10.0.0.1", False),
        ("::1", "::1", True),
        ("[::1]:443", "::1", True),
        ("*.example.com", "api.example.com", True),
        ("localhost example.com", "api.example.com", True),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("[::1]:80", "::1", False),
        ("::2", "::1", False),
        ("example.com.", "api.example.com.", True),
        (":443", "api.example.com", False),
        (".", "api.example.com", False),
        ("", "api.example.com", False),
        (",", "api.example.com", False),
    ],
)
def test_hosts_reached_without_a_proxy(rules: str, host: str, without: bool) -> None:
    environment = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": rules}
    assert (proxy_for(host, 443, environment) is None) == without


def test_a_password_is_not_shown() -> None:
    assert "bWU6" not in repr(Proxy("p", 1, Secret("Basic bWU6YSBi")))


@asynccontextmanager
async def proxy_that_sends(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A proxy. Yields its port and the heads it receives. After its answer it echoes capitals."""
    asked: list[bytes] = []

    async def serve(opened: trio.SocketStream) -> None:
        stream = SocketStream.adopt(opened)
        try:
            asked.append(await receive_until(stream, b"\r\n\r\n"))
            await stream.send_all(answer)
            while answer and (data := await stream.receive_some()):
                await stream.send_all(data.upper())
        except trio.BrokenResourceError:
            pass
        finally:
            stream.close()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        with trio.fail_after(SAFETY):
            yield listener.socket.getsockname()[1], asked
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("authorization", "field"),
    [(None, b""), (Secret("Basic bWU6YSBi"), b"Proxy-Authorization: Basic bWU6YSBi\r\n")],
)
async def test_a_tunnel(authorization: Secret | None, field: bytes) -> None:
    """The target is the authority. After the answer the connection carries our bytes."""
    async with proxy_that_sends(b"HTTP/1.1 200 Connection established\r\n\r\n") as (port, asked):
        stream = await open_tunnel(Proxy("127.0.0.1", port, authorization), *HOST)
        await stream.send_all(b"hello")
        assert await receive_until(stream, b"HELLO") == b"HELLO"
        stream.close()
    head = b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n"
    assert asked == [head + field + b"\r\n"]


REFUSALS = {
    "407": (b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "wants a name and password in HTTPS"),
    "403": (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "opened no tunnel .* status 403"),
    "no HTTP": (b"SSH-2.0\r\n\r\n", "gave no answer to CONNECT"),
    "nothing": (b"", "gave no answer to CONNECT"),
    "bytes after it": (b"HTTP/1.1 200 OK\r\n\r\n\x16\x03", "after its answer to CONNECT"),
    # without advice for people who type
    "a bare LF": (b"HTTP/1.1 200 OK\n\n", r"LF alone: HTTP lines end in CR LF \(at byte 15\)$"),
    "a long head": (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000, "gave no answer to CONNECT"),
}


@pytest.mark.parametrize(("answer", "message"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refused_tunnel(answer: bytes, message: str) -> None:
    async with proxy_that_sends(answer) as (port, _):
        with pytest.raises(ProxyError, match=message) as caught:
            await open_tunnel(Proxy("127.0.0.1", port), *HOST)
    assert not caught.value.sent


async def test_a_refused_password_is_not_in_the_error() -> None:
    async with proxy_that_sends(REFUSALS["407"][0]) as (port, _):
        with pytest.raises(ProxyError, match="wants another name or password") as caught:
            await open_tunnel(Proxy("127.0.0.1", port, Secret("Basic bWU6YSBi")), *HOST)
    assert "bWU6" not in str(caught.value)
