"""Lesson 4: Server-Sent Events travel inside chunks, and their borders are unrelated.

Chunks carry bytes, but say nothing about what the bytes mean. To say "this is one event, of this
kind, number 7", a stream needs a format inside the body: lines of `name: value`, and a blank line
that ends the event (WHATWG HTML §9.2). A browser's EventSource reads this format, and nearly every
LLM API writes it.

This lesson decodes the same bytes twice: first as they arrived, and then 16 at a time, so that a
piece can end anywhere. The events are the same.

Run this file; then read it, and `protocol/sse.py`, which reads and writes the format.
"""

import sys
from itertools import zip_longest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
try:
    from clients.streams.tcp import connect
    from protocol.chunked import ChunkedDecoder
    from protocol.head import HeadReader
    from protocol.sse import EventStreamParser, ServerSentEvent
    from servers.sse import routes
    from workshop.runner import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

# A client that lost its connection sends the id of its last event as `Last-Event-ID`. We ask only
# for the end of the text, so that the output is short.
SEEN = 17
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
    b"Last-Event-ID: %d\r\nConnection: close\r\n\r\n"
)


async def watch(port: int) -> None:
    """Receive the stream, and decode it twice, cut in different places."""
    print(f"We ask for what follows word {SEEN} (Last-Event-ID: {SEEN}), to keep this short.\n")
    print("1. As the server wrote it: each chunk holds one event.\n")
    stream = await connect("localhost", port)
    await stream.send_all(REQUEST % SEEN)
    head = None
    reader = HeadReader(is_request=False)
    while head is None:
        data = await stream.receive_some()
        if not data:
            reader.receive_eof()  # raises an error: the head was truncated
        head = reader.receive_data(data)
    body = reader.trailing_data
    first = TwoLayers()
    first.receive_data(body)
    while not first.complete:
        data = await stream.receive_some()
        if not data:
            first.receive_eof()  # raises an error: the body was truncated
        body += data
        first.receive_data(data)
    stream.close()

    print("\n2. The same bytes, 16 at a time: a piece ends anywhere.\n")
    second = TwoLayers()
    for start in range(0, len(body), 16):
        second.receive_data(body[start : start + 16])

    same = first.events == second.events
    print(f"\n{len(first.events)} events and {len(second.events)} events; the same: {same}")
    print("The retry line is not an event: a block without data dispatches nothing.")


class TwoLayers:
    """Two decoders: the chunk decoder gives its data to the event parser."""

    def __init__(self) -> None:
        self.events: list[ServerSentEvent] = []
        self._chunk_names, self._event_names = lesson.Names(), lesson.Names()
        self._chunks = ChunkedDecoder(observer=self._chunk_names)
        self._parser = EventStreamParser(observer=self._event_names)

    @property
    def complete(self) -> bool:
        return self._chunks.complete

    def receive_data(self, data: bytes) -> None:
        """Decode the bytes, and print each chunk with the events in it."""
        pieces = self._chunks.receive_data(data)
        for line, piece in zip_longest(self._chunk_names.lines(data), pieces):
            print(f"chunks  {line}")
            events = self._parser.receive_data(piece or b"")
            for names in self._event_names.lines(piece or b""):
                print(f"events  {names}")
            for event in events:
                print(f"     => {event.event} {event.id}: {event.data}", flush=True)
            self.events += events

    def receive_eof(self) -> None:
        self._chunks.receive_eof()


TRIES = [
    ("The events", "curl -N http://localhost:{port}/"),
    ("The events inside their chunks", "curl -N --raw http://localhost:{port}/"),
    ("Resume after the seventh word", "curl -N -H 'Last-Event-ID: 7' http://localhost:{port}/"),
    ("After the end: 204", "curl -i -H 'Last-Event-ID: end' http://localhost:{port}/"),
]

if __name__ == "__main__":
    sys.exit(lesson.main(__doc__.partition("\n")[0], 8004, routes, watch, TRIES))
