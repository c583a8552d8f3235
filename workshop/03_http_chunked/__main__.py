"""Lesson 3: a chunk says how long it is, in bytes, in hexadecimal.

The head of an ordinary response says how long its body is: `Content-Length: 72`. A server that
makes its answer word by word does not know the length yet. In HTTP/1.1 it can send chunks: pieces
that begin with their own length, and a piece of length 0 at the end (RFC 9112 §7.1). Nearly every
streamed answer uses this coding, whatever its body is. (HTTP/2 and HTTP/3 have their own frames
instead.)

Run this file; then read it, and `protocol/chunked.py`, which reads and writes the coding.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
try:
    import trio

    from clients.streams.tcp import connect
    from protocol.chunked import ChunkedDecoder
    from protocol.head import HeadReader
    from servers.chunked import routes
    from workshop.runner import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

# A request that anybody can type. Every line ends in CR LF; the empty line ends the head.
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def watch(port: int) -> None:
    """Ask the server for its text, and label every byte that arrives."""
    stream = await connect("localhost", port)
    print(f"we send   {lesson.visible(REQUEST)}")
    await stream.send_all(REQUEST)
    start = trio.current_time()

    # First comes the head. TCP carries bytes, not messages: a read may return half of the head, or
    # more than the head.
    head = None
    reader = HeadReader(is_request=False)
    while head is None:
        data = await stream.receive_some()
        if not data:
            reader.receive_eof()  # raises an error: the head was truncated
        head = reader.receive_data(data)
    for field_line in head.raw.splitlines(keepends=True):
        print(f"head      {lesson.visible(field_line)}")
    print("There is no Content-Length: the server does not know it yet.\n")

    # Then comes the body, printed as a line for each chunk. Here a read returns one chunk, because
    # the server writes one at a time. On a busy network a read may return three chunks, or half of
    # one. The decoder accepts both.
    names = lesson.Names()
    decoder = ChunkedDecoder(observer=names)
    text = b""
    data = reader.trailing_data
    while True:
        text += b"".join(decoder.receive_data(data))
        for line in names.lines(data):
            print(f"+{trio.current_time() - start:.2f} s   {line}", flush=True)
        if decoder.complete:
            break
        data = await stream.receive_some()
        if not data:
            decoder.receive_eof()  # raises an error: the body was truncated
    stream.close()

    characters = text.decode(errors="replace")  # with --client, you type the bytes
    print(f"\nThe body, without its framing: {len(text)} bytes, {len(characters)} characters")
    print("  " + characters.rstrip("\n"))
    print("你 is one character and three bytes: e4 bd a0. The chunk-size counts bytes.")


TRIES = [
    ("The words, one by one", "curl -N http://localhost:{port}/"),
    ("With the chunk-sizes and their line ends", "curl -N --raw http://localhost:{port}/"),
    ("The same text with a Content-Length", "curl -N http://localhost:{port}/whole"),
]

if __name__ == "__main__":
    about = __doc__.partition("\n")[0]
    sys.exit(lesson.main(about, 8003, routes, watch, TRIES, by_hand=True))
