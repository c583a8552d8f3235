"""The page of a recording has all of its bytes, loads nothing, and executes nothing from the
recording."""

import base64
import gzip
import hashlib
import json
import re
from html import unescape
from os.path import normpath
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from protocol.recording import RecordedRead, RecordingError
from workshop.xray.meter.exchange import exchanges
from workshop.xray.recordings.page import FILES, MODULES, write_page

from .recordings import recordings

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = 'data: {"text": "你"}\n\n'.encode()
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
READS = [
    RecordedRead(0.0, "client", b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", url="http://h/a"),
    RecordedRead(5.0, "server", HEAD + CHUNK[:19]),
    RecordedRead(9.0, "server", CHUNK[19:] + b"0\r\n"),
    RecordedRead(9.5, "server", b"\r\n" + b"HTTP/1.1 204 No Content\r\n"),
    RecordedRead(9.6, "server", b"\r\n"),
    RecordedRead(9.7, "server", end="fin"),
]
# A second request, sent before the first was answered: one read holds parts of both responses.
READS.insert(1, RecordedRead(1.0, "client", b"HEAD /b HTTP/1.1\r\nHost: h\r\n\r\n"))


def recording_of(page: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="recording">(.*)</script>', page)
    recording = json.loads(found)
    assert isinstance(recording, dict)
    return recording


def bytes_of(read: dict[str, Any]) -> bytes:
    return base64.b64decode(read["bytes"])


def test_what_the_viewer_gets() -> None:
    recording = recording_of(write_page(READS))
    one, two = recording["exchanges"]
    assert (one["method"], one["url"], one["report"]["status"]) == ("GET", "http://h/a", 200)
    assert (two["method"], two["report"]["status"]) == ("HEAD", 204)
    first = recording["reads"][0]
    assert first == {
        "at": 0.0,
        "sender": "client",
        "connection": 0,
        "bytes": base64.b64encode(READS[0].bytes).decode(),
        "end": "",
        "offset": 0,
        "spans": [],
    }
    shown = [
        (span[0], bytes_of(read)[span[1] - read["offset"] : span[2] - read["offset"]], span[3:])
        for read in recording["reads"]
        for span in read["spans"]
    ]
    assert shown == [
        ("head", HEAD, [0, 0, 0]),
        ("chunk-size", b"17", [1, 0, 0]),
        ("CRLF", b"\r\n", [1, 0, 0]),
        ("field-name", b"data", [1, 1, 0]),
        (":", b":", [1, 1, 0]),
        ("space", b" ", [1, 1, 0]),
        ("json", b'{"text": ', [1, 1, 0]),
        ("json", b'"', [1, 1, 0]),
        ("token", "你".encode(), [1, 1, 1]),
        ("json", b'"}', [1, 1, 0]),
        ("end-of-line", b"\n", [1, 1, 0]),
        ("blank-line", b"\n", [1, 1, 0]),
        ("CRLF", b"\r\n", [1, 0, 0]),
        ("last-chunk", b"0", [0, 0, 0]),
        ("CRLF", b"\r\n", [0, 0, 0]),
        ("CRLF", b"\r\n", [0, 0, 0]),
        ("head", b"HTTP/1.1 204 No Content\r\n", [0, 0, 0]),
        ("head", b"\r\n", [0, 0, 0]),
    ]


@given(recordings)
@settings(max_examples=50)
def test_nothing_is_lost(reads: list[RecordedRead]) -> None:
    """For any recording, even of random bytes, spans are in order and within their read, and do not
    overlap."""
    recording = recording_of(write_page(reads))
    assert [
        (read["at"], read["sender"], bytes_of(read), read["end"], read["connection"])
        for read in recording["reads"]
    ] == [(read.at, read.sender, read.bytes, read.end, read.connection) for read in reads]
    for read in recording["reads"]:
        place, end = read["offset"], read["offset"] + len(bytes_of(read))
        for _, start, stop, *_ in read["spans"]:
            assert place <= start < stop <= end
            place = stop


def test_nothing_gets_out_of_its_place() -> None:
    evil = "</script><script>alert(1)</script><!--<script>"
    reads = [
        RecordedRead(
            0.0, "client", f"GET /{evil} HTTP/1.1\r\n\r\n".encode(), url=f"http://h/{evil}"
        ),
        RecordedRead(1.0, "server", f"HTTP/1.1 200 {evil}\r\n\r\n{evil}".encode()),
    ]
    page = write_page(reads)
    assert page.count("<script") == page.count("</script>") == 2
    assert "<!--" not in page
    (title,) = re.findall("<title>(.*)</title>", page)
    assert unescape(title) == f"http://h/{evil}"
    assert recording_of(page)["exchanges"][0]["url"] == f"http://h/{evil}"


def test_the_policy_lets_nothing_else_run() -> None:
    page = write_page(READS)
    (policy,) = re.findall('http-equiv="Content-Security-Policy" content="(.*?)"', page)
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    (script,) = re.findall('<script type="module">(.*?)</script>', page, re.DOTALL)
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in (script, style)
    ]
    assert directives == {
        "default-src": "'none'",
        "script-src": hashes[0],
        "style-src": hashes[1],
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert not re.search(r"(?:src|href)=|url\(|@import|^import |\bimport\(", page, re.MULTILINE)


def test_the_modules_fit_in_one() -> None:
    """Each module imports only modules before it, and no name is declared twice."""
    names: list[str] = []
    for index, module in enumerate(MODULES):
        source = (FILES / module).read_text(encoding="utf-8")
        imported = re.findall(r'from "(.*)";', source)
        paths = {(Path("page", module).parent / name).as_posix() for name in imported}
        before = {Path("page", each).as_posix() for each in MODULES[:index]}
        assert {normpath(path) for path in paths} <= before
        names += re.findall(
            r"^(?:export )?(?:const|let|function|class) (\w+)", source, re.MULTILINE
        )
    assert len(names) == len(set(names)) > 20


def test_exchanges_that_do_not_hold_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A span must not label another byte than its own."""
    page = "workshop.xray.recordings.page.exchanges"
    monkeypatch.setattr(page, lambda reads: exchanges(reads)[1:])
    recording = recording_of(write_page(READS))
    assert [bytes_of(read) for read in recording["reads"]] == [read.bytes for read in READS]
    assert not any(read["spans"] for read in recording["reads"])


def test_a_recording_without_a_response() -> None:
    (exchange,) = recording_of(write_page(READS[:1]))["exchanges"]
    assert exchange["report"] is None
    assert "<title>Recording</title>" in write_page([])


def test_a_recording_that_is_too_large() -> None:
    with pytest.raises(RecordingError) as raised:
        write_page(READS, max_size=100)
    assert str(raised.value) == "a page can hold a recording of at most 100 bytes"


def test_a_compressed_body_is_shown_as_text() -> None:
    """And the cure is that of the program that the response names."""
    event = b'data: {"text":"Hi"}\n\n'
    body = gzip.compress(event * 40)
    head = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/event-stream\r\n"
    head += b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    reads = [
        RecordedRead(0.0, "client", b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", url="http://h"),
        RecordedRead(9000.0, "server", head + body),
    ]
    (exchange,) = recording_of(write_page(reads))["exchanges"]
    assert exchange["url"] == "http://h/a"
    assert exchange["plain"] == (event * 40).decode()
    assert any("If nginx does it: " in one["cure"] for one in exchange["report"]["verdicts"])
    damaged = [reads[0], RecordedRead(9000.0, "server", head + b"x" * len(body))]
    assert recording_of(write_page(damaged))["exchanges"][0]["plain"] == ""
