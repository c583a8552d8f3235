"""Saves what passes through a tap, without making anybody wait for the disk.

    watch (watch.py)   write(read)  >   queue, 16 MiB   >   a thread   >   Saver (files.py)

A disk may take seconds to accept a write. A relay must not wait that long, and memory must not grow
meanwhile: what does not fit into the queue is not saved, and it is counted. The recording says
nothing of the reads that are missing, so the tap does.
"""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

import trio

from protocol.recording import RecordedRead

__all__ = ["SavingQueue"]

READ_SIZE = 256  # bytes of memory that a read needs beside its data
BATCH = 1000  # reads that the thread writes before it looks at the queue again


class File(Protocol):
    """A recording that is open for writing (`Saver`)."""

    def write(self, read: RecordedRead) -> None:
        """Write one read. Raises ValueError or OSError if that is not possible."""


class SavingQueue:
    """The `Saving` of a watch.

    Args:
        file: Takes the reads, in a thread.
        max_size: Most bytes that wait to be written.

    Attributes:
        lost: Number of reads that are not in the file.
        error: Why the file takes no more, or "".
    """

    def __init__(self, file: File, *, max_size: int = 16 << 20) -> None:
        self.lost = 0
        self.error = ""
        self._file = file
        self._max_size = max_size
        self._waiting: deque[RecordedRead] = deque()
        self._size = 0
        self._broken: set[int] = set()  # connections whose reads are not saved any more
        self._news = trio.Event()

    def write(self, read: RecordedRead) -> None:
        """Queue a read. Once one does not fit, nothing more of its connection is saved: nobody can
        read a recording with a hole."""
        size = len(read.bytes) + READ_SIZE
        if self._size + size > self._max_size or read.connection in self._broken or self.error:
            self.lost += 1
            if len(self._broken) < self._max_size // READ_SIZE:
                self._broken.add(read.connection)
            return
        self._waiting.append(read)
        self._size += size
        self._news.set()

    async def run(self) -> None:
        """Write what waits, until cancelled. What is left then is written by `finish`."""
        while True:
            await self._news.wait()
            # What is cancelled before its thread runs is still in the queue.
            reads = self._first()
            await trio.to_thread.run_sync(self._write, reads)
            self._drop(reads)
            if not self._waiting:
                self._news = trio.Event()

    def finish(self) -> None:
        """Write all that waits. Call it when `run` has ended."""
        while reads := self._first():
            self._write(reads)
            self._drop(reads)

    def _first(self) -> Sequence[RecordedRead]:
        return list(islice(self._waiting, BATCH))

    def _drop(self, reads: Sequence[RecordedRead]) -> None:
        for read in reads:
            self._waiting.popleft()
            self._size -= len(read.bytes) + READ_SIZE

    def _write(self, reads: Sequence[RecordedRead]) -> None:
        for number, read in enumerate(reads):
            if self.error:
                self.lost += len(reads) - number
                return
            try:
                self._file.write(read)
            except (OSError, ValueError) as error:  # a full disk, or the file's own limit
                self.error = str(error)
                self.lost += 1


# What this file does not do: mask (watch.py does), or write the lines (files.py).
