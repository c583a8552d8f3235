"""The head of a request, read once, and what its connection and its handler need to know of it.

    POST /v1/chat/completions HTTP/1.1      the method, and the target     protocol/target.py
    Host: localhost:8000
    Content-Length: 98                      where the body ends            protocol/http1.py
    Authorization: Bearer …                 the fields                     h11

Clients send the same head again and again, and only the length of the body differs. The meaning of
a head depends only on its bytes. So the last small heads are kept together with their meaning, and
only the length is read again. This saves a fifth of the time of a short request
(test_a_known_head_equals_a_read_one, test_a_known_head_with_another_length).

A head may contain a key: in Authorization, in a cookie, in the target's query, or in a field that
only its application knows. So no value that could be a key is kept. A known head is found by a
digest of its bytes, and the value of each field that is not in `HARMLESS` is read again from them.
"""

import re
import secrets
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from protocol.head import Head
from protocol.http1 import (
    Coding,
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


# A Content-Length as most clients write it. Its digits have no effect on the rest of the head.
LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,18})\r\n")


def _cut_length(raw: bytes) -> tuple[bytes, bytes]:
    """Return the bytes of a head without the digits of its Content-Length, and these digits."""
    if found := LENGTH.search(raw):
        start, end = found.span(1)
        return raw[:start] + raw[end:], found[1]
    return raw, b""


class KnownHead(msgspec.Struct, frozen=True):
    """The meaning of a head, without its length and without the values that may be secret.

    Args:
        head: The meaning, with "" for each value that may be secret.
        places: For each such value, the index of its field, and where it begins and ends in the
            head without its length.
        length_index: The index of the field Content-Length.
        length: The digits of its value in the head that was kept.
    """

    head: RequestHead
    places: list[tuple[int, int, int]]
    length_index: int
    length: bytes

    def read(self, cut: bytes, length: bytes) -> RequestHead:
        """Return the whole meaning of a head, given the two results of `_cut_length`."""
        if not self.places and length == self.length:
            return self.head
        headers, framing = list(self.head.headers), self.head.framing
        for index, start, end in self.places:
            headers[index] = headers[index][0], cut[start:end].decode("latin-1")
        if length != self.length:
            headers[self.length_index] = "content-length", length.decode()
            framing = Framing(Coding.CONTENT_LENGTH, int(length))
        return replace(self.head, headers=tuple(headers), framing=framing)


class KnownHeads:
    """The last heads that were read without an error.

    Args:
        most: Largest number of heads kept. A further head evicts the oldest one.
        max_size: Size of the largest head kept, in bytes.
    """

    def __init__(self, most: int = 64, max_size: int = 2048) -> None:
        self._heads: dict[tuple[bytes, bool], KnownHead] = {}
        # With a key of this process, so that no digest can confirm a guessed API key.
        self._empty = blake2b(digest_size=16, key=secrets.token_bytes(16))
        self._most = most
        self._max_size = max_size

    def find(self, data: bytes) -> tuple[RequestHead, bytes] | None:
        """Return the known head with which these bytes begin, and the bytes after it, or None."""
        end = data.find(b"\r\n\r\n", 0, self._max_size) + 4
        cut, length = _cut_length(data[:end])
        known = self._heads.get(self._name(cut, length))
        return (known.read(cut, length), data[end:]) if known else None

    def add(self, raw: bytes, head: RequestHead) -> None:
        """Keep a head. Its bytes must be valid, and nothing may have been skipped before them. A
        head whose target has a query is not kept."""
        if len(raw) > self._max_size or "?" in head.raw_target:
            return
        cut, length = _cut_length(raw)
        known = _without_secrets(cut, length, head)
        if known.read(cut, length) == head:  # otherwise h11 has changed a value
            if len(self._heads) >= self._most:
                del self._heads[next(iter(self._heads))]
            self._heads[self._name(cut, length)] = known

    def _name(self, cut: bytes, length: bytes) -> tuple[bytes, bool]:
        digest = self._empty.copy()  # in half the time of a new one
        digest.update(cut)
        # The bool tells a length that was cut from an empty one, which is an error.
        return digest.digest(), bool(length)


def _without_secrets(cut: bytes, length: bytes, head: RequestHead) -> KnownHead:
    headers, places = list(head.headers), []
    begin, length_index = len(head.start_line) + 2, 0
    for index, line in enumerate(cut[begin:-4].split(b"\r\n")):
        name, value = line.partition(b":")[::2]
        if name.lower() == b"content-length":
            length_index = index
        if name and headers[index][0] not in HARMLESS:
            start = begin + len(line) - len(value.lstrip(b" \t"))
            places.append((index, start, start + len(value.strip(b" \t"))))
            headers[index] = headers[index][0], ""
        begin += len(line) + 2
    return KnownHead(replace(head, headers=tuple(headers)), places, length_index, length)


# What this file does not do: find the end of a head, or check its bytes (protocol/head.py).
