"""Exercise 3: write the chunked coding, and read it (RFC 9112 §7.1).

    3\\r\\n你\\r\\n        a chunk: how many bytes follow, in hexadecimal; the bytes; the line end
    0\\r\\n\\r\\n         the last chunk: the body is complete

The chunks you get carry no extensions and no trailers. Use the standard library alone.
"""

from collections.abc import Iterable, Iterator


def encode(tokens: Iterable[str]) -> Iterator[bytes]:
    """Yield each token as one chunk as soon as it is there, and in the end the last chunk.

    Models now and then make an empty token: no chunk, for it would be the last one.
    """
    raise NotImplementedError("encode")
    yield b""


def decode(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of the body as soon as they have come.

    Args:
        pieces: what each `recv()` returned: a chunk, three of them, or half a number.

    Raises:
        ValueError: a size that is no hexadecimal number, a line end that is not CR LF, or an end
            of the pieces before the last chunk has come.
    """
    raise NotImplementedError("decode")
    yield b""
