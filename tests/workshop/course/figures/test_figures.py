"""The experiments of the figures: real servers, and what they report, in causal order; the still
pictures; and the figures in the lessons."""

import socket
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from clients.http.client import request
from servers import chat
from servers.llm.engine import Engine
from servers.llm.pace import Pace
from workshop.course.figures import (
    chunk,
    cut,
    envelope,
    hop,
    leaving,
    listener,
    pipe,
    reader,
    seam,
    wheel,
)
from workshop.course.figures.kit import Figure
from workshop.course.figures.lab import serving
from workshop.course.figures.routes import FIGURES
from workshop.course.pages import Pages
from workshop.course.tree import Tree
from workshop.course.words import TABLES, Words

from ....test_laws import plant
from ..reading import Elements

Reports = list[dict[str, Any]]


@pytest.fixture
def autojump_clock() -> MockClock:
    """A clock that jumps when nothing has happened for a moment. The servers here are real ones, in
    this process, and the loopback carries their bytes within that moment."""
    return MockClock(autojump_threshold=0.02)


async def run(figure: Figure, **options: object) -> Reports:
    """Run a figure's experiment. Returns its reports, as the page gets them."""
    reports: Reports = []

    async def tell(report: dict[str, Any]) -> None:
        reports.append(report)

    await figure.run(msgspec.convert(options, figure.options), tell)
    return reports


# ---- lesson 1


