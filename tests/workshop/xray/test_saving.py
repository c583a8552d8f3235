"""Reads are saved in a thread, so that a slow disk delays nothing and memory does not grow."""

import trio
from trio.testing import wait_all_tasks_blocked

from protocol.recording import RecordedRead
from workshop.xray.tap.saving import READ_SIZE, SavingQueue


def read(number: int, connection: int = 1) -> RecordedRead:
    return RecordedRead(number, "server", b"x" * 100, connection=connection)


class File:
    """A file that accepts a number of reads, and then has a full disk."""

    def __init__(self, room: int = 1000) -> None:
        self.reads: list[RecordedRead] = []
        self.room = room

    def write(self, read: RecordedRead) -> None:
        if len(self.reads) == self.room:
            raise OSError(28, "No space left on device")
        self.reads.append(read)


async def test_reads_are_written_in_order_while_it_runs() -> None:
    file = File()
    saving = SavingQueue(file)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(saving.run)
        for number in range(3):
            saving.write(read(number))
        while len(file.reads) < 3:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    saving.write(read(3))
    saving.finish()
    assert file.reads == [read(number) for number in range(4)]
    assert (saving.lost, saving.error) == (0, "")


async def test_a_connection_with_a_hole_is_not_saved_any_further() -> None:
    file = File()
    saving = SavingQueue(file, max_size=3 * (100 + READ_SIZE))
    for number in range(5):
        saving.write(read(number))
    saving.finish()
    saving.write(read(5))
    saving.write(read(0, connection=2))
    saving.finish()
    assert file.reads == [read(0), read(1), read(2), read(0, connection=2)]
    assert saving.lost == 3


async def test_a_full_disk_is_told_once_and_counted() -> None:
    file = File(room=2)
    saving = SavingQueue(file)
    for number in range(5):
        saving.write(read(number))
    saving.finish()
    saving.write(read(5))
    saving.finish()
    assert file.reads == [read(0), read(1)]
    assert saving.error == "[Errno 28] No space left on device"
    assert saving.lost == 4


async def test_cancelled_between_the_news_and_the_thread() -> None:
    """If Ctrl-C comes after a read was queued but before the task runs, the read is still saved."""
    file = File()
    saving = SavingQueue(file)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(saving.run)
        await wait_all_tasks_blocked()
        saving.write(read(0))
        nursery.cancel_scope.cancel()
    saving.finish()
    assert file.reads == [read(0)]
    assert saving.lost == 0
