"""A small server that keeps every rule of the suite. A mutant changes one method of it.

    GET  /stream      text in 16 pieces, one every 80 ms, each in a chunk of its own
    GET  /metrics     spec_streams_running 0
    any other path    404

It serves connections in memory as well as sockets. One object serves all connections of a server.
"""

from collections.abc import Sequence

import trio

from clients.streams.tcp import ByteStream
from protocol.chunked import encode_chunk, encode_last_chunk
from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.http1 import (
    BodyDecoder,
    Coding,
    Framing,
    body_decoder,
    expects_continue,
    keeps_alive,
    request_framing,
)
from protocol.target import read_target

__all__ = ["Answering", "Good", "Large", "Slow", "SlowEvents"]

MAX_BODY = 1 << 20


class Answering:
    """One request, while it is answered.

    Attributes:
        method, path: Of the request.
        body: Its body.
        head: Its head.
        chunked: Whether the answer may be chunked.
        keep_alive: Whether another request may follow.
    """

    def __init__(self, head: Head, path: str, body: bytes, *, keep_alive: bool = True) -> None:
        self.head = head
        self.method = head.start_line.partition(b" ")[0].decode()
        self.path = path
        self.body = body
        self.chunked = not head.is_http10
        self.keep_alive = keep_alive and keeps_alive(head)


