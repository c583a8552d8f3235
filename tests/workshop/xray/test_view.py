"""The picture of a response: its look, and the proof that it has each byte once."""

import io
import re
import tracemalloc
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from protocol.anatomy import ResponseAnatomy
from protocol.chunked import encode_chunk, encode_last_chunk
from workshop.xray.picture.draw import Pen
from workshop.xray.picture.picture import Item, Row
from workshop.xray.picture.rows import Rows
from workshop.xray.picture.view import View

from ...protocol.feeding import bytewise, cut, damaged, joined, offsets

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
GZIP = HEAD + b"Content-Encoding: gzip\r\n\r\n"


def event(text: str) -> bytes:
    return f'data: {{"text":"{text}"}}\n\n'.encode()


def console(width: int, encoding: str = "utf-8", **more: bool) -> tuple[Console, io.BytesIO]:
    written = io.BytesIO()
    file = io.TextIOWrapper(written, encoding, newline="", write_through=True)
    return Console(file=file, width=width, _environ={}, **more), written  # type: ignore[arg-type]


def printed(pieces: Sequence[bytes], width: int = 80, **more: bool) -> str:
    """Return the output of a `View` for one read every 10 ms, and then a FIN."""
    output, written = console(width)
    view, anatomy = View(output, **more), ResponseAnatomy()
    for number, piece in enumerate(pieces, 1):
        view.show(10.0 * number, piece, anatomy.receive_data(piece))
    view.end(10.0 * len(pieces), "fin", anatomy.receive_eof())
    return written.getvalue().decode()


# ---- What it looks like


def test_the_picture() -> None:
    """Every border is at its place, and the borders of reads cut through the brackets of the other
    layers."""
    first, second = encode_chunk(event("你")), encode_chunk(event("好"))
    torn = event("世界")
    place = torn.index("界".encode()) + 1
    pieces = [
        CHUNKED[:40],
        CHUNKED[40:] + first + second[:21],
        second[21:],
        encode_chunk(torn[:place]) + encode_chunk(torn[place:]) + encode_last_chunk(),
    ]
    assert printed(pieces) == PICTURE


PICTURE = """\
R read  C chunk  E event  T token  ┼ cut by a read  ✂ torn
╭R1────────────────────    +10.0 ms ━━━━──────────── 40 bytes at 10.0 ms ───────
│     0                HTTP/1.1 200 OK␍␊
│    17                Content-Type: text/even
├R2────────────────────    +10.0 ms ━━━━──────────── 89 bytes ✂ inside the head
│    40                t-stream␍␊
│    50                Transfer-Encoding: chunked␍␊
│    78                ␍␊                   ◂ empty line: the head ends
│    80 ╭C1            16␍␊                 ◂ 16 in hex: 22 bytes follow
│    84 │    ╭E1       data: {"text":"
│    99 │    │    ╶T1  你                   ◂ e4 bd a0
│   102 │    ╰         "}␊␊                 ◂ blank line: event 1 ends
│   106 ╰              ␍␊                   ◂ chunk 1 ends
│   108 ╭C2            16␍␊                 ◂ 16 in hex: 22 bytes follow
│   112 │    ╭E2       data: {"text":"
│   127 │    │    ╭T2  ‹e5 a5›              ◂ ✂ 2 of the 3 bytes of 好
├R3─────┼────┼────┼────    +10.0 ms ━━━━ 7 bytes at 30.0 ms ✂ inside C2 E2 T2 好
│   129 │    │    ╰    ‹bd›                 ◂ ✂ the last byte of 好
│   130 │    ╰         "}␊␊                 ◂ blank line: event 2 ends
│   134 ╰              ␍␊                   ◂ chunk 2 ends
├R4────────────────────    +10.0 ms ━━━━──────────── 41 bytes at 40.0 ms ───────
│   136 ╭C3            13␍␊                 ◂ 13 in hex: 19 bytes follow
│   140 │    ╭E3       data: {"text":"
│   155 │    │    ╭T3  世‹e7›               ◂ ✂ 1 of the 3 bytes of 界
│   159 ╰    ┊    ┊    ␍␊                   ◂ ✂ chunk 3 ends inside event 3
│   161 ╭C4  ┊    ┊    6␍␊                  ◂ 6 in hex: 6 bytes follow
│   164 │    │    ╰    ‹95 8c›              ◂ ✂ the last 2 bytes of 界
│   166 │    ╰         "}␊␊                 ◂ blank line: event 3 ends
│   170 ╰              ␍␊                   ◂ chunk 4 ends
│   172                0␍␊␍␊                ◂ size 0: the body ends
╰end───────────────────     +0.0 ms ──────────────── at 40.0 ms closed (FIN) ───
4 reads · 4 chunks · 3 events · 3 tokens · 177 bytes
2 reads began inside a chunk, event or head · 1 chunk ended inside an event
2 characters torn
"""


