"""Lines of a recording: read and written, and refused."""

import pytest

from protocol.recording import (
    MAX_TIME,
    RecordedRead,
    RecordingError,
    read_recording,
    write_recording,
)

READS = [
    RecordedRead(0.0, "client", b"GET", url="http://a/"),
    RecordedRead(MAX_TIME, "server", b"\xff\0"),
    RecordedRead(-MAX_TIME, "server", end="fin", connection=2),
]


def test_there_and_back() -> None:
    assert list(read_recording([b"", *write_recording(READS), b" \n"])) == READS


@pytest.mark.parametrize(
    "line",
    [
        b"x",
        b"{}",
        b'{"at":NaN,"sender":"client"}',
        b'{"at":1e400,"sender":"client"}',
        b'{"at":10000000000001,"sender":"client"}',
        b'{"at":-10000000000001,"sender":"client"}',
        b'{"at":0,"sender":"client","bytes":"?"}',
        b'{"at":0,"sender":"client","more":' + b"[" * 100_000,
        b'{"at":0,"sender":"\xff"}',
    ],
)
def test_what_is_not_a_read(line: bytes) -> None:
    with pytest.raises(RecordingError, match="line 2 is not part of a recording: "):
        list(read_recording([*write_recording(READS[:1]), line]))
