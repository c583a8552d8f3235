"""The words of an upstream's error, as the client may read them: whole if possible, without a key.

    HTTP/1.1 429 Too Many Requests
    Content-Encoding: gzip                 asked not to, and done all the same
                                           1f 8b 08 … = {"error":{"message":"slow down, sk-…"}}
    the client gets                        {"error":{"message":"slow down, [redacted]"}}
"""

import zlib

from protocol.secret import Secret, redact

__all__ = ["words_of"]


def words_of(body: bytes, coding: str, limit: int, *, is_whole: bool) -> bytes | None:
    """What an error's body says, without any key.

    Args:
        body: as it came, perhaps cut off.
        coding: its content coding, "" for none (RFC 9110 §8.4.1).
        limit: bytes that it may be decoded to; the rest is cut off.
        is_whole: all of it has come.

    Returns:
        None if it cannot be read.
    """
    if coding in ("gzip", "x-gzip", "deflate"):
        decoder = zlib.decompressobj(wbits=47)  # 47: the format of gzip (RFC 1952) or of zlib
        try:
            body = decoder.decompress(body, limit)
        except zlib.error:
            return None
        is_whole = decoder.eof
    elif coding not in ("", "identity"):
        return None
    # Not decoded and encoded again: what is not UTF-8 stays as it is.
    text = redact(body.decode("utf-8", "surrogateescape"))
    if not is_whole:
        text = _without_half_a_key(text)
    return text.encode("utf-8", "surrogateescape")


def _without_half_a_key(text: str) -> str:
    """The same without what may be the beginning of a key: nobody would know it by its half."""
    ends = [
        size
        for secret in Secret.known
        for size in range(1, len(secret))
        if text.endswith(secret[:size])
    ]
    return text[: len(text) - max(ends, default=0)]


# What this file does not do: read the body (relay.py), or understand other codings: no upstream
# that was asked for `identity` should send any.
