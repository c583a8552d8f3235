"""Recordings are loaded by their content, and saved so that a crash or a full disk loses little."""

import errno
import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from protocol.recording import RecordedRead, RecordingError, write_recording
from workshop.xray.recordings.files import Recording, SaveError, Saver, load, write_private
from workshop.xray.recordings.har import write_har
from workshop.xray.recordings.pcap import write_pcap

KEY = "canary-key-0123456789"
READS = [
    RecordedRead(
        0.0, "client", f"GET /?key={KEY} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), url="http://a/"
    ),
    RecordedRead(2.5, "server", f"HTTP/1.1 401 No\r\n\r\nno {KEY}".encode()),
    RecordedRead(3.5, "server", end="fin"),
]
MASKED = [
    RecordedRead(
        0.0,
        "client",
        f"GET /?key={'*' * len(KEY)} HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
        url="http://a/",
    ),
    RecordedRead(2.5, "server", f"HTTP/1.1 401 No\r\n\r\nno {'*' * len(KEY)}".encode()),
    RecordedRead(3.5, "server", end="fin"),
]
TRACE = """\
12:00:00.000000 => Send header, 18 bytes (0x12)
0000: 47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a GET / HTTP/1.1..
0010: 0d 0a                                           ..
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recording"


# ---- load


def test_our_own(file: Path) -> None:
    file.write_bytes(b"\n".join(write_recording(READS)) + b"\n\n")
    assert load(file) == MASKED
    assert load(file).notes == []


def test_a_har(file: Path) -> None:
    file.write_bytes(write_har(READS))
    assert load(file) == MASKED


def test_a_capture(file: Path) -> None:
    pytest.importorskip("scapy")
    file.write_bytes(b"".join(write_pcap(READS)))
    (first, *rest) = load(file)
    assert first.url == f"http://a/?key={'*' * len(KEY)}"
    assert [(read.at, read.bytes) for read in (first, *rest)] == [
        (read.at, read.bytes) for read in MASKED
    ]


def test_a_trace_of_curl(file: Path) -> None:
    file.write_text(TRACE)
    assert load(file) == [RecordedRead(0.0, "client", b"GET / HTTP/1.1\r\n\r\n")]
    file.write_text(TRACE[:-60])
    recording = load(file)
    assert recording == [RecordedRead(0.0, "client", b"GET / HTTP/1.1\r\n")]
    assert recording.notes == ["the trace ends in the middle of a read"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(b"".join(write_recording(READS)))

    monkeypatch.setattr("sys.stdin", Input())
    assert load("-") == MASKED


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "it is not a recording of x-ray, a trace of curl (--trace FILE --trace-time), "),
        (b"hello", "it is not a recording of x-ray, a trace of curl (--trace FILE --trace-time), "),
        (b"\x1f\x8b\x08", "it is compressed: decompress it first"),
        (b"\x28\xb5\x2f\xfd\x00", "it is compressed: decompress it first"),
        (b"{}", "line 1 is not part of a recording: Object missing required field `at`"),
        (b'{"at":0,"sender":"client"}\nx', "line 2 is not part of a recording: JSON is malformed"),
        (
            b'{"at":0,"sender":"client","more":' + b"[" * 100_000,
            "line 1 is not part of a recording: it is nested too deeply",
        ),
        (b'{"at":1e14,"sender":"client"}', "line 1 is not part of a recording: Expected `float` "),
        (b'{"at":NaN,"sender":"client"}', "line 1 is not part of a recording: JSON is malformed"),
        (b'{"log":{"entries":' + b"[" * 100_000, "it is not a HAR: it is nested too deeply"),
        (b'{"log":{}}', "this HAR does not say which read brought which bytes: only one "),
        (b'{"log":{"_reads":[]}}', "there is nothing in it"),
        (b'{"log":{"_reads":[0]}}', "it is not a HAR: Expected `object`, got `int`"),
    ],
)
def test_what_cannot_be_loaded(content: bytes, error: str, file: Path) -> None:
    """An error is one line, which begins with the name of the file."""
    file.write_bytes(content)
    with pytest.raises(RecordingError) as raised:
        load(file)
    assert str(raised.value).startswith(f"{file}: {error}")
    assert "\n" not in str(raised.value)


def test_a_damaged_capture(file: Path) -> None:
    pytest.importorskip("scapy")
    file.write_bytes(bytes.fromhex("d4c3b2a1 0200 0400"))
    with pytest.raises(RecordingError) as raised:
        load(file)
    assert str(raised.value).startswith(f"{file}: it is a damaged capture: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path, error in (
        (tmp_path / "x", os.strerror(errno.ENOENT)),
        (tmp_path, os.strerror(errno.EISDIR)),
    ):
        with pytest.raises(RecordingError) as raised:
            load(path)
        assert str(raised.value) == f"{path}: {error}"


def test_a_file_that_is_too_large(file: Path) -> None:
    file.write_bytes(b"x" * 11)
    with pytest.raises(RecordingError) as raised:
        load(file, max_size=10)
    assert str(raised.value) == f"{file}: it is larger than 10 bytes"


# ---- save


def test_each_read_is_in_the_file_at_once(file: Path) -> None:
    with Saver(file) as saver:
        for count, read in enumerate(MASKED, 1):
            saver.write(read)
            assert load(file) == MASKED[:count]
    saver.close()
    assert saver.saved == 3


def test_only_its_owner_can_read_it(file: Path) -> None:
    file.touch(0o666)
    for path in (file, file.with_suffix(".new")):
        with Saver(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_form_is_private_too(file: Path) -> None:
    file.touch(0o666)
    write_private(file, [b"one ", b"two"])
    assert file.read_bytes() == b"one two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(SaveError) as raised:
        write_private(file / "x", [])
    assert str(raised.value) == f"{file / 'x'}: {os.strerror(errno.ENOTDIR)}"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SaveError) as raised:
        Saver(tmp_path / "x" / "y")
    assert str(raised.value) == f"{tmp_path / 'x' / 'y'}: {os.strerror(errno.ENOENT)}"


def test_the_disk_is_full(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a line cannot be written completely, no part of it stays in the file."""
    write = os.write

    def write_a_part(descriptor: int, data: Any) -> int:
        if os.fstat(descriptor).st_size > 120:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:50])

    with Saver(file) as saver:
        monkeypatch.setattr("os.write", write_a_part)
        saver.write(READS[2])
        for _ in range(2):
            with pytest.raises(SaveError) as raised:
                saver.write(READS[0])
            assert str(raised.value) == (
                f"{file}: No space left on device: the file holds the first 1 reads"
            )
    monkeypatch.undo()
    assert load(file) == [READS[2]]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_device() -> None:
    with Saver("/dev/full") as saver, pytest.raises(SaveError):
        saver.write(READS[0])


def test_a_file_has_a_largest_size(file: Path) -> None:
    (line,) = write_recording([READS[2]])
    with Saver(file, max_size=2 * len(line)) as saver:
        saver.write(READS[2])
        saver.write(READS[2])
        with pytest.raises(SaveError) as raised:
            saver.write(READS[2])
    assert str(raised.value) == (
        f"{file}: it has reached its limit of {2 * len(line)} bytes: "
        "the file holds the first 2 reads"
    )


def test_an_error_when_the_file_is_closed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saver = Saver(file)
    close = os.close

    def fail(descriptor: int) -> None:
        close(descriptor)
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr("os.close", fail)
    with pytest.raises(SaveError) as raised:
        saver.close()
    monkeypatch.undo()
    assert str(raised.value) == f"{file}: Disk quota exceeded: the file holds the first 0 reads"


def test_a_recording_is_a_list_with_notes() -> None:
    assert Recording() == []
    assert Recording(READS, ["a note"]).notes == ["a note"]
