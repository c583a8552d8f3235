"""One case: a request through a hop, the client's reads with their times, and the delays that the
hop caused.

    POST /naive/whole/17 HTTP/1.1
    Host: localhost:8080
    Accept-Encoding: gzip               only in half of the cases
    Content-Type: application/json

The client is a plain socket. It reads until the response has ended as its framing says, until the
connection has ended, or until no byte has arrived for `PATIENCE` seconds. `Seen` compares the
client's side with the upstream's side, so it knows what x-ray must guess from one side.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio
from h11 import RemoteProtocolError

from clients.streams.tcp import connect
from protocol.head import HeadReader
from protocol.http1 import BodyDecoder, body_decoder, response_framing
from protocol.recording import End, RecordedRead
from protocol.sse import EventStreamParser

from .upstream import Head, Way

__all__ = ["PATIENCE", "Case", "Seen", "ask", "most"]

PATIENCE = 10.0
"""Seconds without a byte after which the client gives up. This is longer than a whole answer takes,
and longer than every idle timeout here."""

BUSY = 20.0
"""Milliseconds. If this machine ran a task so late, it may have delayed events by `PROMPT` on their
way through three programs."""

BODY = b'{"model":"sim-1","stream":true,"messages":[{"role":"user","content":"hi"}]}'


@dataclass(frozen=True)
class Case:
    """One case: the hop, and the request that is sent through it.

    Args:
        hop, configuration: Names in `HOPS`.
        head: The fields in the upstream's head that hops should obey.
        gzip: Whether the client accepts gzip.
        way: How the upstream's answer goes on and ends.
    """

    hop: str
    configuration: str
    head: Head
    gzip: bool
    way: Way

    @property
    def name(self) -> str:
        """nginx--default--naive--gzip--whole"""
        coding = "gzip" if self.gzip else "identity"
        return "--".join((self.hop, self.configuration, self.head, coding, self.way)).replace(
            " ", "-"
        )


@dataclass
class Seen:
    """The outcome of a request, as seen from both sides.

    Attributes:
        reads: The client's reads, as a recording.
        status: The status code, or 0 if no head arrived.
        head: Milliseconds until the response's head was complete, or None.
        head_held: Milliseconds for which the hop held the head, or None.
        events: Milliseconds until each event could be read, after decompression.
        held: Milliseconds for which the hop held each of these events.
        sent: Number of events that the upstream sent.
        complete: Whether the response ended as its framing says.
        coding: The Content-Encoding of the response.
        damage: The reason why the body could not be decompressed, or "".
        lateness: Milliseconds by which this machine ran a task of its own too late, nine tenths of
            the times while the case was measured.
    """

    reads: list[RecordedRead]
    status: int = 0
    head: float | None = None
    head_held: float | None = None
    events: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    sent: int = 0
    complete: bool = False
    coding: str = ""
    damage: str = ""
    lateness: float = 0.0

    @property
    def longest_hold(self) -> float:
        """The largest delay of nine tenths of the events, in milliseconds, or 0 without events. The
        other tenth may be late because this machine is busy."""
        return most(self.held)

    @property
    def on_busy_machine(self) -> bool:
        """Whether the delays may be those of this machine, which tells nothing about the hop."""
        return self.lateness > BUSY


def most(delays: Sequence[float]) -> float:
    """The largest of nine tenths of these delays, or 0 if there are none."""
    return sorted(delays)[len(delays) * 9 // 10] if delays else 0.0


async def ask(
    case: Case, port: int, number: int, sent: dict[str, list[float]], via: str = ""
) -> Seen:
    """Send a request through a hop, and wait for the end.

    Args:
        port: The port of the hop.
        number: The number of the request, which is in its path.
        sent: The times that the upstream noted.
        via: For a forward proxy, the upstream's URL, with which the request-target begins.
    """
    path = f"{via}/{case.head}/{case.way}/{number}"
    accept = "Accept-Encoding: gzip\r\n" if case.gzip else ""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{accept}"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    ).encode() + BODY
    reader = Reader()
    stream = await connect("127.0.0.1", port)
    try:
        began = trio.current_time()
        await stream.send_all(request)
        seen = Seen([RecordedRead(0.0, "client", request, url=f"http://localhost:{port}{path}")])
        while True:
            data = b""
            end: End = "silent"
            with trio.move_on_after(PATIENCE):
                try:
                    data = await stream.receive_some()
                    end = "" if data else "fin"
                except trio.BrokenResourceError:
                    end = "reset"
            at = round(1000 * (trio.current_time() - began), 3)
            seen.reads.append(RecordedRead(at, "server", data, end))
            reader.receive(data, end, at, seen)
            if end or seen.complete:
                break
    finally:
        stream.close()
    head, *times = [1000 * (time - began) for time in sent.get(str(number), (began,))]
    seen.sent = len(times)
    seen.head_held = None if seen.head is None else seen.head - head
    seen.held = [came - time for came, time in zip(seen.events, times, strict=False)]
    return seen


class Reader:
    """Reads a response with the decoders of `protocol`, and writes the results into a `Seen`."""

    def __init__(self) -> None:
        self._head = HeadReader(is_request=False)
        self._body: BodyDecoder | None = None
        self._unzip: Callable[[bytes], bytes] = bytes
        self._events = EventStreamParser()

    def receive(self, data: bytes, end: End, at: float, seen: Seen) -> None:
        if self._body is None:
            if (head := self._head.receive_data(data) if data else None) is None:
                return
            seen.head = at
            seen.status = int(head.start_line[9:12])
            seen.coding = b",".join(head.values(b"content-encoding")).decode()
            self._body = body_decoder(response_framing(head, "POST"))
            if seen.coding:
                self._unzip = zlib.decompressobj(wbits=31).decompress
            data = self._head.trailing_data
        for piece in self._body.receive_data(data):
            try:
                text = b"" if seen.damage else self._unzip(piece)
            except zlib.error as error:
                seen.damage, text = str(error), b""
            for event in self._events.receive_data(text):
                if event.data != "[DONE]":
                    seen.events.append(at)
        if end == "fin":
            try:
                self._body.receive_eof()
            except RemoteProtocolError:
                return
        seen.complete = self._body.complete
