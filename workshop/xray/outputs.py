"""Passes each read of a recording on as it arrives: to the screen, to a file, and into memory.

read ──► Saver        --save FILE: one JSON line each
     ──► the screen   the live view
     ──► memory       for --html, --har and --pcap, which are written at the end
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from protocol.anatomy import ByteSpan
from protocol.recording import End, RecordedRead

from .asking.refusal import MAX_KEPT as MAX_BEGINNING
from .recordings.files import Saver, write_private

__all__ = ["MAX_KEPT", "Exports", "Outputs", "Screen"]

MAX_KEPT = 64 << 20
"""Largest number of bytes of a recording that are kept for --html, --har and --pcap."""


class Screen(Protocol):
    """An object that shows reads. Its methods return at once."""

    def show(self, at: float, data: bytes, spans: Sequence[ByteSpan]) -> None: ...

    def end(self, at: float, end: End, spans: Sequence[ByteSpan]) -> None: ...


class Exports:
    """The files that are written when all reads have arrived.

    Args:
        html, har, pcap: The name of each file, or None for a file that is not wanted.
        max_size: Largest number of bytes of the recording that are kept. The rest is not in the
            files.
    """

    def __init__(
        self,
        html: Path | None = None,
        har: Path | None = None,
        pcap: Path | None = None,
        max_size: int = MAX_KEPT,
    ) -> None:
        self.reads: list[RecordedRead] = []
        self.dropped = 0
        self._files = (html, har, pcap)
        self._left = max_size

    @property
    def wanted(self) -> bool:
        return any(self._files)

    def keep(self, read: RecordedRead) -> None:
        self._left -= len(read.bytes)
        if self._left >= 0 or read.end:
            self.reads.append(read)
        else:
            self.dropped += 1

    def write(self) -> None:
        """Write the files. Their modules are imported only here, because most runs write no file.

        Raises:
            SaveError: A file cannot be written.
        """
        html, har, pcap = self._files
        if html:
            from .recordings.page import write_page

            write_private(html, [write_page(self.reads).encode()])
        if har:
            from .recordings.har import write_har

            write_private(har, [write_har(self.reads)])
        if pcap:
            from .recordings.pcap import write_pcap

            write_private(pcap, write_pcap(self.reads))


class Outputs:
    """A `Watch` that passes each read to all outputs.

    Args:
        screen: The live view, or None.
        saver: The file of `--save`, or None.
        exports: The other files.

    Attributes:
        beginning: The first bytes of the response.
    """

    def __init__(
        self,
        screen: Screen | None = None,
        saver: Saver | None = None,
        exports: Exports | None = None,
    ) -> None:
        self._screen = screen
        self._saver = saver
        self._exports = exports if exports and exports.wanted else None
        self.beginning = bytearray()
        self._began = self._at = 0.0
        self._ended = False

    def finish(self) -> None:
        """Show the bytes that wait for their labels, if no end was recorded."""
        if self._screen is not None and not self._ended:
            self._screen.end(self._at, "", [])

    def watch(self, read: RecordedRead, spans: list[ByteSpan]) -> None:
        if self._saver is not None:
            self._saver.write(read)
        if self._exports is not None:
            self._exports.keep(read)
        if read.sender == "client":
            self._began = read.at
            return
        if len(self.beginning) < MAX_BEGINNING:
            self.beginning += read.bytes[: MAX_BEGINNING - len(self.beginning)]
        self._at = read.at - self._began
        self._ended = bool(read.end)
        if self._screen is not None and read.end:
            self._screen.end(self._at, read.end, spans)
        elif self._screen is not None:
            self._screen.show(self._at, read.bytes, spans)


# What this file does not do: mask keys (the reads are masked already).
