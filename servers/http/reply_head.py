"""The head of a reply: the server's own fields, then the application's, then those of the framing.

    HTTP/1.1 200 OK
    Date: Mon, 23 Nov 2026 08:00:00 GMT              ours
    Server: streaming-workshop
    X-Content-Type-Options: nosniff
    Content-Type: text/event-stream; charset=utf-8   the reply's
    Cache-Control: no-cache, no-transform
    Transfer-Encoding: chunked                       how the body ends, and the connection
"""

import time
from email.utils import formatdate
from functools import lru_cache

from protocol.http1 import encode_response_head

from .reply import Reply, StreamingReply

__all__ = ["SERVER", "encode_head", "encode_reply"]

SERVER = "streaming-workshop"
"""The `Server` field (RFC 9110 §10.2.4): how a lesson knows that a port is already served."""


def encode_head(
    reply: Reply | StreamingReply, *, chunked: bool = False, close: bool = False
) -> bytes:
    """The head of this reply.

    Args:
        chunked: its body is sent in chunks.
        close: the connection ends with it.

    Raises:
        h11.LocalProtocolError: a field that would break its line.
    """
    fields = [
        ("Date", _date(int(time.time()))),
        ("Server", SERVER),
        # A browser that guesses the type of a text waits for 1 KB of it first.
        ("X-Content-Type-Options", "nosniff"),
    ]
    if reply.status != 204:
        fields.append(("Content-Type", reply.content_type))
        if isinstance(reply, Reply):
            fields.append(("Content-Length", str(len(reply.body))))
    fields += reply.headers
    if chunked:
        fields.append(("Transfer-Encoding", "chunked"))
    if close:
        fields.append(("Connection", "close"))
    return encode_response_head(reply.status, fields, reply.reason)


def encode_reply(reply: Reply) -> bytes:
    """All of a reply after which the connection is closed."""
    return encode_head(reply, close=True) + reply.body


@lru_cache(maxsize=1)  # it changes once a second
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
