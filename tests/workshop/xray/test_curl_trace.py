"""Traces of curl become recordings: every byte of a trace in hex, nearly all of one in ASCII."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.recording import RecordedRead
from workshop.xray.recordings.curl_trace import LOST, TraceError, is_trace, read_trace

GET = b"GET /a HTTP/1.1\r\nHost: localhost:8000\r\nAccept: */*\r\n\r\n"
HEAD = [b"HTTP/1.1 200 OK\r\n", b"Content-Type: text/event-stream\r\n", b"\r\n"]

Entry = tuple[str, str, bytes]  # time, title or Info, bytes


def dump(data: bytes, *, is_hex: bool) -> str:
    """Write a trace as curl does: with 16 bytes on a line, or with 64 characters and a new line
    after each CRLF."""
    lines, place = [], 0
    while place < len(data):
        part = data[place : place + (16 if is_hex else 64)]
        following = place + len(part)
        if not is_hex and b"\r\n" in data[place : following + 2]:
            part = part[: data.index(b"\r\n", place) - place]
            following = place + len(part) + 2
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        columns = "".join(f"{byte:02x} " for byte in part).ljust(48) if is_hex else ""
        lines.append(f"{place:04x}: {columns}{text}\n")
        place = following
    return "".join(lines)


def trace(entries: Sequence[Entry], *, is_hex: bool = True, ids: str = "") -> bytes:
    text = ""
    for time, title, data in entries:
        text += f"12:00:{time} {ids}"
        if title[:2] in ("=>", "<="):
            text += f"{title}, {len(data)} bytes (0x{len(data):x})\n" + dump(data, is_hex=is_hex)
        else:
            text += f"== Info: {title}\n"
    return text.encode()


def exchange(
    *body: tuple[str, bytes], end: str = "Connection #0 to host left intact"
) -> list[Entry]:
    return [
        ("00.000000", "  Trying 127.0.0.1:8000...", b""),
        ("00.000100", "Connected to localhost (127.0.0.1) port 8000 (#0)", b""),
        ("00.000200", "=> Send header", GET),
        *[("00.001200", "<= Recv header", line) for line in HEAD],
        *[(time, "<= Recv data", data) for time, data in body],
        ("09.000000", end, b""),
    ]


def joined(reads: Sequence[RecordedRead], sender: str) -> bytes:
    return b"".join(read.bytes for read in reads if read.sender == sender)


@pytest.mark.parametrize("is_hex", [True, False])
def test_one_request(is_hex: bool) -> None:
    """All lines of a head are one read, and each record of data is one read."""
    body = [("00.501200", b"data: 1\n\n"), ("01.501300", b"id: 2\ndata: 2\n\n")]
    given = trace(exchange(*body), is_hex=is_hex)
    assert is_trace(given)
    reads, notes = read_trace(given)
    assert reads == [
        RecordedRead(0.0, "client", GET, url="http://localhost:8000/a"),
        RecordedRead(1.0, "server", b"".join(HEAD)),
        RecordedRead(501.0, "server", b"data: 1\n\n"),
        RecordedRead(1501.1, "server", b"id: 2\ndata: 2\n\n"),
    ]
    assert notes == ([] if is_hex else [LOST])


datas = st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=5)


@given(datas)
def test_hex_loses_nothing(pieces: list[bytes]) -> None:
    reads, notes = read_trace(trace(exchange(*[("01.000000", piece) for piece in pieces])))
    assert [read.bytes for read in reads[2:]] == pieces
    assert notes == []


@given(st.lists(st.text(st.sampled_from("ab: .\r\n你"), min_size=1, max_size=150), min_size=1))
def test_ascii_keeps_line_ends_and_printable_bytes(pieces: list[str]) -> None:
    """The size of the read is right, although other bytes may be wrong."""
    body = [("01.000000", piece.encode()) for piece in pieces]
    reads, _ = read_trace(trace(exchange(*body), is_hex=False))
    assert [len(read.bytes) for read in reads[2:]] == [len(data) for _, data in body]
    for (_, data), read in zip(body, reads[2:], strict=True):
        for old, new in zip(data, read.bytes, strict=True):
            if 0x20 <= old < 0x7F and old != ord("."):
                assert new == old
        assert read.bytes.count(b"\r\n") >= data.count(b"\r\n")


def test_ascii_restores_the_line_ends_of_events() -> None:
    """Dots before a field, before the end of a chunk, and at the end of a read."""
    data = b'1a\r\nid: 1\ndata: {"text": "."}\n\n\r\n9\r\nevent: x\n'
    reads, _ = read_trace(trace(exchange(("01.000000", data)), is_hex=False))
    assert reads[-1].bytes == data


def test_bytes_that_are_not_events_keep_their_dots() -> None:
    entries = exchange(("01.000000", b"Hello.."))
    entries[4] = ("00.001200", "<= Recv header", b"Content-Type: text/plain\r\n")
    reads, _ = read_trace(trace(entries, is_hex=False))
    assert reads[-1].bytes == b"Hello.."


@pytest.mark.parametrize(
    ("info", "end"),
    [
        ("Recv failure: Connection reset by peer", "reset"),
        ("transfer closed with outstanding read data remaining", "fin"),
        ("Closing connection 0", "fin"),
        ("shutting down connection #0", "fin"),
        ("Empty reply from server", "fin"),
        ("Operation timed out after 9000 milliseconds with 9 bytes received", "silent"),
        ("OpenSSL SSL_read: error:0A000126:SSL routines::unexpected eof", "truncated"),
    ],
)
def test_an_end(info: str, end: str) -> None:
    entries = exchange(("01.000000", b"data: 1\n\n"), end=info)
    entries.append(("09.100000", "Closing connection 0", b""))
    reads, _ = read_trace(trace(entries))
    assert [(read.at, read.sender, read.end) for read in reads if read.end] == [
        (8999.8, "server", end)
    ]


@pytest.mark.parametrize(
    "info",
    ["Failure writing output to destination", "The requested URL returned error: 500"],
)
def test_an_end_by_curl_is_not_the_servers(info: str) -> None:
    entries = exchange(("01.000000", b"data: 1\n\n"), end=info)
    entries.append(("09.100000", "Closing connection 0", b""))
    reads, _ = read_trace(trace(entries))
    assert not any(read.end for read in reads)


def test_a_limit_of_time_while_bytes_arrive() -> None:
    entries = exchange(("08.000000", b"data: 1\n\n"), end="Operation timed out after 9000")
    assert not any(read.end for read in read_trace(trace(entries))[0])


def test_several_requests() -> None:
    """On one connection, and on another one."""
    second = [
        ("10.000000", "Re-using existing connection! (#0) with host localhost", b""),
        ("10.000000", "=> Send header", GET),
        ("10.001000", "<= Recv header", HEAD[0]),
        ("11.000000", "Connected to other (127.0.0.1) port 80 (#1)", b""),
        ("11.000000", "=> Send header", GET.replace(b"localhost:8000", b"other")),
        ("11.001000", "<= Recv header", HEAD[0]),
    ]
    reads, _ = read_trace(trace([*exchange(), *second]))
    assert [(read.connection, read.sender, read.url) for read in reads] == [
        (0, "client", "http://localhost:8000/a"),
        (0, "server", ""),
        (0, "client", ""),
        (0, "server", ""),
        (1, "client", "http://other/a"),
        (1, "server", ""),
    ]


def test_a_newer_curl() -> None:
    """This version of curl has other messages about connections, and writes the end of a body as a
    read of no bytes."""
    entries = exchange(("01.000000", b"data: 1\n\n"), ("01.100000", b""))
    first = read_trace(trace(entries))
    words = "Established connection to localhost (127.0.0.1 port 8000) from 127.0.0.1 port 4000 "
    entries[1] = ("00.000100", words, b"")
    assert read_trace(trace(entries)) == first
    assert [read.bytes for read in first[0][2:]] == [b"data: 1\n\n"]
    reads, _ = read_trace(trace([*entries, *entries]).replace(b"12:00:09", b"12:00:00"))
    assert [read.connection for read in reads] == [0, 0, 0, 1, 1, 1]


def test_newer_curls_number_their_connections() -> None:
    text = trace(exchange(("01.000000", b"data: 1\n\n")), ids="[0-5] ")
    text += trace([("02.000000", "=> Send header", GET)], ids="[1-6] ")
    reads, _ = read_trace(text)
    assert [read.connection for read in reads] == [0, 0, 0, 1]


def test_tls_records_are_left_out() -> None:
    entries = exchange(("01.000000", b"data: 1\n\n"))
    entries.insert(2, ("00.000150", "SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384", b""))
    entries.insert(2, ("00.000140", "=> Send SSL data", b"\x16\x03\x01"))
    entries.insert(-1, ("02.000000", "<= Recv SSL data", b"\x17\x03\x03\x00\x1a"))
    reads, _ = read_trace(trace(entries))
    assert joined(reads, "client") == GET
    assert joined(reads, "server") == b"".join(HEAD) + b"data: 1\n\n"
    assert reads[0].url == "https://localhost:8000/a"


def test_a_tunnel_is_left_out() -> None:
    entries = exchange(("01.000000", b"data: 1\n\n"))
    connect = b"CONNECT localhost:8000 HTTP/1.1\r\nHost: localhost:8000\r\n\r\n"
    entries[2:2] = [
        ("00.000110", "=> Send header", connect),
        ("00.000120", "<= Recv header", b"HTTP/1.1 200 Connection established\r\n"),
        ("00.000130", "<= Recv header", b"\r\n"),
    ]
    assert read_trace(trace(entries)) == read_trace(trace(exchange(("01.000000", b"data: 1\n\n"))))


def test_midnight() -> None:
    text = trace([("59.999000", "=> Send header", GET)]).replace(b"12:00", b"23:59")
    text += trace([("00.001000", "<= Recv header", HEAD[0])]).replace(b"12:00", b"00:00")
    text += trace([("02.001000", "<= Recv data", b"x")]).replace(b"12:00", b"23:59")
    text += trace([("03.001000", "<= Recv data", b"y")]).replace(b"12:00", b"00:00")
    day = 86_400_000.0
    assert [read.at for read in read_trace(text)[0]] == [0.0, 2.0, day - 57_998.0, day + 3002.0]


def test_a_body_between_the_records() -> None:
    """`curl --trace -` writes both to the same place."""
    entries = exchange(("01.000000", b"data: 1\n\n"), ("02.000000", b"data: 2"))
    parts = [trace([entry]) for entry in entries]
    text = b"".join([*parts[:-2], b"data: 1\n\n", parts[-2], b"data: 2", parts[-1]])
    assert read_trace(text) == read_trace(trace(entries))


def test_a_trace_from_windows() -> None:
    given = trace(exchange(("01.000000", b"data: 1\n\n")))
    expected = read_trace(given)
    assert read_trace(given.replace(b"\n", b"\r\n")) == expected
    utf16 = given.decode().replace("\n", "\r\n").encode("utf-16")
    assert is_trace(utf16)
    assert read_trace(utf16) == expected


def test_an_absolute_target() -> None:
    request = b"GET http://localhost:8000/a HTTP/1.1\r\nHost: localhost:8000\r\n\r\n"
    (read,), _ = read_trace(trace([("00.000000", "=> Send header", request)]))
    assert read.url == "http://localhost:8000/a"


@pytest.mark.parametrize("request_bytes", [b"GET /a HTTP/1.1\r\n\r\n", b"?", b"GET /a\r\n\r\n"])
def test_a_request_without_a_url(request_bytes: bytes) -> None:
    (read,), _ = read_trace(trace([("00.000000", "=> Send header", request_bytes)]))
    assert read.url == ""


def test_a_trace_that_was_cut() -> None:
    whole = trace(exchange(("01.000000", b"data: 1\n\n" * 4))[:-1])
    reads, notes = read_trace(whole[:-130])
    assert reads[-1].bytes == (b"data: 1\n\n" * 4)[:16]
    assert notes == ["the trace ends in the middle of a read"]


CHUNKED = ("00.001200", "<= Recv header", b"Transfer-Encoding: chunked\r\n")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            b"=> Send header, 3 bytes (0x3)\n0000: 47 45 54    GET\n",
            "the trace has no times: use --trace-time as well",
        ),
        (
            trace([("00.000000", "=> Send header", b"GET /a HTTP/2\r\n\r\n")]),
            "it is a trace of HTTP/2 or 3, which x-ray does not read: use --http1.1",
        ),
        (
            trace([("00.000000", "<= Recv header", b"HTTP/3 200\r\n")]),
            "it is a trace of HTTP/2 or 3, which x-ray does not read: use --http1.1",
        ),
        (
            trace([("00.000000", "connect to 127.0.0.1 port 1 failed: refused", b"")]),
            "curl has not exchanged any bytes: connect to 127.0.0.1 port 1 failed: refused",
        ),
        (
            trace([CHUNKED, ("00.002000", "<= Recv data", b"data: 1\n\n")]),
            "it shows a chunked body without its chunks: use another curl",
        ),
        (
            trace([("00.000000", "=> Send header", GET)]).replace(b"0020:", b"0021:"),
            f"line 1 announces {len(GET)} bytes, and 32 follow it",
        ),
    ],
)
def test_a_trace_that_cannot_be_read(text: bytes, error: str) -> None:
    with pytest.raises(TraceError) as raised:
        read_trace(text)
    assert str(raised.value) == error


@pytest.mark.parametrize("text", [b"", b"hello\n", b'{"at":0}', b"\x00\x01", b"<= Recv data, 9\n"])
def test_what_is_not_a_trace(text: bytes) -> None:
    assert not is_trace(text)


@given(st.text(st.sampled_from("0123456789abcdef: <=>RecvdatSn,ybx()[].\r\n"), max_size=300))
def test_any_text(text: str) -> None:
    """Any text gives reads or a TraceError."""
    given = trace(exchange())
    try:
        read_trace(given + text.encode() + given)
    except TraceError:
        pass
