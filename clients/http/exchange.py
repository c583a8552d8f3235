"""One request and its response, on an open connection.

    GET /chat/hello HTTP/1.1\\r\\n               >   head and body in one write, if they fit
    Host: localhost:8000\\r\\n\\r\\n              >
    HTTP/1.1 200 OK\\r\\n                       <   the head of the response: `exchange` returns
    Transfer-Encoding: chunked\\r\\n\\r\\n        <
    6\\r\\nhello \\r\\n                           <   a piece: one round of `async for`

A piece is a part of the body without its framing: one chunk of a chunked body, or as much of a body
as one read returned. The boundaries of pieces have no meaning, because any hop may move them. The
framing also says whether the body is complete: a connection that ends too early is always an error.
"""

from collections import deque
from collections.abc import AsyncIterator

import h11
import trio

from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.http1 import Coding, body_decoder, keeps_alive, read_response, response_framing

from ..streams.tcp import ByteStream
from .errors import DisconnectedError, ResponseError

__all__ = ["Headers", "Response", "exchange"]

Headers = tuple[tuple[str, str], ...]

MAX_RESPONSES = 20  # responses to one request, including informational ones
MAX_BODY_SIZE = 16 << 20

# The content of one TLS record. If a first write of this size fails, no byte of it was sent.
FIRST_WRITE = 16 << 10


