"""Raw checks of heads: the bytes that are refused, with the status and message of each error."""

import codecs
import re
from typing import Any, cast

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError
from protocol.head import PRINTF_FORM, Head, HeadReader
from protocol.http1 import BodyDecoder, Coding, body_decoder, read_request, request_framing

from .feeding import (
    HeadRead,
    bytewise,
    cut,
    damaged,
    feedings,
    joined,
    offsets,
    raised_again,
    read_head,
    unpack,
)
from .feeding import vectors as load

CASES = load("head")

# Cases in which the RFC permits two outcomes and we choose `alt`: unknown transfer codings are
# refused with 501, and an empty member of Transfer-Encoding with 400.
ALTERNATIVES = {"head-te-gzip-chunked", "head-te-two-lines", "head-te-lead-comma"}


# ---- the vectors


def read_message(pieces: list[bytes]) -> dict[str, Any]:
    """A whole request, as the `expect` of a vector: head, framing, body, and what is left."""
    reader = HeadReader()
    decoder: BodyDecoder | None = None
    coding = Coding.NONE
    body = b""
    try:
        for piece in pieces:
            if decoder is None:
                head = reader.receive_data(piece)
                if head is None:
                    continue
                framing = request_framing(head)
                read_request(head)
                coding = framing.coding
                decoder = body_decoder(framing)
                piece = reader.trailing_data
            body += b"".join(decoder.receive_data(piece))
    except h11.RemoteProtocolError as error:
        return {"ok": False, "status": error.error_status_hint, "kind": "invalid"}
    if decoder is None or not decoder.complete:
        return {"ok": False, "kind": "incomplete"}
    return {
        "ok": True,
        "framing": coding.name.lower().replace("_", "-"),
        "body": body,
        "trailers": decoder.trailers if isinstance(decoder, ChunkedDecoder) else [],
        "leftover": decoder.trailing_data,
    }


def decoded(expect: dict[str, Any]) -> dict[str, Any]:
    if not expect["ok"]:
        return {key: value for key, value in expect.items() if key != "why"}
    return {
        "ok": True,
        "framing": expect["framing"],
        "body": unpack(expect["body_b64"]),
        "trailers": [(name.encode(), value.encode()) for name, value in expect["trailers"]],
        "leftover": unpack(expect["leftover_b64"]),
    }


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_vector(case: dict[str, Any]) -> None:
    data = unpack(case["input_b64"])
    whole = read_message([data])
    if case["id"] in ALTERNATIVES:
        assert whole in [decoded(other) for other in case["alt"]]
    else:
        assert whole == decoded(case["expect"])
    for pieces in feedings(data):
        assert read_message(pieces) == whole


def test_these_vectors_and_no_others_take_an_alternative() -> None:
    taken = {
        name
        for name, case in CASES.items()
        if read_message([unpack(case["input_b64"])]) != decoded(case["expect"])
    }
    assert taken == ALTERNATIVES


LOOKS = ". One looks like this: GET / HTTP/1.1 (at byte 0)"


# ---- one row for each rule: the bytes, the status, and the message

