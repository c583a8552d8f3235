"""One HTTP/1.1 message: h11 reads its head, our own decoders read its body (RFC 9112 §6).

    POST /v1/chat/completions HTTP/1.1      the head (head.py has checked its bytes)
    Host: localhost
    Content-Length: 15                      framing: where the body ends
                                            an empty line
    {"stream":true}                         15 bytes of body

Two hops must never disagree about where a body ends. `request_framing` and `response_framing`
derive it from the head alone, with the branches in the order of RFC 9112 §6.3, and `body_decoder`
returns the state machine that reads the body.
"""

import re
from collections.abc import Iterable
from enum import Enum, auto
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

import h11
import msgspec

from .chunked import ChunkedDecoder
from .errors import DecodeError
from .grammar import FIELD_VALUE, TOKEN
from .head import Head
from .secret import quoted

__all__ = [
    "STATUSES",
    "BodyDecoder",
    "Coding",
    "ContentLengthDecoder",
    "Framing",
    "UntilCloseDecoder",
    "body_decoder",
    "encode_fields",
    "encode_response_head",
    "expects_continue",
    "keeps_alive",
    "read_request",
    "read_response",
    "request_framing",
    "response_framing",
]


class Coding(Enum):
    """The four ways a body can be delimited."""

    NONE = auto()
    CHUNKED = auto()
    CONTENT_LENGTH = auto()
    UNTIL_CLOSE = auto()


class Framing(msgspec.Struct, frozen=True):
    """Where a body ends.

    Args:
        coding: How the body is delimited.
        length: Size of the body in bytes, from Content-Length; 0 with any other coding.
    """

    coding: Coding
    length: int = 0


# Content-Length = 1*DIGIT (RFC 9110 §8.6). int() alone would accept "+5", "0_5", " 5" and "５".
CONTENT_LENGTH = re.compile(rb"0*([0-9]{1,18})")


def request_framing(head: Head) -> Framing:
    """Decide where a request's body ends (RFC 9112 §6.3, items 3, 4, 5, 6 and 7).

    Args:
        head: The head of the request.

    Raises:
        DecodeError: The head contradicts itself, or its framing fields break their grammar (400);
            or it names a transfer coding other than chunked (501). The connection must be closed
            after either.
    """
    if codings := head.values(b"transfer-encoding"):
        # 3. "If a message is received with both a Transfer-Encoding and a Content-Length header
        # field … ought to be handled as an error."
        if head.values(b"content-length"):
            raise _bad("both Transfer-Encoding and Content-Length")
        # §6.1: "A server or client that receives an HTTP/1.0 message containing a
        # Transfer-Encoding header field MUST treat the message as if the framing is faulty".
        if head.is_http10:
            raise _bad("Transfer-Encoding in HTTP/1.0")
        # 4. "If a Transfer-Encoding header field is present in a request and the chunked transfer
        # coding is not the final encoding, the message body length cannot be determined
        # reliably; the server MUST respond with the 400 (Bad Request) status code".
        members = _list_members(codings)
        names = [member.lower() for member in members]
        if names[-1] != b"chunked":
            raise _bad(f"a final transfer coding that is not chunked: {quoted(members[-1])}")
        if b"chunked" in names[:-1]:
            raise _bad("the chunked coding applied twice")
        if len(members) > 1:
            # "A server that receives a request message with a transfer coding it does not
            # understand SHOULD respond with 501 (Not Implemented)." (§6.1)
            raise _bad(f"a transfer coding we do not have: {quoted(members[0])}", 501)
        return Framing(Coding.CHUNKED)
    length = _content_length(head)
    # 7. "If this is a request message and none of the above are true, then the message body
    # length is zero".
    return Framing(Coding.CONTENT_LENGTH, length) if length is not None else Framing(Coding.NONE)


def response_framing(head: Head, method: str) -> Framing:
    """Decide where a response's body ends (RFC 9112 §6.3).

    Args:
        head: The head of the response.
        method: Method of the request that it answers, in upper case.

    Raises:
        DecodeError: The head contradicts itself, its framing fields break their grammar, or it
            names a transfer coding other than chunked.
    """
    status = head.start_line[9:12]
    # 1. "Any response to a HEAD request and any response with a 1xx (Informational), 204 (No
    # Content), or 304 (Not Modified) status code is always terminated by the first empty line".
    if method == "HEAD" or status.startswith(b"1") or status in (b"204", b"304"):
        return Framing(Coding.NONE)
    # 2. "Any 2xx (Successful) response to a CONNECT request implies that the connection will
    # become a tunnel".
    if method == "CONNECT" and status.startswith(b"2"):
        return Framing(Coding.UNTIL_CLOSE)
    # Items 3 to 5 apply to responses as to requests. We never ask for other transfer codings (we
    # send no TE field), so a response that uses one is an error.
    framing = request_framing(head)
    # 8. "Otherwise, this is a response message without a declared message body length, so the
    # message body length is determined by the number of octets received prior to the server
    # closing the connection."
    return Framing(Coding.UNTIL_CLOSE) if framing.coding is Coding.NONE else framing


