"""The head of a request, read once, and what its connection and its handler need to know of it.

    POST /v1/chat/completions HTTP/1.1      the method, and the target     protocol/target.py
    Host: localhost:8000
    Content-Length: 98                      where the body ends            protocol/http1.py
    Authorization: Bearer …                 the fields                     h11

Clients send the same head again and again, byte for byte: a load test does, and so does an agent
that asks one question in many ways. The meaning of a head depends only on its bytes. So the last
small heads are kept together with their meaning, and are not read again. This saves a fifth of the
time of a short request (test_a_known_head_equals_a_read_one).

A head may contain a key: in Authorization, in a cookie, in the target's query, or in a field that
only its application knows. So no value is kept that could be one. A known head is found by a digest
of its bytes, and the value of each field that is not in `HARMLESS` is read again from the bytes.
"""

import secrets
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

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


HARMLESS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
    }
)
"""Names of fields whose values are no secret, in lower case."""


class KnownHead(msgspec.Struct, frozen=True):
    """The meaning of a head, without the values that may be secret.

    Args:
        head: The meaning. These values are "" in it.
        places: For each such value, the index of its field, and where it begins and ends in the
            bytes of the head.
    """

    head: RequestHead
    places: list[tuple[int, int, int]]

    def read(self, raw: bytes) -> RequestHead:
        """Return the whole meaning of the head with these bytes."""
        if not self.places:
            return self.head
        headers = list(self.head.headers)
        for index, start, end in self.places:
            headers[index] = headers[index][0], raw[start:end].decode("latin-1")
        return replace(self.head, headers=tuple(headers))


class KnownHeads:
    """The last heads that were read without an error.

    Args:
        most: Largest number of heads kept. A further head evicts the oldest one.
        max_size: Size of the largest head kept, in bytes.
    """

    def __init__(self, most: int = 64, max_size: int = 2048) -> None:
        self._heads: dict[bytes, KnownHead] = {}
        self._key = secrets.token_bytes(16)  # without it, nobody can test guesses of a key
        self._most = most
        self._max_size = max_size

    def find(self, data: bytes) -> tuple[RequestHead, bytes] | None:
        """Return the known head with which these bytes begin, and the bytes after it."""
        end = data.find(b"\r\n\r\n", 0, self._max_size) + 4
        raw = data[:end]
        known = self._heads.get(self._digest(raw))
        return (known.read(raw), data[end:]) if known else None

    def add(self, raw: bytes, head: RequestHead) -> None:
        """Keep a head. Its bytes must be valid, and nothing may have been skipped before them. A
        head whose target has a query is not kept."""
        if len(raw) > self._max_size or "?" in head.raw_target:
            return
        known = _without_secrets(raw, head)
        if known.read(raw) == head:  # otherwise h11 has changed a value
            if len(self._heads) >= self._most:
                del self._heads[next(iter(self._heads))]
            self._heads[self._digest(raw)] = known

    def _digest(self, raw: bytes) -> bytes:
        return blake2b(raw, digest_size=16, key=self._key).digest()


def _without_secrets(raw: bytes, head: RequestHead) -> KnownHead:
    headers, places = list(head.headers), []
    begin = len(head.start_line) + 2
    for index, line in enumerate(raw[begin:-4].split(b"\r\n")):
        name, value = line.partition(b":")[::2]
        if name and headers[index][0] not in HARMLESS:
            start = begin + len(line) - len(value.lstrip(b" \t"))
            places.append((index, start, start + len(value.strip(b" \t"))))
            headers[index] = headers[index][0], ""
        begin += len(line) + 2
    return KnownHead(replace(head, headers=tuple(headers)), places)


# What this file does not do: find the end of a head, or check its bytes (protocol/head.py).