HOST = b"Host: a\r\n"
TLS_HELLO = bytes.fromhex("16030102000100 01fc0303") + bytes(40)
REFUSED = [
    # other protocols
    (TLS_HELLO, 400, "a TLS handshake: this port speaks plain HTTP, use http:// (at byte 0)"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "only HTTP/1.1 and HTTP/1.0 here (at byte 11)"),
    (b"GET / HTTP/0.9\r\n\r\n", 505, "only HTTP/1.1 and HTTP/1.0 here (at byte 11)"),
    (b"GET /\r\n\r\n", 400, "not a request-line: b'GET /'" + LOOKS),
    (b"HTTP/1.1 200 OK\r\n\r\n", 400, "not a request-line: b'HTTP/1.1 200 OK'" + LOOKS),
    (b"GET / http/1.1\r\n\r\n", 400, "not a request-line: b'GET / http/1.1'" + LOOKS),
    (b"GET / HTTP/1.10\r\n\r\n", 400, "not a request-line: b'GET / HTTP/1.10'" + LOOKS),
    (b"GET  / HTTP/1.1\r\n\r\n", 400, "not a request-line: b'GET  / HTTP/1.1'" + LOOKS),
    (b"G@T / HTTP/1.1\r\n\r\n", 400, "not a request-line: b'G@T / HTTP/1.1'" + LOOKS),
    (b"GET\t/\tHTTP/1.1\r\n\r\n", 400, "not a request-line: b'GET\\t/\\tHTTP/1.1'" + LOOKS),
    (b" GET / HTTP/1.1\r\n\r\n", 400, "not a request-line: b' GET / HTTP/1.1'" + LOOKS),
    # targets as a person types them; the message shows the line to send
    (
        "GET /chat/你好 HTTP/1.1\r\n\r\n".encode(),
        400,
        "not ASCII. Percent-encoded, the line is:\n\nGET /chat/%E4%BD%A0%E5%A5%BD HTTP/1.1\n\n (at",
    ),
    (b"GET /a b?q=%20&r HTTP/1.1\r\n\r\n", 400, "\n\nGET /a%20b?q=%20&r HTTP/1.1\n\n"),
    (b"GET /\xff  HTTP/1.0\r\n\r\n", 400, "\n\nGET /%FF HTTP/1.0\n\n"),
    (b"GET \xe4 HTTP/1.1\r\n\r\n", 400, "\n\nGET %E4 HTTP/1.1\n\n"),
    # "A recipient of such a bare CR MUST consider that element to be invalid" (RFC 9112 §2.2)
    (b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400, "a CR without LF after it, but b'H' (at byte 14)"),
    (b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, "a CR without LF after it, but b'\\r' (at byte"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\rx", 400, "a CR without LF after it, but b'x' (at byte 25)"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nB: c\nD: e\r\n\r\n", 400, "in LF alone"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "in LF alone"),
    (b"\nGET / HTTP/1.1\r\n\r\n", 400, "in LF alone"),
    (b"GET /\0 HTTP/1.1\r\n", 400, "a control character in the head: b'\\x00' (at byte 5)"),
    (b"GET / HTTP/1.1\r\nA: \x7f", 400, "a control character in the head: b'\\x7f' (at byte 19)"),
    (b"GET / HTTP/1.1\r\nA: \x16", 400, "a control character in the head: b'\\x16' (at byte 19)"),
    # "an obs-fold … MUST either reject the message" (RFC 9112 §5.2)
    (
        b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        400,
        "a folded field line, or space before the first",
    ),
    (b"GET / HTTP/1.1\r\n\tA: b\r\n\r\n", 400, "a folded field line, or space before the first"),
    # "No whitespace is allowed between the field name and colon." (RFC 9112 §5.1)
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "not a field-name: b'Host ' (at byte 16)"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, "not a field-name: b'' (at byte 25)"),
    (b"GET / HTTP/1.1\r\nH\xf6st: a\r\n\r\n", 400, "not a field-name: b'H\\xf6st' (at byte 16)"),
    (b"GET / HTTP/1.1\r\nHost\r\n\r\n", 400, "a field line without a colon: b'Host' (at byte 16)"),
    # "a server … SHOULD ignore at least one empty line (CRLF) received prior to the request-line"
    # (RFC 9112 §2.2): one, and no more
    (
        b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        400,
        "an empty line in place of the start-line (at byte 2)",
    ),
    (b"\r\n\nGET / HTTP/1.1\r\n\r\n", 400, "in LF alone"),
    (
        b"\r\nGET / HTTP/1.1\r\nHost\r\n\r\n",
        400,
        "a field line without a colon: b'Host' (at byte 18)",
    ),
    # limits
    (b"GET /" + b"a" * 16_500, 414, "a start-line over 16384 bytes (at byte 16384)"),
    (
        b"GET / HTTP/1.1\r\nA: " + b"a" * 66_000,
        431,
        "a head over 65536 bytes (at byte 65536)",
    ),
    (
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n",
        431,
        "a head of over 100 field lines (at byte 0)",
    ),
]


@pytest.mark.parametrize(("data", "status", "message"), REFUSED)
def test_refused(data: bytes, status: int, message: str) -> None:
    whole = read_head([data]).failure
    assert whole is not None
    assert message in whole.text
    assert (whole.status, whole.at_eof) == (status, False)
    for pieces in feedings(data):
        assert read_head(pieces).failure == whole


@pytest.mark.parametrize("byte", sorted({*range(0x20), 0x7F} - set(b"\t\r\n")))
def test_of_the_control_characters_only_htab_may_stand_in_a_field(byte: int) -> None:
    data = b"GET / HTTP/1.1\r\nA: b%cc\r\n\r\n"
    assert read_head([data % b"\t"]).head is not None
    failure = read_head([data % byte]).failure
    assert failure is not None
    assert failure.text == f"a control character in the head: {bytes([byte])!r} (at byte 20)"


