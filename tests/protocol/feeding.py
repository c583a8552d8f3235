"""The result must not depend on how the bytes were cut: all ways to cut them, and the outcomes to
compare.

    whole       [b"5\\r\\nhello"]
    bytewise    [b"5", b"\\r", b"\\n", …]
    cut at 3    [b"5\\r\\n", b"hello"]
    splits      at the offsets of a vector; an offset named twice is an empty feed

A test feeds one input in all these ways and expects the same outcome each time. An outcome is
everything that a decoder returns: the decoded data, its attributes, and the error with its offset.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.sse import EventStreamParser, ServerSentEvent

VECTORS = Path(__file__).parent.parent / "vectors"
ObservedSpan = tuple[str, int, int]
MANY = 2048  # inputs over this size are cut in two at 300 offsets, not at every one


def vectors(name: str) -> dict[str, dict[str, Any]]:
    """The cases of one file by their id."""
    cases = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return {case["id"]: case for case in cases}


def unpack(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def cut(data: bytes, offsets: Iterable[int]) -> list[bytes]:
    """Cut at these offsets, taken modulo the length; a repeated offset gives an empty piece."""
    cuts = [0, *sorted(offset % (len(data) + 1) for offset in offsets), len(data)]
    return [data[a:b] for a, b in pairwise(cuts)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def feedings(data: bytes, splits: Sequence[int] = ()) -> Iterator[list[bytes]]:
    """Whole, byte by byte, at `splits`, and cut in two at every offset."""
    yield [data]
    yield bytewise(data)
    if splits:
        yield cut(data, splits)
    step = 1 if len(data) <= MANY else len(data) // 300
    for offset in range(0, len(data) + 1, step):
        yield [data[:offset], data[offset:]]


# Where hypothesis cuts: any offsets, for any length of input.
offsets = st.lists(st.integers(0, 1 << 12), max_size=12)


def joined(fragments: Sequence[bytes], max_size: int = 12) -> st.SearchStrategy[bytes]:
    """Bytes in the shape of a grammar: fragments of it, in any order."""
    return st.lists(st.sampled_from(fragments), max_size=max_size).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Valid bytes with one byte removed, inserted or replaced: errors that are hard to see."""
    data = draw(whole)
    place = draw(st.integers(0, len(data)))
    new = draw(st.sampled_from([b"", b"\r", b"\n", b"\r\n", b"\0", b" ", b";", b'"', b"0", b":"]))
    return data[:place] + new + data[place + draw(st.integers(0, 1)) :]


@dataclass(frozen=True)
class Failure:
    """An error as the author of the peer sees it: text, offset, status."""

    text: str
    offset: int
    status: int
    at_eof: bool = False

    @classmethod
    def of(cls, error: DecodeError, at_eof: bool = False) -> "Failure":
        assert str(error) == f"{error.reason} (at byte {error.offset})"
        return cls(str(error), error.offset, error.error_status_hint, at_eof)


def raised_again(call: Callable[[], object], first: DecodeError) -> None:
    """Every later call raises the same error, and `decoded` is empty."""
    for _ in range(2):
        with pytest.raises(DecodeError) as later:
            call()
        assert later.value is not first
        assert Failure.of(later.value) == Failure.of(first)
        assert later.value.decoded == []


@dataclass(frozen=True)
class Body:
    """The outcome of a ChunkedDecoder."""

    data: bytes
    complete: bool
    trailers: list[tuple[bytes, bytes]]
    trailing_data: bytes
    failure: Failure | None


def read_body(pieces: Iterable[bytes], decoder: ChunkedDecoder | None = None) -> Body:
    """Feed a ChunkedDecoder, and then end its input."""
    decoder = decoder or ChunkedDecoder()
    found: list[bytes] = []
    failure = None
    try:
        for piece in pieces:
            found += decoder.receive_data(piece)
    except DecodeError as error:
        found += [piece for piece in error.decoded if isinstance(piece, bytes)]
        failure = Failure.of(error)
        for later in (b"5\r\nhello\r\n", b"f\r\nhe", b""):
            raised_again(partial(decoder.receive_data, later), error)
        raised_again(decoder.receive_eof, error)
    else:
        try:
            decoder.receive_eof()
        except DecodeError as error:
            failure = Failure.of(error, at_eof=True)
            raised_again(decoder.receive_eof, error)
    assert all(found)  # "none empty"
    assert decoder.complete == (failure is None)
    return Body(b"".join(found), decoder.complete, decoder.trailers, decoder.trailing_data, failure)


def observe_body(pieces: Iterable[bytes]) -> tuple[Body, list[ObservedSpan]]:
    """The body and the reported spans, with the pieces of one chunk-data joined."""
    spans: list[ObservedSpan] = []

    def observer(label: str, start: int, end: int) -> None:
        assert start < end
        assert start == (spans[-1][2] if spans else 0)  # contiguous: every byte once
        if label == "chunk-data" and spans and spans[-1][0] == label:
            start = spans.pop()[1]
        spans.append((label, start, end))

    return read_body(pieces, ChunkedDecoder(observer=observer)), spans


@dataclass(frozen=True)
class Stream:
    """The outcome of an EventStreamParser."""

    events: list[ServerSentEvent]
    last_event_id: str
    reconnection_time: int | None
    at_event_border: bool
    failure: Failure | None


def observe_stream(pieces: Iterable[bytes]) -> tuple[Stream, list[ObservedSpan]]:
    """The events and the reported spans."""
    spans: list[ObservedSpan] = []

    def observer(label: str, start: int, end: int) -> None:
        assert start < end
        assert start == (spans[-1][2] if spans else 0)  # contiguous: every byte once
        spans.append((label, start, end))

    return read_stream(pieces, EventStreamParser(observer=observer)), spans


def read_stream(pieces: Iterable[bytes], parser: EventStreamParser | None = None) -> Stream:
    """Feed an EventStreamParser. Its input is not ended, because the end adds no event."""
    parser = parser or EventStreamParser()
    found: list[ServerSentEvent] = []
    failure = None
    try:
        for piece in pieces:
            found += parser.receive_data(piece)
    except DecodeError as error:
        found += [event for event in error.decoded if isinstance(event, ServerSentEvent)]
        failure = Failure.of(error)
        raised_again(lambda: parser.receive_data(b"data: x\n\n"), error)
        raised_again(lambda: parser.receive_data(b""), error)
    border = parser.at_event_border and failure is None
    return Stream(found, parser.last_event_id, parser.reconnection_time, border, failure)


@dataclass(frozen=True)
class HeadRead:
    """The outcome of a HeadReader: a head, an error, or neither yet."""

    head: Head | None
    rest: bytes
    failure: Failure | None


def read_head(pieces: Iterable[bytes], reader: HeadReader | None = None) -> HeadRead:
    """Feed a HeadReader until its head is complete; `rest` gets the bytes after the head."""
    reader = reader or HeadReader()
    head = None
    rest = b""
    try:
        for piece in pieces:
            if head is None:
                head = reader.receive_data(piece)
                rest = reader.trailing_data
            else:
                rest += piece
    except DecodeError as error:
        raised_again(lambda: reader.receive_data(b"x"), error)
        raised_again(reader.receive_eof, error)
        return HeadRead(None, b"", Failure.of(error))
    if head is None:
        try:
            reader.receive_eof()
        except DecodeError as error:
            return HeadRead(None, b"", Failure.of(error, at_eof=True))
    return HeadRead(head, rest, None)
