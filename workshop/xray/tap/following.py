"""`workshop xray --listen …` without `--top` shows the bytes of one stream after the other.

    POST /v1/chat/completions                        the picture of this stream (view.py), live
    ├R1── …
    200 POST /v1/chat/completions 137 events … done: live
    200 GET /v1/models 0 events … done: not-a-stream   it ended meanwhile: only its line is shown

One picture shows one stream. While the picture is drawn, other streams pass through the tap as
well. For each of those, a line is printed when the picture is complete. `--top` shows all streams
at once.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import trio
from rich.console import Console

from protocol.anatomy import ByteSpan
from protocol.recording import End

from ..picture.live import LiveView
from ..picture.view import View
from .lines import finished_line, request_of
from .tapped import TappedExchange

__all__ = ["Following"]


class Following:
    """A `WatchObserver` that draws one stream at a time.

    Args:
        console: Where to draw.
        hex: Show the bytes in hex, too.
        max_waiting: Largest number of bytes of memory for reads that wait to be drawn (`live.py`).
        max_lines: Largest number of lines about other streams that are kept until the end of a
            picture.
    """

    def __init__(
        self,
        console: Console,
        *,
        hex: bool = False,
        max_waiting: int = 16 << 20,
        max_lines: int = 1000,
    ) -> None:
        self._console = console
        self._hex = hex
        self._max_waiting = max_waiting
        self._shown: TappedExchange | None = None
        self._screen: LiveView | None = None
        self._last_line = ""  # printed at the end of the present picture
        self._lines: deque[str] = deque(maxlen=max_lines)
        self._lost = 0  # number of lines that did not fit
        self._news = trio.Event()

    # ---- WatchObserver

    def received(
        self, exchange: TappedExchange, at: float, data: bytes, spans: Sequence[ByteSpan]
    ) -> None:
        began = exchange.meter is not None and exchange.meter.reads == 1
        if self._screen is None and began:
            self._shown = exchange
            self._screen = LiveView(View(self._console, hex=self._hex), self._max_waiting)
            self._put(request_of(exchange))
        if exchange is self._shown and self._screen is not None:
            self._screen.show(at - exchange.began, data, spans)

    def ended(
        self, exchange: TappedExchange, at: float, end: End, spans: Sequence[ByteSpan]
    ) -> None:
        if exchange is self._shown and self._screen is not None and exchange.meter is not None:
            self._shown = None
            self._screen.end(at - exchange.began, end, spans, exchange.meter.counts)
            self._screen.close()
            self._last_line = finished_line(exchange)
        else:
            self._put(finished_line(exchange))

    def refused(self, problem: str) -> None:
        self._put(f"refused: {problem}")

    def _put(self, line: str) -> None:
        self._lost += len(self._lines) == self._lines.maxlen
        self._lines.append(line)
        self._news.set()

    # ---- The task that draws

    async def run(self) -> None:
        """Draw until cancelled. Then draw the reads that are waiting, if the terminal accepts them
        at once."""
        try:
            while True:
                await self._news.wait()
                with suppress(OSError):  # nobody reads our output any more, but the tap continues
                    await self._draw()
                self._news = trio.Event()
                if self._lines or self._screen is not None:
                    self._news.set()
        finally:
            if self._screen is not None:
                if self._shown is not None and (meter := self._shown.meter) is not None:
                    self._screen.end(meter.last_ms or 0.0, "", [], meter.counts)
                await self._screen.hurry()

    async def _draw(self) -> None:
        """Print the waiting lines, and then draw one picture to its end."""
        text = "".join(line + "\n" for line in self._lines)
        text = f"({self._lost} lines are not shown)\n{text}" if self._lost else text
        self._lines.clear()
        self._lost = 0
        await trio.to_thread.run_sync(self._write, text, abandon_on_cancel=True)
        if self._screen is not None:
            try:
                await self._screen.run()
            except OSError:
                self._shown = None
            self._screen = None
            last, self._last_line = self._last_line, ""
            if last:
                await trio.to_thread.run_sync(self._write, last + "\n", abandon_on_cancel=True)

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()


# What this file does not do: choose an interesting stream. The first stream that begins is drawn.
