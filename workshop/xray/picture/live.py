"""A live picture that does not slow its stream down.

    async with live(view) as screen:
        screen.show(2.1, b"HTTP/1.1 200 OK\\r\\n…", spans)      returns at once

    ┊ 1,280 reads not shown: 243,200 bytes                     the screen was too slow

`show` only adds reads to a queue. A task empties the queue at most twenty times a second, and a
thread draws the content. The thread is needed because a write to a paused terminal (Ctrl-S) may
wait for ever.

The rules this file keeps:

1. `show` and `end` never wait, and never raise an error.
2. The queue has a limit. If the queue is full, the oldest reads are not drawn, and a line says how
   many are missing. All numbers on the screen stay correct.
3. While the stream runs, drawing takes at most a third of one processor.
4. On a terminal, the last line says for how long no bytes have arrived.
"""

import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

import trio

from protocol.anatomy import ByteSpan
from protocol.recording import End

from ..report import Counts
from .rows import with_spans
from .view import View

__all__ = ["LiveView", "live"]

FRAME = 0.05
"""Seconds between two drawings."""

SILENCE = 0.25
"""Seconds without a read after which the last line reports the silence."""

MAX_WAITING = 8 << 20
"""Bytes of memory for reads that wait to be drawn, enough for about 5,000 events."""

FRAME_SIZE = 64 << 10
"""Largest number of bytes that are drawn at once."""

TURN = 0.001
"""Seconds of drawing after which the thread pauses. Python runs only one thread at a time, and
without a pause, the other threads would wait for 5 ms."""


class Arrival(NamedTuple):
    """A read or an end that waits to be drawn."""

    at: float
    data: bytes
    spans: Sequence[ByteSpan]
    end: End | None = None
    counts: Counts | None = None

    @property
    def memory(self) -> int:
        """The approximate memory of the read, in bytes. Even a read of one byte needs much more
        than one byte."""
        return len(self.data) + 200 + 100 * len(self.spans)


class LeftOut(NamedTuple):
    """Reads that were left out, with the time of the last one, and their size in bytes.

    `counts` holds the number of these reads, and the highest numbers of chunk, event and token in
    them.
    """

    at: float = 0.0
    size: int = 0
    counts: Counts = Counts(0, 0, 0, 0)


Queue = deque[Arrival | LeftOut]  # a LeftOut is followed by an Arrival


@asynccontextmanager
async def live(view: View, *, max_waiting: int = MAX_WAITING) -> AsyncIterator["LiveView"]:
    """Draw while the block runs. At its end, draw what is left.

    Args:
        view: The view that draws. Nothing else may use it while the block runs.
        max_waiting: Largest number of bytes of memory for reads that wait to be drawn.

    Yields:
        A screen. Always call its `end`, even if the stream has not ended, because `end` shows the
        bytes that wait for their labels.

    Raises:
        BrokenPipeError: The reader of the output has closed it. The block is cancelled.
    """
    screen = LiveView(view, max_waiting)
    failure: Exception | None = None
    try:
        async with trio.open_nursery() as nursery:

            async def draw() -> None:
                nonlocal failure
                try:
                    await screen.run()
                except OSError as error:
                    failure = error
                    nursery.cancel_scope.cancel()

            nursery.start_soon(draw)
            try:
                yield screen
            except Exception as error:  # the nursery would wrap it in an ExceptionGroup
                failure = error
            screen.close()
    finally:
        if not screen.is_finished and failure is None:
            await screen.hurry()
    if failure is not None:
        raise failure


