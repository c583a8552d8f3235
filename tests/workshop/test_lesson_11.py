"""Lesson 11's server: its two models, the files of its page, and the route that cuts connections.

Its README shows the program's output, and test_transcripts.py replays it; test_page.py opens the
page.
"""

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


async def test_without_ids_an_answer_starts_again() -> None:
    reply = await ask(AT_ONCE, get(f"/forgetful/{ONE_TWO}"))
    assert Answer.of(reply).pieces == [
        b'retry: 1000\ndata: {"text":"one"}\n\n',
        b'data: {"text":","}\n\n',
        b'data: {"text":"two"}\n\n',
        b'event: done\ndata: {"finish_reason":"stop"}\n\n',
    ]


@pytest.mark.parametrize("route", ["chat", "resuming"])
async def test_with_ids_an_answer_resumes(route: str) -> None:
    reply = await ask(AT_ONCE, get(f"/{route}/{ONE_TWO}", "Last-Event-ID: 0-2"))
    assert Answer.of(reply).tokens == ["two"]


async def test_the_cut_route_resets_both_models_but_not_the_chat_route(
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


async def test_the_page_and_its_files_are_served() -> None:
    policy = f"Content-Security-Policy: {CONTENT_SECURITY_POLICY}\r\n".encode()
    for path in ("/", "/page/seam.js", "/page/seam.css", "/page/icon.svg"):
        reply = await ask(AT_ONCE, get(path))
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        assert policy in reply
    for path in ("/page/none", "/page/../README.md", "/page/%2e%2e/README.md"):
        assert (await ask(AT_ONCE, get(path))).startswith(b"HTTP/1.1 404 ")


def test_check_names_the_error_at_which_a_client_ended(tmp_path: Path) -> None:
    """It is that of the first cut, long before the request that gets no answer."""
    lesson = lessons()[10]
    text = (lesson.folder / "solution.py").read_text()
    (tmp_path / "exercise.py").write_text(text.replace("except ConnectionError:", "finally:"))
    failure = judge(lesson, tmp_path / "exercise.py")
    assert str(failure) == "the connection was reset, and the client has ended"
