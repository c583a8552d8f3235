"""An HTTP client that shows a body while it arrives: from a URL to a response.

    async with request("GET", "http://localhost:8000/chat/hello") as response:
        async for piece in response:
            print(piece)              b"event: thinking\\ndata: {…}\\n\\n"

    async with open_client() as client:      the same, and connections are used again
        async with client.request("POST", "https://api.openai.com/v1/…", headers, body) as response:

    https://host/path     DNS and TCP (tcp.py) · perhaps a proxy (tunnel.py) · TLS (tls.py)
    http://host/path      DNS and TCP

Leaving the block before the body has ended closes the connection: the server's only notice that
nobody wants the rest.
"""

import math
import os
import ssl
import string
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import trio

from ..streams.tcp import STALL_SECONDS, ByteStream, connect
from ..streams.tls import HandshakeError, TLSStream, client_context
from ..tap import ObservedStream, WireObserver
from .errors import ConnectError, ConnectTimeoutError, DisconnectedError, TLSError
from .exchange import Headers, Response, exchange
from .pool import Pool
from .tunnel import Proxy, open_tunnel, proxy_for

__all__ = ["Client", "Response", "exchange", "open_client", "request"]

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Place:
    """What a URL says: where to connect, and what to ask for there."""

    scheme: str
    host: str
    port: int
    authority: str  # for Host: without userinfo (RFC 9110 §7.2)
    target: str

    @classmethod
    def of(cls, url: str) -> "Place":
        # Not quoted if there may be a password in it.
        shown = "…, with a name and password" if "@" in url else repr(url)
        try:
            parts = urlsplit(url)
            number = parts.port
        except ValueError:  # a port that is not a number; half an IPv6 address
            raise ValueError(f"not an http:// or https:// URL: {shown}") from None
        authority = parts.netloc.rpartition("@")[2]
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError(f"not an http:// or https:// URL: {shown}")
        if not authority.isascii():
            raise ValueError(f"a host outside ASCII: write it as xn--…: {authority!r}")
        # What is ASCII stays as it is: a relay passes its client's target on through here.
        target = quote(parts.path or "/", safe=string.punctuation)
        if "?" in url.partition("#")[0]:
            target += "?" + quote(parts.query, safe=string.punctuation)
        port = PORTS[parts.scheme] if number is None else number
        return cls(parts.scheme, parts.hostname, port, authority, target)

    @property
    def origin(self) -> str:
        """What a connection is for (RFC 6454)."""
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
) -> AsyncGenerator[Response, None]:
    """Send a request on a connection of its own, and receive the head of its response.

    Args:
        method: in capitals.
        url: `http://host[:port]/path` or `https://…`; spaces and what is not ASCII in its path
            and query are percent-encoded, and nothing else is changed.
        headers: more of them. Host, Connection and Content-Length are written here.
        body: of the request.
        ca_file: certificates (PEM) to trust in place of the system's.
        observer: sees what passes.
        stall_seconds: how long the server may acknowledge nothing, neither bytes nor a probe, or
            take nothing of what is sent, before the connection is broken (see `SocketStream`).

    Raises:
        ValueError: not such a URL, or not such a file.
        clients.http.errors.RequestError: which of its kinds says how far the request came.
    """
    place = Place.of(url)
    context = client_context(ca_file) if place.scheme == "https" else None
    stream = await _open(place, context, stall_seconds, observer)
    try:
        all_headers = (("Host", place.authority), ("Connection", "close"), *headers)
        yield await exchange(stream, method, place.target, all_headers, body)
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
) -> AsyncGenerator["Client", None]:
    """A client whose connections are used again, and closed at the end of the block.

    Args:
        ca_file: certificates (PEM) to trust in place of the system's.
        connect_seconds: for a new connection: DNS, TCP, proxy and TLS together.
        max_idle: connections that are kept without a request.
        idle_seconds: for how long.
        stall_seconds: as of `request`, for each connection.

    Raises:
        ValueError: not such a file.
    """
    context = client_context(ca_file)
    raised: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            pool = Pool(nursery, max_idle, idle_seconds)
            yield Client(context, pool, connect_seconds, stall_seconds)
        except Exception as error:  # the nursery would wrap it in an ExceptionGroup
            raised = error
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised


class Client:
    """See `open_client`."""

    def __init__(
        self, context: ssl.SSLContext, pool: Pool, connect_seconds: float, stall_seconds: float
    ) -> None:
        self._context = context
        self._pool = pool
        self._connect_seconds = connect_seconds
        self._stall_seconds = stall_seconds

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Headers = (), body: bytes = b""
    ) -> AsyncGenerator[Response, None]:
        """Send a request, and receive the head of its response: as the function `request` does.

        A request is sent a second time only if nothing of it can have left the first time: the
        connection was used before, and has refused the first write.
        """
        place = Place.of(url)
        stream, response = await self._ask(place, method, headers, body)
        try:
            yield response
        finally:
            if response.reusable:
                self._pool.put(place.origin, stream)
            else:
                stream.close()

    async def _ask(
        self, place: Place, method: str, headers: Headers, body: bytes
    ) -> tuple[ByteStream, Response]:
        all_headers = (("Host", place.authority), *headers)
        stream = await self._pool.take(place.origin)
        is_new = stream is None
        while True:
            stream = stream or await self._connect(place)
            try:
                return stream, await exchange(stream, method, place.target, all_headers, body)
            except DisconnectedError as error:
                stream.close()
                if error.sent or is_new:
                    raise
                stream, is_new = None, True
            except BaseException:
                stream.close()
                raise

    async def _connect(self, place: Place) -> ByteStream:
        with trio.move_on_after(self._connect_seconds):
            return await _open(place, self._context, self._stall_seconds)
        raise ConnectTimeoutError(
            f"no connection to {place.host} port {place.port} in {self._connect_seconds:g} s"
        )


async def _open(
    place: Place,
    context: ssl.SSLContext | None,
    stall_seconds: float,
    observer: WireObserver | None = None,
) -> ByteStream:
    """A connection to the place, with TLS if its scheme says so."""
    secure = context if place.scheme == "https" else None
    proxy = proxy_for(place.host, place.port) if secure else None
    stream = await _reach(place, proxy, stall_seconds)
    if observer is not None:
        stream = ObservedStream(stream, observer, "tcp")
    if secure is not None:
        stream = await _secure(stream, secure, place.host, observer)
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


async def _reach(place: Place, proxy: Proxy | None, stall_seconds: float) -> ByteStream:
    try:
        if proxy is not None:
            return await open_tunnel(proxy, place.host, place.port, stall_seconds=stall_seconds)
        return await connect(place.host, place.port, stall_seconds=stall_seconds)
    except ConnectError:
        raise
    except OSError as error:
        way = f"the proxy {proxy.host} port {proxy.port}" if proxy else place.authority
        raise ConnectError(f"no connection to {way}: {_why(error)}") from error


def _why(error: OSError) -> str:
    """The reasons of the kernel: trio has tried every address of the host."""
    cause = error.__cause__
    tried = cause.exceptions if isinstance(cause, BaseExceptionGroup) else (cause or error,)
    # A name without an address has a negative errno, and its reason is in the text.
    reasons = [
        os.strerror(one.errno) if one.errno and one.errno > 0 else one.strerror or str(one)
        for one in tried
        if isinstance(one, OSError)
    ]
    return ", ".join(dict.fromkeys(reasons))


# What this file does not do: plain http:// through a proxy, redirects, cookies, HTTP/2.
