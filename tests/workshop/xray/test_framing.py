"""Requests and responses on one connection: where each begins and ends, and what is relayed."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workshop.xray.meter.framing import Part, RequestSplitter, ResponseSplitter, Splitter

POST = b"POST /v1 HTTP/1.1\r\nHOST:  tap:9000\r\nContent-Length: 2\r\n\r\nhi"
GET = b"GET /a HTTP/1.1\r\nHost: tap:9000\r\nX-Host: tap\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\nall of it"


def messages(splitter: Splitter, pieces: list[bytes]) -> list[tuple[bytes, bytes, bool]]:
    """(start-line, bytes, whether it has ended) of each message."""
    found: list[tuple[bytes, bytes, bool]] = []
    start_line, data = b"", b""
    for piece in pieces:
        for part in splitter.receive_data(piece):
            data += part.data
            start_line = part.head.start_line if part.head else start_line
            if part.ends:
                found.append((start_line, data, True))
                start_line, data = b"", b""
    if data:
        found.append((start_line, data, False))
    return found


def cuts(data: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and in two pieces at each place."""
    return [
        [data],
        [data[i : i + 1] for i in range(len(data))],
        *([data[:i], data[i:]] for i in range(1, len(data))),
    ]


def test_each_request_names_the_upstream() -> None:
    """Only the value of `Host` changes; an empty line between two requests is relayed too."""
    post = POST.replace(b"tap:9000", b"api.example.com")
    get = b"\r\n" + GET.replace(b"tap:9000", b"api.example.com")
    for pieces in cuts(POST + b"\r\n" + GET + POST):
        assert messages(RequestSplitter("api.example.com"), pieces) == [
            (b"POST /v1 HTTP/1.1", post, True),
            (b"GET /a HTTP/1.1", get, True),
            (b"POST /v1 HTTP/1.1", post, True),
        ]


def test_without_a_host_each_byte_is_relayed_as_it_comes() -> None:
    for pieces in cuts(GET + POST):
        splitter = RequestSplitter()
        for piece in pieces:
            assert b"".join(part.data for part in splitter.receive_data(piece)) == piece
        assert splitter.between_messages


def test_a_backslash_in_the_host_is_not_a_group() -> None:
    (part,) = RequestSplitter(r"\1").receive_data(GET)
    assert part.data == GET.replace(b"tap:9000", rb"\1")


@pytest.mark.parametrize(
    ("authority", "relayed"),
    [
        (b"localhost:9000", b"api"),
        (b"LOCALHOST", b"api"),
        (b"[::1]:9000 ", b"api"),
        (b"evil.example:9000", b"evil.example:9000"),
        (b"localhost.evil.example", b"localhost.evil.example"),
        (b"evil.example@localhost", b"evil.example@localhost"),
        (b"", b""),
    ],
)
def test_a_strange_name_is_left_for_the_upstream_to_refuse(
    authority: bytes, relayed: bytes
) -> None:
    splitter = RequestSplitter("api", ("localhost", "[::1]"))
    (part,) = splitter.receive_data(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % authority)
    assert part.data == b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % relayed


def test_responses_are_told_apart() -> None:
    """An informational response belongs to the final one after it."""
    for pieces in cuts(CHUNKED + EMPTY + EARLY + CHUNKED):
        splitter = ResponseSplitter()
        splitter.methods += ["POST", "GET", "GET"]
        assert messages(splitter, pieces) == [
            (b"HTTP/1.1 200 OK", CHUNKED, True),
            (b"HTTP/1.1 204 No Content", EMPTY, True),
            (b"HTTP/1.1 200 OK", EARLY + CHUNKED, True),
        ]


def test_no_response_to_head_has_a_body() -> None:
    splitter = ResponseSplitter()
    splitter.methods.append("HEAD")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
    assert messages(splitter, [head + EMPTY]) == [
        (b"HTTP/1.1 200 OK", head, True),
        (b"HTTP/1.1 204 No Content", EMPTY, True),
    ]


