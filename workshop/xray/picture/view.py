"""Prints the picture of a response while it arrives, or later from a recording.

    view = View(console)
    view.show(2.1, b"HTTP/1.1 200 OK\\r\\n…", spans)      one read, and what it made known
    view.show(53.2, b"16\\r\\ndata: …", spans)
    view.end(613.9, "fin", spans)

    await play(recording, view, speed=1)                a recording, as fast as it was

A method of `View` returns only when it has printed. So nothing is left out, but a slow terminal
slows down the caller. For a stream that must not be slowed down, use workshop/xray/picture/live.py.

The rules this file keeps:

1. The picture shows each byte once, in order.
2. On a pipe, it is plain text. A line that has been printed is never changed.
3. On a terminal, the last line shows the bytes that are not in the picture yet.
4. The width of the screen may change at any time. Later lines have the new width.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import trio
from rich.console import Console

from protocol.anatomy import ByteSpan, ResponseAnatomy
from protocol.recording import End, RecordedRead

from ..report import Counts
from .draw import Pen
from .picture import Item
from .rows import MAX_HELD, Rows

__all__ = ["Measuring", "Screen", "View", "play"]

ERASE = "\r\x1b[K"


class View:
    """Prints the picture of one response.

    Args:
        console: Where to print. Its width is read before each print, because it may change.
        hex: Whether to show the bytes in hex too.
        max_held: Largest number of bytes that wait for their labels. See `Rows`.

    Attributes:
        is_terminal: Whether the output is a terminal whose cursor can be moved.
        has_begun: Whether something has been printed.
    """

    def __init__(self, console: Console, *, hex: bool = False, max_held: int = MAX_HELD) -> None:
        self._console = console
        self._rows = Rows(max_held)
        self._pen = Pen(console, hex=hex)
        self.is_terminal = console.is_terminal and not console.is_dumb_terminal
        self.has_begun = False
        self._has_status = False

    def show(self, at: float, data: bytes, spans: Sequence[ByteSpan]) -> None:
        """Print the items that are complete after this read.

        Args:
            at: Milliseconds since the request was sent.
            data: The bytes of the read.
            spans: The spans that `ResponseAnatomy.receive_data` has returned for these bytes.

        Raises:
            BrokenPipeError: The reader of the output has closed it.
        """
        self._print(self._rows.receive(at, data, spans))

    def skipped(self, at: float, reads: int, size: int, counts: Counts) -> None:
        """Print a line that says how many reads are left out.

        Args:
            at: Time of the last skipped read, in milliseconds.
            reads, size: Number of the skipped reads, and of their bytes.
            counts: The highest numbers of chunk, event and token in the skipped reads.
        """
        self._print(self._rows.skip(at, reads, size, counts))

    def end(
        self, at: float, end: End, spans: Sequence[ByteSpan], counts: Counts | None = None
    ) -> None:
        """Print the rest, the end, and the totals.

        Args:
            at: Time of the end, in milliseconds.
            end: How the response ended; "" if the connection is still open.
            spans: The spans that `ResponseAnatomy.receive_eof` has returned.
            counts: Totals from another source. A compressed stream needs them, because its events
                are not visible here.
        """
        items = self._rows.end(at, end, spans)
        self._print(items, self._totals(counts or self._rows.counts))

    def status(self, words: str | None) -> None:
        """Show words in the last line of a terminal, and the bytes that wait for their labels.

        Without a terminal, nothing happens.

        Args:
            words: The words to show. With None, the line becomes empty, even if bytes are waiting.
        """
        if not self.is_terminal:
            return
        text = ""
        if words is not None:
            held, size = self._rows.held(self._console.width), self._rows.held_size
            waiting = f"{_count(size, 'byte')} of an unfinished line" if size else ""
            text = self._pen.status([word for word in (words, waiting) if word], held)
        if text or self._has_status:
            self._write(text, is_status=bool(text))

    def _totals(self, counts: Counts) -> list[str]:
        misfits = self._rows.misfits
        words = [
            _count(counts.reads, "read"),
            _count(counts.chunks, "chunk"),
            _count(counts.events, "event"),
            _count(counts.tokens, "token"),
            _count(self._rows.size, "byte"),
        ]
        if misfits.reads:
            words.append(f"{_count(misfits.reads, 'read')} began inside a chunk, event or head")
        if misfits.chunks:
            words.append(f"{_count(misfits.chunks, 'chunk')} ended inside an event")
        if misfits.characters:
            words.append(f"{_count(misfits.characters, 'character')} torn")
        if not (misfits.reads or misfits.chunks or misfits.characters):
            words.append("all borders line up")
        if self._rows.was_skipped:
            words[-1] += " (in what was shown)"
        return self._pen.totals(words)

    def _print(self, items: Iterable[Item], more: Iterable[str] = ()) -> None:
        lines = [*self._pen.lines(items), *more]
        if lines and not self.has_begun:
            self.has_begun = True
            lines.insert(0, self._pen.legend())
        if lines:
            self._write("".join(line + "\n" for line in lines))

    def _write(self, text: str, is_status: bool = False) -> None:
        if self._has_status:
            text = ERASE + text
        self._has_status = is_status
        self._console.file.write(text)
        self._console.file.flush()


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}" + "s" * (number != 1)


# ---- Replay


class Screen(Protocol):
    """Shows a response: a `View` or a `LiveView`."""

    def show(self, at: float, data: bytes, spans: Sequence[ByteSpan]) -> None: ...

    def end(self, at: float, end: End, spans: Sequence[ByteSpan]) -> None: ...


class Measuring(Protocol):
    """Labels the bytes of a response. A `Meter` is one.

    Attributes:
        began: Time at which the request had been sent, in milliseconds. The times in the picture
            are counted from it.
    """

    began: float

    def receive_data(self, at: float, data: bytes) -> list[ByteSpan]: ...

    def receive_end(self, at: float, end: End) -> list[ByteSpan]: ...


class _Labels:
    """Labels the bytes, but measures nothing."""

    def __init__(self) -> None:
        self.began = 0.0
        self._anatomy = ResponseAnatomy()

    def receive_data(self, at: float, data: bytes) -> list[ByteSpan]:
        return self._anatomy.receive_data(data)

    def receive_end(self, at: float, end: End) -> list[ByteSpan]:
        return self._anatomy.receive_eof()


async def play(
    reads: Iterable[RecordedRead],
    view: Screen,
    speed: float = 1.0,
    *,
    meter: Measuring | None = None,
) -> None:
    """Show a recorded response again, with its pauses.

    Args:
        reads: The recording of one response. Reads of the client are ignored.
        view: The view that shows the response.
        speed: Speed of the replay: 1 is the recorded speed, and 2 is twice as fast. 0 or `math.inf`
            shows everything at once.
        meter: The object that labels the bytes. It measures the times of the recording, whatever
            the speed.

    Raises:
        BrokenPipeError: The reader of the output has closed it.
    """
    meter = meter or _Labels()
    began = trio.current_time()
    at = 0.0
    for read in reads:
        if read.sender == "client":
            continue
        at = read.at - meter.began
        await trio.sleep_until(began + at / 1000 / speed if speed else began)
        if read.bytes:
            view.show(at, read.bytes, meter.receive_data(read.at, read.bytes))
        if read.end:
            view.end(at, read.end, meter.receive_end(read.at, read.end))
            return
    view.end(at, "", [])  # the recording stops in the middle


# What this file does not do: read a recording (workshop/xray/recordings/files.py), or show what is
# wrong with a stream (workshop/xray/picture/summary.py).
