"""Server-Sent Events: every rule of `protocol/sse.py`, line by line of the standard."""

from typing import Any, cast

import h11
import pytest

from protocol.errors import DecodeError
from protocol.sse import (
    WINDOW,
    EventStreamParser,
    ServerSentEvent,
    encode_comment,
    encode_event,
)

from .feeding import Stream, bytewise, cut, feedings, observe_stream, read_stream, unpack
from .feeding import vectors as load

CASES = load("sse")


def said(
    data: str, event: str = "message", *, id: str = "", retry: int | None = None
) -> ServerSentEvent:
    """An event as a parser returns it: `id` is a str, "" if there was none."""
    return ServerSentEvent(event, data, id, retry)


# ---- the vectors


def meets(stream: Stream, expect: dict[str, Any]) -> bool:
    # `retry` on an expected event is information only, so it is not compared.
    events = [(event.event, event.data, event.id) for event in stream.events]
    return (
        events == [(event["event"], event["data"], event["id"]) for event in expect["events"]]
        and stream.last_event_id == expect["last_event_id"]
        and expect["reconnect_ms"] in (stream.reconnection_time, "any")
        and stream.failure is None
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_vector(case: dict[str, Any]) -> None:
    """Every case meets `expect`: the event stream needs no `alt`."""
    data = unpack(case.get("input_b64", ""))

    def read(pieces: list[bytes]) -> Stream:
        return read_stream(pieces, EventStreamParser(case.get("initial_last_event_id", "")))

    whole = read([data])
    assert meets(whole, case["expect"]), whole
    for pieces in feedings(data, case.get("splits", ())):
        assert read(pieces) == whole


# ---- one row for each rule: the bytes, and the events

RULES: list[tuple[str | bytes, list[ServerSentEvent]]] = [
    # "Lines must be separated by either … CRLF … LF … or … CR", and by nothing else.
    ("data:a\n\n", [said("a")]),
    ("data:a\r\r", [said("a")]),
    ("data:a\r\n\r\n", [said("a")]),
    ("data:a\r\ndata:b\rdata:c\n\r\n", [said("a\nb\nc")]),
    ("data:a\n\r", [said("a")]),  # dispatched at the CR, without waiting for a LF
    ("data:a\r\n\rdata:b\r\r\n", [said("a"), said("b")]),
    (
        "data:a\u2028b\u2029c\u0085d\v\f\x1c\x1d\x1ee\n\n",
        [said("a\u2028b\u2029c\u0085d\v\f\x1c\x1d\x1ee")],
    ),
    # "If value starts with a U+0020 SPACE character, remove it from value": only one, and no tab.
    ("data:  a\n\ndata:\ta \n\n", [said(" a"), said("\ta ")]),
    ("data: a: b\n\n", [said("a: b")]),
    # "If the data buffer is an empty string, set the data buffer and the event type buffer to the
    # empty string and return." A `data` line leaves at least a LF in that buffer.
    ("event: x\n\nid: 1\n\n\n\n", []),
    ("data\n\ndata:\n\ndata\ndata\n\n", [said(""), said(""), said("\n")]),
    ("event: x\n\ndata:a\n\n", [said("a")]),
    # An event type holds for one event, an id until the next, and an empty id resets it.
    ("event: x\ndata:a\n\ndata:b\n\n", [said("a", "x"), said("b")]),
    ("event: x\nevent\ndata:a\n\n", [said("a")]),
    ("id: 7\ndata:a\n\ndata:b\n\n", [said("a", id="7"), said("b", id="7")]),
    ("id: 7\ndata:a\n\nid\ndata:b\n\n", [said("a", id="7"), said("b")]),
    ("id: 7\n\ndata:b\n\n", [said("b", id="7")]),
    # "If the field value does not contain U+0000 NULL, then set the last event ID buffer".
    ("id: 7\nid: 8\0009\ndata:a\0\n\n", [said("a\0", id="7")]),
    # "If the field value consists of only ASCII digits": int() would accept most of these.
    ("retry: 0010\ndata:a\n\ndata:b\n\n", [said("a", retry=10), said("b")]),
    ("retry: +5\nretry: 1_0\nretry:  5\nretry: 5 \nretry\ndata:a\n\n", [said("a")]),
    ("retry: ٣\nretry: ５\nretry: ²\ndata:a\n\n", [said("a")]),
    ("retry: 5\nretry: -1\ndata:a\n\n", [said("a", retry=5)]),
    ("retry: " + "0" * 5000 + "9" * 100 + "\ndata:a\n\n", [said("a", retry=10**100 - 1)]),
    ("retry: " + "9" * 101 + "\ndata:a\n\n", [said("a")]),
    ("retry: " + "9" * 5000 + "\ndata:a\n\n", [said("a")]),
    # "Otherwise: The field is ignored." So are comments, and names in another case.
    (": data: x\n:\nData: x\n data: x\ndata : x\nDATA\ndata:a\n\n", [said("a")]),
    # "strips one leading UTF-8 Byte Order Mark (BOM), if any": later it is a character.
    ("\ufeffdata:a\n\n", [said("a")]),
    ("\ufeff\ufeffdata:a\n\ndata:b\n\n", [said("b")]),
    ("\ufeffdata:a\n\n\ufeffdata:b\n\n", [said("a")]),
    ("\n\ufeffdata:a\n\ndata:\ufeffb\n\n", [said("\ufeffb")]),
    ("\ufeff\n\ndata:a\n\n", [said("a")]),
    (b"\xef\xbbdata:a\n\ndata:b\n\n", [said("b")]),
    # Invalid UTF-8 becomes U+FFFD, also where a line end cuts a character in two.
    ("data:你好 👋🏽\n\n", [said("你好 👋🏽")]),
    (b"data:\xff\xe4\xbd\n\n", [said("\ufffd\ufffd")]),
    (b"data:\xf0\x9f\ndata:\x98\x80\n\n", [said("\ufffd\n\ufffd\ufffd")]),
    # "Once the end of the file is reached, any pending data must be discarded."
    ("data:a\n\ndata:b\n", [said("a")]),
    ("data:a\n\ndata:b", [said("a")]),
]


@pytest.mark.parametrize(("data", "events"), RULES)
def test_rule(data: str | bytes, events: list[ServerSentEvent]) -> None:
    raw = data.encode() if isinstance(data, str) else data
    for pieces in feedings(raw):
        assert read_stream(pieces).events == events
        if not raw.startswith(b"\xef\xbb\xbf"):
            # As the first bytes and as later ones: the first line has its own path, for the BOM.
            assert read_stream([b":\n", *pieces]).events == events


def test_an_event_is_dispatched_as_soon_as_its_blank_line_begins() -> None:
    for wire in (b"data: a\n\n", b"data: a\r\r", b"data: a\r\n\r"):
        parser = EventStreamParser()
        *before, last = [parser.receive_data(byte) for byte in bytewise(wire)]
        assert not any(before)
        assert last == [said("a")]
    assert parser.receive_data(b"\n") == []  # it belongs to the CR


def test_the_last_event_id_changes_at_the_blank_line_the_reconnection_time_at_once() -> None:
    parser = EventStreamParser("6")
    assert parser.receive_data(b"data: a\n\n") == [said("a", id="6")]
    assert parser.receive_data(b"retry: 40\nid: 7\ndata: b\n") == []
    assert (parser.last_event_id, parser.reconnection_time) == ("6", 40)
    assert parser.receive_data(b"\n") == [said("b", id="7", retry=40)]
    assert parser.last_event_id == "7"


@pytest.mark.parametrize(
    "unfinished", [b"data: b", b"data: b\n", b"id: 7\nevent: x\ndata", b"\xef"]
)
def test_end_of_input_discards_the_unfinished_event(unfinished: bytes) -> None:
    parser = EventStreamParser()
    assert parser.receive_data(b"id: 1\ndata: a\n\n") == [said("a", id="1")]
    assert parser.receive_data(unfinished) == []
    assert not parser.at_event_border
    parser.receive_eof()
    parser.receive_eof()
    assert parser.at_event_border
    assert parser.last_event_id == "1"


# ---- limits: at the limit passes, one over fails, the same whole and bytewise

LINE = "a line of the event stream is over {} bytes"
EVENT = "the data of an event is over {} characters"
LIMITS = [
    ("max_line_size", 8, b"data: a\n\n:comment\r\ndata: b\n\n", LINE, 16),
    ("max_line_size", 8, b"data: a\r\n\r\ndata: ab", LINE, 18),
    ("max_line_size", 8, b"\xef\xbb\xbfdata:\n\n", LINE, 7),
    ("max_line_size", 8, b"data:abc\ndata:d\n\n", LINE, 7),
    ("max_event_size", 5, "data: ab\ndata: 你\n\ndata: 1234\n\n".encode(), EVENT, 9),
    ("max_event_size", 5, b"data: 1\n\ndata: 1234\r\r", EVENT, 9),
    ("max_event_size", 5, b"data\ndata\ndata\r\nx\ndata\ndata\n\n", EVENT, 23),
    ("max_event_size", 5, b"\xef\xbb\xbfdata: 1234\n", EVENT, 3),
    ("max_event_size", 21, b":\ndata:123456789012345\ndata:5678\n\n", EVENT, 23),
]


@pytest.mark.parametrize(("name", "limit", "data", "message", "offset"), LIMITS)
def test_at_the_limit_passes_and_one_over_fails(
    name: str, limit: int, data: bytes, message: str, offset: int
) -> None:
    def read(pieces: list[bytes], value: int) -> Stream:
        return read_stream(pieces, EventStreamParser(**cast(Any, {name: value})))

    unlimited = read_stream([data])
    failed = read([data], limit - 1)
    assert failed.failure is not None
    assert failed.failure.text == f"{message.format(limit - 1)} (at byte {offset})"
    for pieces in feedings(data):
        assert read(pieces, limit) == unlimited
        assert read(pieces, limit - 1) == failed


def test_the_error_has_the_events_before_it() -> None:
    parser = EventStreamParser(max_event_size=4)
    with pytest.raises(h11.RemoteProtocolError) as caught:
        parser.receive_data(b"data: a\n\ndata: b\n\ndata: 1234\n\ndata: c\n\n")
    assert isinstance(caught.value, DecodeError)
    assert caught.value.decoded == [said("a"), said("b")]


def test_default_limits() -> None:
    most = 16 << 20
    line = b"data:" + b"x" * (most - 5)
    assert len(read_stream(cut(line + b"\n\n", range(0, most, 1 << 16))).events) == 1
    failure = read_stream([line + b"x\n\n"]).failure
    assert failure is not None
    assert failure.text == f"a line of the event stream is over {most} bytes (at byte {most})"
    failure = read_stream([line + b"\ndata:12345\n\n"]).failure
    assert failure is not None
    assert failure.text.startswith(f"the data of an event is over {most} characters")


def test_one_long_line_in_small_pieces() -> None:
    text = "你好" * ((1 << 20) // 3)
    data = f"data: {text}\n\n".encode()
    assert read_stream(cut(data, range(0, len(data), 64))).events == [said(text)]


# ---- where a heartbeat may be inserted

BORDERS = [
    (b"", True),
    (b"d", False),
    (b"data: a", False),
    (b"data: a\n", False),  # after a line of an event
    (b"data: a\n\n", True),
    (b"data: a\r\n\r", False),  # a LF may follow
    (b"data: a\r\n\r\n", True),
    (b"data: a\r\r", False),
    (b"\xef\xbb\xbf", False),
    (b"\xef\xbb\xbf\n", True),
    (b":", False),
    (b": comment\n", True),
    (b"event: x\n: comment\n", False),
    (b"event\n", False),
    (b"id: 1\n", False),
    (b"retry: soon\n", False),
    (b"unknown: 1\n", True),  # ignored, so no event is unfinished
]


@pytest.mark.parametrize(("data", "border"), BORDERS)
def test_at_event_border(data: bytes, border: bool) -> None:
    for pieces in feedings(data):
        assert read_stream(pieces).at_event_border is border


@pytest.mark.parametrize("pieces", [[b"data: a\n\n"], bytewise(b"data: a\n\n")])
def test_no_heartbeat_after_an_error(pieces: list[bytes]) -> None:
    parser = EventStreamParser(max_line_size=1)
    assert read_stream(pieces, parser).failure is not None
    assert not parser.at_event_border
    parser.receive_eof()
    assert not parser.at_event_border


# ---- the observer


def test_observer_names_every_byte() -> None:
    data = "\ufeff: hi\r\nevent:x\rid\ndata: 你: \n: \n\ndata:\n\n:never ended".encode()
    lf, cr = ("end-of-line", b"\n"), ("end-of-line", b"\r")
    labels = [
        *[("BOM", b"\xef\xbb\xbf"), ("comment", b": hi"), cr, lf],
        *[("field-name", b"event"), (":", b":"), ("field-value", b"x"), cr],
        *[("field-name", b"id"), lf],
        *[("field-name", b"data"), (":", b":"), ("space", b" ")],
        *[("field-value", "你: ".encode()), lf],
        *[("comment", b": "), lf, lf],
        *[("field-name", b"data"), (":", b":"), lf, lf],
    ]
    for pieces in feedings(data):
        stream, spans = observe_stream(pieces)
        assert [(label, data[start:end]) for label, start, end in spans] == labels
        assert stream.events == [said("你: ", "x"), said("")]


# ---- the encoder


@pytest.mark.parametrize(
    ("event", "wire"),
    [
        (ServerSentEvent(data="你好"), "data: 你好\n\n"),
        (ServerSentEvent(), "data: \n\n"),  # one line, so that it is dispatched
        (ServerSentEvent(data=" x"), "data:  x\n\n"),
        (ServerSentEvent(data="x\n"), "data: x\ndata: \n\n"),
        (ServerSentEvent(data="a\r\nb\rc\nd"), "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (ServerSentEvent(data="a\rb"), "data: a\ndata: b\n\n"),
        (ServerSentEvent(data="\r\r\n"), "data: \ndata: \ndata: \n\n"),
        (ServerSentEvent(data="a\u2028b\x85\v\f\0"), "data: a\u2028b\x85\v\f\0\n\n"),
        (ServerSentEvent("", "x"), "data: x\n\n"),
        (ServerSentEvent("message", "x", ""), "id: \ndata: x\n\n"),
        (ServerSentEvent(" x", "y", " 1"), "event:  x\nid:  1\ndata: y\n\n"),
        (ServerSentEvent("tick", "x", "7", 0), "event: tick\nid: 7\nretry: 0\ndata: x\n\n"),
    ],
)
def test_encode_event(event: ServerSentEvent, wire: str) -> None:
    assert encode_event(event) == wire.encode()


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("", b":\n"),  # ONE newline
        ("hb", b": hb\n"),
        ("a\r\ndata: b\rc\n\nd", b": a\n: data: b\n: c\n:\n: d\n"),
        ("\u2028", b": \xe2\x80\xa8\n"),
    ],
)
def test_encode_comment(text: str, wire: bytes) -> None:
    assert encode_comment(text) == wire
    assert read_stream([wire]).events == []


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (ServerSentEvent("a\ndata: b"), "CR, LF or NUL in event: 'a\\ndata: b'"),
        (ServerSentEvent("a\r"), "CR, LF or NUL in event: 'a\\r'"),
        (ServerSentEvent("\0"), "CR, LF or NUL in event: '\\x00'"),
        (ServerSentEvent(id="1\n\n"), "CR, LF or NUL in id: '1\\n\\n'"),
        (ServerSentEvent(id="1\rdata: x"), "CR, LF or NUL in id: '1\\rdata: x'"),
        (ServerSentEvent(id="\0"), "CR, LF or NUL in id: '\\x00'"),
        (ServerSentEvent(retry=-1), "retry is not a whole number >= 0: -1"),
        (ServerSentEvent(retry=True), "retry is not a whole number >= 0: True"),
        (ServerSentEvent(retry=cast(int, 1.5)), "retry is not a whole number >= 0: 1.5"),
        (ServerSentEvent(retry=cast(int, "5")), "retry is not a whole number >= 0: '5'"),
    ],
)
def test_nothing_injects_a_line(event: ServerSentEvent, message: str) -> None:
    with pytest.raises(h11.LocalProtocolError) as caught:
        encode_event(event)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "event",
    [
        ServerSentEvent(data="\ud83d"),
        ServerSentEvent(data="a\n\ud83d"),
        ServerSentEvent("\udc4b"),
        ServerSentEvent(id="\udc4b"),
    ],
)
def test_half_a_character_is_refused(event: ServerSentEvent) -> None:
    with pytest.raises(h11.LocalProtocolError, match=r"^an event that is not UTF-8: "):
        encode_event(event)
    with pytest.raises(h11.LocalProtocolError, match=r"^a comment that is not UTF-8: "):
        encode_comment("\ud83d")


def test_a_retry_of_any_length_has_a_defined_error() -> None:
    with pytest.raises(h11.LocalProtocolError):
        encode_event(ServerSentEvent(retry=10**5000))


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_very_large_read(end: str) -> None:
    """It is parsed in windows, whose borders may be anywhere, also inside CR LF."""
    for shift in range(len("data: x") + 2 * len(end)):
        padding = ":" + "x" * shift + end
        data = (padding + f"data: x{end}{end}" * 60_000).encode()
        assert len(data) > 2 * WINDOW
        assert EventStreamParser().receive_data(data) == [said("x")] * 60_000