class LiveView:
    """The screen of `live`.

    Attributes:
        is_finished: Whether everything has been drawn or left out.
    """

    def __init__(self, view: View, max_waiting: int) -> None:
        self._view = view
        self._max_waiting = max_waiting
        self._queue: Queue = deque()
        self._memory = self._size = 0  # bytes of memory of the reads in the queue
        self._last_came = trio.current_time()
        self._has_more = trio.Event()
        self._has_ended = self._is_abandoned = False
        self._closed = trio.Event()
        self._drawing = threading.Lock()
        self.is_finished = False

    def show(self, at: float, data: bytes, spans: Sequence[ByteSpan]) -> None:
        """Queue a read to be drawn. See `View.show`."""
        self._put(Arrival(at, data, spans))

    def end(
        self, at: float, end: End, spans: Sequence[ByteSpan], counts: Counts | None = None
    ) -> None:
        """Queue the end to be drawn. See `View.end`."""
        self._has_ended = True
        self._put(Arrival(at, b"", spans, end, counts))

    def _put(self, arrival: Arrival) -> None:
        self._queue.append(arrival)
        self._memory += arrival.memory
        self._size += len(arrival.data)
        while self._memory > self._max_waiting and len(self._queue) > 2:
            self._leave_out_oldest()
        self._last_came = trio.current_time()
        self._has_more.set()

    def close(self) -> None:
        """Report that nothing more will arrive."""
        self._closed.set()
        self._has_more.set()

    async def run(self) -> None:
        """Draw what arrives, until `close` was called and everything has been drawn."""
        while not self.is_finished:
            if not self._queue:
                with trio.move_on_after(SILENCE):
                    await self._has_more.wait()
            if not self._closed.is_set():
                self._has_more = trio.Event()
            began = trio.current_time()
            self.is_finished = await self._draw_in_thread()
            with trio.move_on_after(max(FRAME, 2 * (trio.current_time() - began))):
                await self._closed.wait()

    async def hurry(self) -> None:
        """Draw the newest reads after a cancellation.

        It does not wait for a terminal that is blocked.
        """
        self._closed.set()
        while self._size > FRAME_SIZE and len(self._queue) > 2:
            self._leave_out_oldest()
        with trio.move_on_after(SILENCE, shield=True):
            await self._draw_in_thread()
        self._is_abandoned = True

    async def _draw_in_thread(self) -> bool:
        """Draw the oldest reads of the queue. Returns whether the queue is empty."""
        # a cancellation after this line would lose the batch
        await trio.lowlevel.checkpoint_if_cancelled()
        batch: Queue = deque()
        size = 0
        while self._queue and size < FRAME_SIZE:
            item = self._queue.popleft()
            if isinstance(item, Arrival):
                size += len(item.data)
                self._memory -= item.memory
            batch.append(item)
        self._size -= size
        is_last = self._closed.is_set() and not self._queue
        silent = trio.current_time() - self._last_came
        words = f"silent for {silent:.1f} s" if silent >= SILENCE and not self._has_ended else ""
        draw = partial(self._draw, batch, None if is_last else words)
        await trio.to_thread.run_sync(draw, abandon_on_cancel=True)
        return is_last

    def _leave_out_oldest(self) -> None:
        """Replace the oldest read by a LeftOut. If there is a LeftOut already, the read is added to
        it."""
        oldest, left_out = self._queue.popleft(), LeftOut()
        if isinstance(oldest, LeftOut):
            left_out, oldest = oldest, self._queue.popleft()
        assert isinstance(oldest, Arrival)
        self._memory -= oldest.memory
        self._size -= len(oldest.data)
        counts = with_spans(left_out.counts, 1, oldest.spans)
        left_out = LeftOut(oldest.at, left_out.size + len(oldest.data), counts)
        self._queue.appendleft(left_out)

    def _draw(self, queue: Queue, status: str | None) -> None:
        """Draw, in a thread. The lock is needed because an abandoned thread may still be
        drawing."""
        turn = time.perf_counter()
        with self._drawing:
            for item in queue:
                if self._is_abandoned:
                    return
                if time.perf_counter() - turn > TURN:
                    time.sleep(TURN / 2)
                    turn = time.perf_counter()
                if isinstance(item, LeftOut):
                    self._view.skipped(item.at, item.counts.reads, item.size, item.counts)
                elif item.end is None:
                    self._view.show(item.at, item.data, item.spans)
                else:
                    self._view.end(item.at, item.end, item.spans, item.counts)
            self._view.status(status)


# What this file does not do: slow down a replay that is faster than the screen. Use a `View` for a
# replay, because the `show` of a `View` waits.
