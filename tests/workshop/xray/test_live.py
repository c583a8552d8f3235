"""The live picture never delays the stream, and reports the reads that it left out."""

import io
import math
import re
import threading
from collections.abc import Iterator, Sequence

import pytest
import trio
from rich.cells import cell_len
from rich.console import Console
from trio.testing import MockClock

from protocol.anatomy import ResponseAnatomy
from protocol.recording import RecordedRead
from workshop.xray.meter.measure import Meter
from workshop.xray.picture.live import LiveView, live
from workshop.xray.picture.view import View, play
from workshop.xray.report import Counts

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
EVENT = b'data: {"text":"hello"}\n\n'
END = RecordedRead(300.0, "server", end="fin")


class Terminal(io.TextIOWrapper):
    """A terminal that accepts nothing while it is paused, as after Ctrl-S."""

    def __init__(self) -> None:
        self.written = io.BytesIO()
        super().__init__(self.written, "utf-8", newline="", write_through=True)
        self.taking, self.stopped = threading.Event(), threading.Event()
        self.taking.set()
        self.silent = threading.Event()
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        if "silent for " in text:
            self.silent.set()
        if not self.taking.is_set():
            self.stopped.set()
            self.taking.wait(60)
        if self.failure:
            raise self.failure
        return super().write(text)

    @property
    def shown(self) -> str:
        return self.written.getvalue().decode()


def terminal_view(is_terminal: bool = True) -> tuple[Terminal, View]:
    terminal = Terminal()
    console = Console(
        file=terminal,
        width=80,
        force_terminal=is_terminal,
        color_system=None,
        _environ={},
    )
    return terminal, View(console)


def feed(screen: View | LiveView, reads: Sequence[bytes]) -> None:
    """There is one read each millisecond, and then a FIN."""
    anatomy = ResponseAnatomy()
    for at, data in enumerate(reads):
        screen.show(at, data, anatomy.receive_data(data))
    screen.end(len(reads), "fin", anatomy.receive_eof())


def reads_shown(text: str) -> Iterator[int]:
    yield from map(int, re.findall(r"^[╭├]R(\d+)", text, re.MULTILINE))


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_all_is_shown_when_the_block_ends(is_terminal: bool) -> None:
    terminal, view = terminal_view(is_terminal)
    async with live(view) as screen:
        feed(screen, [HEAD, *[EVENT] * 50])
    assert list(reads_shown(terminal.shown)) == list(range(1, 52))
    assert "not shown" not in terminal.shown
    assert terminal.shown.endswith("all borders line up\n")
    assert ("\x1b" in terminal.shown) is False


async def test_a_stopped_terminal_stops_nobody() -> None:
    """The missed reads are counted, the totals are right, and the newest reads and the end are
    shown."""
    terminal, view = terminal_view()
    terminal.taking.clear()
    async with live(view, max_waiting=100_000) as screen:
        anatomy = ResponseAnatomy()
        screen.show(0, HEAD, anatomy.receive_data(HEAD))
        await trio.to_thread.run_sync(terminal.stopped.wait, 30)
        for at in range(2_000):
            screen.show(at, EVENT, anatomy.receive_data(EVENT))
        screen.end(2_000, "fin", anatomy.receive_eof())
        terminal.taking.set()
    left_out = re.findall(r"^┊ ([\d,]+) reads not shown: ([\d,]+) bytes$", terminal.shown, re.M)
    ((reads, size),) = [[int(number.replace(",", "")) for number in pair] for pair in left_out]
    shown = list(reads_shown(terminal.shown))
    assert 1 < len(shown) < 200
    assert shown == [1, *range(reads + 2, 2_002)]
    assert size == reads * len(EVENT)
    totals = "\n2,001 reads · 0 chunks · 2,000 events · 2,000 tokens · 48,052 bytes"
    assert totals in terminal.shown
    assert "all borders line up (in what was shown)" in terminal.shown


async def test_what_can_be_drawn_is_not_left_out() -> None:
    """A burst that is longer than a frame takes several of them."""
    terminal, view = terminal_view()
    async with live(view) as screen:
        feed(screen, [HEAD, *[b"x" * 50_000] * 5])
    assert list(reads_shown(terminal.shown)) == list(range(1, 7))
    assert "not shown" not in terminal.shown


async def test_the_queue_has_a_limit() -> None:
    """On a pipe, too."""
    terminal, view = terminal_view(is_terminal=False)
    terminal.taking.clear()
    async with live(view, max_waiting=10_000) as screen:
        screen.show(0, HEAD, ResponseAnatomy().receive_data(HEAD))
        await trio.to_thread.run_sync(terminal.stopped.wait, 30)
        for at in range(1000):
            screen.show(at, b"x", [])
            assert len(screen._queue) <= 51
        screen.end(1000, "", [])
        terminal.taking.set()
    (left_out,) = re.findall(r"^┊ ([\d,]+) reads not shown: \1 bytes$", terminal.shown, re.M)
    assert int(left_out) + len(list(reads_shown(terminal.shown))) == 1001


async def test_the_reader_of_the_output_has_closed_it() -> None:
    terminal, view = terminal_view()
    terminal.failure = BrokenPipeError()

    async def show() -> None:
        async with live(view) as screen:
            screen.show(0, HEAD, [])
            screen.end(0, "", [])
            await trio.sleep_forever()

    with pytest.raises(BrokenPipeError):
        await show()


async def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    terminal, view = terminal_view()

    async def show() -> None:
        async with live(view) as screen:
            feed(screen, [HEAD])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await show()
    assert "╰end" in terminal.shown


