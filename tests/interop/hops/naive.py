"""Naive proxies of a few lines, written with only the standard library. Each has its own port.

    python naive.py UPSTREAM '{"lines": 8081, "blocks": 8082, "chunks": 8083}' SECONDS

SECONDS is the time for which urlopen waits for a silent upstream.
"""

import json
import sys
from collections.abc import Iterator
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.request import Request, urlopen


class Lines(BaseHTTPRequestHandler):
    """Relays the body line by line."""

    # Otherwise, on some machines, the second of the two writes for each event would be delayed.
    disable_nagle_algorithm = True
    upstream = ""
    seconds = 0.0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = Request(self.upstream + self.path, body, {"Content-Type": "application/json"})
        with urlopen(asked, timeout=self.seconds) as response:
            self.send_response(response.status)
            self.send_header("Content-Type", response.headers["Content-Type"])
            self.end_headers()
            for piece in self.pieces(response):
                self.wfile.write(piece)

    def pieces(self, response: HTTPResponse) -> Iterator[bytes]:
        yield from response

    def log_message(self, *_: object) -> None:
        pass


class Blocks(Lines):
    """Relays 4096 bytes at a time."""

    def pieces(self, response: HTTPResponse) -> Iterator[bytes]:
        while piece := response.read(4096):
            yield piece


class Chunks(Lines):
    """Relays the bytes of each read as a chunk. If the upstream's body is truncated, there is no
    last chunk."""

    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        super().end_headers()

    def pieces(self, response: HTTPResponse) -> Iterator[bytes]:
        while piece := response.read1():
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"


class Relay(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """An exception ends the connection, but is not printed."""


if __name__ == "__main__":
    Lines.upstream, Lines.seconds = sys.argv[1], float(sys.argv[3])
    for name, port in json.loads(sys.argv[2]).items():
        handler = {"lines": Lines, "blocks": Blocks, "chunks": Chunks}[name]
        Thread(target=Relay(("127.0.0.1", port), handler).serve_forever).start()
