"""An HTTP client that returns a body piece by piece, while it arrives: from a URL to a response.

    async with request("GET", "http://localhost:8000/chat/hello") as response:
        async for piece in response:
            print(piece)              b"event: thinking\\ndata: {…}\\n\\n"

    async with open_client() as client:      the same, and connections are reused
        async with client.request("POST", "https://api.openai.com/v1/…", headers, body) as response:

    https://host/path     DNS and TCP (tcp.py) · a forward proxy if any (tunnel.py) · TLS (tls.py)
    http://host/path      DNS and TCP

Leaving the block before the body has ended closes the connection. HTTP/1.1 has no other way to
tell the server that nobody wants the rest.
"""

import math
import os
import ssl
import string
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, urlsplit

import trio

from ..streams.tcp import STALL_SECONDS, ByteStream, Connect, connect
from ..streams.tls import HandshakeError, TLSStream, client_context
from ..tap import ObservedStream, WireObserver
from .errors import ConnectError, ConnectTimeoutError, DisconnectedError, TLSError
from .exchange import Headers, Response, exchange
from .pool import Pool
from .tunnel import Dial, Proxy, open_tunnel, proxy_for

__all__ = ["Client", "Response", "URLParts", "exchange", "open_client", "open_stream", "request"]

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class URLParts:
    """The parts of a URL: where to connect, and which target to request there."""

    scheme: str
    host: str
    port: int
    authority: str  # the value of Host, without userinfo (RFC 9110 §7.2)
    target: str

    @classmethod
    def parse(cls, url: str) -> "URLParts":
        # If the URL may contain a password, the error does not quote it.
        shown = "…, with a name and password" if "@" in url else repr(url)
        try:
            split = urlsplit(url)
            number = split.port
        except ValueError:  # a port that is not a number, or half an IPv6 address
            raise ValueError(f"not an http:// or https:// URL: {shown}") from None
        authority = split.netloc.rpartition("@")[2]
        if split.scheme not in PORTS or not split.hostname:
            raise ValueError(f"not an http:// or https:// URL: {shown}")
        if not authority.isascii():
            raise ValueError(f"a host outside ASCII: write it as xn--…: {authority!r}")
        # ASCII stays as it is, because our proxies pass on the target of a client's request
        # unchanged.
        target = quote(split.path or "/", safe=string.punctuation)
        if "?" in url.partition("#")[0]:
            target += "?" + quote(split.query, safe=string.punctuation)
        port = PORTS[split.scheme] if number is None else number
        return cls(split.scheme, split.hostname, port, authority, target)

    @property
    def origin(self) -> str:
        """The origin (RFC 6454). A connection can be reused for requests to the same origin."""
        return f"{self.scheme}://{self.host}:{self.port}"


@asynccontextmanager
async def request(
    method: str,
    url: str,
    headers: Headers = (),
    body: bytes = b"",
    *,
    ca_file: str | None = None,
    observer: WireObserver | None = None,
    stall_seconds: float = STALL_SECONDS,
    connect: Connect = connect,
) -> AsyncGenerator[Response, None]:
    """Send a request on a connection of its own, and receive the head of its response.

    Args:
        method: The method in capitals.
        url: `http://host[:port]/path` or `https://…`. Spaces and characters outside ASCII in its
            path and query are percent-encoded; nothing else is changed.
        headers: Headers to send besides Host, Connection and Content-Length.
        body: The body of the request.
        ca_file: A file of certificates (PEM) to trust in place of the system's.
        observer: Its methods are called with all bytes sent and received.
        stall_seconds: Seconds after which the kernel breaks the connection if the server does not
            acknowledge bytes or probes, or has no room for our bytes (`SocketStream`).
        connect: The function that opens the connection, by default over TCP.

    Raises:
        ValueError: The URL or the file cannot be used.
        clients.http.errors.RequestError: The request failed. The error's class tells which stage
            the request had reached.
    """
    parts = URLParts.parse(url)
    context = client_context(ca_file) if parts.scheme == "https" else None
    dial = partial(connect, stall_seconds=stall_seconds)
    stream = await open_stream(parts, context, dial, observer)
    try:
        all_headers = (("Host", parts.authority), ("Connection", "close"), *headers)
        yield await exchange(stream, method, parts.target, all_headers, body)
    finally:
        stream.close()


