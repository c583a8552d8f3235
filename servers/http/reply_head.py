"""The head of a reply: the server's fields, the application's, and those of the framing.

    HTTP/1.1 200 OK
    Date: Mon, 23 Nov 2026 08:00:00 GMT              the server's
    Server: streaming-workshop
    X-Content-Type-Options: nosniff
    Content-Type: text/event-stream; charset=utf-8   the application's
    Cache-Control: no-cache, no-transform
    Transfer-Encoding: chunked                       how the body ends
"""

import time
from email.utils import formatdate
from functools import lru_cache

from protocol.http1 import encode_fields, encode_response_head

from .reply import Reply, StreamingReply

__all__ = ["SERVER", "encode_head", "encode_reply"]

SERVER = "streaming-workshop"
"""The `Server` field (RFC 9110 §10.2.4). By this field, a lesson recognises a server that already
runs."""


def encode_head(
    reply: Reply | StreamingReply, *, chunked: bool = False, close: bool = False
) -> bytes:
    """Encode the head of a reply (RFC 9112 §4 and §5).

    Args:
        reply: The reply, whose status, reason and fields are encoded.
        chunked: Whether the body is sent in chunks.
        close: Whether the connection is closed after the reply.

    Raises:
        h11.LocalProtocolError: The status, the reason or a field cannot be sent: for example a
            field with a line break.
    """
    content_type = None if reply.status == 204 else reply.content_type
    head = _beginning(int(time.time()), reply.status, reply.reason, content_type)
    if content_type is not None and isinstance(reply, Reply):
        head += b"Content-Length: %d\r\n" % len(reply.body)
    if reply.headers:
        head += encode_fields(reply.headers)
    if chunked:
        head += b"Transfer-Encoding: chunked\r\n"
    if close:
        head += b"Connection: close\r\n"
    return head + b"\r\n"


def encode_reply(reply: Reply) -> bytes:
    """Encode the head and body of a reply after which the connection is closed."""
    return encode_head(reply, close=True) + reply.body


@lru_cache(maxsize=16)  # a server has few kinds of replies, and the date changes once a second
def _beginning(seconds: int, status: int, reason: str | None, content_type: str | None) -> bytes:
    fields = [
        ("Date", formatdate(seconds, usegmt=True)),
        ("Server", SERVER),
        # Without this field a browser guesses the type of a text, and for that it waits for the
        # first 1 KB.
        ("X-Content-Type-Options", "nosniff"),
    ]
    if content_type is not None:
        fields.append(("Content-Type", content_type))
    return encode_response_head(status, fields, reason).removesuffix(b"\r\n")
