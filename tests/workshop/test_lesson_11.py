"""Lesson 11: its server's two models, its page's files, and its switch that cuts. What the program
prints stands in its README, which test_transcripts.py replays; test_page.py opens the page."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from servers.chat import CONTENT_SECURITY_POLICY
from servers.llm.pace import Pace
from tests.conftest import ROOT
from tests.interop.peers import Answer
from tests.servers.driving import ask, connected, get
from workshop.runner.exercises import judge, lessons, load

LESSON = load(ROOT / "workshop/11_reconnect_and_resume/__main__.py")
AT_ONCE = LESSON.routes(Pace(0, 0))
ONE_TWO = "one,two?model=echo"


async def test_without_ids_an_answer_begins_anew() -> None:
    reply = await ask(AT_ONCE, get(f"/forgetful/{ONE_TWO}"))
    assert Answer.of(reply).pieces == [
        b'retry: 1000\ndata: {"text":"one"}\n\n',
        b'data: {"text":","}\n\n',
        b'data: {"text":"two"}\n\n',
        b'event: done\ndata: {"finish_reason":"stop"}\n\n',
    ]


@pytest.mark.parametrize("route", ["chat", "resuming"])
async def test_with_ids_it_goes_on(route: str) -> None:
    reply = await ask(AT_ONCE, get(f"/{route}/{ONE_TWO}", "Last-Event-ID: 0-2"))
    assert Answer.of(reply).tokens == ["two"]


async def test_the_switch_cuts_what_runs_and_spares_what_is_to_be_compared(
    autojump_clock: MockClock,
) -> None:
    slow = LESSON.routes(Pace(0, 4))
    (cut, _) = slow.find("POST", "/cut")
    for route, is_cut in (("resuming", True), ("forgetful", True), ("chat", False)):
        async with connected(slow) as memory:
            await memory.client.send_all(get(f"/{route}/{ONE_TWO}", "Connection: close"))
            first = b""
            while b'"one"' not in first:
                first += await memory.client.receive_some()
            assert (await cut(None)).status == 204
            await wait_all_tasks_blocked()
            try:
                rest = b""
                while data := await memory.client.receive_some():
                    rest += data
            except trio.BrokenResourceError:
                assert is_cut
                assert rest == b""
            else:
                assert not is_cut
                assert rest.endswith(b"0\r\n\r\n")


async def test_the_page_and_its_files() -> None:
    policy = f"Content-Security-Policy: {CONTENT_SECURITY_POLICY}\r\n".encode()
    for path in ("/", "/page/seam.js", "/page/seam.css", "/page/icon.svg"):
        reply = await ask(AT_ONCE, get(path))
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        assert policy in reply
    for path in ("/page/none", "/page/../README.md", "/page/%2e%2e/README.md"):
        assert (await ask(AT_ONCE, get(path))).startswith(b"HTTP/1.1 404 ")


def test_a_client_that_ends_is_told_at_what(tmp_path: Path) -> None:
    """At the first connection that is cut, long before the one that nobody answers."""
    lesson = lessons()[10]
    text = (lesson.folder / "solution.py").read_text()
    (tmp_path / "exercise.py").write_text(text.replace("except ConnectionError:", "finally:"))
    failure = judge(lesson, tmp_path / "exercise.py")
    assert str(failure) == "the connection was reset, and the client has ended"
