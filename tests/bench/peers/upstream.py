"""The upstream of the proxies: a bare `send()` loop, whose tokens are the times at which they were
made.

    data: {…"delta":{"content":"81732.401339"}…}

The load client subtracts this time from the time of arrival. The difference is the time of the
event's way through two connections and the proxy. With `--certificate` the loop speaks TLS.
"""

import json
import socket
import ssl
import time
from collections.abc import Iterator

from protocol.head import HeadReader
from protocol.http1 import body_decoder, request_framing

from .answer import Pace, start
from .send_loop import Loop, Stream

HANDSHAKE_SECONDS = 5.0
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class StampedStream(Stream):
    def request(self, data: bytes) -> bool:
        """Take the bytes of any proxy: some send the body in chunks, and some send other requests
        before."""
        self.received += data
        reader = HeadReader()
        if (head := reader.receive_data(self.received)) is None:
            return False
        decoder = body_decoder(request_framing(head))
        body = b"".join(decoder.receive_data(reader.trailing_data))
        if decoder.complete:
            self.received = b""
            self.events = iter((NOT_FOUND,))
            if body:
                asked = json.loads(body)
                self.events = self.answer(asked["model"], asked["max_tokens"])
        return decoder.complete

    def tokens(self, count: int) -> Iterator[str]:
        for _ in range(count):
            yield f"{time.monotonic():.6f}"


class Upstream(Loop):
    def __init__(self, listener: socket.socket, pace: Pace) -> None:
        super().__init__(listener, pace)
        self.context: ssl.SSLContext | None = None
        if pace.certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pace.certificate)
            self.context.set_alpn_protocols(["http/1.1"])

    def open(self, sock: socket.socket) -> Stream:
        if self.context is not None:
            # One after the other: there is time for that before the window opens.
            sock.settimeout(HANDSHAKE_SECONDS)
            sock = self.context.wrap_socket(sock, server_side=True)
            sock.setblocking(False)
        return StampedStream(sock)

    def receive(self, stream: Stream) -> None:
        super().receive(stream)
        # Records that have come together are announced once.
        while isinstance(stream.sock, ssl.SSLSocket) and stream.sock.fileno() >= 0:
            if not stream.sock.pending():
                return
            super().receive(stream)


if __name__ == "__main__":
    Upstream(*start()).run()
