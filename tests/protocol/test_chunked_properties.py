"""Properties of the chunked coding, which hypothesis tries to break."""

import http.client
import io
import re
import socket
from typing import cast

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.chunked import ChunkedDecoder, encode_chunk, encode_last_chunk

from .feeding import Body, bytewise, cut, damaged, joined, observe_body, offsets, read_body

FRAGMENTS = [
    *[b"5\r\nhello\r\n", b"1\r\nx\r\n", b"0\r\n\r\n", b"0\r\n", b"\r\n", b"\r", b"\n", b"5", b"a"],
    *[b"00", b";", b";a", b"=", b"=b", b' ; a\t= "x;\\"\\\r"', b'"', b"\\", b" ", b"\t", b"A: b"],
    *[b":", b"A:\r\n", b"\0", b"\x7f", b"\xe9", b"0x", b"_", b"+", b"-", b"F" * 17, b"hello", b"x"],
    *[b'5;a="b;\\"c"\r\nhello\r\n', b"1 ;a\r\nx\r\n", b"B", b"5\r\nhello", b"X: \xe9\t\r\n"],
]
TCHARS = "!#$%&'*+-.^_`|~0123456789abcxyzABCXYZ"
tokens = st.text(TCHARS, min_size=1, max_size=5)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=["\x7f"]), max_size=9)
quotable = texts.map(lambda text: re.sub(r"[\x00-\x08\x0a-\x1f]", "\t", text))
extensions = st.lists(st.tuples(tokens, st.none() | tokens | quotable), max_size=3)
chunks = st.lists(st.tuples(st.binary(max_size=40), extensions), max_size=5)
words = st.lists(st.sampled_from([*range(0x21, 0x7F), *range(0x80, 0x100)]), min_size=1, max_size=5)
values = st.lists(words.map(bytes), max_size=3).map(b" \t ".join)
trailers = st.lists(st.tuples(tokens.map(lambda name: b"x" + name.encode()), values), max_size=3)


@st.composite
def encoded(draw: st.DrawFn) -> bytes:
    body = b"".join(encode_chunk(data, extra) for data, extra in draw(chunks))
    return body + encode_last_chunk(draw(trailers)) + draw(st.binary(max_size=5))


bodies = st.binary(max_size=60) | joined(FRAGMENTS) | encoded() | damaged(encoded())


@given(chunks, trailers, st.binary(max_size=9), offsets)
def test_round_trip(
    sent: list[tuple[bytes, list[tuple[str, str | None]]]],
    fields: list[tuple[bytes, bytes]],
    rest: bytes,
    places: list[int],
) -> None:
    wire = b"".join(encode_chunk(data, extra) for data, extra in sent)
    wire += encode_last_chunk(fields) + rest
    body = b"".join(data for data, _ in sent)
    assert read_body(cut(wire, places)) == Body(body, True, fields, rest, None)


@settings(max_examples=300)
@given(bodies, offsets)
def test_split_invariance(data: bytes, places: list[int]) -> None:
    """Any bytes, cut anywhere, give a body or a RemoteProtocolError, and no other error."""
    whole = read_body([data])
    assert read_body(cut(data, places)) == whole
    assert read_body(bytewise(data)) == whole


@settings(max_examples=300)
@given(bodies, offsets)
def test_fast_path_equals_table(data: bytes, places: list[int]) -> None:
    """Any observer, even one that does nothing, turns the fast paths off: the table is used."""
    pieces = cut(data, places)
    table = read_body(pieces, ChunkedDecoder(observer=lambda *span: None))
    assert read_body(pieces) == read_body([data]) == table


@settings(max_examples=200)
@given(bodies, offsets)
def test_observer_spans(data: bytes, places: list[int]) -> None:
    body, spans = observe_body([data])
    assert observe_body(cut(data, places)) == (body, spans)
    named: dict[str, list[bytes]] = {}
    for label, start, end in spans:
        named.setdefault(label, []).append(data[start:end])
    assert b"".join(named.pop("chunk-data", [])) == body.data
    assert all(re.fullmatch(rb"[0-9A-Fa-f]+", size) for size in named.pop("chunk-size", []))
    assert all(b";" in extension for extension in named.pop("chunk-ext", []))
    names = named.pop("field-name", [])
    assert [name for name, _ in body.trailers] == names[: len(body.trailers)]
    named.pop("field-value", None)
    assert set(named.pop("CRLF", [b"\r\n"])) <= {b"\r\n"}
    assert not named
    if body.complete:
        assert spans[-1] == ("CRLF", spans[-1][1], len(data) - len(body.trailing_data))


# ---- other readers of the same bytes

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = rb'"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"'
VALUE = rb"[ \t]*=[ \t]*(?:(" + TOKEN + rb")|" + QUOTED + rb")"
EXTENSION = rb"[ \t]*;[ \t]*(" + TOKEN + rb")(?:" + VALUE + rb")?"
SIZE_LINE = re.compile(rb"([0-9A-Fa-f]+)((?:" + EXTENSION + rb")*)\r\n")
TRAILER = re.compile(rb"(" + TOKEN + rb"):([\t \x21-\x7e\x80-\xff]*)\r\n")


def by_the_abnf(data: bytes) -> Body | None:
    """chunked-body = *chunk last-chunk trailer-section CRLF, matched as a whole, or None."""
    body, place, fields = b"", 0, []
    while line := SIZE_LINE.match(data, place):
        size = int(line[1], 16)
        place = line.end() + size
        if size == 0:
            while field := TRAILER.match(data, place):
                fields.append((field[1], field[2].strip(b" \t")))
                place = field.end()
            if data[place : place + 2] != b"\r\n":
                return None
            return Body(body, True, fields, data[place + 2 :], None)
        if data[place : place + 2] != b"\r\n":
            return None
        body += data[line.end() : place]
        place += 2
    return None


@settings(max_examples=400)
@given(bodies)
def test_complete_exactly_when_the_grammar_says_so(data: bytes) -> None:
    expected = by_the_abnf(data)
    body = read_body([data])
    assert body.complete == (expected is not None)
    if expected is not None:
        assert body == expected


@given(extensions)
def test_extensions_round_trip(sent: list[tuple[str, str | None]]) -> None:
    line = SIZE_LINE.match(encode_chunk(b"x", sent))
    assert line is not None
    received = [
        (name.decode(), (token or re.sub(rb"\\(.)", rb"\1", quoted)).decode() or None)
        for name, token, quoted in re.findall(EXTENSION, line[2])
    ]
    assert received == [(name, value or None) for name, value in sent]


def by_h11(data: bytes) -> Body | None:
    """The same bytes, read by h11's client; None if it refuses them or waits for more."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    assert isinstance(connection.next_event(), h11.Response)
    body = b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return Body(body, True, list(event.headers), connection.trailing_data[0], None)
        else:
            return None


@settings(max_examples=300)
@given(bodies)
def test_equals_h11_where_both_accept(data: bytes) -> None:
    ours, theirs = read_body([data]), by_h11(data)
    if ours.complete and theirs is not None:
        lower = [(name.lower(), value) for name, value in ours.trailers]
        assert theirs == Body(ours.data, True, lower, ours.trailing_data, None)


class OneRead:
    """The part of a socket that http.client uses."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.data)


@given(encoded())
def test_the_standard_library_reads_what_we_write(data: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    response = http.client.HTTPResponse(cast(socket.socket, OneRead(head + data)))
    response.begin()
    assert response.read() == read_body([data]).data
