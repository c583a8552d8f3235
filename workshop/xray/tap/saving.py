"""Saves the reads of a tap, while no relay waits for the disk.

    watch (watch.py)   write(read)  >   queue, 16 MiB   >   a thread   >   Saver (files.py)

A write to a disk may take seconds. A relay must not wait that long, and memory must not grow during
that time. So reads that do not fit into the queue are counted, but not saved. The recording does
not show that reads are missing, so the tap reports their number.
"""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

import trio

from protocol.recording import RecordedRead

__all__ = ["SavingQueue"]

READ_SIZE = 256  # bytes of memory that a read needs in addition to its data
BATCH = 1000  # number of reads that the thread writes before it checks the queue again


class File(Protocol):
    """A recording that is open for writing (`Saver`)."""

    def write(self, read: RecordedRead) -> None:
        """Write one read. Raises ValueError or OSError if it cannot be written."""


class SavingQueue:
    """The `Saving` of a watch: a queue, and a thread that writes its reads.

    Args:
        file: The open recording, which a thread writes to.
        max_size: Largest number of bytes that wait to be written.

    Attributes:
        lost: Number of reads that are not in the file.
        error: The reason why nothing more can be written to the file, or "".
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
        """Queue a read. If it does not fit, nothing more of its connection is saved, because a
        recording with missing reads cannot be understood."""
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
        """Write the queued reads, until cancelled. Then `finish` writes the rest."""
        while True:
            await self._news.wait()
            # If the task is cancelled before the thread starts, the reads are still in the queue.
            reads = self._first()
            await trio.to_thread.run_sync(self._write, reads)
            self._drop(reads)
            if not self._waiting:
                self._news = trio.Event()

    def finish(self) -> None:
        """Write all queued reads. Call this when `run` has ended."""
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
            except (OSError, ValueError) as error:  # a full disk, or a full file
                self.error = str(error)
                self.lost += 1


# What this file does not do: mask (watch.py does), or write the lines (files.py).
