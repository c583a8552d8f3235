"""Without `--top`: one picture at a time, and a line for each stream."""

import io
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing
from rich.console import Console

from workshop.xray.tap.following import Following
from workshop.xray.tap.watch import Watch

from ...streams import SAFETY
from .tapping import GET, HEAD, JSON, LAST, POST, UPSTREAM, NoMask, Tapping, event, tapping


@asynccontextmanager
async def following(max_lines: int = 1000) -> AsyncIterator[tuple[Tapping, Tapping, io.StringIO]]:
    """Two connections of a tap, and the output of the tap."""
    file = io.StringIO()
    screen = Following(Console(file=file, width=80), max_lines=max_lines)
    watch = Watch(UPSTREAM, NoMask, observers=[screen])
    async with (
        trio.open_nursery() as nursery,
        tapping(watch) as first,
        tapping(watch) as second,
    ):
        nursery.start_soon(screen.run)
        yield first, second, file
        nursery.cancel_scope.cancel()


async def until(file: io.StringIO, text: str) -> str:
    """Wait until this text was drawn. Returns all text so far."""
    while text not in file.getvalue():
        await trio.lowlevel.checkpoint()
    return file.getvalue()


async def test_one_picture_at_a_time() -> None:
    """A second stream that passes during the picture gets its line after the picture."""
    async with following() as (first, second, file):
        await first.client.send_all(POST)
        await first.say(HEAD, event("one"))
        await first.settle()
        assert "POST /v1/chat/completions" in await until(file, "one")
        await second.client.send_all(GET)
        await second.say(JSON)
        await second.settle()
        await first.say(event("two") + LAST)
        await first.settle()
        drawn = await until(file, "200 GET /v1/models?key=[redacted]")
        line = drawn.index("200 POST /v1/chat/completions 2 events 2 tokens")
        assert drawn.index("two") < line < drawn.index("200 GET")
        assert "\x1b" not in drawn

        await second.client.send_all(GET)  # now it is the turn of this connection
        await second.say(JSON.replace(b"{}", b"[]"))
        await second.settle()
        await until(file, "[]")
        while file.getvalue().count("200 GET") < 2:
            await trio.lowlevel.checkpoint()
        # The line of a quick stream also comes after the picture.
        assert file.getvalue().rindex("200 GET") > file.getvalue().index("[]")


async def test_the_end_of_the_program_shows_what_waits() -> None:
    async with following() as (first, _, file):
        await first.client.send_all(POST)
        await first.say(HEAD, event("one"))
        await first.settle()
        await until(file, "POST /v1/chat/completions\n")
    assert "one" in file.getvalue()


async def test_lines_that_wait_have_a_limit() -> None:
    async with following(max_lines=2) as (first, second, file):
        await first.client.send_all(POST)
        await first.say(HEAD, event("one"))
        await first.settle()
        await until(file, "one")
        for _ in range(4):
            await second.client.send_all(GET)
            await second.say(JSON)
            await second.settle()
        await first.say(LAST)
        await first.settle()
        drawn = await until(file, "(2 lines are not shown)\n200 GET")
        assert drawn.count("200 GET") == 2


class Blocked(io.StringIO):
    """A terminal that accepts nothing until it is released (Ctrl-S, Ctrl-Q)."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.released.wait(SAFETY)
        return super().write(text)


async def test_a_terminal_that_takes_nothing_slows_no_stream() -> None:
    """Forty reads pass and are measured, while the first line waits to be written."""
    file = Blocked()
    screen = Following(Console(file=file, width=80))
    watch = Watch(UPSTREAM, NoMask, observers=[screen])
    async with trio.open_nursery() as nursery, tapping(watch) as tap:
        nursery.start_soon(screen.run)
        await tap.client.send_all(POST)
        await tap.say(HEAD, *(event(str(number)) for number in range(40)), LAST)
        await tap.settle()
        (exchange,) = watch.finished
        assert (exchange.reads, watch.tokens, file.getvalue()) == (42, 40, "")
        file.released.set()
        await until(file, "200 POST /v1/chat/completions 40 events 40 tokens")
        nursery.cancel_scope.cancel()
