"""Wrong: the size counts characters."""

from collections.abc import Iterable, Iterator


def encode(tokens: Iterable[str]) -> Iterator[bytes]:
    for token in tokens:
        if data := token.encode():  # an empty chunk would end the body
            yield b"%x\r\n%s\r\n" % (len(token), data)
    yield b"0\r\n\r\n"
