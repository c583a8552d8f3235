"""Divides a recording into exchanges, each a request with the bytes that answer it.

    client   POST /v1/responses …                                exchange 1 begins
    server   HTTP/1.1 200 OK … 0\\r\\n\\r\\n                         its last byte
    client   GET /v1/models …                                    exchange 2, same connection
    server   HTTP/1.1 200 OK … {"object":"list",…}
    server   end: fin                                            belongs to exchange 2

The rules this file keeps:

1. The borders come from the decoders of `protocol`: a request and a response end where their
   framing says (RFC 9112 §6.3). A read that holds the end of one response and the start of the
   next is divided there.
2. Bytes after the end of a response belong to the next request of the connection. If there is none,
   they stay with their response, where they are a fault.
3. Bytes that break the grammar do not raise an error. They and all later bytes of their sender
   belong to the exchange in which they arrived.
4. If the client disconnected before the response was complete, the end that followed is not the
   server's doing: it is left out, and the exchange says so. A client may also end only its own
   direction and go on reading. Then the server goes on, too, for more than a second.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from protocol.errors import DecodeError
from protocol.head import HeadReader
from protocol.http1 import BodyDecoder, body_decoder, request_framing, response_framing
from protocol.recording import RecordedRead

__all__ = ["Exchange", "exchanges"]

STILL_READING = 1000.0  # milliseconds: a server notices sooner that its client has disconnected


@dataclass
class Exchange:
    """One request and its response.

    Args:
        url: The URL that was asked for, or "" if the recording does not hold it.
        connection: Number of the connection.
        request: Head and body as the client sent them; b"" if the recording does not hold them.
        method: Method of the request. It is "GET" if the recording does not hold the request.
        began: Time at which the request had been sent, in milliseconds since the recording began.
        reads: The reads of the server's bytes, in order. The end of the connection is the last of
            them.
        left: Whether the client disconnected before the response was complete.
    """

    url: str
    connection: int
    request: bytes = b""
    method: str = "GET"
    began: float = 0.0
    reads: list[RecordedRead] = field(default_factory=list)
    left: bool = False


def exchanges(reads: Iterable[RecordedRead]) -> list[Exchange]:
    """Divide a recording into its exchanges, in the order in which they began."""
    connections: dict[int, Connection] = {}
    order: list[Exchange] = []
    for read in reads:
        number = read.connection
        connection = connections.setdefault(number, Connection(number, order))
        connection.url = read.url or connection.url
        if read.sender == "client":
            connection.receive_from_client(read.at, read.bytes)
            if read.end:
                connection.end_client(read)
        else:
            connection.receive_from_server(read)
    return order


class Connection:
    """One connection of a recording. It adds its exchanges to `order`."""

    def __init__(self, number: int, order: list[Exchange]) -> None:
        self.url = ""
        self._number = number
        self._order = order
        self._waiting: list[tuple[Exchange, Message]] = []  # exchanges without a complete response
        self._request: Message | None = None  # the request that is being sent
        self._sending = Exchange("", number)
        self._left_at: float | None = None  # when the client ended its side
        self._last_at = 0.0  # when the server's last bytes came

    def receive_from_client(self, at: float, data: bytes) -> None:
        while data:
            if self._request is None:
                self._sending = self._begin(at)
                self._request = Message(is_request=True)
            rest = self._request.receive_data(data)
            self._sending.request += data[: len(data) - len(rest)]
            self._sending.method = self._request.method
            self._waiting[-1][1].method = self._request.method
            if not self._sending.reads:
                self._sending.began = at
            if self._request.complete:
                self._request = None
            data = rest

    def receive_from_server(self, read: RecordedRead) -> None:
        if not self._waiting:
            self._begin(read.at)
        data = read.bytes
        self._last_at = read.at if data else self._last_at
        while data:
            exchange, response = self._waiting[0]
            rest = response.receive_data(data)
            if rest and len(self._waiting) == 1:
                rest = b""  # no request is waiting for these bytes
            exchange.reads.append(replace(read, bytes=data[: len(data) - len(rest)], end=""))
            if response.complete and len(self._waiting) > 1:
                del self._waiting[0]
            data = rest
        if read.end:
            exchange, response = self._waiting[0]
            if self._has_left() and not response.complete:
                exchange.left = True
            else:
                exchange.reads.append(replace(read, bytes=b""))

    def end_client(self, read: RecordedRead) -> None:
        self._left_at = read.at if self._left_at is None else self._left_at

    def _has_left(self) -> bool:
        """Whether the client has disconnected, not only ended its own direction."""
        return self._left_at is not None and self._last_at <= self._left_at + STILL_READING

    def _begin(self, at: float) -> Exchange:
        if self._waiting and self._waiting[0][1].complete:
            del self._waiting[0]
        exchange = Exchange(self.url, self._number, began=at)
        self._waiting.append((exchange, Message(is_request=False)))
        self._order.append(exchange)
        return exchange


class Message:
    """Finds the end of one request or response.

    Args:
        is_request: True for a request, False for a response.
        method: Method of the request. A response needs it: an answer to HEAD has no body.
    """

    def __init__(self, *, is_request: bool, method: str = "GET") -> None:
        self.method = method
        self._is_request = is_request
        self._reader = HeadReader(is_request=is_request)
        self._decoder: BodyDecoder | None = None
        self._broken = False

    @property
    def complete(self) -> bool:
        return self._decoder is not None and self._decoder.complete

    def receive_data(self, data: bytes) -> bytes:
        """Take bytes as they arrive. Returns the bytes after the end of the message."""
        if self._broken:
            return b""
        try:
            if self._decoder is not None:
                return self._read_body(self._decoder, data)
            return self._read_head(data)
        except DecodeError:
            self._broken = True
            return b""

    def _read_head(self, data: bytes) -> bytes:
        head = self._reader.receive_data(data)
        while head is not None and not self._is_request and head.start_line[9:10] == b"1":
            # 1xx: the final response follows (RFC 9110 §15.2).
            data = self._reader.trailing_data
            self._reader = HeadReader(is_request=False)
            head = self._reader.receive_data(data)
        if head is None:
            return b""
        if self._is_request:
            self.method = head.start_line.partition(b" ")[0].decode()
            framing = request_framing(head)
        else:
            framing = response_framing(head, self.method)
        self._decoder = body_decoder(framing)
        return self._read_body(self._decoder, self._reader.trailing_data)

    def _read_body(self, decoder: BodyDecoder, data: bytes) -> bytes:
        if decoder.complete:
            return data
        decoder.receive_data(data)
        return decoder.trailing_data


# What this file does not do: read the form of a recording (protocol/recording.py, files.py), or say
# what a response means (measure.py).