def test_the_end_of_the_connection_ends_a_body_without_length() -> None:
    splitter = ResponseSplitter()
    assert [part.ends for part in splitter.receive_data(UNTIL_CLOSE)] == [False, False]
    assert not splitter.between_messages
    assert splitter.receive_eof() == [Part(b"", ends=True)]
    assert splitter.between_messages


@pytest.mark.parametrize(
    ("sent", "whole"), [(b"", True), (CHUNKED, True), (CHUNKED[:-1], False), (CHUNKED[:9], False)]
)
def test_a_truncated_response_has_no_end(sent: bytes, whole: bool) -> None:
    splitter = ResponseSplitter()
    splitter.receive_data(sent)
    assert splitter.receive_eof() == []
    assert splitter.between_messages is whole


@pytest.mark.parametrize("keep", [True, False])
def test_an_unfinished_head_is_relayed_before_the_end(keep: bool) -> None:
    splitter = RequestSplitter(None if keep else "api")
    parts = splitter.receive_data(GET[:20]) + splitter.receive_eof()
    assert parts == [Part(GET[:20])]


@pytest.mark.parametrize(
    ("head", "status"),
    [("GET", b"101 Switching Protocols"), ("CONNECT", b"200 Connection established")],
)
def test_after_a_switch_nothing_is_read(head: str, status: bytes) -> None:
    splitter = ResponseSplitter()
    splitter.methods.append(head)
    answer = b"HTTP/1.1 " + status + b"\r\nUpgrade: x\r\n\r\n"
    first, rest = splitter.receive_data(answer + CHUNKED)
    assert (first.data, first.ends, splitter.switched) == (answer, True, True)
    assert rest == Part(CHUNKED)


LENGTHS = b"POST / HTTP/1.1\r\nHost: tap\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "relayed", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost tap\r\n\r\n", None, "a field line without a colon: b'Host tap'"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None, "only HTTP/1.1 and HTTP/1.0 here"),
        (LENGTHS + b"hi", LENGTHS.replace(b"tap", b"api") + b"hi", "more than one Content-Length"),
        (
            b"POST / HTTP/1.1\r\nHost: tap\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" + GET,
            b"POST / HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" + GET,
            "expected a hex digit of the chunk-size, not b'x'",
        ),
    ],
)
def test_what_cannot_be_read_is_relayed(sent: bytes, relayed: bytes | None, reason: str) -> None:
    for pieces in cuts(sent):
        splitter = RequestSplitter("api")
        parts = [part for piece in pieces for part in splitter.receive_data(piece)]
        assert b"".join(part.data for part in parts) == (relayed or sent)
        assert splitter.unreadable == reason
        assert not any(part.ends for part in parts)
        assert splitter.receive_eof() == []


def test_a_head_over_the_limit_is_not_held() -> None:
    """At most 64 KiB of a head are held. A longer head is relayed unchanged, and the upstream
    refuses it."""
    splitter = RequestSplitter("api")
    endless = b"GET / HTTP/1.1\r\nHost: tap\r\nX: " + b"x" * (64 << 10)
    assert b"".join(part.data for part in splitter.receive_data(endless)) == endless


MESSAGES = st.sampled_from([POST, GET, CHUNKED, EMPTY, EARLY, UNTIL_CLOSE, b"\r\n", b"0", b"\x16"])


@given(st.lists(MESSAGES | st.binary(max_size=20), max_size=6), st.data())
def test_nothing_is_lost(messages: list[bytes], data: st.DataObject) -> None:
    """Any bytes, cut anywhere, are relayed completely and in order, and no error is raised."""
    sent = b"".join(messages)
    for splitter in (RequestSplitter(), RequestSplitter("tap:9000"), ResponseSplitter()):
        places = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))
        edges = [0, *places, len(sent)]
        parts = [
            part
            for start, end in pairwise(edges)
            for part in splitter.receive_data(sent[start:end])
        ]
        parts += splitter.receive_eof()
        assert b"".join(part.data for part in parts) == sent
