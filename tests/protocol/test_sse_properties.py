"""Properties of Server-Sent Events, which hypothesis tries to break."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.sse import EventStreamParser, ServerSentEvent, encode_comment, encode_event

from .feeding import Stream, bytewise, cut, damaged, joined, observe_stream, offsets, read_stream

FRAGMENTS = [
    *[b"data: a\n\n", b"data: b\n", b"data:c\n", b"data\n", b"data", b"a", b"\n", b"\n\n", b"\r"],
    *[b"\r\n", b"id: 1\n", b"id\n", b"id: 2\0\n", b"event: x\n", b"event\n", b"retry: 5\n"],
    *[
        b"retry: +5\n",
        b":",
        b": hb\n",
        b" ",
        b"unknown: x\n",
        b"\xef\xbb\xbf",
        b"\xef\xbb",
        b"\xbf",
    ],
    *[
        b"\xff",
        b"\xe4\xbd",
        b"\xa0",
        b"\0",
        b"\xe2\x80\xa8",
        b"\x85",
        b"data: \xf0\x9f\x98\x80\r\r",
    ],
    *[b"\r\n\r\n", b"data:  d: e\r\n", b"\x0b", b"DATA: x\n"],
]
LF_FRAGMENTS = [fragment for fragment in FRAGMENTS if b"\r" not in fragment]
unicode = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
texts = unicode | st.lists(st.sampled_from(["\r", "\n", " ", "a", ":", "\ufeff"])).map("".join)
plain = texts.map(lambda text: re.sub(r"[\r\n\0]", "_", text))
sent_events = st.builds(
    ServerSentEvent,
    event=st.sampled_from(["message", ""]) | plain,
    data=texts,
    id=st.none() | plain,
    retry=st.none() | st.integers(0, 10**100 - 1),
)
encoded = st.lists(sent_events.map(encode_event) | texts.map(encode_comment), max_size=4)
streams = (
    joined(FRAGMENTS)
    | joined(LF_FRAGMENTS)
    | st.binary(max_size=40)
    | damaged(encoded.map(b"".join))
)
limits = st.integers(1, 24) | st.just(1 << 20)


def by_the_standard(data: bytes) -> Stream:
    """HTML §9.2.6 to the letter, for a complete stream: short and slow, without any state."""
    text = data.decode("utf-8", "replace")  # all bytes at once, so no character is split
    lines = re.split("\r\n|\n|\r", text.removeprefix("\ufeff"))
    events = []
    data_buffer = type_buffer = id_buffer = last_event_id = ""
    retry = reconnection_time = None
    for line in lines[:-1]:  # a line without its end is discarded
        if not line:
            last_event_id = id_buffer
            if data_buffer:
                event = type_buffer or "message"
                events.append(ServerSentEvent(event, data_buffer[:-1], last_event_id, retry))
            data_buffer, type_buffer, retry = "", "", None
            continue
        name, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if name == "event":
            type_buffer = value
        elif name == "data":
            data_buffer += value + "\n"
        elif name == "id" and "\0" not in value:
            id_buffer = value
        elif name == "retry" and value and all(digit in "0123456789" for digit in value):
            retry = reconnection_time = int(value)
    return Stream(events, last_event_id, reconnection_time, is_border(data), None)


def is_border(data: bytes) -> bool:
    """Whether a heartbeat may follow: not inside a line or an event with fields, nor after a CR."""
    *lines, rest = re.split(rb"\r\n|\n|\r", data.removeprefix(b"\xef\xbb\xbf"))
    names = [line.partition(b":")[0] for line in lines]
    while b"" in lines:  # a blank line ends the event
        del names[: lines.index(b"") + 1], lines[: lines.index(b"") + 1]
    fields = {b"event", b"data", b"id", b"retry"}.intersection(names)
    return not (rest or fields or data.endswith(b"\r") or data == b"\xef\xbb\xbf")


@settings(max_examples=500)
@given(streams)
def test_equals_the_standard(data: bytes) -> None:
    assert read_stream([data]) == by_the_standard(data)
    assert read_stream([b":\n", data]) == by_the_standard(b":\n" + data)


@settings(max_examples=300)
@given(streams, offsets, limits, limits)
def test_split_invariance(data: bytes, places: list[int], line: int, event: int) -> None:
    """Any bytes, cut anywhere, give events or a RemoteProtocolError, and no other error, whatever
    the limits."""

    def read(pieces: list[bytes]) -> Stream:
        return read_stream(pieces, EventStreamParser(max_line_size=line, max_event_size=event))

    whole = read([data])
    assert read(cut(data, places)) == whole
    assert read(bytewise(data)) == whole


@settings(max_examples=300)
@given(streams, offsets, limits)
def test_fast_path_equals_plain_path(data: bytes, places: list[int], limit: int) -> None:
    """Any observer, even one that does nothing, turns the fast path off; so does a BOM."""
    pieces = [b":\n", *cut(data, places)]
    fast = EventStreamParser("0", max_event_size=limit)
    plain = EventStreamParser("0", max_event_size=limit, observer=lambda *span: None)
    assert read_stream(pieces, fast) == read_stream(pieces, plain)


@given(streams, offsets)
def test_observer_spans(data: bytes, places: list[int]) -> None:
    stream, spans = observe_stream([data])
    assert observe_stream(cut(data, places)) == (stream, spans)
    named = b""
    for label, start, end in spans:
        shape = {
            "BOM": rb"\xef\xbb\xbf",
            "comment": rb":[^\r\n]*",
            "field-name": rb"[^:\r\n]+",
            ":": rb":",
            "space": rb" ",
            "field-value": rb"[^\r\n]+",
            "end-of-line": rb"[\r\n]",
        }[label]
        assert re.fullmatch(shape, data[start:end], re.DOTALL)
        named += data[start:end]
    # Everything except the unfinished line.
    assert data.startswith(named)
    assert not re.search(rb"[\r\n]", data[len(named) :])


@settings(max_examples=200)
@given(st.lists(sent_events | texts, max_size=5), offsets)
def test_round_trip(sent: list[ServerSentEvent | str], places: list[int]) -> None:
    """Events are equal, except that CR and CRLF in data become LF, event "" becomes "message", and
    id becomes the last event ID. Comments between them change nothing."""
    wire, expected, running = b"", [], ""
    for item in sent:
        if isinstance(item, str):
            wire += encode_comment(item)
            continue
        wire += encode_event(item)
        running = running if item.id is None else item.id
        data = re.sub("\r\n?", "\n", item.data)
        expected.append(ServerSentEvent(item.event or "message", data, running, item.retry))
    stream = read_stream(cut(wire, places))
    assert stream.events == expected
    assert stream.last_event_id == running
    assert stream.at_event_border


@settings(max_examples=300)
@given(streams, plain)
def test_a_heartbeat_at_an_event_border_changes_nothing(data: bytes, text: str) -> None:
    """This holds at all of them, except before a BOM, which must be at the very start."""
    stream = read_stream([data])
    for at in range(1 if data.startswith(b"\xef\xbb\xbf") else 0, len(data) + 1):
        if read_stream([data[:at]]).at_event_border:
            with_heartbeat = data[:at] + encode_comment(text) + data[at:]
            assert read_stream([with_heartbeat]) == stream
