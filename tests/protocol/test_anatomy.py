"""The anatomy of a response: every byte has exactly one label, however the bytes were cut."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.anatomy import ByteSpan, ResponseAnatomy, text_spans

from .feeding import bytewise, cut, damaged, feedings, joined, offsets

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
STREAM = EVENTS + CHUNKED + b"\r\n"
CAPITALS = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream\r\nContent-Length: 2\r\n\r\n"
TEXT = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
JSON = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"

# A span with its bytes in place of its offsets.
Part = tuple[str, bytes, int, int, int]


def dissect(pieces: Sequence[bytes], anatomy: ResponseAnatomy | None = None) -> list[ByteSpan]:
    """All spans, in order; neighbours with the same label and numbers are joined."""
    anatomy = anatomy or ResponseAnatomy()
    spans = [span for piece in pieces for span in anatomy.receive_data(piece)]
    spans += anatomy.receive_eof()
    whole: list[ByteSpan] = []
    for span in sorted(spans, key=lambda span: span.start):
        assert span.start < span.end
        if whole and whole[-1]._replace(start=0, end=0) == span._replace(start=0, end=0):
            assert whole[-1].end == span.start
            span = whole.pop()._replace(end=span.end)
        whole.append(span)
    return whole


def covers(spans: Sequence[ByteSpan], size: int) -> None:
    """Each byte is in exactly one span."""
    offset = 0
    for span in spans:
        assert span.start == offset
        offset = span.end
    assert offset == size


def parts(data: bytes, spans: Sequence[ByteSpan]) -> list[Part]:
    return [(label, data[start:end], *numbers) for label, start, end, *numbers in spans]  # type: ignore[misc]


def head(data: bytes) -> Part:
    return ("head", data, 0, 0, 0)


def line(
    field: bytes, *value: tuple[str, bytes, int], chunk: int = 1, event: int = 1
) -> list[Part]:
    """The line of a field: its name, ": ", the parts of its value with their tokens, and LF."""
    return [
        ("field-name", field, chunk, event, 0),
        (":", b":", chunk, event, 0),
        ("space", b" ", chunk, event, 0),
        *((label, text, chunk, event, token) for label, text, token in value),
        ("end-of-line", b"\n", chunk, event, 0),
    ]


BLANK: Part = ("blank-line", b"\n", 1, 1, 0)
HELLO = 'data: {"text":"你好"}\n\n'.encode()
HELLO_PARTS = [
    *line(b"data", ("json", b'{"text":"', 0), ("token", "你好".encode(), 1), ("json", b'"}', 0)),
    BLANK,
]


def plain(parts: Sequence[Part]) -> list[Part]:
    """The same parts outside all chunks."""
    return [(label, data, 0, event, token) for label, data, _, event, token in parts]


CASES: dict[str, tuple[bytes, list[Part], str]] = {
    "one event in one chunk, as in the module's docstring": (
        STREAM + b"19\r\n" + HELLO + b"\r\n0\r\n\r\n",
        [
            head(STREAM),
            ("chunk-size", b"19", 1, 0, 0),
            ("CRLF", b"\r\n", 1, 0, 0),
            *HELLO_PARTS,
            ("CRLF", b"\r\n", 1, 0, 0),
            ("last-chunk", b"0", 0, 0, 0),
            ("CRLF", b"\r\n\r\n", 0, 0, 0),
        ],
        "",
    ),
    "a token split between two chunks": (
        STREAM + b"10\r\n" + HELLO[:16] + b"\r\n9;a=b\r\n" + HELLO[16:] + b"\r\n0\r\nx: y\r\n\r\n",
        [
            head(STREAM),
            ("chunk-size", b"10", 1, 0, 0),
            ("CRLF", b"\r\n", 1, 0, 0),
            *line(b"data", ("json", b'{"text":"', 0), ("token", b"\xe4", 1))[:-1],
            ("CRLF", b"\r\n", 1, 0, 0),
            ("chunk-size", b"9", 2, 0, 0),
            ("chunk-ext", b";a=b", 2, 0, 0),
            ("CRLF", b"\r\n", 2, 0, 0),
            ("token", b"\xbd\xa0\xe5\xa5\xbd", 2, 1, 1),
            ("json", b'"}', 2, 1, 0),
            ("end-of-line", b"\n", 2, 1, 0),
            ("blank-line", b"\n", 2, 1, 0),
            ("CRLF", b"\r\n", 2, 0, 0),
            ("last-chunk", b"0", 0, 0, 0),
            ("CRLF", b"\r\n", 0, 0, 0),
            ("trailer", b"x: y", 0, 0, 0),
            ("CRLF", b"\r\n\r\n", 0, 0, 0),
        ],
        "",
    ),
    "HTTP/1.0: no chunks": (
        EVENTS + b"\r\n" + HELLO,
        [head(EVENTS + b"\r\n"), *plain(HELLO_PARTS)],
        "",
    ),
    "lines that end in CRLF and CR; a BOM, a comment, an extra blank line, an unknown field": (
        EVENTS + b"\r\n\xef\xbb\xbf: hi\r\n\r\nx: 1\rdata:[DONE]\r\n\r\nid\r\r",
        [
            head(EVENTS + b"\r\n"),
            ("BOM", b"\xef\xbb\xbf", 0, 0, 0),
            ("comment", b": hi", 0, 0, 0),
            ("end-of-line", b"\r\n", 0, 0, 0),
            ("blank-line", b"\r\n", 0, 0, 0),
            ("field-name", b"x", 0, 0, 0),
            (":", b":", 0, 0, 0),
            ("space", b" ", 0, 0, 0),
            ("field-value", b"1", 0, 0, 0),
            ("end-of-line", b"\r", 0, 0, 0),
            ("field-name", b"data", 0, 1, 0),
            (":", b":", 0, 1, 0),
            ("field-value", b"[DONE]", 0, 1, 0),
            ("end-of-line", b"\r\n", 0, 1, 0),
            ("blank-line", b"\r\n", 0, 1, 0),
            ("field-name", b"id", 0, 2, 0),
            ("end-of-line", b"\r", 0, 2, 0),
            ("blank-line", b"\r", 0, 2, 0),
        ],
        "",
    ),
    "a blank line that ends in CR, then a line that ends in LF": (
        EVENTS + b"\r\n\rid\n",
        [
            head(EVENTS + b"\r\n"),
            ("blank-line", b"\r", 0, 0, 0),
            ("field-name", b"id", 0, 1, 0),
            ("end-of-line", b"\n", 0, 1, 0),
        ],
        "",
    ),
    "a body that is not an event stream": (
        TEXT + CHUNKED + b"\r\n2\r\nhi\r\n0\r\n\r\n",
        [
            head(TEXT + CHUNKED + b"\r\n"),
            ("chunk-size", b"2", 1, 0, 0),
            ("CRLF", b"\r\n", 1, 0, 0),
            ("data", b"hi", 1, 0, 0),
            ("CRLF", b"\r\n", 1, 0, 0),
            ("last-chunk", b"0", 0, 0, 0),
            ("CRLF", b"\r\n\r\n", 0, 0, 0),
        ],
        "",
    ),
    "a type in capital letters (RFC 9110 §8.3.1)": (
        CAPITALS + b":\n",
        [
            head(CAPITALS),
            ("comment", b":", 0, 0, 0),
            ("end-of-line", b"\n", 0, 0, 0),
        ],
        "",
    ),
    "JSON, without tokens": (
        JSON + b'Content-Length: 16\r\n\r\n{"content":"hi"}',
        [
            head(JSON + b"Content-Length: 16\r\n\r\n"),
            ("json", b'{"content":"hi"}', 0, 0, 0),
        ],
        "",
    ),
    "more bytes than the length": (
        TEXT + b"Content-Length: 2\r\n\r\nhi!?",
        [
            head(TEXT + b"Content-Length: 2\r\n\r\n"),
            ("data", b"hi", 0, 0, 0),
            ("after-end", b"!?", 0, 0, 0),
        ],
        "",
    ),
    "fewer bytes than the length": (
        TEXT + b"Content-Length: 3\r\n\r\nhi",
        [head(TEXT + b"Content-Length: 3\r\n\r\n"), ("data", b"hi", 0, 0, 0)],
        "the body ended after 2 of 3 bytes",
    ),
    "an informational response first": (
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + EVENTS + b"\r\n",
        [head(b"HTTP/1.1 103 Early Hints\r\n\r\n" + EVENTS + b"\r\n")],
        "",
    ),
    "an invalid chunk-size": (
        STREAM + b"19\r\n" + HELLO + b"\r\nxyz\r\nmore",
        [
            head(STREAM),
            ("chunk-size", b"19", 1, 0, 0),
            ("CRLF", b"\r\n", 1, 0, 0),
            *HELLO_PARTS,
            ("CRLF", b"\r\n", 1, 0, 0),
            ("unreadable", b"xyz\r\nmore", 0, 0, 0),
        ],
        "expected a hex digit of the chunk-size, not b'x'",
    ),
    "truncated inside a line": (
        STREAM + b"19\r\n" + HELLO[:5],
        [
            head(STREAM),
            ("chunk-size", b"19", 1, 0, 0),
            ("CRLF", b"\r\n", 1, 0, 0),
            ("unfinished", HELLO[:5], 1, 0, 0),
        ],
        "the chunked body ended early: expected chunk-data",
    ),
    "truncated inside a chunk-size": (
        STREAM + b"1",
        [head(STREAM), ("unfinished", b"1", 0, 0, 0)],
        "the chunked body ended early: expected a hex digit, ';' or CRLF after the chunk-size",
    ),
    "truncated inside the head": (
        b"HTTP/1.1 20",
        [("unfinished", b"HTTP/1.1 20", 0, 0, 0)],
        "the head ended before its empty line (CR LF CR LF)",
    ),
    "TLS in place of a response": (
        b"\x16\x03",
        [("unreadable", b"\x16\x03", 0, 0, 0)],
        "a TLS record: that port speaks TLS, use https://",
    ),
    "two lengths": (
        TEXT + CHUNKED + b"Content-Length: 5\r\n\r\n2\r\nhi",
        [
            head(TEXT + CHUNKED + b"Content-Length: 5\r\n\r\n"),
            ("unreadable", b"2\r\nhi", 0, 0, 0),
        ],
        "both Transfer-Encoding and Content-Length",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_parts(name: str) -> None:
    """The spans are the same whole, byte by byte, and cut in two anywhere."""
    data, expected, error = CASES[name]
    for pieces in feedings(data):
        anatomy = ResponseAnatomy()
        assert parts(data, dissect(pieces, anatomy)) == expected
        assert anatomy.error == error


def test_numbers() -> None:
    """The counts: two events have no token, and the second token is reasoning."""
    events = [
        b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n',
        b'data: {"choices":[{"delta":{"reasoning_content":"x","reasoning":"x"}}]}\n\n',
        b"id: 1\n\n",
        b"data: [DONE]\n\n",
    ]
    anatomy = ResponseAnatomy()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)
    spans = dissect([STREAM + chunks + b"0\r\n\r\n"], anatomy)
    assert (anatomy.chunks, anatomy.events, anatomy.tokens) == (5, 4, 2)
    assert (anatomy.body_size, anatomy.text_size) == (sum(map(len, events)), 4)
    assert [span.token for span in spans if span.label == "token"] == [1, 2, 2]
    assert max(span.event for span in spans) == 5  # the block with an id alone is not dispatched


def test_what_is_labelled() -> None:
    """A line is labelled when it ends; the chunks around it have their labels already."""
    anatomy = ResponseAnatomy()
    anatomy.receive_data(STREAM + b"2\r\n:a\r\n1\r\n")
    assert anatomy.labelled == len(STREAM) + 3
    anatomy.receive_data(b"\n")
    assert anatomy.labelled == len(STREAM) + 11


def test_a_coded_body() -> None:
    """Its bytes come at once: they are not lines. `identity` is no coding at all."""
    gzip = EVENTS + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"
    anatomy = ResponseAnatomy()
    assert parts(gzip + b"\x1f\n", anatomy.receive_data(gzip + b"\x1f\n")) == [
        head(gzip),
        ("coded", b"\x1f\n", 0, 0, 0),
    ]
    assert anatomy.head is not None
    assert anatomy.head.raw == gzip
    assert not anatomy.complete
    anatomy.receive_data(b"\x8b")
    assert anatomy.complete
    assert (anatomy.body_size, anatomy.text_size, anatomy.events) == (3, 0, 0)
    plain = EVENTS + b"Content-Encoding: Identity\r\n\r\n"
    anatomy = ResponseAnatomy()
    assert dissect([plain + b":\n"], anatomy)[1].label == "comment"
    assert anatomy.complete


def test_a_response_to_head_has_no_body() -> None:
    anatomy = ResponseAnatomy("HEAD")
    data = STREAM + b"19\r\n"
    assert parts(data, dissect([data], anatomy)) == [
        head(STREAM),
        ("after-end", b"19\r\n", 0, 0, 0),
    ]


def test_a_line_over_the_limit() -> None:
    """The line and all text after it are unreadable; the chunks are still read."""
    for pieces in feedings(EVENTS + b"\r\n: 1\ndata: 12345\ndata: 6"):
        anatomy = ResponseAnatomy(max_line_size=8)
        *_, last = dissect(pieces, anatomy)
        assert last == ByteSpan("unreadable", last.end - 19, last.end)
        assert anatomy.error == "a line of the event stream is over 8 bytes"


TEXTS = {
    b'{"text":"hi"}': [b"hi"],
    b'{"text": "hi"}': [b"hi"],
    b'{"text":""}': [],
    b'{"text":1}': [],
    rb'{"text":"a\"b\\"}': [rb"a\"b\\"],
    rb'{"text":"\"text\":\"x\""}': [rb"\"text\":\"x\""],
    b'{"text":"open': [],
    b'{"x":{"reasoning":"a"},"content":"b","arguments":"c"}': [b"a", b"b", b"c"],
    b'{"delta":"a"}': [],
    b'{"type":"response.output_text.delta","delta":"a"}': [b"a"],
    b'{"type":"response.output_text.done","text":"all of it"}': [],
    b"[DONE]": [],
}


@pytest.mark.parametrize("data", TEXTS)
def test_text_spans(data: bytes) -> None:
    assert [data[start:end] for start, end in text_spans(data)] == TEXTS[data]


FRAGMENTS = [
    b"0\r\n\r\n",
    b"3\r\nabc\r\n",
    b"2;x\r\n:\n\r\n",
    b"b\r\ndata: {}\r\n\n\r\n",
    b"13\r\n" + HELLO[:19] + b"\r\n6\r\n" + HELLO[19:] + b"\r\n",
    b"1\r\n\r\r\n",
    b"1\r\n\n\r\n",
    b"4\r\nid\n\n\r\n",
    b"\r\n",
    b"9",
]


@given(st.sampled_from([STREAM, TEXT + CHUNKED + b"\r\n"]), damaged(joined(FRAGMENTS)), offsets)
def test_any_body_any_cut(start: bytes, body: bytes, splits: list[int]) -> None:
    data = start + body
    spans = dissect([data])
    covers(spans, len(data))
    assert dissect(cut(data, splits)) == spans
    assert dissect(bytewise(data)) == spans


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    covers(dissect(bytewise(data)), len(data))


def test_many_informational_heads() -> None:
    """However many there are, the stack does not grow."""
    announced = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000
    data = announced + TEXT + b"Content-Length: 2\r\n\r\nok"
    spans = dissect([data])
    covers(spans, len(data))
    assert [span.label for span in spans] == ["head", "data"]
