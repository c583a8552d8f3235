"""TCP segments are put together correctly, in whatever order they arrive."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workshop.xray.recordings.segments import (
    ACK,
    FIN,
    MODULUS,
    PSH,
    RST,
    SYN,
    Flow,
    Segment,
    reassemble,
)

CLIENT, SERVER = ("10.0.0.1", 50_000), ("10.0.0.2", 8000)
DATA = bytes(range(256)) * 4


def segment(
    time: int, seq: int, data: bytes = b"", flags: int = ACK | PSH, *, size: int = 0, ack: int = 1
) -> Segment:
    """From the server. Sequence number 0 is its first byte."""
    seq = (seq + MODULUS - 20) % MODULUS
    return Segment(time, SERVER, CLIENT, seq, ack, flags, data, size or len(data))


def acknowledged(time: int, seq: int, flags: int = ACK, data: bytes = b"") -> Segment:
    """From the client."""
    ack = (seq + MODULUS - 20) % MODULUS
    return Segment(time, CLIENT, SERVER, 1, ack, flags, data, len(data))


OPENING = [
    Segment(0, CLIENT, SERVER, 0, 0, SYN, b"", 0),
    Segment(0, SERVER, CLIENT, MODULUS - 21, 1, SYN | ACK, b"", 0),
]


def flow(*segments: Segment) -> Flow:
    (found,) = reassemble([*OPENING, *segments])
    assert (found.client, found.server, found.is_whole) == (CLIENT, SERVER, True)
    return found


def reads(found: Flow) -> list[tuple[int, bytes, str]]:
    return [(time, read.bytes, read.end) for time, read in found.reads]


def test_in_order() -> None:
    found = flow(segment(1, 0, b"abc"), segment(2, 3, b"de"), segment(3, 5, flags=FIN | ACK))
    assert reads(found) == [(1, b"abc", ""), (2, b"de", ""), (3, b"", "fin")]
    assert found.problem() == ""


def test_out_of_order() -> None:
    """Bytes after a gap are read when the gap is filled."""
    found = flow(
        segment(1, 0, b"ab"),
        segment(2, 4, b"ef"),
        segment(3, 6, b"g", FIN | ACK),
        segment(4, 2, b"cd"),
    )
    assert reads(found) == [(1, b"ab", ""), (4, b"cdefg", ""), (4, b"", "fin")]


def test_sent_again() -> None:
    """Segments are repeated: completely, in part, with more bytes, and as a keep-alive probe of one
    old byte."""
    found = flow(
        segment(1, 0, b"abcd"),
        segment(2, 0, b"abcd"),
        segment(3, 2, b"cdef"),
        segment(4, 5, b"?"),
        segment(5, 5, b""),
    )
    assert reads(found) == [(1, b"abcd", ""), (3, b"ef", "")]


def test_segments_that_overlap_in_a_gap() -> None:
    found = flow(segment(1, 4, b"efgh"), segment(2, 2, b"CDEF"), segment(3, 0, b"abC"))
    assert reads(found) == [(3, b"abCDEFgh", "")]


@given(
    cuts=st.lists(st.integers(1, len(DATA) - 1), unique=True, max_size=12),
    extra=st.lists(st.tuples(st.integers(0, len(DATA) - 1), st.integers(1, 300)), max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_any_order(cuts: list[int], extra: list[tuple[int, int]], order: object) -> None:
    """Segments that are cut anywhere, repeated, overlapping and shuffled give the same bytes, each
    once."""
    places = [0, *sorted(cuts), len(DATA)]
    parts = [(start, DATA[start:end]) for start, end in pairwise(places)]
    parts += [(start, DATA[start : start + size]) for start, size in extra]
    order.shuffle(parts)  # type: ignore[attr-defined]
    found = flow(*[segment(time, *part) for time, part in enumerate(parts)])
    assert b"".join(read.bytes for _, read in found.reads) == DATA
    assert found.problem() == ""


def test_one_write_in_several_segments() -> None:
    """Segments at the same time and without PSH between them are one read."""
    found = flow(
        segment(1, 0, b"ab", ACK),
        segment(1, 2, b"cd"),
        segment(1, 4, b"ef", ACK),
        segment(2, 6, b"g"),
    )
    assert reads(found) == [(1, b"abcd", ""), (1, b"ef", ""), (2, b"g", "")]


def test_a_reset() -> None:
    found = flow(segment(1, 0, b"ab"), segment(2, 2, flags=RST), acknowledged(3, 2, RST))
    assert reads(found) == [(1, b"ab", ""), (2, b"", "reset"), (3, b"", "reset")]
    assert [read.sender for _, read in found.reads] == ["server", "server", "client"]


LOST = "are missing in the capture: packets were dropped (use tcpdump -B 16384, and a filter)"


@pytest.mark.parametrize(
    ("segments", "problem"),
    [
        ([segment(1, 0, b"ab"), segment(2, 5, b"f")], f"bytes 2 to 4 of the server {LOST}"),
        ([segment(1, 0, b"ab"), acknowledged(2, 5)], f"bytes 2 to 4 of the server {LOST}"),
        ([segment(1, 3, flags=FIN | ACK)], f"bytes 0 to 2 of the server {LOST}"),
        ([segment(1, 0, b"ab"), acknowledged(2, 3)], ""),  # perhaps a FIN
        ([segment(1, 0, b"ab", FIN | ACK), acknowledged(2, 3)], ""),
        (
            [segment(1, 0, b"ab", size=3)],
            "packets of the server were cut when they were captured: use tcpdump -s 0",
        ),
    ],
)
def test_missing_bytes(segments: list[Segment], problem: str) -> None:
    assert flow(*segments).problem() == problem


def test_a_port_that_is_used_again() -> None:
    """A SYN with another initial sequence number begins another connection. A SYN with the same
    number was sent again."""
    again = [OPENING[0]._replace(seq=5000), OPENING[1]._replace(seq=7000, ack=5001)]
    second = segment(9, 0, b"xy")._replace(seq=7001)
    first, other = reassemble([*OPENING, *OPENING, segment(1, 0, b"ab"), *again, second])
    assert reads(first) == [(1, b"ab", "")]
    assert reads(other) == [(9, b"xy", "")]


@pytest.mark.parametrize(
    "first",
    [
        acknowledged(1, 0, data=b"GET / HTTP/1.1\r\n"),
        segment(1, 0, b"HTTP/1.1 200 OK\r\n"),
        segment(1, 0, b"something else"),
        acknowledged(1, 0),
    ],
)
def test_a_capture_that_begins_late(first: Segment) -> None:
    """The first bytes say who is the server; otherwise it is the one with the lower port."""
    (found,) = reassemble([first, segment(2, 100, b"later")])
    assert (found.client, found.server, found.is_whole) == (CLIENT, SERVER, False)


def test_a_capture_that_begins_with_an_acknowledgement() -> None:
    """The request's acknowledgment number tells the next byte of the server."""
    (found,) = reassemble([acknowledged(1, 10), segment(2, 12, b"cd"), segment(3, 10, b"ab")])
    assert reads(found) == [(3, b"abcd", "")]


def test_the_first_bytes_of_each_side() -> None:
    found = flow(
        acknowledged(1, 0, data=b"GET"), segment(2, 0, b"x" * 60), segment(3, 60, b"y" * 60)
    )
    assert found.first_bytes(CLIENT) == b"GET"
    assert found.first_bytes(SERVER) == b"x" * 60 + b"yyyy"