@asynccontextmanager
async def open_client(
    *,
    ca_file: str | None = None,
    connect_seconds: float = math.inf,
    max_idle: int = 20,
    idle_seconds: float = 30.0,
    stall_seconds: float = STALL_SECONDS,
    connect: Connect = connect,
) -> AsyncGenerator["Client", None]:
    """Open a client that reuses its connections. The end of the block closes the connections.

    Args:
        ca_file: A file of certificates (PEM) to trust in place of the system's.
        connect_seconds: Longest time to open a connection, in seconds: DNS, TCP, proxy and TLS
            together.
        max_idle: Largest number of connections kept while they have no request.
        idle_seconds: Longest time that such a connection is kept, in seconds.
        stall_seconds, connect: See `request`.

    Raises:
        ValueError: The file cannot be used.
    """
    context = client_context(ca_file)
    raised: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            pool = Pool(nursery, max_idle, idle_seconds)
            dial = partial(connect, stall_seconds=stall_seconds)
            yield Client(context, pool, dial, connect_seconds)
        except Exception as error:  # the nursery would wrap it in an ExceptionGroup
            raised = error
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised


class Client:
    """See `open_client`."""

    def __init__(
        self, context: ssl.SSLContext, pool: Pool, dial: Dial, connect_seconds: float
    ) -> None:
        self._context = context
        self._pool = pool
        self._dial = dial
        self._connect_seconds = connect_seconds

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Headers = (), body: bytes = b""
    ) -> AsyncGenerator[Response, None]:
        """Send a request, and receive the head of its response, as the function `request` does.

        A request is sent a second time only if no byte of it was sent the first time. This is
        certain only if the connection was a reused one, and the first write on it failed.
        """
        parts = URLParts.parse(url)
        stream, response = await self._send(parts, method, headers, body)
        try:
            yield response
        finally:
            if response.reusable:
                self._pool.put(parts.origin, stream)
            else:
                stream.close()

    async def _send(
        self, parts: URLParts, method: str, headers: Headers, body: bytes
    ) -> tuple[ByteStream, Response]:
        all_headers = (("Host", parts.authority), *headers)
        stream = await self._pool.take(parts.origin)
        is_new = stream is None
        while True:
            stream = stream or await self._connect(parts)
            try:
                return stream, await exchange(stream, method, parts.target, all_headers, body)
            except DisconnectedError as error:
                stream.close()
                if error.sent or is_new:
                    raise
                stream, is_new = None, True
            except BaseException:
                stream.close()
                raise

    async def _connect(self, parts: URLParts) -> ByteStream:
        with trio.move_on_after(self._connect_seconds):
            return await open_stream(parts, self._context, self._dial)
        raise ConnectTimeoutError(
            f"no connection to {parts.host} port {parts.port} in {self._connect_seconds:g} s"
        )


async def open_stream(
    parts: URLParts,
    context: ssl.SSLContext | None,
    dial: Dial,
    observer: WireObserver | None = None,
) -> ByteStream:
    """Connect to the host of a URL, with TLS if the scheme is https.

    Args:
        parts: The URL. Its path is not used.
        context: The TLS settings; an https:// URL needs them.
        dial: The function that opens the TCP connection.
        observer: The observer of the connection's bytes.

    Raises:
        clients.http.errors.ConnectError: There is no connection. The error's class tells which
            stage failed.
    """
    secure = context if parts.scheme == "https" else None
    proxy = proxy_for(parts.host, parts.port) if secure else None
    stream = await _connect(parts, proxy, dial)
    if observer is not None:
        stream = ObservedStream(stream, observer, "tcp")
    if secure is not None:
        stream = await _secure(stream, secure, parts.host, observer)
    return stream if observer is None else ObservedStream(stream, observer, "http")


async def _secure(
    stream: ByteStream, context: ssl.SSLContext, host: str, observer: WireObserver | None
) -> ByteStream:
    try:
        tls = TLSStream(stream, context, server_hostname=host)
        await tls.handshake()
    except BaseException as error:
        stream.close()
        if isinstance(error, HandshakeError):
            raise TLSError(str(error)) from error
        raise
    if observer is not None:
        observer.secured(tls.parameters)
    return tls


async def _connect(parts: URLParts, proxy: Proxy | None, dial: Dial) -> ByteStream:
    try:
        if proxy is not None:
            return await open_tunnel(proxy, parts.host, parts.port, dial)
        return await dial(parts.host, parts.port)
    except ConnectError:
        raise
    except OSError as error:
        peer = f"the proxy {proxy.host} port {proxy.port}" if proxy else parts.authority
        raise ConnectError(f"no connection to {peer}: {_reasons(error)}") from error


def _reasons(error: OSError) -> str:
    """List the kernel's reasons, one for each address of the host, because trio has tried all of
    them."""
    cause = error.__cause__
    tried = cause.exceptions if isinstance(cause, BaseExceptionGroup) else (cause or error,)
    # If the name has no address, errno is negative, and the reason is in the text.
    reasons = [
        os.strerror(one.errno) if one.errno and one.errno > 0 else one.strerror or str(one)
        for one in tried
        if isinstance(one, OSError)
    ]
    return ", ".join(dict.fromkeys(reasons))


# What this file does not do: plain http:// through a proxy, redirects, cookies, HTTP/2.
