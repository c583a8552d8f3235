"""Several paths to one server: the faulty hop among three is named, wherever it is."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import pytest
import trio

from servers.badproxy.catalogue import MODE_HELP
from servers.http.reply import EventStream, Last, Request, StreamingReply
from servers.http.routes import Routes
from workshop.xray.asking.ask import ask
from workshop.xray.asking.compare import Comparison, Way, ask_by_turns, compare
from workshop.xray.asking.curl_flags import CurlFlags
from workshop.xray.asking.ways import compared_urls
from workshop.xray.meter.measure import Meter

from .chains import Naive, Network, chain, network

PATH = "/v1/chat/completions"

# For each mode of the bad proxy, the code of the verdict. A mode that alone does no harm is named,
# too.
MODES = {
    "buffer": "buffered-whole",
    "rechunk=1000": "buffered-blocks",
    "coalesce=280": "coalesced",
    "lag=1": "one-behind",
    "hold-head": "head-held",
    "measure": "measured",
    "only-type=text/plain": "buffered-whole",
    "only-method=GET": "buffered-whole",
    "gzip": "live",
    "gzip-nosync": "compressed-unflushed",
    "idle=0.3": "cut-transport",
    "total=1.2": "cut-transport",
    "deaf=1.2": "deaf",
    "blackhole=1.2": "deaf",  # streams in memory have no kernel that could report this
    "replay=10": "retried",
    "rewrite": "rewritten",
    "http10": "http10",
    "strip-accel": "live",
    "strip-no-transform": "live",
    "split-utf8": "torn-characters",
    "truncate=3000": "cut-transport",
    "http10,truncate=3000": "cut-clean",
}


async def compared(hops: list[str], server: Routes | None = None, rounds: int = 1) -> Comparison:
    """Compare the server and a chain of bad proxies."""
    async with chain(hops, server) as made:
        names = ["server", *(f"hop{number}" for number in range(1, len(hops) + 1))]
        return await compared_by(made, names, rounds)


async def compared_hosts(hosts: Mapping[str, Routes], rounds: int) -> Comparison:
    """Compare these hosts."""
    async with network(hosts) as made:
        return await compared_by(made, list(hosts), rounds)


async def compared_by(made: Network, names: list[str], rounds: int) -> Comparison:
    urls = [f"{name}=http://{name}{PATH}" for name in names]
    ways = compared_urls(urls, CurlFlags(model="echo"), made.connect)

    async def once(way: Way, number: int) -> Meter:
        return await ask(way.asking, lambda read, spans: None, silence=20)

    measured = await ask_by_turns(ways, once, rounds)
    assert [len(each) for each in measured] == [rounds] * len(names)
    return compare(ways, measured)


@pytest.mark.parametrize("position", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES)
async def test_names_the_hop(mode: str, position: int, autojump_clock: object) -> None:
    hops = ["none", "none", "none"]
    hops[position - 1] = mode
    protected = EventStream.HEADERS if mode.startswith("strip") else ()
    server = Naive(protected, role_first=mode != "hold-head")
    comparison = await compared(hops, server)
    first = comparison.verdicts[0]
    assert (first.hop, first.code) == (f"hop{position}", MODES[mode])
    assert first.sure > 0.5
    if first.code != "live":
        assert [bool(way.codes) for way in comparison.ways[:position]] == [False] * position


def test_every_mode_is_tried() -> None:
    tried = {name.partition("=")[0] for mode in MODES for name in mode.split(",")}
    assert tried | {"none"} == {name.partition("=")[0] for name in MODE_HELP}


async def test_every_way_is_live(autojump_clock: object) -> None:
    comparison = await compared(["none", "none"])
    assert [way.codes for way in comparison.ways] == [[], [], []]
    (verdict,) = comparison.verdicts
    assert (verdict.code, verdict.hop) == ("live", None)
    assert verdict.say == "The stream is live by every way: server, hop1, hop2."
    assert comparison.cures == {}


class Unsteady(Naive):
    """A server that holds one of its answers."""

    def __init__(self, held: int) -> None:
        super().__init__()
        self._held = held

    async def answer(self, request: Request) -> StreamingReply:
        self._held -= 1
        if self._held:
            return await super().answer(request)
        return StreamingReply(self.whole(), content_type="text/event-stream")

    async def whole(self) -> AsyncGenerator[bytes | Last, None]:
        async with aclosing(self.events()) as events:
            pieces = [one.piece if isinstance(one, Last) else one async for one in events]
        yield b"".join(pieces)


async def test_one_answer_of_three_is_no_fault(autojump_clock: object) -> None:
    """A short load on the machine does not make x-ray name a hop."""
    comparison = await compared(["none"], Unsteady(4), rounds=3)
    codes = [[report.verdicts[0].code for report in way.reports] for way in comparison.ways]
    assert codes == [["live"] * 3, ["live", "buffered-whole", "live"]]
    assert [way.codes for way in comparison.ways] == [[], []]
    assert comparison.verdicts[0].code == "live"


async def test_the_server_itself(autojump_clock: object) -> None:
    comparison = await compared([], Unsteady(1))
    verdict = comparison.verdicts[0]
    assert (verdict.code, verdict.hop) == ("buffered-whole", "server")
    first = "The first way (server) has this: it is the server, or a hop that you have not given."
    assert verdict.say.endswith(first)


class Changing(Naive):
    """Changes the pieces of every answer, or of all but the first one.

    Args:
        old, new: The bytes to replace, and the new ones.
        answers: Number of the first answer that is changed.
    """

    def __init__(self, old: bytes, new: bytes, answers: int = 1) -> None:
        super().__init__()
        self._replacing = old, new
        self._left = answers

    async def events(self) -> AsyncGenerator[bytes | Last, None]:
        self._left -= 1
        changes = self._left <= 0
        async with aclosing(super().events()) as events:
            async for piece in events:
                if changes and isinstance(piece, bytes):
                    piece = piece.replace(*self._replacing)
                yield piece


@pytest.mark.parametrize(
    ("old", "new", "sure", "say"),
    [
        (b"one", b"eins", 0.9, "The text differs: "),
        (b'"object": "chat.completion.chunk", ', b"", 0.7, "The events differ, and the text is "),
    ],
)
async def test_other_answers_by_one_way(
    old: bytes, new: bytes, sure: float, say: str, autojump_clock: object
) -> None:
    """A fault that no single answer shows: a filter that writes other, valid events."""
    hosts = {"server": Naive(), "filter": Changing(old, new)}
    comparison = await compared_hosts(hosts, rounds=2)
    (verdict,) = comparison.verdicts
    assert (verdict.hop, verdict.code, verdict.sure) == ("filter", "rewritten", sure)
    assert verdict.say.startswith(say)


async def test_answers_that_vary_prove_nothing(autojump_clock: object) -> None:
    hosts = {"server": Naive(), "hop": Changing(b"one", b"eins", answers=2)}
    comparison = await compared_hosts(hosts, rounds=2)
    assert [verdict.code for verdict in comparison.verdicts] == ["live"]


async def test_a_reversed_order(autojump_clock: object) -> None:
    """The hop farthest from the server was given first. The faulty one is still named."""
    async with chain(["rechunk=1000", "none"]) as made:
        comparison = await compared_by(made, ["hop2", "hop1", "server"], 1)
    (verdict,) = comparison.verdicts
    assert (verdict.hop, verdict.code, verdict.sure) == ("hop1", "buffered-blocks", 0.8)
    assert verdict.say.endswith(
        "The way before it (server) does not have this. Your order looks reversed: the first way "
        "(hop2) is spoilt, and the last (server) is not. Give the way nearest to the server first."
    )
    assert [way.name for way in comparison.ways] == ["hop2", "hop1", "server"]


async def test_the_cure_of_a_server_is_not_that_of_a_proxy(autojump_clock: object) -> None:
    comparison = await compared([], Unsteady(1))
    assert comparison.verdicts[0].cure == (
        "Let the server write out each event when it is made. If it writes to a pipe: "
        "stdbuf -oL, python -u, print(flush=True)."
    )
    assert list(comparison.cures)[:3] == ["a pipe", "Python", "Express"]


async def test_a_hop_that_ends_a_whole_answer(autojump_clock: object) -> None:
    """Nothing was cut upstream, so the cure does not say so."""
    comparison = await compared(["http10,truncate=3000"])
    verdict = comparison.verdicts[0]
    assert (verdict.hop, verdict.code) == ("hop1", "cut-clean")
    assert verdict.cure.startswith("The upstream's answer is complete, so this hop ends it early")


class Gathering(Naive):
    """Writes so many events at a time, in one piece.

    Args:
        at_once: Number of events.
        late: Seconds before each of these pieces, in addition to the pace of the server.
    """

    def __init__(self, at_once: int, late: float = 0.0) -> None:
        super().__init__()
        self._at_once = at_once
        self._late = late

    async def events(self) -> AsyncGenerator[bytes | Last, None]:
        held: list[bytes] = []
        async with aclosing(super().events()) as events:
            async for piece in events:
                if isinstance(piece, Last):
                    yield Last(b"".join(held) + piece.piece)
                    return
                held.append(piece)
                if len(held) == self._at_once:
                    await trio.sleep(self._late)
                    yield b"".join(held)
                    held.clear()


@pytest.mark.parametrize("at_once", [7, 20])
async def test_what_one_way_does_not_show(at_once: int, autojump_clock: object) -> None:
    """A hop that gathers looks like a model with large steps. The way before it has small ones."""
    comparison = await compared_hosts({"server": Naive(), "hop": Gathering(at_once)}, rounds=3)
    verdict = comparison.verdicts[0]
    assert (verdict.hop, verdict.code, verdict.sure) == ("hop", "coalesced", 0.9)
    said = r"The longest gap is [\d,]+ ms here, and 50 ms by the way before it\."
    assert re.search(said, verdict.say)


async def test_steps_of_the_model_itself(autojump_clock: object) -> None:
    """Every way shows the same large steps: no hop is named, and nothing is sure."""
    hosts = {"server": Gathering(20), "hop": Gathering(20)}
    comparison = await compared_hosts(hosts, rounds=3)
    assert [(one.code, one.hop) for one in comparison.verdicts] == [("unsure", None)]


async def test_short_answers_do_not_become_sure(autojump_clock: object) -> None:
    hosts = {"server": Gathering(40), "hop": Gathering(40)}
    Gathering.TTFT = Gathering.ITL = 0.0
    comparison = await compared_hosts(hosts, rounds=3)
    (verdict,) = comparison.verdicts
    assert (verdict.code, verdict.sure) == ("live", 0.5)
    assert verdict.say.endswith(
        "But the answers are too short to be sure: ask for a hundred tokens or more."
    )


class Pausing(Naive):
    """Pauses for six seconds in its answer."""

    async def events(self) -> AsyncGenerator[bytes | Last, None]:
        async with aclosing(super().events()) as events:
            number = 0
            async for piece in events:
                yield piece
                number += 1
                if number == 20:
                    await trio.sleep(6)


@pytest.mark.parametrize(("seconds", "said"), [("3", "3 s"), ("1.4", "1.4 s")])
async def test_a_short_timeout(seconds: str, said: str, autojump_clock: object) -> None:
    """By the way before it, a longer silence did no harm."""
    comparison = await compared([f"idle={seconds}"], Pausing(), rounds=2)
    (verdict,) = comparison.verdicts
    assert (verdict.hop, verdict.code, verdict.sure) == ("hop1", "idle-timeout", 0.95)
    assert verdict.say.startswith(f"The connection was closed after {said} of silence. ")
    assert "The silence was 6.0 s by the way before it" in verdict.say