class Good:
    """The correct server.

    Attributes:
        path: The path that streams.
        method: The method of the request that streams.
        request_body: The body of that request.
        content_type: The media type of the stream.
        gap: Seconds before each piece.
        count: Number of pieces.
        pipe: Bytes that each direction of a connection in memory holds.
        running: Number of streams whose pieces are being made.
        kept: Bytes in memory of the streams that run.
    """

    path = "/stream"
    method = "GET"
    request_body = b""
    content_type = "text/plain; charset=utf-8"
    gap = 0.08
    count = 16
    pipe = 64 << 10

    def __init__(self) -> None:
        self.running = 0
        self.kept = 0

    def pieces(self) -> list[bytes]:
        """The pieces of the stream."""
        return [f"{number} 你好，streams! 👋\n".encode() for number in range(self.count)]

    # ---- A connection

    async def serve(self, stream: ByteStream) -> None:
        """Answer requests until the connection ends."""
        try:
            unread = b""
            while True:
                try:
                    request, unread = await self.read_request(stream, unread)
                except DecodeError as error:
                    await self.refuse(stream, error)
                    break
                if request is None:
                    break
                await self.answer(stream, request)
                if not request.keep_alive:
                    break
            await stream.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            stream.close()

    async def receive(self, stream: ByteStream) -> bytes:
        """Read once."""
        return self.clean(await stream.receive_some())

    def clean(self, data: bytes) -> bytes:
        """A mutant repairs here what the correct server refuses."""
        return data

    async def read_request(
        self, stream: ByteStream, unread: bytes
    ) -> tuple[Answering | None, bytes]:
        """Read a request. Returns it, or None at the end, and the bytes that follow it."""
        reader = HeadReader()
        head = reader.receive_data(unread) if unread else None
        while head is None:
            data = await self.receive(stream)
            if not data:
                return None, b""
            head = reader.receive_data(data)
        path = self.path_of(head)
        framing = request_framing(head)
        decoder = self.decoder(framing)
        unread = reader.trailing_data
        body = bytearray(b"".join(decoder.receive_data(unread)))
        if expects_continue(head) and not decoder.complete and not unread:
            if path != self.path:
                return Answering(head, path, b"", keep_alive=False), b""
            await self.send_continue(stream, head)
        while not decoder.complete:
            data = await self.receive(stream)
            if not data:
                self.take_eof(decoder)
                break
            body += b"".join(decoder.receive_data(data))
            if len(body) > MAX_BODY:
                raise DecodeError("the body is too large", 0, (), 413)
        unread = unread if framing.coding is Coding.NONE else decoder.trailing_data
        return Answering(head, path, bytes(body)), unread

    def path_of(self, head: Head) -> str:
        return read_target(head).path

    def decoder(self, framing: Framing) -> BodyDecoder:
        return body_decoder(framing)

    def take_eof(self, decoder: BodyDecoder) -> None:
        """Take the end of the connection inside a body."""
        decoder.receive_eof()

    async def send_continue(self, stream: ByteStream, head: Head) -> None:
        await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def refuse(self, stream: ByteStream, error: DecodeError) -> None:
        """Answer bad bytes. The connection is closed then."""
        await self.send_whole(stream, error.error_status_hint, error.reason.encode(), close=True)

    # ---- An answer

    async def answer(self, stream: ByteStream, request: Answering) -> None:
        if request.path == self.path and request.method in (self.method, "HEAD", "POST"):
            await self.answer_stream(stream, request)
        elif request.path == self.path:
            await self.refuse_method(stream, request)
        elif request.path == "/metrics":
            text = b"spec_streams_running %d\n" % self.running
            await self.send_whole(stream, 200, text, request)
        else:
            await self.send_whole(stream, 404, b"nothing here\n", request)

    async def refuse_method(self, stream: ByteStream, request: Answering) -> None:
        fields = ["Allow: GET, HEAD, POST"]
        await self.send_whole(stream, 405, b"not this method\n", request, fields=fields)

    async def send_whole(
        self,
        stream: ByteStream,
        status: int,
        body: bytes,
        request: Answering | None = None,
        *,
        close: bool = False,
        content_type: str = "text/plain; charset=utf-8",
        fields: Sequence[str] = (),
    ) -> None:
        close = close or (request is not None and not request.keep_alive)
        fields = [*fields, f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
        fields += self.close_field() if close else []
        head = "\r\n".join([f"HTTP/1.1 {status} Because", *self.date(), *fields, "", ""]).encode()
        await stream.send_all(head + (b"" if request and request.method == "HEAD" else body))

    def close_field(self) -> list[str]:
        return ["Connection: close"]

    def date(self) -> list[str]:
        return ["Date: Mon, 23 Nov 2026 08:00:00 GMT"]

    async def answer_stream(self, stream: ByteStream, request: Answering) -> None:
        request.keep_alive &= request.chunked
        await self.send_head(stream, request)
        if request.method == "HEAD":
            return
        self.running += 1
        try:
            await self.send_pieces(stream, request)
        finally:
            self.running -= 1
        await self.send_end(stream, request)

    def fields(self, request: Answering) -> list[str]:
        """The header fields of the stream."""
        found = [*self.date(), f"Content-Type: {self.content_type}", "Cache-Control: no-cache"]
        found += ["Transfer-Encoding: chunked"] if request.chunked else []
        return found + ([] if request.keep_alive else self.close_field())

    async def send_head(self, stream: ByteStream, request: Answering) -> None:
        lines = ["HTTP/1.1 200 OK", *self.fields(request), "", ""]
        await stream.send_all("\r\n".join(lines).encode())

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        for piece in self.pieces():
            await trio.sleep(self.gap)
            await self.send_piece(stream, request, piece)

    async def send_piece(self, stream: ByteStream, request: Answering, piece: bytes) -> None:
        await stream.send_all(self.frame(piece) if request.chunked else piece)

    def frame(self, piece: bytes) -> bytes:
        return encode_chunk(piece)

    async def send_end(self, stream: ByteStream, request: Answering) -> None:
        if request.chunked:
            await stream.send_all(encode_last_chunk())


class Slow(Good):
    """The same in seven seconds: a disconnect, and a head that waits, need time to be seen."""

    gap = 0.35
    count = 20


class Large(Good):
    """The same with so many bytes that a reader who stops is noticed."""

    def pieces(self) -> list[bytes]:
        return [b"%02d" % number * (20 << 10) for number in range(self.count)]


class SlowEvents(Slow):
    """The same with an event stream."""

    content_type = "text/event-stream"

    def pieces(self) -> list[bytes]:
        """The events of the stream."""
        return [f'data: {{"text":"{number} 你好"}}\n\n'.encode() for number in range(self.count)]
