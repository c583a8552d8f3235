"""Recordings as files. They are saved while a stream runs, and loaded in any of these forms.

    {"at":0.0,"sender":"client",…            a recording of x-ray       (protocol/recording.py)
    {"log":{"version":"1.2",…                a HAR that x-ray wrote     (har.py)
    12:01:02.123456 <= Recv data, 17 bytes   curl --trace, --trace-ascii (curl_trace.py)
    d4 c3 b2 a1 …, 0a 0d 0d 0a …             pcap, pcapng               (capture.py)

The rules this file keeps:

1. The content decides what a file is, not its name.
2. `load` masks all keys, because other programs record them.
3. Only the owner can read a saved file, because it has a conversation in it. Each line reaches the
   file before `write` returns, so a crash loses nothing. If a line cannot be written completely, no
   part of it is kept.
4. An error in a file is reported in one line.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from protocol.recording import RecordedRead, RecordingError, read_recording, write_recording

from .masking import mask_reads

__all__ = ["Recording", "SaveError", "Saver", "load", "write_private"]

MAX_SIZE = 256 << 20

# The first four bytes of captures: pcap with microseconds and nanoseconds in both byte orders, and
# the Section Header Block of pcapng.
CAPTURES = (
    bytes.fromhex("d4c3b2a1"),
    bytes.fromhex("a1b2c3d4"),
    bytes.fromhex("4d3cb2a1"),
    bytes.fromhex("a1b23c4d"),
    bytes.fromhex("0a0d0d0a"),
)
GZIP, ZSTANDARD = bytes.fromhex("1f8b"), bytes.fromhex("28b52ffd")


class Recording(list[RecordedRead]):
    """The reads in a file, and notes about them.

    Attributes:
        notes: Sentences for the user, for example about what the form of the file has lost.
        exact: Whether the bytes are those of the wire. A trace in ASCII has lost some.
    """

    def __init__(
        self,
        reads: Iterable[RecordedRead] = (),
        notes: Iterable[str] = (),
        *,
        exact: bool = True,
    ) -> None:
        super().__init__(reads)
        self.notes = list(notes)
        self.exact = exact


class SaveError(ValueError):
    """A file cannot be created, or nothing more can be written to it. The message has the file's
    name and the reason."""


def load(path: str | Path, *, max_size: int = MAX_SIZE) -> Recording:
    """Load a recording of any form.

    Args:
        path: The file; "-" is standard input.
        max_size: Largest file accepted, in bytes.

    Returns:
        The reads in their order, with all keys masked.

    Raises:
        RecordingError: The file cannot be read, or its content has none of these forms. The message
            begins with the name of the file.
    """
    try:
        recording = _parse(_read(path, max_size))
        reads = list(mask_reads(recording))
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from error
    if not reads:
        raise RecordingError(f"{path}: there is nothing in it")
    return Recording(reads, recording.notes, exact=recording.exact)


def _read(path: str | Path, max_size: int) -> bytes:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(max_size + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(max_size + 1)
    except OSError as error:
        raise RecordingError(error.strerror or str(error)) from error
    if len(data) > max_size:
        raise RecordingError(f"it is larger than {max_size} bytes")
    return data


def _parse(data: bytes) -> Recording:
    if data.startswith(CAPTURES):
        from .capture import read_capture  # the import of its package takes a second

        return Recording(*read_capture(data))
    if data.startswith((GZIP, ZSTANDARD)):
        raise RecordingError("it is compressed: decompress it first")
    from . import curl_trace, har

    if har.is_har(data):
        return Recording(har.read_har(data))
    if data.lstrip().startswith(b"{"):
        return Recording(read_recording(data.split(b"\n")))
    if curl_trace.is_trace(data):
        reads, notes = curl_trace.read_trace(data)
        return Recording(reads, notes, exact=curl_trace.LOST not in notes)
    raise RecordingError(
        "it is not a recording of x-ray, a trace of curl (--trace FILE --trace-time), "
        "or a capture of tcpdump (-w FILE)"
    )


class Saver:
    """A file to which reads are added as they arrive.

        with Saver("incident.jsonl") as saver:
            saver.write(read)

    Args:
        path: The file. If it exists, it is overwritten.
        max_size: Largest size of the file, in bytes.

    Raises:
        SaveError: The file cannot be created or written.
    """

    def __init__(self, path: str | Path, *, max_size: int = 1 << 30) -> None:
        self._path = path
        self._max_size = max_size
        self._size = 0
        self.saved = 0
        """Number of reads in the file."""
        try:
            self._file = _open_private(path)
        except OSError as error:
            raise SaveError(f"{path}: {error.strerror}") from error

    def write(self, read: RecordedRead) -> None:
        """Add one read, whose keys are already masked.

        Raises:
            SaveError: The read was not written, because the disk is full or the file has reached
                its largest size. All earlier reads are in the file.
        """
        (line,) = write_recording([read])
        if self._size + len(line) > self._max_size:
            raise self._error(f"it has reached its limit of {self._max_size} bytes")
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            try:
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
            except OSError:
                pass  # a device or a pipe
            raise self._error(error.strerror or str(error)) from error
        self._size += len(line)
        self.saved += 1

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._file >= 0:
            file, self._file = self._file, -1
            try:
                os.close(file)
            except OSError as error:  # on a network drive, a full disk may be noticed only here
                raise self._error(error.strerror or str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _error(self, reason: str) -> SaveError:
        return SaveError(f"{self._path}: {reason}: the file holds the first {self.saved} reads")


def write_private(path: str | Path, pieces: Iterable[bytes]) -> None:
    """Write a recording in another form, as a file that only its owner can read.

    Raises:
        SaveError: The file cannot be written completely.
    """
    try:
        with open(_open_private(path), "wb") as file:
            file.writelines(pieces)
    except OSError as error:
        raise SaveError(f"{path}: {error.strerror}") from error


def _open_private(path: str | Path) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(file, 0o600)  # an existing file may have had other permissions
    except OSError:
        pass  # a device, such as /dev/stdout, or the file of another user
    return file


# What this file does not do: mask keys before saving (the caller does, with masking.py), or make
# other forms of a recording (har.py, pcap.py, page.py).
