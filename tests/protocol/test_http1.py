"""Where a body ends: every branch of RFC 9112 §6.3, and the state machines that read it."""

from http import HTTPStatus
from itertools import product

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import http1
from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.http1 import (
    Coding,
    ContentLengthDecoder,
    Framing,
    UntilCloseDecoder,
    body_decoder,
    encode_response_head,
    expects_continue,
    keeps_alive,
    read_request,
    read_response,
    request_framing,
    response_framing,
)

from .feeding import feedings, read_head


def head_of(start_line: str, *fields: str) -> Head:
    raw = "\r\n".join([start_line, *fields, "", ""]).encode("latin-1")
    reader = HeadReader(is_request=not start_line.startswith("HTTP/"))
    head = read_head([raw], reader).head
    assert head is not None
    return head


NONE = Framing(Coding.NONE)
CHUNKED = Framing(Coding.CHUNKED)
UNTIL_CLOSE = Framing(Coding.UNTIL_CLOSE)


def length(size: int) -> Framing:
    return Framing(Coding.CONTENT_LENGTH, size)


# ---- requests

REQUESTS: list[tuple[list[str], Framing]] = [
    # 7. "If this is a request message and none of the above are true, then the message body
    # length is zero (no message body is present)."
    ([], NONE),
    (["Content-Type: text/plain"], NONE),
    # 6. "If a valid Content-Length header field is present without Transfer-Encoding, its decimal
    # value defines the expected message body length in octets."
    (["Content-Length: 0"], length(0)),
    (["Content-Length: 5"], length(5)),
    (["content-length:\t005 "], length(5)),
    (["Content-Length: 999999999999999999"], length(10**18 - 1)),
    # 4. chunked is the final encoding. "All transfer-coding names are case-insensitive" (§7)
    (["Transfer-Encoding: chunked"], CHUNKED),
    (["Transfer-Encoding:\tCHUNKed "], CHUNKED),
]


@pytest.mark.parametrize(("fields", "framing"), REQUESTS)
def test_request_framing(fields: list[str], framing: Framing) -> None:
    assert request_framing(head_of("POST / HTTP/1.1", *fields)) == framing


TE, CL = "Transfer-Encoding: ", "Content-Length: "
REFUSED = [
    # 3. both fields: "Such a message might indicate an attempt to perform request smuggling …
    # and ought to be handled as an error."
    ([TE + "chunked", CL + "5"], 400, "both Transfer-Encoding and Content-Length"),
    ([CL + "5", TE + "gzip"], 400, "both Transfer-Encoding and Content-Length"),
    # 4. "the server MUST respond with the 400 (Bad Request) status code"
    ([TE + "gzip"], 400, "a final transfer coding that is not chunked: b'gzip'"),
    ([TE + "chunked, gzip"], 400, "a final transfer coding that is not chunked: b'gzip'"),
    ([TE + "chunked", TE + "gzip"], 400, "a final transfer coding that is not chunked: b'gzip'"),
    ([TE + "chunked;q=1"], 400, "a final transfer coding that is not chunked: b'chunked;q=1'"),
    ([TE + "xchunked"], 400, "a final transfer coding that is not chunked: b'xchunked'"),
    ([TE + "\xa0chunked"], 400, "a final transfer coding that is not chunked: b'\\xa0chunked'"),
    ([TE + "identity"], 400, "a final transfer coding that is not chunked: b'identity'"),
    # §6.1: "A sender MUST NOT apply the chunked transfer coding more than once to a message body"
    ([TE + "chunked, chunked"], 400, "the chunked coding applied twice"),
    ([TE + "chunked", TE + "Chunked"], 400, "the chunked coding applied twice"),
    ([TE + "chunked, gzip, chunked"], 400, "the chunked coding applied twice"),
    # §6.1: a coding that the server does not understand
    ([TE + "gzip, chunked"], 501, "a transfer coding we do not have: b'gzip'"),
    ([TE + "identity", TE + "chunked"], 501, "a transfer coding we do not have: b'identity'"),
    ([TE], 400, "an empty member in Transfer-Encoding: b''"),
    ([TE + ",chunked"], 400, "an empty member in Transfer-Encoding: b',chunked'"),
    ([TE + "chunked,", TE + "\t"], 400, "an empty member in Transfer-Encoding: b'chunked,,'"),
    # 5. "an invalid Content-Length header field" makes the framing invalid
    ([CL + "5", CL + "5"], 400, "more than one Content-Length"),
    ([CL + "5", CL + "6"], 400, "more than one Content-Length"),
    ([CL + "5, 5"], 400, "not a Content-Length: b'5, 5'"),
    ([CL], 400, "not a Content-Length: b''"),
    ([CL + "-5"], 400, "not a Content-Length: b'-5'"),
    ([CL + "+5"], 400, "not a Content-Length: b'+5'"),
    ([CL + "0_5"], 400, "not a Content-Length: b'0_5'"),
    ([CL + "0x5"], 400, "not a Content-Length: b'0x5'"),
    ([CL + "5 5"], 400, "not a Content-Length: b'5 5'"),
    ([CL + "\xb2"], 400, "not a Content-Length: b'\\xb2'"),
    ([CL + "1" + "0" * 18], 400, "not a Content-Length: b'1000000000000000000'"),
    ([CL + "9" * 5000], 400, f"not a Content-Length: b'{'9' * 78}…"),
]