async def test_after_a_cancellation_the_rest_is_shown() -> None:
    terminal, view = terminal_view()
    with trio.CancelScope() as scope:
        async with live(view) as screen:
            feed(screen, [HEAD, EVENT])
            scope.cancel()
            await trio.sleep_forever()
    assert "╰end" in terminal.shown


async def test_a_cancellation_does_not_wait_for_a_stopped_terminal() -> None:
    terminal, view = terminal_view()
    terminal.taking.clear()
    with trio.CancelScope() as scope:
        async with live(view) as screen:
            screen.show(0, HEAD, [])
            await trio.to_thread.run_sync(terminal.stopped.wait, 30)
            scope.cancel()
            await trio.sleep_forever()
    assert terminal.shown == ""
    terminal.taking.set()


# ---- The last line


def test_the_last_line_shows_what_waits() -> None:
    terminal, view = terminal_view()
    anatomy = ResponseAnatomy()
    view.show(0, HEAD, anatomy.receive_data(HEAD))
    view.status("")
    assert "\x1b" not in terminal.shown, "nothing waits"
    view.show(1, b'data: {"te', anatomy.receive_data(b'data: {"te'))
    before = len(terminal.shown)
    view.status("silent for 3.2 s")
    waiting = 'silent for 3.2 s · 10 bytes of an unfinished line: data: {"te'
    assert terminal.shown[before:] == waiting
    view.show(2, b'xt":"a"}\n', anatomy.receive_data(b'xt":"a"}\n'))
    assert terminal.shown[before:].startswith(f"{waiting}\r\x1b[K│")
    view.status("silent for 3.2 s")
    view.status(None)
    assert terminal.shown.endswith("\nsilent for 3.2 s\r\x1b[K")


@pytest.mark.parametrize("width", [1, 5, 20, 40])
def test_the_last_line_is_shorter_than_the_screen(width: int) -> None:
    terminal = Terminal()
    output = Console(file=terminal, width=width, force_terminal=True, color_system=None)
    view = View(output)
    view.show(0, "你".encode() * 90, [])
    before = len(terminal.shown)
    view.status("silent for 3.2 s")
    assert cell_len(terminal.shown[before:]) < width


def test_an_empty_last_line_is_not_written() -> None:
    terminal = Terminal()
    view = View(Console(file=terminal, width=80, force_terminal=True, color_system="standard"))
    view.show(0, HEAD, ResponseAnatomy().receive_data(HEAD))
    before = terminal.shown
    view.status("")
    assert terminal.shown == before


def test_without_a_terminal_there_is_no_last_line() -> None:
    terminal, view = terminal_view(is_terminal=False)
    view.show(0, b"HTTP/1.1 200 OK\r\n", [])
    before = terminal.shown
    view.status("silent for 3.2 s")
    view.status(None)
    assert terminal.shown == before


async def test_a_silence_is_told() -> None:
    terminal, view = terminal_view()
    async with live(view) as screen:
        screen.show(0, HEAD, ResponseAnatomy().receive_data(HEAD))
        assert await trio.to_thread.run_sync(terminal.silent.wait, 30)
    assert terminal.shown.endswith("\r\x1b[K")


# ---- Replay


class Times:
    """A screen that notes when it is called."""

    def __init__(self) -> None:
        self.began = trio.current_time()
        self.calls: list[tuple[float, float, str]] = []

    def show(self, at: float, data: bytes, spans: object) -> None:
        self.calls.append((trio.current_time() - self.began, at, data.decode()))

    def end(self, at: float, end: str, spans: object) -> None:
        self.calls.append((trio.current_time() - self.began, at, end))


RECORDING = [
    RecordedRead(100.0, "client", b"GET / HTTP/1.1\r\n\r\n"),
    RecordedRead(150.0, "server", HEAD),
    RecordedRead(250.0, "server", EVENT),
    END,
]


@pytest.mark.parametrize(("speed", "seconds"), [(1, 1), (2, 0.5), (0.1, 10), (0, 0), (math.inf, 0)])
async def test_play(speed: float, seconds: float, autojump_clock: MockClock) -> None:
    """Each pause is as long as in the recording, beginning with the request. The recorded times are
    shown."""
    screen, meter = Times(), Meter(began=100.0)
    await play(RECORDING, screen, speed, meter=meter)
    times = [call[0] for call in screen.calls]
    assert times == pytest.approx([0.05 * seconds, 0.15 * seconds, 0.2 * seconds])
    assert [call[1:] for call in screen.calls] == [
        (50.0, HEAD.decode()),
        (150.0, EVENT.decode()),
        (200.0, "fin"),
    ]
    assert meter.ttft_ms == 150.0


async def test_play_without_an_end(autojump_clock: MockClock) -> None:
    terminal, view = terminal_view(is_terminal=False)
    await play([*RECORDING[:3], RecordedRead(260.0, "server", b"data: x")], view, 0)
    assert "╰end" in terminal.shown
    assert " still open ─" in terminal.shown
    assert "data: x" in terminal.shown


def test_reads_left_out_are_counted() -> None:
    """The picture continues after the skipped reads. Their labels and cuts are not known."""
    terminal, view = terminal_view(is_terminal=False)
    anatomy = ResponseAnatomy()
    start = HEAD + b'data: {"te'
    view.show(1, start, anatomy.receive_data(start))
    anatomy.receive_data(b'xt":"' + EVENT)
    view.skipped(5, 2, 500, Counts(2, 0, 7, 6))
    view.end(9, "reset", [])
    assert terminal.shown.endswith(
        """\
│    52                data: {"te           ◂ no label: the line had not ended
┊ 2 reads not shown: 500 bytes
╰end───────────────────     +4.0 ms ━━━───────────── at 9.0 ms reset (RST) ─────
3 reads · 0 chunks · 7 events · 6 tokens · 562 bytes
all borders line up (in what was shown)
"""
    )