def rows_of(*pieces: bytes) -> list[tuple[bytes, str, str, str, str]]:
    """The bytes of each row, its place in chunk, event and token, and its note."""
    rows, anatomy = Rows(), ResponseAnatomy()
    items = [
        item for piece in pieces for item in rows.receive(0, piece, anatomy.receive_data(piece))
    ]
    items += rows.end(0, "fin", anatomy.receive_eof())
    found = []
    for item in items:
        if isinstance(item, Row) and item.parts[0][0] != "head":
            marks = (item.chunk, item.event, item.token)
            chunk, event, token = (f"{mark.place.name} {mark.number}" for mark in marks)
            found.append((b"".join(data for _, data in item.parts), chunk, event, token, item.note))
    return found


NO = "NONE 0"


@pytest.mark.parametrize(
    ("pieces", "rows"),
    [
        pytest.param(
            [PLAIN + b"one\ntwo"],
            [(b"one\n", NO, NO, NO, ""), (b"two", NO, NO, NO, "")],
            id="plain text, line by line",
        ),
        pytest.param(
            [HEAD + b"\r\n: beat\n\n"],
            [(b": beat\n\n", NO, NO, NO, "a comment: no event")],
            id="a heartbeat",
        ),
        pytest.param(
            [HEAD + b"\r\nevent: x\r\ndata:[DONE]\r\n\r", b"\n"],
            [
                (b"event: x\r\n", NO, "BEGINS 1", NO, ""),
                (b"data:[DONE]\r\n\r", NO, "ENDS 1", NO, "blank line: event 1 ends"),
                (b"\n", NO, "ENDS 1", NO, "blank line: event 1 ends"),
            ],
            id="the CR of the blank line ends the event, its LF comes later",
        ),
        pytest.param(
            [CHUNKED + b"1", b"0;a=b\r", b"\ndata:xxxxxxxxxx\n\r\n0\r\nA: b\r\n\r\nmore"],
            [
                (b"1", "BEGINS 1", NO, NO, ""),
                (b"0;a=b", "INSIDE 1", NO, NO, ""),
                (b"\r", "INSIDE 1", NO, NO, ""),
                (b"\n", "INSIDE 1", NO, NO, ""),
                (b"data:xxxxxxxxxx\n", "INSIDE 1", "BEGINS 1", NO, ""),
                (b"\r\n", "ENDS 1", "AROUND 1", NO, "✂ chunk 1 ends inside event 1"),
                (b"0\r\n", NO, "AROUND 1", NO, "size 0: the body ends"),
                (b"A: b\r\n\r\n", NO, "AROUND 1", NO, ""),
                (b"more", NO, "AROUND 1", NO, "after the end of the body"),
            ],
            id="a size line in three reads, an extension, a trailer, bytes after the end",
        ),
        pytest.param(
            [HEAD + b'\r\n\xef\xbb\xbfdata: {"content":"a","text":"b"}\n\n'],
            [
                (b"\xef\xbb\xbf", NO, NO, NO, "byte order mark"),
                (b'data: {"content":"', NO, "BEGINS 1", NO, ""),
                (b"a", NO, "INSIDE 1", "WHOLE 1", ""),
                (b'","text":"', NO, "INSIDE 1", NO, ""),
                (b"b", NO, "INSIDE 1", "WHOLE 1", ""),
                (b'"}\n\n', NO, "ENDS 1", NO, "blank line: event 1 ends"),
            ],
            id="two texts in one event",
        ),
        pytest.param([CHUNKED + b"x"], [(b"x", NO, NO, NO, "unreadable")], id="not a chunk-size"),
        pytest.param(
            [HEAD + b"\r\ndata: x"], [(b"data: x", NO, NO, NO, "unfinished")], id="cut off"
        ),
    ],
)
def test_rows(pieces: list[bytes], rows: list[tuple[bytes, str, str, str, str]]) -> None:
    assert rows_of(*pieces) == rows


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([CHUNKED, b"4\r\nab", b"cd\r\n"], "1 read began inside a chunk, event or head"),
        ([HEAD + b"\r\nid: 1\n", b"data\n\n"], "1 read began inside a chunk, event or head"),
        ([HEAD, b"\r\n"], "1 read began inside a chunk, event or head"),
        ([PLAIN + b"\xe4", b"\xbd\xa0"], "1 character torn"),
        ([PLAIN, b"ab", b"cd"], "all borders line up"),
    ],
)
def test_totals(pieces: list[bytes], said: str) -> None:
    *_, totals = printed(pieces, 200).splitlines()
    assert totals.split(" · ")[5:] == [said]


