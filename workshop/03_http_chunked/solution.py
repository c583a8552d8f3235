"""Solution 3: encodes and decodes the chunked coding. `protocol/chunked.py` implements all of the
rules."""

import re
from collections.abc import Iterable, Iterator


def encode(tokens: Iterable[str]) -> Iterator[bytes]:
    """Yield each token as one chunk as soon as it is made, and at the end the last chunk."""
    for token in tokens:
        if data := token.encode():  # an empty chunk would end the body
            yield b"%x\r\n%s\r\n" % (len(data), data)
    yield b"0\r\n\r\n"


def decode(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of the body as soon as they have arrived."""
    buffer = b""
    remaining = None  # bytes missing from this chunk, or None if its size line is missing
    for piece in pieces:
        buffer += piece
        while True:
            if remaining is None:
                size_line, line_end, rest = buffer.partition(b"\n")
                if not line_end:
                    break
                size = re.fullmatch(rb"([0-9A-Fa-f]+)\r", size_line)
                if not size:
                    raise ValueError(f"no chunk-size: {size_line!r}")
                remaining, buffer = int(size[1], 16), rest
                last = remaining == 0
            if data := buffer[:remaining]:
                buffer = buffer[len(data) :]
                remaining -= len(data)
                yield data
            if not b"\r\n".startswith(buffer[:2]) and remaining == 0:
                raise ValueError(f"no CR LF after the data, but {buffer[:2]!r}")
            if remaining or len(buffer) < 2:
                break
            buffer, remaining = buffer[2:], None
            if last:
                return
    raise ValueError("the pieces ended before the last chunk")