def _content_length(head: Head) -> int | None:
    values = head.values(b"content-length")
    if not values:
        return None
    # 5. "If a message is received without Transfer-Encoding and with an invalid Content-Length
    # header field, then the message framing is invalid". The RFC allows equal values, in a list or
    # on two lines, to be merged. We refuse them, because the next hop may merge them differently.
    if len(values) > 1:
        raise _bad("more than one Content-Length")
    match = CONTENT_LENGTH.fullmatch(values[0])
    if match is None:
        raise _bad(f"not a Content-Length: {quoted(values[0])}")
    return int(match[1])


def _list_members(values: list[bytes]) -> list[bytes]:
    """The members of a list field: "a, b" on one line or on two (RFC 9110 §5.6.1)."""
    members = [member.strip(b" \t") for member in b",".join(values).split(b",")]
    if not all(members):
        # The RFC says that empty members "MUST" be ignored. Refusing them is safe, because honest
        # senders do not send them.
        raise _bad(f"an empty member in Transfer-Encoding: {quoted(b','.join(values))}")
    return members


def _bad(message: str, status: int = 400) -> DecodeError:
    return DecodeError(message, 0, error_status_hint=status)


class BodyDecoder(Protocol):
    """The interface of all body decoders; ChunkedDecoder documents each member."""

    @property
    def complete(self) -> bool: ...
    @property
    def trailing_data(self) -> bytes: ...
    def receive_data(self, data: bytes) -> list[bytes]: ...
    def receive_eof(self) -> None: ...


class ContentLengthDecoder:
    """Reads a body of a known size (RFC 9112 §6.2).

    Args:
        length: Size of the body in bytes; 0 for a message without a body.
    """

    def __init__(self, length: int) -> None:
        self.trailing_data = b""
        self._length = length
        self._remaining = length

    @property
    def complete(self) -> bool:
        return self._remaining == 0

    def receive_data(self, data: bytes) -> list[bytes]:
        piece = data[: self._remaining]
        self._remaining -= len(piece)
        if len(piece) < len(data):
            self.trailing_data += data[len(piece) :]
        return [piece] if piece else []

    def receive_eof(self) -> None:
        """Raises DecodeError unless all bytes have arrived (RFC 9112 §8)."""
        if self._remaining:
            received = self._length - self._remaining
            raise DecodeError(f"the body ended after {received} of {self._length} bytes", received)


class UntilCloseDecoder:
    """Reads a body that ends when the connection is closed, as in HTTP/1.0 (RFC 9112 §6.3, item 8).

    A truncated body looks the same as a complete one: this is why the chunked coding was invented.
    """

    trailing_data = b""

    def __init__(self) -> None:
        self.complete = False

    def receive_data(self, data: bytes) -> list[bytes]:
        return [data] if data else []

    def receive_eof(self) -> None:
        self.complete = True


def body_decoder(framing: Framing, max_chunk_size: int = 1 << 30) -> BodyDecoder:
    """Return the state machine that reads a body with this framing.

    Args:
        framing: Where the body ends, from `request_framing` or `response_framing`.
        max_chunk_size: Largest chunk-size accepted, in bytes, if the body is chunked.
    """
    match framing.coding:
        case Coding.CHUNKED:
            return ChunkedDecoder(max_chunk_size=max_chunk_size)
        case Coding.UNTIL_CLOSE:
            return UntilCloseDecoder()
        case _:
            return ContentLengthDecoder(framing.length)


def read_request(head: Head) -> tuple[h11.Connection, h11.Request]:
    """Read a checked request head through h11.

    Args:
        head: The head of the request.

    Returns:
        The h11 connection that has read the request, and the request. The connection knows the
        request's method and version, so it can write the head of the response.

    Raises:
        h11.RemoteProtocolError: The head passed head.py, but h11 refuses it: for example, because
            it has no Host.
    """
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head.raw)
    request = connection.next_event()
    if not isinstance(request, h11.Request):
        raise DecodeError("not a request", 0)
    return connection, request


