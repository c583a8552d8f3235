"""The table of streams: its words, its columns at each width, and its lines without a terminal."""

import io
import os

import pytest
import trio
import trio.testing
from rich.console import Console

from workshop.xray.top import Frame, Lines, Printer, Top, amount, duration, ended_summary, layout
from workshop.xray.watch import Watch

from .tapping import DONE, FINISH, GET, HEAD, JSON, LAST, POST, UPSTREAM, NoMask, event, tapping


def drawn(frame: Frame, width: int) -> list[str]:
    file = io.StringIO()
    Console(width=width, file=file).print(layout(frame, width))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def a_terminal(height: int = 24) -> Console:
    return Console(file=io.StringIO(), width=80, height=height, force_terminal=True)


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            80,
            [
                "http://localhost:9000 > http://api.example.com",
                "  time request        state      ttft tok/s   p50   p99   last verdict",
                " 900ms POST /v1/chat… streaming 300ms  10.0 100ms 100ms  400ms live",
                " 700ms GET /v1/model… done      700ms                          no-stream",
                "1 running · 3 tokens · 349 B · 1 finished",
            ],
        ),
        (
            40,
            [
                "http://localhost:9000 > http://api.exam…",
                "request   state       last verdict",
                "POST /v1… streaming  400ms live",
                "GET /v1/… done             no-stream",
                "1 running · 3 tokens · 349 B · 1 finish…",
            ],
        ),
        (
            20,
            [
                "http://localhost:90…",
                "request   state",
                "POST /v1… streaming",
                "GET /v1/… done",
                "1 running · 3 token…",
            ],
        ),
    ],
)
async def test_the_table(width: int, lines: list[str], autojump_clock: object) -> None:
    async with tapping() as tap:
        top = Top(tap.watch, a_terminal(), f"http://localhost:9000 > {UPSTREAM}")
        await tap.client.send_all(GET)
        await trio.sleep(0.7)
        await tap.say(JSON)
        await tap.client.send_all(POST)
        await tap.say(HEAD, pause=0.2)
        await tap.say(event("one"), event("two"), event("three"), pause=0.1)
        await tap.settle()
        await trio.sleep(0.4)
        *found, totals = drawn(await top.frame(), width)
        assert [*found, totals.partition(": ")[0]] == lines


async def test_a_low_terminal_shows_the_running_ones_first(autojump_clock: object) -> None:
    watch = Watch(UPSTREAM, NoMask)
    top = Top(watch, a_terminal(height=6), "a title")
    async with tapping(watch) as first, tapping(watch) as second, tapping(watch) as third:
        await first.client.send_all(GET)
        await first.say(JSON)
        await second.client.send_all(POST)
        await second.settle()
        frame = await top.frame()
        assert (len(frame.running), len(frame.finished)) == (1, 1)
        for tap in (first, third):
            await tap.client.send_all(POST)
        await third.settle()
        frame = await top.frame()
        assert (len(frame.running), len(frame.finished)) == (2, 0)
        assert frame.totals.startswith("1 more, 3 running · ")


async def test_a_running_stream_is_judged_once_a_second(autojump_clock: object) -> None:
    async with tapping() as tap:
        top = Top(tap.watch, a_terminal(), "a title")
        await tap.client.send_all(POST)
        await tap.say(HEAD, event("one"), event("two"))
        await tap.settle()
        assert (await top.frame()).running[0].p50 == "0ms"
        await tap.say(event("three"), pause=0.9)
        await tap.settle()
        assert (await top.frame()).running[0].p50 == "0ms"
        await trio.sleep(0.2)
        assert (await top.frame()).running[0].p99 == "900ms"
        await tap.say(FINISH + DONE + LAST)
        await tap.settle()
        assert (await top.frame()).finished[0].p99 == "900ms"
        assert top._judged == {}


async def test_the_table_in_a_terminal() -> None:
    """It has a screen of its own, which is left at the end. No picture erases before it draws."""
    console = a_terminal()
    async with tapping() as tap, trio.open_nursery() as nursery:
        nursery.start_soon(Top(tap.watch, console, "a title").run)
        assert isinstance(console.file, io.StringIO)
        while "0 running" not in console.file.getvalue():
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    shown = console.file.getvalue()
    assert shown.startswith("\x1b[?1049h")
    assert "\x1b[2J" not in shown.partition("\x1b[H")[2]
    assert shown.endswith("\x1b[?25h\x1b[?1049l")  # the cursor is back, and the screen


async def test_lines_without_a_terminal(autojump_clock: object) -> None:
    times = "5 events 3 tokens ttft 200 ms gap p50 100 ms p99 100 ms"
    lines: list[str] = []
    watch = Watch(UPSTREAM, NoMask, observers=[Lines(lines.append)], max_queue=4096)
    async with tapping(watch) as tap:
        await tap.client.send_all(POST)
        await tap.say(HEAD, event("one"), event("two"), pause=0.1)
        await tap.say(event("three") + FINISH + DONE + LAST, pause=0.1)
        await tap.settle()
        await tap.client.send_all(GET)
        await tap.say(JSON)
        await tap.settle()
        await tap.client.send_all(GET)
        await tap.say(HEAD, event("x" * 5000))
        await tap.settle()
        tap.server.reset()
        await tap.settle()
    async with tapping(watch) as tap:
        await tap.client.send_all(b"nonsense\r\n\r\n")
        await tap.settle()
        tap.server.reset()
        await tap.settle()
    assert lines == [
        f"200 POST /v1/chat/completions {times} done: live",
        "200 GET /v1/models?key=[redacted] 0 events 0 tokens ttft 0 ms done: no-stream",
        "- GET /v1/models?key=[redacted] 2 reads 5144 bytes cut: 1 read not measured",
        "- (not HTTP/1) 0 reads 0 bytes cut: none",
    ]


async def test_the_summary(autojump_clock: object) -> None:
    async with tapping() as tap:
        assert ended_summary(tap.watch) == "0 still running, 0 finished\n0 tokens, 0 B in 0ms"
        await tap.client.send_all(POST)
        await tap.say(HEAD, event("one"), event("two"), pause=0.1)
        tap.client.reset()
        await tap.settle()
        assert ended_summary(tap.watch).splitlines() == [
            "0 still running, 1 finished: 1 client left",
            f"2 tokens, {tap.watch.size} B in 300ms",
            "ttft p50 200ms p99 200ms, gaps p50 100ms p99 100ms",
        ]


def test_lines_are_printed_in_a_thread() -> None:
    end, its_end = os.pipe()
    with open(its_end, "w") as file, open(end) as reader:
        printer = Printer(Console(file=file))
        printer.put("one [bold]line[/bold]")
        printer.flush()
        assert reader.readline() == "one [bold]line[/bold]\n"


def test_lines_are_printed_into_memory() -> None:
    file = io.StringIO()
    printer = Printer(Console(file=file))
    printer.put("one")
    printer.flush()
    assert file.getvalue() == "one\n"


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, ""),
        (0.4, "0ms"),
        (999.4, "999ms"),
        (999.6, "1.0s"),
        (59_940, "59.9s"),
        (59_960, "1m00s"),
        (3_599_000, "59m59s"),
        (7_620_000, "2h07m"),
    ],
)
def test_a_time_in_six_characters(ms: float | None, words: str) -> None:
    assert duration(ms) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_400, "99.4 kB"),
        (123_456, "123 kB"),
        (999_600, "1.0 MB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_an_amount_of_bytes(size: int, words: str) -> None:
    assert amount(size) == words