@pytest.mark.parametrize(("fields", "status", "message"), REFUSED)
def test_refused_framing(fields: list[str], status: int, message: str) -> None:
    for start_line, framing_of in (
        ("POST / HTTP/1.1", request_framing),
        ("HTTP/1.1 200 OK", lambda head: response_framing(head, "GET")),
    ):
        with pytest.raises(DecodeError) as caught:
            framing_of(head_of(start_line, *fields))
        assert str(caught.value) == f"{message} (at byte 0)"
        assert caught.value.error_status_hint == status


def test_transfer_encoding_in_http10_is_refused() -> None:
    """ "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header
    field MUST treat the message as if the framing is faulty" (RFC 9112 §6.1)"""
    for line in ("POST / HTTP/1.0", "HTTP/1.0 200 OK"):
        with pytest.raises(DecodeError, match=r"^Transfer-Encoding in HTTP/1\.0 \(at byte 0\)$"):
            request_framing(head_of(line, TE + "chunked"))


BODY = b"5\r\nhello\r\n0\r\n\r\n"
LINES = [TE, TE + "chunked", TE + "gzip", TE + "chunked, chunked", CL + "5", CL + "15", CL + "5,5"]


@pytest.mark.parametrize("fields", [[], *([line] for line in LINES), *product(LINES, LINES)])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_h11_reads_the_same_body_from_what_we_accept(fields: list[str], version: str) -> None:
    head = head_of(f"POST / HTTP/{version}", "Host: a", *fields)
    try:
        decoder = body_decoder(request_framing(head))
    except DecodeError:
        return
    connection, _ = read_request(head)
    connection.receive_data(BODY)
    theirs = b""
    while isinstance(event := connection.next_event(), h11.Data):
        theirs += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert b"".join(decoder.receive_data(BODY)) == theirs
    assert decoder.complete
    assert decoder.trailing_data == connection.trailing_data[0]


# ---- responses

RESPONSES: list[tuple[str, str, list[str], Framing]] = [
    # 1. "Any response to a HEAD request and any response with a 1xx (Informational), 204 (No
    # Content), or 304 (Not Modified) status code is always terminated by the first empty line
    # after the header fields, regardless of the header fields present in the message"
    ("HEAD", "200", [CL + "5"], NONE),
    ("HEAD", "200", [TE + "chunked", CL + "5"], NONE),
    ("GET", "100", [TE + "chunked"], NONE),
    ("GET", "199", [CL + "5"], NONE),
    ("GET", "204", [CL + "5"], NONE),
    ("GET", "304", [CL + "5"], NONE),
    # 2. "Any 2xx (Successful) response to a CONNECT request implies that the connection will
    # become a tunnel immediately"
    ("CONNECT", "200", [CL + "5"], UNTIL_CLOSE),
    ("CONNECT", "299", [TE + "chunked"], UNTIL_CLOSE),
    ("CONNECT", "407", [CL + "5"], length(5)),
    # 4. to 6. as for requests
    ("GET", "200", [TE + "chunked"], CHUNKED),
    ("GET", "200", [CL + "0"], length(0)),
    ("GET", "205", [CL + "5"], length(5)),
    ("connect", "200", [CL + "5"], length(5)),  # "The method token is case-sensitive"
    # 8. "Otherwise, this is a response message without a declared message body length"
    ("GET", "200", [], UNTIL_CLOSE),
    ("GET", "500", ["Connection: keep-alive"], UNTIL_CLOSE),
]


