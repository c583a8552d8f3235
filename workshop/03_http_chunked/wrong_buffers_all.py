"""Wrong: decode reads the whole body before it yields any of it."""

from collections.abc import Iterable, Iterator


def encode(tokens: Iterable[str]) -> Iterator[bytes]:
    for token in tokens:
        if data := token.encode():  # an empty chunk would end the body
            yield b"%x\r\n%s\r\n" % (len(data), data)
    yield b"0\r\n\r\n"


def decode(pieces: Iterable[bytes]) -> Iterator[bytes]:
    body = b"".join(pieces)
    while body:
        size, _, rest = body.partition(b"\r\n")
        end = int(size, 16)
        yield rest[:end]
        body = rest[end + 2 :]