def test_a_compressed_body_is_hex() -> None:
    assert "│    76                ‹1f 8b 08 61›\n" in printed([GZIP + b"\x1f\x8b\x08a"])


@pytest.mark.parametrize("no_color", [False, True])
def test_colour_only_repeats_letters_and_marks(no_color: bool) -> None:
    pieces = [CHUNKED, encode_chunk(event("好"))[:20], b'\xbd"}\n\n\r\n']
    file = io.StringIO()
    output = Console(
        file=file, width=80, force_terminal=True, color_system="standard", no_color=no_color
    )
    view, anatomy = View(output), ResponseAnatomy()
    for piece in pieces:
        view.show(10.0, piece, anatomy.receive_data(piece))
    coloured = re.compile(r"\x1b\[[\d;]*3\d[\d;]*m")
    assert bool(coloured.search(file.getvalue())) is not no_color
    plain, written = console(80)
    view, anatomy = View(plain), ResponseAnatomy()
    for piece in pieces:
        view.show(10.0, piece, anatomy.receive_data(piece))
    assert re.sub(r"\x1b\[[\d;]*m", "", file.getvalue()) == written.getvalue().decode()


@pytest.mark.parametrize("width", [1, 7, 12, 20, 30, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("hex", [False, True])
def test_no_line_is_wider_than_the_screen(width: int, hex: bool) -> None:
    """The smallest picture, without offsets and numbers, needs ten cells."""
    stream = encode_chunk(event("世界🌍 é‹\u200d\x1b[31m")) * 3 + encode_last_chunk()
    for pieces in ([CHUNKED + stream], bytewise(CHUNKED + stream)):
        text = printed(pieces, width, hex=hex)
        assert max(map(cell_len, text.splitlines())) <= max(width, 10)
        assert "\x1b" not in text


# ---- Each byte once


CONTROLS = {chr(0x2400 + code): chr(code) for code in range(0x21)} | {"␡": "\x7f"}


def unseen(text: str, encoding: str) -> bytes:
    """Convert the text of `Alphabet` back to bytes."""
    data = b""
    escape = "‹(.+?)›" if encoding == "utf-8" else "<(.+?)>"
    for hex_, sign in re.findall(f"{escape}|(.)", text, re.DOTALL):
        data += bytes.fromhex(hex_) if hex_ else CONTROLS.get(sign, sign).encode()
    return data


def read_back(pen: Pen, items: Iterable[Item], hex: bool, encoding: str) -> bytes:
    """The bytes in the lines of these items."""
    inside, note = ("│", "◂") if encoding == "utf-8" else ("|", "<-")
    data = b""
    for line in pen.lines(items):
        line.encode(encoding)
        if line.startswith(inside):
            shown = line[pen.text_column :]
            if hex:
                found = re.match(r"(?:[0-9a-f]{2} )+", shown)
                assert found
                data += bytes.fromhex(found[0])
            else:
                data += unseen(shown.partition(note)[0].rstrip(" "), encoding)
    return data


FRAGMENTS = [
    *(event(text) for text in ("a", "你", "🌍 ", "‹e4› ◂ <20> <- ␊", "\\n", "e\u0301\u200d\u2028")),
    encode_chunk(event("好")),
    b"5\r\ndata:\r\n",
    b"0\r\n\r\n",
    b": \xe4\n",
    b"\xe4\xbd",
    b"\xa0",
    b"\x1b[2J\x9b \t\x7f",
    b"\xf0\x9f\x91\xa8\xe2\x80\x8d",
    b"event: x\r\rdata:[DONE]\r\n\r\n",
]


@given(
    st.sampled_from([CHUNKED, PLAIN, GZIP, HEAD + b"\r\n", b""]),
    damaged(joined(FRAGMENTS, max_size=6)) | st.binary(max_size=40),
    offsets | st.none(),
    st.sampled_from([1, 12, 30, 40, 57, 80, 120]),
    st.booleans(),
    st.sampled_from(["utf-8", "ascii"]),
)
@example(CHUNKED, encode_chunk(event("你")), [], 80, False, "utf-8")
def test_it_holds_each_byte_once(
    start: bytes, body: bytes, splits: list[int] | None, width: int, hex: bool, encoding: str
) -> None:
    """The picture is right for any bytes and any cuts (None means byte by byte), on every
    screen."""
    data = start + body
    pieces = bytewise(data) if splits is None else cut(data, splits)
    rows, anatomy = Rows(max_held=50), ResponseAnatomy()
    pen = Pen(console(width, encoding)[0], hex=hex)
    back, came = b"", 0
    for at, piece in enumerate(pieces):
        items = rows.receive(at, piece, anatomy.receive_data(piece))
        back += read_back(pen, items, hex, encoding)
        came += len(piece)
        assert data.startswith(back)
        assert rows.held_size == came - len(back) <= 50
    back += read_back(pen, rows.end(99, "fin", anatomy.receive_eof()), hex, encoding)
    assert back == data
    assert rows.size == len(data)


def test_memory_stays_flat() -> None:
    """After three times as many events, the memory has not grown."""
    rows, anatomy = Rows(), ResponseAnatomy()
    pen = Pen(console(80)[0])
    used = []
    tracemalloc.start()
    try:
        for number in range(301):
            data = encode_chunk(event(f"{number} 你")) if number else CHUNKED
            for _ in pen.lines(rows.receive(number, data[:30], anatomy.receive_data(data[:30]))):
                pass
            for _ in pen.lines(rows.receive(number, data[30:], anatomy.receive_data(data[30:]))):
                pass
            if number in (100, 300):
                used.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert used[1] - used[0] < 10_000


def test_a_line_that_does_not_end_is_shown_without_labels() -> None:
    """Half of the limit at a time, so that labels may still come for the rest."""
    rows, anatomy = Rows(max_held=100), ResponseAnatomy()
    rows.receive(0, CHUNKED, anatomy.receive_data(CHUNKED))
    start = encode_chunk(b"data: " + b"x" * 300)[:-2]
    items = rows.receive(1, start, anatomy.receive_data(start))
    assert rows.held_size == 50
    assert [item.note for item in items if isinstance(item, Row)] == [
        "132 in hex: 306 bytes follow",
        "no label: the line had not ended",
    ]
    end = b"\r\n1\r\n\n\r\n"
    (first, *_) = rows.receive(2, end, anatomy.receive_data(end))
    assert isinstance(first, Row)
    assert first.parts == [("event", b"x" * 50)]
