"""Exercise 3: write the chunked coding, and read it (RFC 9112 §7.1).

    3\\r\\n你\\r\\n        a chunk: the number of bytes, in hexadecimal; the bytes; a line end
    0\\r\\n\\r\\n         the last chunk: the body is complete

The chunks here have no extensions and no trailers. Use only the standard library.
"""

from collections.abc import Iterable, Iterator


def encode(tokens: Iterable[str]) -> Iterator[bytes]:
    """Yield each token as one chunk as soon as it is made, and at the end the last chunk.

    Models sometimes make an empty token. Skip it, because an empty chunk would end the body.
    """
    raise NotImplementedError("encode")
    yield b""


def decode(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of the body as soon as they have arrived.

    Args:
        pieces: The bytes that each `recv()` returned: a chunk, three chunks, or half of a number.

    Raises:
        ValueError: A size is not a hexadecimal number, a line does not end in CR LF, or the pieces
            end before the last chunk.
    """
    raise NotImplementedError("decode")
    yield b""
