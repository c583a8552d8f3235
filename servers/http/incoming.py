"""The requests that arrive on one connection, one after the other: their heads and their bodies.

    POST /echo HTTP/1.1\\r\\n          a head is known (request_head.py), or is checked and read
    Content-Length: 3\\r\\n\\r\\n
    abc                              a body: within its limit, and within that of all bodies
    GET / HTTP/1.1\\r\\n              what came with it belongs to the next request
"""

import math

import trio

from clients.streams.tcp import ByteStream
from protocol.errors import DecodeError
from protocol.head import HeadReader
from protocol.http1 import Coding, body_decoder

from .limits import Budget, Limits
from .request_head import KnownHeads, RequestHead, read_request_head

__all__ = ["Incoming"]


class Incoming:
    """Reads the requests of a connection.

    Args:
        stream: The connection to the client.
        limits: Bytes and seconds that it may use.
        bodies: Bytes that the request bodies of all connections together may hold.
        heads: The heads that the connections of this server have read.

    Attributes:
        deadline: Time by which the client must send more, or `math.inf`.
        deadline_message: The message for a client that misses it, or "" for none.
        idle: Whether no byte of the next request has arrived.
        start_line: The request-line of the current request, as far as it has arrived.
    """

    __slots__ = (
        "_bodies",
        "_heads",
        "_held",
        "_limits",
        "_stream",
        "_unread",
        "deadline",
        "deadline_message",
        "idle",
        "start_line",
    )

    def __init__(
        self,
        stream: ByteStream,
        limits: Limits,
        bodies: Budget,
        heads: KnownHeads,
    ) -> None:
        self.deadline = math.inf
        self.deadline_message = ""
        self.idle = True
        self.start_line = b""
        self._stream = stream
        self._limits = limits
        self._bodies = bodies
        self._heads = heads
        self._held = 0  # bytes that the current request has taken from `bodies`
        self._unread = b""  # bytes that arrived with this request and belong to the next

    def set_deadline(self, seconds: float, message: str = "") -> None:
        """Give the client this many seconds from now on."""
        self.deadline = trio.current_time() + seconds
        self.deadline_message = message

    async def read_head(self, seconds: float) -> RequestHead | None:
        """Return the next request's head, or None when the client sends no more.

        Args:
            seconds: Longest wait for its first byte.

        Raises:
            h11.RemoteProtocolError: The head is not one that this server accepts.
        """
        self.idle = True
        self.start_line = b""
        self.set_deadline(seconds)
        data, self._unread = self._unread, b""
        if data:  # a pipelined request does not wait for bytes, so other tasks get a turn here
            await trio.lowlevel.checkpoint()
        while not data:
            # Wait first: a read now would usually find nothing, because few clients pipeline.
            await self._stream.wait_readable()
            received = self._stream.receive_now()
            if received == b"":
                return None
            data = received or b""
        if known := self._heads.find(data):
            head, self._unread = known
            self.idle, self.start_line = False, head.start_line
            return head
        reader = HeadReader()
        while data:
            try:
                checked = reader.receive_data(data)
            finally:
                self.start_line = reader.start_line
            if checked or reader.started:
                self._begin(reader.start_line)
            if checked:
                self._unread = reader.trailing_data
                head = read_request_head(checked)
                self._heads.add(checked.raw, head)
                return head
            data = await self._stream.receive_some()
        reader.receive_eof()
        return None

    def _begin(self, start_line: bytes) -> None:
        self.start_line = start_line
        if self.idle:
            self.idle = False
            self.set_deadline(self._limits.head_seconds, "The request's head did not end in time.")

    async def read_body(self, head: RequestHead) -> bytes:
        """Return the body of the request with this head. Its bytes count in `bodies` until
        `give_back`.

        Raises:
            DecodeError: The body is too large (413), there is no room for it (503), or it breaks
                its grammar.
        """
        limit = self._limits.max_body_size
        length, unread = head.framing.length, self._unread
        if length > limit:
            raise _too_large(limit)
        if length <= len(unread) and head.framing.coding is Coding.CONTENT_LENGTH:
            # A short body usually comes in the same read as its head, and needs no decoder
            # (test_the_same_head_again_and_again).
            self._take(length, 0)
            self._unread = unread[length:]
            return unread[:length]
        decoder = body_decoder(head.framing, max_chunk_size=limit)
        body = bytearray()
        self._hold(body, decoder.receive_data(self._unread))
        waits = head.expects_continue and not self._unread
        last = math.inf
        while not decoder.complete:
            now = trio.current_time()
            last = min(last, now + self._limits.body_total_seconds)
            seconds = min(self._limits.body_seconds, last - now)
            self.set_deadline(seconds, "The request's body did not come in time.")
            if waits:
                # The client waits for this response before it sends the body (RFC 9110 §10.1.1).
                waits = False
                await self._stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            data = await self._stream.receive_some()
            if not data:
                decoder.receive_eof()
            self._hold(body, decoder.receive_data(data))
        self._unread = decoder.trailing_data
        return bytes(body)

    def _hold(self, body: bytearray, pieces: list[bytes]) -> None:
        """Add these pieces to a body, within its limit and within the budget of all connections."""
        size = sum(map(len, pieces))
        if len(body) + size > self._limits.max_body_size:
            raise _too_large(self._limits.max_body_size)
        self._take(size, len(body))
        body += b"".join(pieces)

    def _take(self, size: int, offset: int) -> None:
        if not self._bodies.take(size):
            message = "this server holds as many request bodies as it can: try again later"
            raise DecodeError(message, offset, (), 503)
        self._held += size

    def give_back(self) -> None:
        """Note that the current request's body is no longer kept: its bytes are free again."""
        if self._held:
            self._bodies.give_back(self._held)
            self._held = 0


def _too_large(limit: int) -> DecodeError:
    return DecodeError(f"a request body over {limit} bytes", limit, (), 413)


# What this file does not do: answer a client that sends something wrong, or too slowly
# (connection.py).
