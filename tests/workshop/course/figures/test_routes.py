"""POST /course/run/NAME: who may start a run, what a bad request gets, and the limits."""

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from servers.http.routes import Routes
from workshop.course.figures import routes
from workshop.course.figures.kit import Figure, Tell
from workshop.course.words import Words

from ....servers.driving import ask, connected


class Options(msgspec.Struct):
    kind: str = ""


async def run(options: Options, tell: Tell) -> None:
    await tell({"kind": options.kind, "bytes": b"\x00"})
    if options.kind == "long":
        await trio.sleep_forever()
    if options.kind == "no more files":
        raise OSError(24, "too many")


def nothing(say: Words) -> str:
    return ""


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Routes:
    figure = Figure("probe", Options, nothing, nothing, run)
    monkeypatch.setattr(routes, "FIGURES", {"probe": figure})
    return Routes(routes.figure_routes(max_runs=1))


def post(body: str, name: str = "probe", kind: str = "application/json") -> bytes:
    return (
        f"POST /course/run/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode()


async def test_a_run(table: Routes) -> None:
    answer = await ask(table, post('{"kind":"short"}'))
    assert b"\r\nContent-Type: text/event-stream; charset=utf-8\r\n" in answer
    assert b'data: {"kind":"short","bytes":"AA=="}\n\n' in answer
    assert answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post("{}", "no-such-figure"), b"404"),
        (post("{}", kind="text/plain"), b"415"),  # a page of another origin may send this type
        (post("{"), b"400"),
        (post('{"kind":1}'), b"400"),
    ],
)
async def test_bad_requests(request_: bytes, status: bytes, table: Routes) -> None:
    assert (await ask(table, request_)).startswith(b"HTTP/1.1 " + status)


async def test_too_many_runs(table: Routes, autojump_clock: MockClock) -> None:
    """A run that was abandoned makes room for the next one."""
    async with connected(table) as first:
        await first.client.send_all(post('{"kind":"long"}'))
        received = b""
        while b"long" not in received:
            received += await first.client.receive_some()
        assert (await ask(table, post("{}"))).startswith(b"HTTP/1.1 503")
        first.client.reset()
    await trio.testing.wait_all_tasks_blocked()
    assert (await ask(table, post("{}"))).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("kind", ["long", "no more files"])
async def test_a_run_that_fails_is_told(
    kind: str, table: Routes, autojump_clock: MockClock
) -> None:
    answer = await ask(table, post(f'{{"kind":"{kind}"}}'))
    assert answer.count(b'data: {"failed":true}\n\n') == 1
    assert answer.endswith(b"0\r\n\r\n")


def test_every_figure_checks_its_options() -> None:
    wrong: dict[str, Any] = {"word": "", "how": "x", "mode": "x", "at": 0, "rate": 0, "streams": 5}
    for figure in routes.FIGURES.values():
        if figure.name != "cut":  # it has no options
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert(wrong, figure.options)
