"""The chunked coding: every rule of `protocol/chunked.py`, and inputs that try to break it."""

from typing import Any, cast

import h11
import pytest

from protocol.chunked import (
    NEVER_TRAILERS,
    ChunkedDecoder,
    encode_chunk,
    encode_last_chunk,
)
from protocol.errors import DecodeError

from .feeding import Body, bytewise, cut, feedings, observe_body, read_body, unpack
from .feeding import vectors as load

CASES = load("chunked")


# ---- the vectors


def meets(body: Body, expect: dict[str, Any]) -> bool:
    if expect["ok"]:
        trailers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in expect["trailers"]]
        leftover = unpack(expect["leftover_b64"])
        return body == Body(unpack(expect["body_b64"]), True, trailers, leftover, None)
    # "invalid" must be refused without waiting for the end of input, "incomplete" only there.
    failure = body.failure
    at_eof = {"invalid": [False], "incomplete": [True], "invalid-or-incomplete": [False, True]}
    return failure is not None and failure.at_eof in at_eof[expect["kind"]]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_vector(case: dict[str, Any]) -> None:
    """Every case meets `expect`: the chunked coding needs no `alt`."""
    data = unpack(case.get("input_b64", ""))
    whole = read_body([data])
    assert meets(whole, case["expect"]), whole
    for pieces in feedings(data):
        assert read_body(pieces) == whole


# ---- after the end, and after an error


def test_after_the_end_of_input_every_call_raises_again() -> None:
    decoder = ChunkedDecoder()
    assert decoder.receive_data(b"5\r\n") == []
    with pytest.raises(DecodeError, match="ended early"):
        decoder.receive_eof()
    with pytest.raises(DecodeError, match="ended early"):
        decoder.receive_eof()
    with pytest.raises(DecodeError, match="ended early"):
        decoder.receive_data(b"\r\nhello")


def test_after_the_end_of_input_in_a_chunk_every_call_raises_again() -> None:
    decoder = ChunkedDecoder()
    assert decoder.receive_data(b"5\r\nhe") == [b"he"]
    with pytest.raises(DecodeError, match="ended early"):
        decoder.receive_eof()
    with pytest.raises(DecodeError, match="ended early"):
        decoder.receive_data(b"ll")


def test_the_error_has_the_pieces_before_it() -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(h11.RemoteProtocolError) as caught:
        decoder.receive_data(b"5\r\nhello\r\n1\r\n!\r\nZZ")
    assert isinstance(caught.value, DecodeError)
    assert caught.value.decoded == [b"hello", b"!"]
    assert (caught.value.offset, caught.value.error_status_hint) == (16, 400)


def test_bytes_after_the_body_belong_to_the_next_message() -> None:
    decoder = ChunkedDecoder()
    assert decoder.receive_data(b"2\r\nok\r\n0\r\n\r\nGET /") == [b"ok"]
    assert decoder.complete
    assert decoder.receive_data(b" HTTP/1.1\r\n") == []
    assert decoder.receive_data(b"") == []
    decoder.receive_eof()
    assert decoder.trailing_data == b"GET / HTTP/1.1\r\n"


def test_trailers_keep_their_order_their_case_and_their_number() -> None:
    data = b"0\r\nB: 2\r\nA:\t1 \t\r\nb:\r\nC: x:y  z\xe9\r\n\r\n"
    expected = [(b"B", b"2"), (b"A", b"1"), (b"b", b""), (b"C", b"x:y  z\xe9")]
    for pieces in feedings(data):
        assert read_body(pieces) == Body(b"", True, expected, b"", None)


# ---- limits: at the limit passes, one over fails, the same whole and bytewise

TWO_EXTENSIONS = b"1;a=b\r\nx\r\n1 ; a\r\ny\r\n0\r\n\r\n"
LIMITS = [
    ("max_chunk_size", 5, b"5\r\nhello\r\n0\r\n\r\n", "the chunk-size is larger than the limit", 2),
    (
        "max_chunk_size",
        16,
        b"0010;a\r\n0123456789abcdef\r\n0\r\n\r\n",
        "the chunk-size is larger than the limit",
        7,
    ),
    ("max_line_size", 4, b"05\r\nhello\r\n0\r\n\r\n", "the chunk-size line is longer", 3),
    (
        "max_line_size",
        4,
        b"10\r\n0123456789abcdef\r\n0\r\n\r\n",
        "the chunk-size line is longer",
        3,
    ),
    ("max_line_size", 7, b"5;a=b\r\nhello\r\n0\r\n\r\n", "the chunk-size line is longer", 6),
    ("max_extensions_size", 8, TWO_EXTENSIONS, "the chunk extensions are longer", 16),
    ("max_trailers_size", 10, b"0\r\nA: b\r\nC:\r\n\r\n", "the trailer section is longer", 12),
    ("max_trailers_size", 0, b"0\r\n\r\n", "", 0),
]


