"""A whole keep-alive connection on the sans-IO parts, driven by hypothesis' state machine.

    HeadReader ──head──> request_framing, read_request ──> body_decoder
        ^                                                       │
        └──────────────────── trailing_data ────────────────────┘

A simulated client appends requests to the stream of bytes, perhaps pipelined, and the driver below
receives them in slices of any size. Every method, target, body and trailer must come out in order,
and no byte may be left over.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocol.chunked import ChunkedDecoder, encode_chunk, encode_last_chunk
from protocol.errors import DecodeError
from protocol.head import HeadReader
from protocol.http1 import BodyDecoder, body_decoder, keeps_alive, read_request, request_framing

from .feeding import bytewise
from .test_chunked_properties import chunks, trailers


@dataclass
class Exchange:
    """A request, as far as the driver has read it."""

    method: bytes
    target: bytes
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    complete: bool = False


class ServerSide:
    """The smallest correct driver: the reading half of a server, without sockets."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.reader = HeadReader()
        self.decoder: BodyDecoder | None = None

    def receive_data(self, data: bytes) -> None:
        while True:
            if self.decoder is None:
                head = self.reader.receive_data(data)
                if head is None:
                    return
                self.decoder = body_decoder(request_framing(head))
                _, request = read_request(head)
                assert keeps_alive(head)
                self.exchanges.append(Exchange(request.method, request.target))
                data = self.reader.trailing_data
            exchange = self.exchanges[-1]
            exchange.body += b"".join(self.decoder.receive_data(data))
            if not self.decoder.complete:
                return
            exchange.complete = True
            if isinstance(self.decoder, ChunkedDecoder):
                exchange.trailers = self.decoder.trailers
            # The message has ended: the bytes after it begin the next one.
            data = self.decoder.trailing_data
            self.reader, self.decoder = HeadReader(), None

    def receive_eof(self) -> None:
        (self.decoder or self.reader).receive_eof()


paths = st.text("abc/?=&%20", max_size=8).map(lambda text: "/" + text)
# Field lines that look like framing fields, but are not.
fields = st.sampled_from(
    ["", "X-Note: Content-Length: 7\r\n", "X: \xe9\tchunked\r\n", "Content-Type: a/b\r\n"]
)


class Connection(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.server = ServerSide()
        self.sent: list[Exchange] = []
        self.in_flight = b""

    def send(self, method: str, path: str, lines: str, body: bytes, expected: Exchange) -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"
        self.in_flight += head.encode("latin-1") + body
        self.sent.append(expected)

    @rule(path=paths, lines=fields, empty_line=st.booleans())
    def get(self, path: str, lines: str, empty_line: bool) -> None:
        self.in_flight += b"\r\n" if empty_line else b""
        self.send("GET", path, lines, b"", Exchange(b"GET", path.encode()))

    @rule(path=paths, lines=fields, body=st.binary(max_size=50))
    def post_with_content_length(self, path: str, lines: str, body: bytes) -> None:
        lines += f"Content-Length: {len(body)}\r\n"
        self.send("POST", path, lines, body, Exchange(b"POST", path.encode(), body))

    @rule(path=paths, lines=fields, sent=chunks, end=trailers)
    def post_in_chunks(
        self,
        path: str,
        lines: str,
        sent: list[tuple[bytes, list[tuple[str, str | None]]]],
        end: list[tuple[bytes, bytes]],
    ) -> None:
        lines += "Transfer-Encoding: chunked\r\n"
        wire = b"".join(encode_chunk(data, extra) for data, extra in sent) + encode_last_chunk(end)
        body = b"".join(data for data, _ in sent)
        self.send("POST", path, lines, wire, Exchange(b"POST", path.encode(), body, end))

    @precondition(lambda self: self.in_flight)
    @rule(size=st.integers(1, 80))
    def deliver(self, size: int) -> None:
        data, self.in_flight = self.in_flight[:size], self.in_flight[size:]
        self.server.receive_data(data)

    @rule()
    def deliver_everything(self) -> None:
        self.server.receive_data(self.in_flight)
        self.in_flight = b""
        self.everything_has_arrived()

    @rule()
    def deliver_bytewise(self) -> None:
        for byte in bytewise(self.in_flight):
            self.server.receive_data(byte)
        self.in_flight = b""
        self.everything_has_arrived()

    @invariant()
    def received_equals_sent(self) -> None:
        received = self.server.exchanges
        assert len(received) <= len(self.sent)
        for got, sent in zip(received, self.sent, strict=False):
            assert (got.method, got.target) == (sent.method, sent.target)
            if got.complete:
                assert (got.body, got.trailers) == (sent.body, sent.trailers)
            else:
                assert got is received[-1]
                assert sent.body.startswith(got.body)

    def everything_has_arrived(self) -> None:
        assert len(self.server.exchanges) == len(self.sent)
        assert all(exchange.complete for exchange in self.server.exchanges)
        assert not self.server.reader.started
        self.server.receive_eof()

    def teardown(self) -> None:
        self.deliver_everything()
        self.received_equals_sent()


TestConnection = Connection.TestCase
TestConnection.settings = settings(max_examples=60, stateful_step_count=25)


@pytest.mark.parametrize(
    "cut_short",
    [
        b"GET / HT",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ],
)
def test_a_connection_that_ends_in_a_message(cut_short: bytes) -> None:
    server = ServerSide()
    server.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + cut_short)
    assert server.exchanges[0] == Exchange(b"GET", b"/", complete=True)
    with pytest.raises(DecodeError, match="ended"):
        server.receive_eof()