def test_the_error_for_a_typed_bare_lf_comes_at_once_and_says_how_to_type_it() -> None:
    reader = HeadReader()
    for byte in bytewise(b"GET / HTTP/1.1"):
        assert reader.receive_data(byte) is None
    with pytest.raises(DecodeError) as caught:
        reader.receive_data(b"\n")
    raised_again(lambda: reader.receive_data(b""), caught.value)
    assert str(caught.value) == (
        "a line that ends in LF alone: HTTP lines end in CR LF. Use `nc -C` (or `workshop nc -C`),"
        r" or printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | nc …"
        " (at byte 14)"
    )


def test_the_request_lines_in_messages_are_accepted() -> None:
    typed = re.search("'(.*)'", PRINTF_FORM)
    assert typed is not None
    head = read_head([codecs.decode(typed[1], "unicode_escape").encode()]).head
    assert head is not None
    assert read_request(head)[1].target == b"/"

    failure = read_head([b'GET /?q=a \xe4\xbd\xa0#"<> HTTP/1.1\r\n\r\n']).failure
    assert failure is not None
    line = failure.text.split("\n\n")[1]
    assert read_head([line.encode() + b"\r\n\r\n"]).head is not None


@pytest.mark.parametrize(
    ("data", "offset"),
    [(b"G", 1), (b"GET / HTTP/1.1\r\n", 16), (b"\r", 1), (b"\r\nGET / HTTP/1.1\r\nA: b\r\n\r", 25)],
)
def test_end_of_input_in_the_middle(data: bytes, offset: int) -> None:
    text = f"the head ended before its empty line (CR LF CR LF) (at byte {offset})"
    for pieces in feedings(data):
        failure = read_head(pieces).failure
        assert failure is not None
        assert (failure.text, failure.status, failure.at_eof) == (text, 400, True)


@pytest.mark.parametrize("data", [b"", b"\r\n"])
def test_end_of_input_between_messages_is_not_an_error(data: bytes) -> None:
    for pieces in feedings(data):
        assert read_head(pieces) == HeadRead(None, b"", None)
    reader = HeadReader()
    assert reader.receive_data(data) is None
    assert not reader.started
    assert reader.receive_data(b"G") is None
    assert reader.started


# ---- heads that are accepted