@pytest.mark.parametrize(("name", "limit", "data", "message", "offset"), LIMITS)
def test_at_the_limit_passes_and_one_over_fails(
    name: str, limit: int, data: bytes, message: str, offset: int
) -> None:
    def read(pieces: list[bytes], value: int) -> Body:
        return read_body(pieces, ChunkedDecoder(**cast(Any, {name: value})))

    for pieces in feedings(data):
        assert read(pieces, limit).complete
        if limit:
            failure = read(pieces, limit - 1).failure
            assert failure is not None
            assert failure.text.startswith(message)
            status = 413 if name == "max_chunk_size" else 400
            assert (failure.offset, failure.status) == (offset, status)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"40000001\r\n", "the chunk-size is larger than the limit (at byte 9)"),
        (b"F" * 5000 + b"\r\n", "the chunk-size is larger than the limit (at byte 5001)"),
        (b"1;" + b"a" * 40_000, "the chunk-size line is longer than the limit (at byte 32768)"),
        (
            b"0\r\nA: " + b"a" * 40_000,
            "the trailer section is longer than the limit (at byte 32771",
        ),
        (
            b"0\r\n" + b"A: b\r\n" * 6000,
            "the trailer section is longer than the limit (at byte 32771",
        ),
        (
            (b"1;" + b"a" * 999 + b"\r\nx\r\n") * 300,
            "the chunk extensions are longer than the limit (at byte 26",
        ),
    ],
)
def test_default_limits(data: bytes, message: str) -> None:
    failure = read_body([data]).failure
    assert failure is not None
    assert failure.text.startswith(message)
    assert read_body(bytewise(data)).failure == failure


def test_the_largest_default_chunk_is_only_announced() -> None:
    decoder = ChunkedDecoder()
    assert decoder.receive_data(b"40000000\r\nabc") == [b"abc"]


def test_many_small_chunks() -> None:
    data = b"1\r\nx\r\n" * 100_000 + encode_last_chunk()
    assert read_body([data]).data == b"x" * 100_000
    pieces = cut(data, range(0, len(data), 7))
    assert read_body(pieces) == read_body([data])


# ---- the observer


def test_observer_names_every_byte() -> None:
    data = b'2;a ="b"\r\nok\r\n0\r\nA: b\r\n\r\nGET'
    labels = [
        *[("chunk-size", b"2"), ("chunk-ext", b';a ="b"'), ("CRLF", b"\r\n")],
        *[("chunk-data", b"ok"), ("CRLF", b"\r\n")],
        *[("chunk-size", b"0"), ("CRLF", b"\r\n")],
        *[("field-name", b"A"), ("field-value", b": b"), ("CRLF", b"\r\n"), ("CRLF", b"\r\n")],
    ]
    for pieces in feedings(data):
        body, spans = observe_body(pieces)
        assert [(label, data[start:end]) for label, start, end in spans] == labels
        assert body.trailing_data == b"GET"


# ---- the encoder


@pytest.mark.parametrize(
    ("data", "extensions", "expected"),
    [
        (b"", (), b""),  # a chunk of size 0 would end the body
        (b"", [("a", None)], b""),
        ("你好".encode(), (), b"6\r\n\xe4\xbd\xa0\xe5\xa5\xbd\r\n"),
        (b"x" * 26, (), b"1a\r\n" + b"x" * 26 + b"\r\n"),  # no 0x, no padding
        (b"\r\n", (), b"2\r\n\r\n\r\n"),
        (b"x" * 10, [("a", None), ("b", "c")], b"a;a;b=c\r\n" + b"x" * 10 + b"\r\n"),
        (b"x", [("a", ""), ("b", 'c "d\\')], b'1;a="";b="c \\"d\\\\"\r\nx\r\n'),
        (b"x", iter([("a", "你")]), b'1;a="\xe4\xbd\xa0"\r\nx\r\n'),
        (b"x", iter([]), b"1\r\nx\r\n"),
    ],
)
def test_encode_chunk(data: bytes, extensions: Any, expected: bytes) -> None:
    assert encode_chunk(data, extensions) == expected


