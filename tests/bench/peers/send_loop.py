"""The limit: one loop over a heap of due times that calls `socket.send()` and nothing else.

There is no framework, no task and no coroutine. Its HTTP is just enough for the load client: it
finds the end of a request and the length of its body, and reads two fields of the body. The
remaining cost is that of Python and the kernel: the heap, the event built from its token, and one
`send`.
"""

import heapq
import json
import select
import socket
import ssl
import time
import uuid
from collections.abc import Iterable, Iterator

from .answer import CONTENT_TYPE, DONE, HEADERS, Completion, Pace, start, tokens

FULL = (BlockingIOError, ssl.SSLWantWriteError)  # the kernel's buffer

BETWEEN_POLLS = 64  # tokens: how many may leave before new requests are looked for


def head() -> bytes:
    fields = {
        "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        "Content-Type": CONTENT_TYPE,
        "x-request-id": f"req_{uuid.uuid4().hex}",
        "Transfer-Encoding": "chunked",
        **HEADERS,
    }
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


class Stream:
    """One connection, and the answer that is being sent on it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        self.unsent = b""
        self.events: Iterator[bytes] = iter(())

    def request(self, data: bytes) -> bool:
        """Take received bytes. Returns whether a request is complete."""
        self.received += data
        before, border, body = self.received.partition(b"\r\n\r\n")
        length = before.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        if not border or len(body) < int(length):
            return False
        asked = json.loads(body)
        self.received = b""
        self.events = self.answer(asked["model"], asked["max_tokens"])
        return True

    def tokens(self, count: int) -> Iterable[str]:
        return tokens(count)

    def answer(self, model: str, count: int) -> Iterator[bytes]:
        completion = Completion(model)
        role = completion.event({"role": "assistant", "content": "", "refusal": None})
        yield head() + b"%x\r\n%b\r\n" % (len(role), role)
        for token in self.tokens(count):
            event = completion.event({"content": token})
            yield b"%x\r\n%b\r\n" % (len(event), event)
        end = completion.event({}, "stop")
        yield b"%x\r\n%b\r\n" % (len(end), end)
        yield b"%x\r\n%b\r\n0\r\n\r\n" % (len(DONE), DONE)

    def send(self, data: bytes) -> None:
        data = self.unsent + data
        try:
            sent = self.sock.send(data)
        except FULL:
            sent = 0
        self.unsent = data[sent:]


class Loop:
    def __init__(self, listener: socket.socket, pace: Pace) -> None:
        self.listener = listener
        self.pace = pace
        self.epoll = select.epoll()
        self.epoll.register(listener.fileno(), select.EPOLLIN)
        self.streams: dict[int, Stream] = {}
        self.due: list[tuple[float, int, Stream]] = []
        self.turns = 0

    def run(self) -> None:
        while True:
            wait = self.due[0][0] - time.monotonic() if self.due else None
            for fileno, _ in self.epoll.poll(None if wait is None else max(wait, 0)):
                if fileno == self.listener.fileno():
                    self.accept()
                else:
                    self.receive(self.streams[fileno])
            self.send_due()

    def accept(self) -> None:
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            stream = self.open(sock)
        except OSError:  # it only wanted to know whether anybody listens
            sock.close()
            return
        self.streams[stream.sock.fileno()] = stream
        self.epoll.register(stream.sock.fileno(), select.EPOLLIN)

    def open(self, sock: socket.socket) -> Stream:
        return Stream(sock)

    def receive(self, stream: Stream) -> None:
        try:
            data = stream.sock.recv(65536)
        except ssl.SSLWantReadError:
            return  # not a whole record
        except OSError:
            data = b""
        if not data:
            self.drop(stream)
        elif stream.request(data):
            self.push(time.monotonic() + self.pace.ttft, stream)
            stream.send(next(stream.events))

    def push(self, due: float, stream: Stream) -> None:
        self.turns += 1
        heapq.heappush(self.due, (due, self.turns, stream))

    def send_due(self) -> None:
        now = time.monotonic()
        for _ in range(BETWEEN_POLLS):
            if not self.due or self.due[0][0] > now:
                return
            due, _, stream = heapq.heappop(self.due)
            if stream.sock.fileno() < 0:
                continue
            try:
                if stream.unsent:  # a slow reader: its next event waits
                    stream.send(b"")
                else:
                    stream.send(next(stream.events))
                    due = due + self.pace.itl if self.pace.itl else now  # or else one starves all
                self.push(max(due, now) if stream.unsent else due, stream)
            except StopIteration:
                pass
            except OSError:
                self.drop(stream)

    def drop(self, stream: Stream) -> None:
        self.epoll.unregister(stream.sock.fileno())
        del self.streams[stream.sock.fileno()]
        stream.sock.close()


if __name__ == "__main__":
    Loop(*start()).run()