@pytest.mark.parametrize(("method", "status", "fields", "framing"), RESPONSES)
def test_response_framing(method: str, status: str, fields: list[str], framing: Framing) -> None:
    assert response_framing(head_of(f"HTTP/1.1 {status} x", *fields), method) == framing


# ---- the state machines


def test_body_decoder() -> None:
    assert isinstance(body_decoder(CHUNKED), ChunkedDecoder)
    assert isinstance(body_decoder(UNTIL_CLOSE), UntilCloseDecoder)
    for framing in (NONE, length(0)):
        decoder = body_decoder(framing)
        assert isinstance(decoder, ContentLengthDecoder)
        assert decoder.complete
        decoder.receive_eof()


def test_content_length_decoder() -> None:
    for pieces in feedings(b"hellorest"):
        decoder = ContentLengthDecoder(5)
        found = [piece for data in pieces for piece in decoder.receive_data(data)]
        assert b"".join(found) == b"hello"
        assert all(found)
        assert decoder.complete
        assert decoder.trailing_data == b"rest"
        decoder.receive_eof()


def test_a_body_of_known_length_that_ends_early() -> None:
    """ "If the sender closes the connection … before the indicated number of octets are received,
    the recipient MUST consider the message to be incomplete" (RFC 9112 §6.3)"""
    for pieces in feedings(b"hell"):
        decoder = ContentLengthDecoder(5)
        for data in pieces:
            decoder.receive_data(data)
        assert not decoder.complete
        for _ in range(2):
            with pytest.raises(DecodeError) as caught:
                decoder.receive_eof()
            assert str(caught.value) == "the body ended after 4 of 5 bytes (at byte 4)"


def test_until_close_decoder() -> None:
    for pieces in feedings(b"all of it"):
        decoder = UntilCloseDecoder()
        found = [piece for data in pieces for piece in decoder.receive_data(data)]
        assert b"".join(found) == b"all of it"
        assert all(found)
        assert not decoder.complete
        decoder.receive_eof()
        assert decoder.complete
        assert decoder.trailing_data == b""


# ---- connection and expectation


@pytest.mark.parametrize(
    ("version", "fields", "expected"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: keep-alive"], True),
        ("1.1", ["Connection: close"], False),
        ("1.1", ["Connection: TE, \tClose "], False),
        ("1.1", ["Connection: te", "Connection: close"], False),
        ("1.1", ["Connection: closed", "X: close"], True),
        ("1.0", [], False),
        ("1.0", ["Connection: keep-alive"], False),
    ],
)
def test_keeps_alive(version: str, fields: list[str], expected: bool) -> None:
    assert keeps_alive(head_of(f"GET / HTTP/{version}", *fields)) is expected
    assert keeps_alive(head_of(f"HTTP/{version} 200 OK", *fields)) is expected


@pytest.mark.parametrize(
    ("version", "fields", "expected"),
    [
        ("1.1", [], False),
        ("1.1", ["Expect: 100-continue"], True),
        ("1.1", ["Expect: x,\t100-Continue "], True),
        ("1.1", ["Expect: 100-continued"], False),
        # "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore
        # that expectation." (RFC 9110 §10.1.1)
        ("1.0", ["Expect: 100-continue"], False),
    ],
)
def test_expects_continue(version: str, fields: list[str], expected: bool) -> None:
    assert expects_continue(head_of(f"POST / HTTP/{version}", *fields)) is expected


# ---- through h11


def test_read_request_and_write_its_response() -> None:
    head = head_of("POST /v1?a=b HTTP/1.1", "Host: a", "Content-Length: 5", "X-Y: z")
    connection, request = read_request(head)
    assert (request.method, request.target, request.http_version) == (b"POST", b"/v1?a=b", b"1.1")
    assert list(request.headers) == head.fields
    sent = connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    assert sent == b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("fields", "message"),
    [([], "Missing mandatory Host: header"), (["Host: a", "Host: b"], "multiple Host: headers")],
)
def test_read_request_that_h11_refuses(fields: list[str], message: str) -> None:
    """ "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message
    that lacks a Host header field and to any request message that contains more than one Host
    header field line" (RFC 9112 §3.2)"""
    with pytest.raises(h11.RemoteProtocolError, match=message) as caught:
        read_request(head_of("GET / HTTP/1.1", *fields))
    assert caught.value.error_status_hint == 400