ACCEPTED = [
    (b"GET / HTTP/1.1\r\n\r\n", True, b"GET / HTTP/1.1", []),
    (b"\r\nGET / HTTP/1.0\r\n\r\n", True, b"GET / HTTP/1.0", []),
    (
        b"M-SEARCH * HTTP/1.1\r\nHoSt: a\r\nA:b:c\r\nA: \t d\te \xe9 \t\r\nB:\r\n\r\n",
        True,
        b"M-SEARCH * HTTP/1.1",
        [(b"host", b"a"), (b"a", b"b:c"), (b"a", b"d\te \xe9"), (b"b", b"")],
    ),
    (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", False, b"HTTP/1.1 200 OK", [(b"a", b"b")]),
    (b"HTTP/1.0 404 \r\n\r\n", False, b"HTTP/1.0 404 ", []),
    (b"HTTP/1.1 204\r\n\r\n", False, b"HTTP/1.1 204", []),
]


@pytest.mark.parametrize(("data", "is_request", "start_line", "fields"), ACCEPTED)
def test_accepted(
    data: bytes, is_request: bool, start_line: bytes, fields: list[tuple[bytes, bytes]]
) -> None:
    expected = Head(data.removeprefix(b"\r\n"), start_line, fields)
    for rest in (b"", b"\nrest\0", b"\r\n"):
        for pieces in feedings(data + rest):
            read = read_head(pieces, HeadReader(is_request=is_request))
            assert read == HeadRead(expected, rest, None)
    reader = HeadReader(is_request=is_request)
    assert reader.receive_data(data) == expected
    assert not reader.started
    reader.receive_eof()


def test_the_attributes_of_a_head() -> None:
    head = read_head([ACCEPTED[2][0]]).head
    assert head is not None
    assert head.values(b"a") == [b"b:c", b"d\te \xe9"]
    assert head.values(b"c") == []
    old = [Head(b"", line, []).is_http10 for line in (b"GET / HTTP/1.0", b"HTTP/1.0 200 OK")]
    new = [
        Head(b"", line, []).is_http10
        for line in (b"GET /HTTP/1.0 HTTP/1.1", b"HTTP/1.1 200 HTTP/1.0")
    ]
    assert (old, new) == ([True, True], [False, False])


@pytest.mark.parametrize(
    "line",
    [
        *[b"HTTP/2 200", b"HTTP/2.0 200 OK", b"HTTP/1.1 099 x", b"HTTP/1.1 20 x", b"ICY 200 OK"],
        *[b"http/1.1 200 OK", b"HTTP/1.1 200OK", b"HTTP/1.1  200 OK", b"GET / HTTP/1.1"],
    ],
)
def test_not_a_status_line(line: bytes) -> None:
    for pieces in feedings(line + b"\r\n\r\n"):
        failure = read_head(pieces, HeadReader(is_request=False)).failure
        assert failure is not None
        assert failure.text == f"not an HTTP/1 status-line: {line!r} (at byte 0)"


def test_a_response_in_tls() -> None:
    """An alert (RFC 8446 §6) or a handshake: the request went to a port that speaks TLS."""
    for record in (b"\x15\x03\x01\x00\x02\x02\x46", TLS_HELLO):
        for pieces in feedings(record):
            failure = read_head(pieces, HeadReader(is_request=False)).failure
            assert failure is not None
            assert failure.text == "a TLS record: that port speaks TLS, use https:// (at byte 0)"


# ---- limits

HEAD = b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n"
LIMITS = [
    ("max_start_line_size", 14, 414, "a start-line over 13 bytes (at byte 13)"),
    ("max_size", len(HEAD), 431, "a head over 29 bytes (at byte 29)"),
    ("max_fields", 2, 431, "a head of over 1 field lines (at byte 0)"),
]


@pytest.mark.parametrize(("name", "limit", "status", "message"), LIMITS)
def test_at_the_limit_passes_and_one_over_fails(
    name: str, limit: int, status: int, message: str
) -> None:
    def read(pieces: list[bytes], value: int) -> HeadRead:
        return read_head(pieces, HeadReader(**cast(Any, {name: value})))

    for pieces in feedings(HEAD + b"rest"):
        failure = read(pieces, limit - 1).failure
        assert failure is not None
        assert (failure.text, failure.status) == (message, status)
        passed = read(pieces, limit)
        assert passed.head is not None
        assert passed.rest == b"rest"


# ---- properties

FRAGMENTS = [
    *[b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.0\r\n", HOST, b"\r\n", b"\r\n\r\n", b"\r", b"\n"],
    *[b"A: b\r\n", b"A : b\r\n", b": b\r\n", b" ", b"\t", b"A", b":", b"\0", b"\x16", b"\x7f"],
    *[b"HTTP/1.1", b"GET ", b"/", b"\xe4\xbd\xa0", b"HTTP/2.0\r\n", b"Host: a\r\n\r\nrest"],
]
heads = joined(FRAGMENTS) | st.binary(max_size=40) | damaged(st.sampled_from([HEAD, HEAD + b"a\n"]))


@settings(max_examples=300)
@given(heads, offsets)
def test_split_invariance(data: bytes, places: list[int]) -> None:
    """Any bytes, cut anywhere, give a head or a RemoteProtocolError, and no other error."""
    whole = read_head([data])
    assert read_head(cut(data, places)) == whole
    assert read_head(bytewise(data)) == whole


@given(heads, st.integers(1, 40), st.integers(1, 40))
@example(b"GET /aaaaa\nx", 8, 40)  # whole: the bare LF, 400; bytewise: the start-line, 414
@example(b"GET / HTTP/1.1\r\nA: b\nx", 40, 18)  # whole: the bare LF, 400; bytewise: the head, 431
@example(b"GET /aaaaaaaaaaaa", 12, 8)  # whole: 414; bytewise: 431
def test_split_invariance_at_the_limits(data: bytes, line: int, size: int) -> None:
    def read(pieces: list[bytes]) -> HeadRead:
        return read_head(pieces, HeadReader(max_start_line_size=line, max_size=size))

    assert read(bytewise(data)) == read([data])


@given(joined(FRAGMENTS) | damaged(st.just(HEAD)))
def test_h11_reads_what_we_accept_and_reads_the_same(data: bytes) -> None:
    head = read_head([data]).head
    if head is None:
        return
    try:
        _, request = read_request(head)
    except h11.RemoteProtocolError:
        return  # it may be stricter still, as about Host
    assert head.start_line.split(b" ")[:2] == [request.method, request.target]
    assert list(request.headers) == head.fields


def test_a_bare_lf_in_a_response() -> None:
    """A server has sent it, not a person: the message has no advice about netcat."""
    with pytest.raises(DecodeError) as caught:
        HeadReader(is_request=False).receive_data(b"HTTP/1.1 200 OK\n")
    assert caught.value.reason == "a line that ends in LF alone: HTTP lines end in CR LF"
