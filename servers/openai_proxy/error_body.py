"""The body of an upstream's error, made safe for the client: decoded, and with keys redacted.

    HTTP/1.1 429 Too Many Requests
    Content-Encoding: gzip                 although we asked for `identity`
                                           1f 8b 08 … = {"error":{"message":"slow down, sk-…"}}
    the client gets                        {"error":{"message":"slow down, [redacted]"}}
"""

import zlib

from protocol.secret import Secret, redact

__all__ = ["redacted_body"]


def redacted_body(body: bytes, coding: str, limit: int, *, is_whole: bool) -> bytes | None:
    """Decode the body of an error and redact every key in it.

    Args:
        body: The body as received; it may be truncated.
        coding: Content coding of the body, or "" for none (RFC 9110 §8.4.1).
        limit: Largest decoded size, in bytes. The rest is dropped.
        is_whole: Whether `body` is complete.

    Returns:
        The decoded body, or None if it cannot be decoded.
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
    # Bytes that are not UTF-8 pass unchanged.
    text = redact(body.decode("utf-8", "surrogateescape"))
    if not is_whole:
        text = _without_partial_key(text)
    return text.encode("utf-8", "surrogateescape")


def _without_partial_key(text: str) -> str:
    """Drop the end of the text if it may be the start of a key. `redact` finds whole keys only."""
    ends = [
        size
        for secret in Secret.known
        for size in range(1, len(secret))
        if text.endswith(secret[:size])
    ]
    return text[: len(text) - max(ends, default=0)]


# What this file does not do: read the body (relay.py), or decode other codings. We asked the
# upstream for `identity`.
