"""The table of streams: its words, its columns at each width, and its lines without a terminal."""

import io

import pytest
import trio
import trio.testing
from rich.console import Console

from workshop.xray.tap.top import Frame, Top, layout
from workshop.xray.tap.watch import Watch

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
                "  time request                    state      ttft tok/s   last verdict",
                " 900ms POST /v1/chat/completions  streaming 300ms  10.0  400ms live",
                " 700ms GET /v1/models?key=[redac… done      700ms              no-stream",
                "1 running · 3 tokens · 349 B · 1 finished",
            ],
        ),
        (
            100,
            [
                "http://localhost:9000 > http://api.example.com",
                (
                    "  time request                            "
                    "state      ttft tok/s   p50   p99   last verdict"
                ),
                (
                    " 900ms POST /v1/chat/completions          "
                    "streaming 300ms  10.0 100ms 100ms  400ms live"
                ),
                (
                    " 700ms GET /v1/models?key=[redacted]      "
                    "done      700ms                          no-stream"
                ),
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
    """The table uses the alternate screen until its end. No drawing erases the screen first."""
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