class Response:
    """A response whose head has arrived and whose body is still arriving.

    Attributes:
        status: The status code (RFC 9110 §15).
        headers: Pairs of a name in lower case and a value, in the order received.
        head: The whole head as bytes, as it was received.
        stream: The connection, for a caller that polls many connections.
        unread: Bytes that arrived in the same read as the head, after it; b"" once the body is
            read.
        refused_early: Whether the response arrived before the whole request was sent. In this case
            the rest of the request is not sent.
    """

    def __init__(self, stream: ByteStream, method: str, head: Head, unread: bytes) -> None:
        self.refused_early = False
        self.status = int(head.start_line[9:12])
        self.headers: Headers = tuple(
            (name.decode(), value.decode("latin-1")) for name, value in head.fields
        )
        self.head = head
        self.stream = stream
        self._framing = response_framing(head, method)
        self._decoder = body_decoder(self._framing)
        self.unread = unread
        self._pieces: deque[bytes] = deque()
        self._error: DecodeError | None = None

    def header(self, name: str) -> str | None:
        """Return the first value of a header (lower-case name), or None."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def complete(self) -> bool:
        """Whether the caller has received the whole body."""
        return self._decoder.complete and not self._pieces and self._error is None

    @property
    def settled(self) -> bool:
        """Whether no more bytes are needed. The body is complete or broken, or the end of the
        stream has already arrived (`ByteStream.ended`)."""
        known = self._decoder.complete or self._error is not None
        return known or self.stream.ended

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request (RFC 9112 §9.3).

        The connection is reusable if the body was read to its end, the server keeps the connection
        open, and nothing follows the body. Bytes after the body would be the response to a request
        that was never sent.
        """
        return (
            self._decoder.complete
            and not self.refused_early
            and self._framing.coding is not Coding.UNTIL_CLOSE
            and keeps_alive(self.head)
            and not self.unread
            and not self._decoder.trailing_data
        )

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next piece of the body.

        Raises:
            ResponseError: The body is broken or truncated.
            DisconnectedError: The connection was reset.
        """
        if not self._pieces:
            self._pieces.extend(await self._receive())
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.popleft()

    async def receive_some(self) -> bytes:
        """Wait for all body bytes that the next read brings. Returns b"" at the end of the body.

        Raises:
            ResponseError, DisconnectedError: As in `__anext__`.
        """
        return b"".join(self._kept() or await self._receive())

    def receive_now(self) -> bytes | None:
        """Do the same without waiting. Returns None if no byte of the body has arrived.

        Raises:
            ResponseError, DisconnectedError: As in `__anext__`.
        """
        pieces = self._kept() if self._pieces else self._receive_now()
        return None if pieces is None else b"".join(pieces)

    def _kept(self) -> list[bytes]:
        """Take the pieces that `__anext__` has left."""
        pieces = list(self._pieces)
        self._pieces.clear()
        return pieces

    async def _receive(self) -> list[bytes]:
        """Wait until there are pieces, an error or the end of the body."""
        await trio.lowlevel.checkpoint()
        while (pieces := self._receive_now()) is None:
            await self.stream.wait_readable()
        return pieces

    def _receive_now(self) -> list[bytes] | None:
        """Decode the bytes that have arrived. Returns no pieces at the end of the body, and None if
        the bytes hold neither a piece nor the end."""
        if self._error is not None:
            raise ResponseError(str(self._error)) from self._error
        decoder = self._decoder
        if decoder.complete:
            return []
        try:
            data = self.unread or self.stream.receive_now()
        except trio.BrokenResourceError as error:
            raise DisconnectedError(str(error), sent=True) from error
        if data is None:
            return None
        self.unread = b""
        try:
            if data:
                pieces = decoder.receive_data(data)
            else:
                decoder.receive_eof()
                self._check_truncation()
                pieces = []
        except DecodeError as error:
            # The pieces before the bad byte are delivered first.
            self._error = error
            pieces = [one for one in error.decoded if isinstance(one, bytes)]
            return pieces or self._receive_now()
        return pieces if pieces or decoder.complete else None

    def _check_truncation(self) -> None:
        """Check for close_notify: inside TLS, a body that ends with the connection needs it (RFC
        9112 §9.8)."""
        if self.stream.truncated:
            raise DecodeError("the connection ended without close_notify, so the body may too", 0)

    async def read(self, limit: int = MAX_BODY_SIZE) -> bytes:
        """Wait for the whole body.

        Args:
            limit: Largest body accepted, in bytes.

        Raises:
            ResponseError: The body is larger than the limit, broken or truncated.
            DisconnectedError: As in `__anext__`.
        """
        body = bytearray()
        async for piece in self:
            body += piece
            if len(body) > limit:
                raise ResponseError(f"a body over {limit} bytes")
        return bytes(body)


async def exchange(
    stream: ByteStream, method: str, target: str, headers: Headers, body: bytes = b""
) -> Response:
    """Send one request on an open connection, and read the head of its final response.

    Args:
        stream: The connection.
        method, target: The first two words of the request-line.
        headers: All headers to send, except Content-Length. Characters up to U+00FF are sent as one
            byte each, as `Response.headers` reads them (RFC 9110 §5.5, obs-text).
        body: The body of the request.

    Raises:
        h11.LocalProtocolError: A header cannot be sent, such as one with a line end in it.
        DisconnectedError: No response arrived. The error's `sent` tells whether a byte of the
            request may have been sent.
        ResponseError: The response is not HTTP/1.1, or its head is over 64 KiB or 100 fields.
    """
    connection = h11.Connection(h11.CLIENT)
    request = _request_head(connection, method, target, headers, body) + body
    try:
        sent = stream.send_now(request[:FIRST_WRITE])
    except trio.BrokenResourceError as error:
        raise DisconnectedError(str(error), sent=False) from error
    try:
        if sent == len(request):
            return await _receive_head(stream, connection, method)
        return await _send_and_receive_head(stream, request[sent:], connection, method)
    except trio.BrokenResourceError as error:
        raise DisconnectedError(str(error), sent=True) from error
    except h11.RemoteProtocolError as error:
        raise ResponseError(str(error)) from error


def _request_head(
    connection: h11.Connection, method: str, target: str, headers: Headers, body: bytes
) -> bytes:
    length = (("Content-Length", str(len(body))),) if body or method in ("POST", "PUT") else ()
    try:
        fields = [(name, value.encode("latin-1")) for name, value in (*headers, *length)]
        request = h11.Request(method=method, target=target, headers=fields)
        return connection.send(request)
    except (h11.LocalProtocolError, UnicodeEncodeError):
        # h11's message would quote the header, which may be a key read from a file with a newline
        # after it.
        pass
    names = ", ".join(name for name, _ in headers)
    raise h11.LocalProtocolError(
        f"the request cannot be sent: look at the method, the target, and these headers: {names}"
    )


async def _send_and_receive_head(
    stream: ByteStream, rest: bytes, connection: h11.Connection, method: str
) -> Response:
    """Send the rest of a request, and read the response at the same time.

    "A client sending a message body SHOULD monitor the connection for an error response while it is
    transmitting the request"; if it sees one, it stops sending (RFC 9112 §9.5). We stop at a
    redirect too, because a server that redirects does not read the body either.
    """
    outcome: Response | Exception | None = None
    sent = False

    async def send() -> None:
        nonlocal sent
        try:
            await stream.send_all(rest)
            sent = True
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # a server that refuses a long body may close early; its response gives the reason

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        try:
            outcome = await _receive_head(stream, connection, method)
        except Exception as error:  # the nursery would wrap it in an ExceptionGroup
            outcome = error
        if isinstance(outcome, Exception) or outcome.status >= 300:
            nursery.cancel_scope.cancel()
    if isinstance(outcome, Exception):
        raise outcome
    outcome.refused_early = not sent
    return outcome


async def _receive_head(stream: ByteStream, connection: h11.Connection, method: str) -> Response:
    unread = b""
    for _ in range(MAX_RESPONSES):
        reader = HeadReader(is_request=False)
        head = reader.receive_data(unread)
        while head is None:
            data = await stream.receive_some()
            if not data:
                reader.receive_eof()
                raise trio.BrokenResourceError("the server closed the connection without a reply")
            head = reader.receive_data(data)
        unread = reader.trailing_data
        # 1xx responses only announce the final one (RFC 9110 §15.2).
        if isinstance(read_response(connection, head), h11.Response):
            return Response(stream, method, head, unread)
    raise h11.RemoteProtocolError(f"{MAX_RESPONSES} responses, and none of them is final")


# What this file does not do: redirects, cookies, compression, or streaming a request body.