def test_read_response() -> None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    early = read_response(connection, head_of("HTTP/1.1 103 Early Hints", "Link: x"))
    assert isinstance(early, h11.InformationalResponse)
    response = read_response(connection, head_of("HTTP/1.1 404 Not Found", TE + "chunked"))
    assert isinstance(response, h11.Response)
    assert (response.status_code, response.reason) == (404, b"Not Found")


def test_half_a_head_is_not_a_message() -> None:
    """HeadReader never returns half a head, but a caller may build a Head by hand."""
    with pytest.raises(DecodeError, match=r"^not a request \(at byte 0\)$"):
        read_request(Head(b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1", []))
    with pytest.raises(DecodeError, match=r"^not a response \(at byte 0\)$"):
        read_response(h11.Connection(h11.CLIENT), Head(b"HTTP/1.1 200 OK\r\n", b"", []))


# ---- a response's head

FINAL = [status for status in HTTPStatus if status >= 200]
NAMES = st.from_regex(r"X-[!#$%&'*+\-.^_`|~0-9A-Za-z]{0,20}", fullmatch=True)
VALUES = st.from_regex(r"([!-~]+([ \t]+[!-~]+)*)?", fullmatch=True)
ENDS = [
    [("Transfer-Encoding", "chunked")],
    [("Connection", "close"), ("Transfer-Encoding", "chunked")],
    [("Content-Length", "12")],
    [("Content-Length", "12"), ("Connection", "close")],
]


@given(st.sampled_from(FINAL), st.lists(st.tuples(NAMES, VALUES)), st.sampled_from(ENDS))
def test_a_response_head_is_h11s(
    status: HTTPStatus, fields: list[tuple[str, str]], end: list[tuple[str, str]]
) -> None:
    """It has the bytes that h11 writes for the same fields."""
    connection, _ = read_request(head_of("GET / HTTP/1.1", "Host: a"))
    response = h11.Response(status_code=status, headers=fields + end, reason=status.phrase)
    assert encode_response_head(status, fields + end) == connection.send(response)


def test_no_line_with_a_secret_is_kept() -> None:
    kept = http1._kept_line.cache_info().currsize
    for number in range(3):
        encode_response_head(200, [("Set-Cookie", f"id={number}"), ("Vary", f"kept-{number}")])
    assert http1._kept_line.cache_info().currsize in (kept + 3, 128)


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (404, None, b"HTTP/1.1 404 Not Found\r\n\r\n"),
        (404, "Gone\tfishing", b"HTTP/1.1 404 Gone\tfishing\r\n\r\n"),
        (404, "", b"HTTP/1.1 404 \r\n\r\n"),
        (529, None, b"HTTP/1.1 529 \r\n\r\n"),
        (529, "Overloaded", b"HTTP/1.1 529 Overloaded\r\n\r\n"),
        (599, None, b"HTTP/1.1 599 \r\n\r\n"),
    ],
)
def test_any_status_can_be_sent(status: int, reason: str | None, line: bytes) -> None:
    """It need not be registered, because a relay must pass on any status."""
    assert encode_response_head(status, [], reason) == line


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 999, 1000])
def test_a_number_that_is_not_a_status(status: int) -> None:
    with pytest.raises(h11.LocalProtocolError, match=f"not a status code: {status}"):
        encode_response_head(status, [])


@pytest.mark.parametrize("reason", ["a\r\nb: c", "a\n", "\0", "Köln", "\x7f"])
def test_a_reason_that_would_break_its_line(reason: str) -> None:
    with pytest.raises(h11.LocalProtocolError, match="not a reason-phrase: "):
        encode_response_head(200, [], reason)


@pytest.mark.parametrize(
    "field",
    [
        ("", "x"),
        ("a b", "x"),
        ("a:", "x"),
        ("é", "x"),
        ("a", "x\r\nb: y"),
        ("a", "x\n"),
        ("a", " x"),
        ("a", "x\t"),
        ("a", "\0"),
        ("a", "é"),
        ("a", "\ud83d"),
    ],
)
def test_a_field_that_would_break_its_line(field: tuple[str, str]) -> None:
    with pytest.raises(h11.LocalProtocolError, match="not a field: "):
        encode_response_head(200, [field])