def test_encode_last_chunk() -> None:
    assert encode_last_chunk() == encode_last_chunk(iter([])) == b"0\r\n\r\n"
    fields = [(b"X-Sum", b"1 2"), (b"Empty", b"")]
    assert encode_last_chunk(iter(fields)) == b"0\r\nX-Sum: 1 2\r\nEmpty: \r\n\r\n"


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        (("", None), "not a chunk-ext-name: ''"),
        (("a b", None), "not a chunk-ext-name: 'a b'"),
        (("a\r\n5", None), "not a chunk-ext-name: 'a\\r\\n5'"),
        (("a\n", "b"), "not a chunk-ext-name: 'a\\n'"),
        (("a=b", None), "not a chunk-ext-name: 'a=b'"),
        (("ä", None), "not a chunk extension: 'ä', None"),
        (("a", "b\r\n\r\nGET /"), "not a chunk-ext-val: 'b\\r\\n\\r\\nGET /'"),
        (("a", "b\n"), "not a chunk-ext-val: 'b\\n'"),
        (("a", "\0"), "not a chunk-ext-val: '\\x00'"),
        (("a", "\x7f"), "not a chunk-ext-val: '\\x7f'"),
        (("a", "\ud800"), "not a chunk extension: 'a', '\\ud800'"),
    ],
)
def test_no_extension_breaks_its_line(extension: tuple[str, str | None], message: str) -> None:
    with pytest.raises(h11.LocalProtocolError) as caught:
        encode_chunk(b"x", [("ok", None), extension])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (b"", b"1", "not a field-name: b''"),
        (b"A ", b"1", "not a field-name: b'A '"),
        (b"A:", b"1", "not a field-name: b'A:'"),
        (b"A\r\nB", b"1", "not a field-name: b'A\\r\\nB'"),
        (b"A\n", b"1", "not a field-name: b'A\\n'"),
        (b"A\xe9", b"1", "not a field-name: b'A\\xe9'"),
        (b"A", b"1\r\nB: 2", "not a field-value: b'1\\r\\nB: 2'"),
        (b"A", b"1\n", "not a field-value: b'1\\n'"),
        (b"A", b"\r", "not a field-value: b'\\r'"),
        (b"A", b"\0", "not a field-value: b'\\x00'"),
        (b"A", b" 1", "not a field-value: b' 1'"),  # would come back without its space
        (b"A", b"1\t", "not a field-value: b'1\\t'"),
        (b"Content-LENGTH", b"5", "b'Content-LENGTH' may not stand in a trailer section"),
    ],
)
def test_no_trailer_breaks_its_section(name: bytes, value: bytes, message: str) -> None:
    with pytest.raises(h11.LocalProtocolError) as caught:
        encode_last_chunk([(b"ok", b"1"), (name, value)])
    assert str(caught.value) == message


# "Many fields cannot be processed outside the header section …, such as those that describe message
# framing, routing, authentication, request modifiers, response controls, or content format."
# (RFC 9110 §6.5.1)
FORBIDDEN = [
    *["transfer-encoding", "content-length", "host", "te", "trailer", "content-encoding"],
    *["content-type", "content-range", "authorization", "set-cookie", "cache-control"],
]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_fields_that_may_not_be_trailers(name: str) -> None:
    for written in (name.encode(), name.title().encode()):
        with pytest.raises(h11.LocalProtocolError, match="may not stand in a trailer section"):
            encode_last_chunk([(written, b"1")])


def test_every_field_that_may_not_be_a_trailer_is_tested() -> None:
    assert {name.encode() for name in FORBIDDEN} == NEVER_TRAILERS


def test_leading_zeros_of_sizes_are_counted() -> None:
    """They have no meaning, so a body full of them would cost endless work without any data."""
    chunk = b"0000000001\r\nx\r\n"
    for pieces in feedings(chunk * 3):
        read = read_body(pieces, ChunkedDecoder(max_extensions_size=18))
        assert read.failure is not None
        assert read.failure.text.startswith("the chunk extensions are longer than the limit")
        assert read.failure.offset == 2 * len(chunk) + 11