@pytest.mark.parametrize(("how", "sizes"), [("print", [28]), ("flush", [7, 3, 7, 5, 6])])
async def test_a_program_and_its_pipe(
    how: str, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader of the buffered one gets all bytes in one read, those of the other as they are
    printed (on a busy machine two at a time). The sizes are those of the lesson."""
    monkeypatch.setattr(pipe, "GAP", 0.02)
    *reports, result = await run(pipe.PIPE, how=how)
    read = [report["bytes"] for report in reports if report["lane"] == 1]
    assert sum(read) == sum(sizes)
    assert how == "flush" or read == sizes
    printed = [report["number"] for report in reports if report["lane"] == 0]
    assert printed == [1, 2, 3, 4, 5]
    assert result == {"reads": len(read)}


# ---- lesson 3


async def test_a_word_and_its_chunk(autojump_clock: MockClock) -> None:
    """The picture is what a server has sent, and the still picture is the same for 你."""
    (report,) = await run(chunk.CHUNK, word="你好")
    assert report.pop("chips") == [
        ("chunk-size", "6", "36"),
        ("CRLF", r"\r\n", "0d 0a"),
        ("chunk-data", "你好", "e4 bd a0 e5 a5 bd"),
        ("CRLF", r"\r\n", "0d 0a"),
        ("last-chunk", "0", "30"),
        ("CRLF", r"\r\n", "0d 0a"),
        ("CRLF", r"\r\n", "0d 0a"),
    ]
    assert report == {"size": "6", "bytes": 6, "characters": 2}
    (report,) = await run(chunk.CHUNK, word="你")
    shown = "".join(part for chip in report["chips"] for part in (chip[1], chip[0], chip[2]))
    assert Elements.of(chunk.CHUNK.still(Words())).text == shown + "\n"


# ---- lesson 4


async def test_the_bytes_that_are_cut(autojump_clock: MockClock) -> None:
    """The still picture has the bytes of the server of lesson 4."""
    (report,) = await run(cut.CUT)
    assert report == {"body": cut.STILL}
    text = cut.CUT.still(Words())
    assert "Events of the first piece: 1. Of the second one: 2." in text


# ---- lesson 5


async def test_the_event_around_a_token(autojump_clock: MockClock) -> None:
    (report,) = await run(envelope.ENVELOPE, word="你好")
    assert (report["token"], report["text"]) == ("你", 3)
    assert report["bytes"] == sum(len(chip.hex.split()) for chip in report["chips"]) > 200
    (report,) = await run(envelope.ENVELOPE, word=" ")
    assert report["text"] == 1
    assert '<li class="token"><b>你</b>' in envelope.ENVELOPE.still(Words())


# ---- lesson 7


@pytest.mark.parametrize(
    ("how", "last", "writes"),
    [("fin", "finished", 5), ("close", "stopped", 1), ("rst", "stopped", 0)],
)
async def test_when_the_server_knows(
    how: str, last: str, writes: int, autojump_clock: MockClock
) -> None:
    reports = await run(leaving.LEAVING, how=how)
    *_, end, result = reports
    assert (end["lane"], end["key"]) == ("server", last)
    assert result["writes"] == writes
    client = [report["key"] for report in reports if report.get("lane") == "client"]
    assert client[:2] == ["read", f"how.{how}"]
    assert client[2:] == ["read"] * (5 if how == "fin" else 0)


# ---- lesson 8


async def test_the_model_waits_for_its_reader(autojump_clock: MockClock) -> None:
    """A slow reader is followed by a model that is a few tokens ahead; a fast one is not waited
    for."""
    autojump_clock.autojump_threshold = 0
    *_, slow = await run(reader.READER, rate=2)
    assert 0 < slow["read"] < 25
    assert slow["read"] < slow["made"] < slow["read"] + 80
    *_, fast = await run(reader.READER, rate=60)
    assert fast["made"] > 200


def test_the_reader_is_slower_than_the_model() -> None:
    """As the question says, also with the slider at its end. The picture says what it shows."""
    assert reader.FASTEST < reader.MODEL
    assert f'max="{reader.FASTEST}"' in reader.READER.form(Words())
    shown = Elements.of(reader.READER.still(Words())).text
    for text in ("on the way", "read by you", "170 tokens", "6 s"):
        assert shown.count(text) == 1


async def test_the_speed_changes_while_it_runs(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0
    reports: Reports = []

    async def tell(report: dict[str, Any]) -> None:
        reports.append(report)
        if report["tick"] == 20:
            assert await run(reader.READER, rate=60, key="mine", change=True) == []
            assert await run(reader.READER, rate=1, key="another", change=True) == []

    options = msgspec.convert({"rate": 2, "key": "mine"}, reader.READER.options)
    await reader.READER.run(options, tell)
    assert reports[19]["read"] < 20
    assert reports[-1]["read"] > 100
    assert reader.RUNNING == {}


# ---- lesson 9


async def lanes(mode: str) -> tuple[list[tuple[int, int]], dict[str, Any]]:
    """Run the hop. Returns (lane, number) of each event, in order, and the result."""
    *events, result = await run(hop.HOP, mode=mode)
    return [(event["lane"], event["number"]) for event in events], result


WROTE = [(0, number) for number in range(1, hop.EVENTS + 1)]
GOT = [(1, number) for number in range(1, hop.EVENTS + 1)]


async def test_a_hop_that_relays_at_once(autojump_clock: MockClock) -> None:
    order, result = await lanes("none")
    assert order == [each for pair in zip(WROTE, GOT, strict=True) for each in pair]
    assert result["complete"]


@pytest.mark.parametrize("mode", ["buffer", "gzip"])
async def test_a_hop_that_holds_everything(mode: str, autojump_clock: MockClock) -> None:
    order, result = await lanes(mode)
    assert order == WROTE + GOT
    assert result["complete"]
    assert result["held"] > hop.GAP


async def test_other_hops(autojump_clock: MockClock) -> None:
    order, _ = await lanes("lag")
    assert order[:5] == [(0, 1), (0, 2), (1, 1), (0, 3), (1, 2)]
    order, _ = await lanes("rechunk")
    assert any(first[0] == second[0] == 1 for first, second in pairwise(order))
    assert order.index((1, 1)) < len(WROTE)
    order, result = await lanes("truncate")
    assert not result["complete"]
    assert 0 < result["events"] < hop.EVENTS


# ---- lesson 10


async def test_the_listener(autojump_clock: MockClock) -> None:
    """It computes the length of each token from ciphertext. An escape in JSON misleads it."""
    (report,) = await run(listener.LISTENER, sentence="读 this 🌊")
    assert [row[1:] for row in report["rows"]] == [(3, "读"), (5, " this"), (1, " "), (4, "🌊")]
    assert (report["right"], report["all"]) == (4, 4)
    (report,) = await run(listener.LISTENER, sentence='a "b"')
    assert report["right"] < report["all"]


# ---- lesson 11


async def test_the_seam(autojump_clock: MockClock) -> None:
    """Wherever the wire is cut, each word is there once, and the id is that of the last event that
    was complete."""
    complete = [0, *seam.boundaries()]
    for at in (1, complete[1] - 1, complete[1], seam.AT, complete[3], len(seam.BODY) - 1):
        first, second = await run(seam.SEAM, at=at)
        had = max(number for number, offset in enumerate(complete) if offset <= at)
        assert first["cut"]
        assert second["asked"] == (f"0-{had}" if had else "")
        assert not second["cut"]
        assert first["text"] + second["text"] == "one two three four"


async def test_the_bytes_of_the_seam_are_the_server_s(autojump_clock: MockClock) -> None:
    async with (
        serving(chat.routes(Pace(0, 0))) as port,
        request("GET", f"http://127.0.0.1:{port}{seam.PATH}") as response,
    ):
        body = b"".join([piece async for piece in response])
    assert body == seam.BODY


# ---- lesson 12


@pytest.mark.parametrize(("streams", "wakes"), [("1", 40), ("100", 400)])
async def test_one_loop(streams: str, wakes: int, autojump_clock: MockClock) -> None:
    """20 tokens a second for each stream, and at most 200 slots, in two seconds."""
    autojump_clock.autojump_threshold = 0
    *_, last, result = await run(wheel.WHEEL, streams=streams)
    assert last["tokens"] == pytest.approx(40 * int(streams), rel=0.05)
    assert last["wakes"] == pytest.approx(wakes, rel=0.05)
    assert sum(result["slots"]) == int(streams)
    assert result["processor"] > 0


async def test_a_late_reader_does_not_stop_the_loop(autojump_clock: MockClock) -> None:
    """The figure's socket takes some hundred tokens. The course's server runs in the same loop."""
    autojump_clock.autojump_threshold = 0
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.1)  # so a send that waits fails, and does not wait for ever
        work, engine = wheel.Work(ours), Engine(max_batch=1)
        with trio.move_on_after(100):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.run)
                nursery.start_soon(engine.drive, work.stream(0, 1), trio.sleep_forever)
    assert work.tokens == pytest.approx(100 / wheel.GAP, abs=2)


# ---- the pages

TREE = {
    "pyproject.toml": "x",
    "workshop/03_chunks/README.md": "# Lesson 3: chunks\n\nText.\n\n<!-- figure: chunk -->\n\n"
    "<!-- figure: no-such-figure -->\n\n```text\n<!-- figure: cut -->\n```\n",
}


def lesson(root: Path, *, live: bool) -> str:
    plant(root, TREE)
    return Pages(Tree(root), live=live).page("workshop/03_chunks/README.md") or ""


def test_a_figure_in_a_lesson(tmp_path: Path) -> None:
    """With a server it has a form, and a still picture for paper and for a browser without scripts;
    without a server it is the still picture, and the page loads no module."""
    live = Elements.of(lesson(tmp_path, live=True))
    assert ("script", {"type": "module", "src": "../../figures/chunk.js"}) in live.tags
    assert [tag for tag, _ in live.tags].count("form") == 1
    assert live.text.count("e4 bd a0") == 1
    assert "<!-- figure: cut -->" in live.text
    still = lesson(tmp_path, live=False)
    assert "module" not in still
    assert "<form" not in still
    assert "e4 bd a0" in still


@pytest.mark.parametrize("language", TABLES)
def test_every_figure_has_its_lesson_and_its_words(language: str) -> None:
    pages = Pages(Tree(), live=True, language=language)
    shown = "".join(pages.page(name) or "" for name in pages.tree.lessons)
    for name, figure in FIGURES.items():
        assert shown.count(f'data-figure="{name}"') == 1
        elements = Elements.of(f"<div>{figure.form(pages.say)}{figure.still(pages.say)}</div>")
        assert "style" not in {key for _, attributes in elements.tags for key in attributes}
