"""Lesson 4: Server-Sent Events ride inside chunks, and their borders are unrelated.

Chunks carry bytes and mean nothing. To say "this is one event, of this kind, number 7", a stream
needs a format inside the body: lines of `name: value`, and a blank line that sends what was
gathered (WHATWG HTML §9.2). It is what a browser's EventSource reads, and every LLM API writes.

This lesson reads the same stream twice: as the server wrote it, and then 16 bytes at a time, so
that no read ends where an event ends. The events are the same.

Run this file; then read it, and `protocol/sse.py`, which reads and writes the format.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs in a clone
try:
    from clients.stream import READ_SIZE, connect
    from protocol.chunked import ChunkedDecoder
    from protocol.head import HeadReader
    from protocol.sse import EventStreamParser, ServerSentEvent
    from servers.sse import routes
    from workshop import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")

# `Last-Event-ID` is how a client that lost its connection says what it has. We ask for the end of
# the text only, to keep the page short.
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
    b"Last-Event-ID: %d\r\nConnection: close\r\n\r\n"
)


async def watch(port: int) -> None:
    """Read the stream twice, cut in two ways."""
    print("1. As the server wrote it: each chunk holds one event.\n")
    first = await read_events(port, READ_SIZE)
    print("\n2. The same stream, 16 bytes at a time: no read ends where an event ends.\n")
    second = await read_events(port, 16)
    print(f"\n{len(first)} events and {len(second)} events; the same: {first == second}")
    print("The retry line and the comment are no events: a block without data sends nothing.")


async def read_events(port: int, read_size: int) -> list[ServerSentEvent]:
    """Receive the stream in reads of at most this size, and name its bytes in both layers."""
    stream = await connect("localhost", port)
    await stream.send_all(REQUEST % 17)
    head = None
    reader = HeadReader(is_request=False)
    while head is None:
        head = reader.receive_data(await stream.receive_some(read_size))

    chunk_names, event_names = lesson.Names(), lesson.Names()
    decoder = ChunkedDecoder(observer=chunk_names)
    parser = EventStreamParser(observer=event_names)
    events: list[ServerSentEvent] = []
    data = reader.trailing_data
    while True:
        # Two decoders, one inside the other: what the first sets free is what the second reads.
        body = b"".join(decoder.receive_data(data))
        dispatched = parser.receive_data(body)
        if data:
            print(f"chunks  {chunk_names.line(data)}")
            if named := event_names.line(body):
                print(f"events  {named}")
            for event in dispatched:
                print(f"     => {event.event} {event.id}: {event.data}", flush=True)
        events += dispatched
        if decoder.complete:
            break
        data = await stream.receive_some(read_size)
        if not data:
            decoder.receive_eof()
    stream.close()
    return events


TRIES = [
    ("The events", "curl -N http://localhost:{port}/"),
    ("The events inside their chunks", "curl -N --raw http://localhost:{port}/"),
    ("Resume after the seventh word", "curl -N -H 'Last-Event-ID: 7' http://localhost:{port}/"),
    ("After the end: 204", "curl -i -H 'Last-Event-ID: end' http://localhost:{port}/"),
]

if __name__ == "__main__":
    sys.exit(lesson.main(__doc__.partition("\n")[0], 8004, routes, watch, TRIES))
