"""An HTTP client that shows a body while it arrives: one request, one connection.

    async with request("GET", "http://localhost:8000/chat/hello") as response:
        async for piece in response:
            print(piece)              b"event: thinking\\ndata: {…}\\n\\n"

A piece is what one read brought, freed of its framing: not a chunk, not an event. Whoever wants
events feeds the pieces to an `EventStreamParser`.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

import h11
import trio

from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.http1 import body_decoder, read_response, response_framing

from .stream import ByteStream, connect

__all__ = ["Response", "exchange", "request"]

Headers = tuple[tuple[str, str], ...]

MAX_RESPONSES = 20  # with the informational ones


class Response:
    """A response whose head has come and whose body is coming.

    Attributes:
        status: RFC 9110 §15.
        headers: (name in lower case, value), in order.
    """

    def __init__(self, stream: ByteStream, method: str, head: Head, unread: bytes) -> None:
        self.status = int(head.start_line[9:12])
        self.headers: Headers = tuple(
            (name.decode(), value.decode("latin-1")) for name, value in head.fields
        )
        self._stream = stream
        self._decoder = body_decoder(response_framing(head, method))
        self._unread = unread
        self._pieces: list[bytes] = []
        self._error: DecodeError | None = None

    def header(self, name: str) -> str | None:
        """The first value of a header (lower-case name), or None."""
        return next((value for key, value in self.headers if key == name), None)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next piece of the body.

        Raises:
            h11.RemoteProtocolError: the body is broken, or was cut off before its end.
            trio.BrokenResourceError: the connection was reset.
        """
        while not self._pieces:
            if self._error is not None:
                raise self._error.again()
            if self._decoder.complete:
                raise StopAsyncIteration
            data = self._unread or await self._stream.receive_some()
            self._unread = b""
            if not data:
                self._decoder.receive_eof()
                raise StopAsyncIteration
            try:
                self._pieces = self._decoder.receive_data(data)
            except DecodeError as error:
                # What was good before the bad byte is delivered first.
                self._error = error
                self._pieces = [piece for piece in error.decoded if isinstance(piece, bytes)]
        return self._pieces.pop(0)

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self])


@asynccontextmanager
async def request(
    method: str, url: str, headers: Headers = (), body: bytes = b""
) -> AsyncGenerator[Response, None]:
    """Send a request and receive the head of its response.

    Args:
        method: in capitals.
        url: `http://host[:port]/path`; what is not ASCII in it is percent-encoded.
        headers: more of them. Host, Connection and Content-Length are written here.
        body: of the request.

    Raises:
        ValueError: not an http:// URL.
        OSError: no connection.
        h11.RemoteProtocolError: what came is not HTTP/1.1.
        trio.BrokenResourceError: the connection was reset.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"not an http:// URL: {url!r}")
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    stream = await connect(parts.hostname, 80 if parts.port is None else parts.port)
    try:
        host = parts.netloc.rpartition("@")[2]
        all_headers = (("Host", host), ("Connection", "close"), *headers)
        yield await exchange(stream, method, target, all_headers, body)
    finally:
        stream.close()


async def exchange(
    stream: ByteStream, method: str, target: str, headers: Headers, body: bytes = b""
) -> Response:
    """Send one request on an open connection, and read the head of its final response.

    Args:
        stream: the connection.
        method, target: as they stand in the request-line.
        headers: all but Content-Length.
        body: of the request.
    """
    connection = h11.Connection(h11.CLIENT)
    length = (("Content-Length", str(len(body))),) if body or method in ("POST", "PUT") else ()
    head = connection.send(h11.Request(method=method, target=target, headers=[*headers, *length]))
    await stream.send_all(head + body)
    unread = b""
    for _ in range(MAX_RESPONSES):
        reader = HeadReader(is_request=False)
        response_head = reader.receive_data(unread)
        while response_head is None:
            data = await stream.receive_some()
            if not data:
                reader.receive_eof()
                raise trio.BrokenResourceError("the server closed the connection without a reply")
            response_head = reader.receive_data(data)
        unread = reader.trailing_data
        # 1xx responses only announce the final one (RFC 9110 §15.2).
        if isinstance(read_response(connection, response_head), h11.Response):
            return Response(stream, method, response_head, unread)
    raise h11.RemoteProtocolError(f"{MAX_RESPONSES} responses, and none of them final")


# What this file does not do: TLS, proxies, redirects, cookies, compression, reuse of connections.