def read_response(
    connection: h11.Connection, head: Head
) -> h11.Response | h11.InformationalResponse:
    """Read a checked response head through the h11 connection that wrote the request's head.

    Args:
        connection: A connection in the client's role, which has sent the request.
        head: The head of the response, final or informational (1xx).

    Raises:
        h11.RemoteProtocolError: The head passed head.py, but h11 refuses it.
    """
    connection.receive_data(head.raw)
    response = connection.next_event()
    if not isinstance(response, h11.Response | h11.InformationalResponse):
        raise DecodeError("not a response", 0)
    return response


def encode_response_head(
    status: int, fields: Iterable[tuple[str, str]], reason: str | None = None
) -> bytes:
    """Encode a response's head to the same bytes as h11 would (test_a_response_head_is_h11s).

    h11 would take ten times as long, which is the time for reading a whole request. Nothing in a
    response head needs a decision by h11.

    Args:
        status: Status code from 100 to 599, registered or not (RFC 9110 §15).
        fields: (field-name, field-value) pairs, including those for framing, in the order in which
            they are sent.
        reason: Reason-phrase. None means the registered phrase, or an empty one if the status is
            not registered.

    Returns:
        The status-line, the field lines and the empty line (RFC 9112 §4, §5).

    Raises:
        h11.LocalProtocolError: The status is out of range, or a field or the reason holds a
            character that may not be sent.
    """
    return b"%b%b\r\n" % (_status_line(status, reason), encode_fields(fields))


def encode_fields(fields: Iterable[tuple[str, str]]) -> bytes:
    """Encode the field lines of a head, each with its CRLF (RFC 9112 §5).

    Raises:
        h11.LocalProtocolError: A name or a value holds a character that may not be sent.
    """
    return b"".join(
        [
            _kept_line(name, value) if name in REPEATED else _field_line(name, value)
            for name, value in fields
        ]
    )


REPEATED = frozenset(
    {
        "Access-Control-Allow-Origin",
        "Access-Control-Expose-Headers",
        "Cache-Control",
        "Vary",
        "X-Accel-Buffering",
    }
)
"""Fields whose values are the same in most responses of a server, and never secret. Only their
encoded lines are cached: a cookie never is."""


def _field_line(name: str, value: str) -> bytes:
    # h11 accepts ASCII only, and so do we: programs disagree about the meaning of other bytes.
    if name.isascii() and value.isascii():
        key, text = name.encode(), value.encode()
        if TOKEN.fullmatch(key) and FIELD_VALUE.fullmatch(text):
            return b"%b: %b\r\n" % (key, text)
    raise h11.LocalProtocolError(f"not a field: {name!r}: {value!r}")


_kept_line = lru_cache(maxsize=128)(_field_line)


def _status_line(status: int, reason: str | None) -> bytes:
    # "Values outside the range 100..599 are invalid." (RFC 9110 §15)
    if status not in STATUSES:
        raise h11.LocalProtocolError(f"not a status code: {status}")
    if reason is None:
        return _STATUS_LINES[status]
    # reason-phrase = 1*( HTAB / SP / VCHAR / obs-text ); ASCII only, as in field values.
    if not REASON_PHRASE.fullmatch(reason):
        raise h11.LocalProtocolError(f"not a reason-phrase: {reason!r}")
    return f"HTTP/1.1 {status} {reason}\r\n".encode()


STATUSES = range(100, 600)

REASON_PHRASE = re.compile(r"[\t -~]*")

# status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4). The second space is
# sent even without a phrase: b"HTTP/1.1 529 \r\n".
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode() for status in STATUSES
}


def keeps_alive(head: Head) -> bool:
    """Whether the connection may carry another message after this one (RFC 9112 §9.3).

    True for HTTP/1.1 unless the head says `Connection: close`. False for HTTP/1.0, whose keep-alive
    was never a standard.
    """
    tokens = b",".join(head.values(b"connection")).lower().split(b",")
    return not head.is_http10 and b"close" not in [token.strip(b" \t") for token in tokens]


def expects_continue(head: Head) -> bool:
    """Whether the client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1)."""
    expectations = b",".join(head.values(b"expect")).lower().split(b",")
    return not head.is_http10 and b"100-continue" in [item.strip(b" \t") for item in expectations]


# What this file does not do: upgrade to other protocols, undo content codings, or speak HTTP/2.
