"""The lines of a tap on a pipe, the summary at its end, and the words in both."""

import io
import os

import pytest
from rich.console import Console

from workshop.xray.tap.lines import Lines, Printer, amount, duration, ended_summary
from workshop.xray.tap.watch import Watch

from .tapping import DONE, FINISH, GET, HEAD, JSON, LAST, POST, UPSTREAM, NoMask, event, tapping


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
        watch.refuse("no connection to x")
        await tap.client.send_all(b"nonsense\r\n\r\n")
        await tap.settle()
        tap.server.reset()
        await tap.settle()
    assert ended_summary(watch).splitlines()[2] == "1 connection refused: no connection to x"
    assert lines == [
        f"200 POST /v1/chat/completions {times} done: live",
        "200 GET /v1/models?key=[redacted] 0 events 0 tokens ttft 0 ms done: no-stream",
        "- GET /v1/models?key=[redacted] 2 reads 5144 bytes cut: 1 read not measured",
        "refused: no connection to x",
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
