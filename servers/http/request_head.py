"""The head of a request, read once, and what its connection and its handler need to know of it.

    POST /v1/chat/completions HTTP/1.1      the method, and the target     protocol/target.py
    Host: localhost:8000
    Content-Length: 98                      where the body ends            protocol/http1.py
    Authorization: Bearer …                 the fields                     h11

Clients send the same head again and again, byte for byte: a load test does, and so does an agent
that asks one question in many ways. The meaning of a head depends only on its bytes. So the last
small heads are kept together with their meaning, and are not read again. This saves a fifth of the
time of a short request (test_a_known_head_equals_a_read_one).

A head may contain a key. So known heads are few, they stay in this process, and nothing shows them.
"""

import msgspec

from protocol.head import Head
from protocol.http1 import (
    Framing,
    expects_continue,
    keeps_alive,
    read_request,
    request_framing,
)
from protocol.target import RequestTarget, read_target

from .reply import Headers

__all__ = ["KnownHeads", "RequestHead", "read_request_head"]


class RequestHead(msgspec.Struct, frozen=True):
    """The meaning of a request's head.

    Args:
        start_line: The request-line without its CRLF.
        method: The method as it was sent.
        raw_target: The request-target as it was sent.
        target: Its path, query and host.
        headers: The fields, as a `Request` has them.
        framing: Where the request's body ends.
        keeps_alive: Whether the connection may carry another request after this one.
        expects_continue: Whether the client waits for `100 Continue` before it sends the body.
        is_http10: Whether the client speaks HTTP/1.0, which has no chunked coding.
    """

    start_line: bytes
    method: str
    raw_target: str
    target: RequestTarget
    headers: Headers
    framing: Framing
    keeps_alive: bool
    expects_continue: bool
    is_http10: bool


def read_request_head(head: Head) -> RequestHead:
    """Read a checked head.

    Raises:
        h11.RemoteProtocolError: The head contradicts itself, names no host, or asks for something
            that this server does not do.
    """
    target = read_target(head)
    framing = request_framing(head)
    _, message = read_request(head)
    return RequestHead(
        head.start_line,
        message.method.decode("ascii"),
        message.target.decode("ascii"),
        target,
        tuple((name.decode(), value.decode("latin-1")) for name, value in message.headers),
        framing,
        keeps_alive(head),
        expects_continue(head),
        head.is_http10,
    )


class KnownHeads:
    """The last heads that were read without an error.

    Args:
        most: Largest number of heads kept. A further head evicts the oldest one.
        max_size: Size of the largest head kept, in bytes.
    """

    def __init__(self, most: int = 64, max_size: int = 2048) -> None:
        self._heads: dict[bytes, RequestHead] = {}
        self._most = most
        self._max_size = max_size

    def find(self, data: bytes) -> tuple[RequestHead, bytes] | None:
        """Return the known head with which these bytes begin, and the bytes after it."""
        end = data.find(b"\r\n\r\n", 0, self._max_size) + 4
        head = self._heads.get(data[:end])
        return (head, data[end:]) if head else None

    def add(self, raw: bytes, head: RequestHead) -> None:
        """Keep a head. Its bytes must be valid, and nothing may have been skipped before them."""
        if len(raw) <= self._max_size:
            if len(self._heads) >= self._most:
                del self._heads[next(iter(self._heads))]
            self._heads[raw] = head


# What this file does not do: find the end of a head, or check its bytes (protocol/head.py).
