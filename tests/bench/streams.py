"""How fast the simulated LLM streams, compared with other servers that do the same work.

One server at a time runs on one core, and the load client (`load.c`, compiled at the start) on
another. The servers take turns: every round measures each server once, starting with another one.
All speak the OpenAI streaming API, build each event from its token, and write it alone where there
is a pace (`peers/`;
`peers/check.py` looks at an answer of each before the race).

    CPU per token    1,000 streams x 20 tokens/s: user + system time of the server's processes in
                     the window, divided by the tokens that arrived in it
    capacity         streams x 20 tokens/s that one core holds: doubled, then bisected to 1/12. Held
                     is when p99 lateness and median lag are at most 25 ms (both defined in
                     `load.c`); a missed level gets a second try, because noise only makes it worse
    unpaced          ITL 0, answers of 200 tokens, 64 clients that ask again at once. Here ours
                     sends up to 16 tokens in one write, each in a chunk of its own
    short answers    TTFT and ITL 0, answers of 8 tokens, 64 clients that ask again at once; whole
                     (`"stream": false`) and streamed. Counted per second of the server's processor
                     time, because other programs take a part of each second of the clock
    two workers      short whole answers a second, with `--workers 2` on all cores
    first byte       the same answers, streamed, 1 and 200 clients that ask again at once, and
                     1,000 that all ask at the same moment; from the request sent to the first byte
                     of the response, on open connections
    memory           (resident set at 2,000 streams - at 0) / the streams that have begun, at a
                     token a second each, after 100 other streams came and went

A loop that sends one constant frame, in Python and in C, is the floor of a paced token.

Values are medians of the rounds; a ratio is our median divided by the peer's. Other
programs on these cores make every time longer, and the capacity smaller: see "load" in the result.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import inf
from typing import Any

from servers.http.command import raise_file_limit

from .figures import Figure, Found, Result, Run
from .peers import (
    AIMOCK,
    C_LOOP,
    ONE_WORKER,
    OURS,
    PEERS,
    SEND,
    TIGHT,
    TWO_WORKERS,
    Peer,
    Setting,
    pinned,
    serving,
)
from .peers.check import check, check_whole
from .peers.client import Client, LoadFailed, built, cores
from .stream_figures import (
    CAPACITY,
    CPU,
    MANY,
    MEMORY,
    ONE,
    STREAMED,
    TOGETHER,
    UNPACED,
    WHOLE,
    WORKERS,
)

__all__ = ["FIGURES", "FULL", "QUICK", "Bench", "Scale", "Search", "measure", "names", "steps"]

TTFT, ITL = 0.2, 0.05  # 20 tokens/s
HELD_MS = 25.0
OTHERS = (TIGHT, C_LOOP, ONE_WORKER)  # only in the figures whose goals name them
OPENED_PER_SECOND = 1000


@dataclass(frozen=True)
class Scale:
    """The amount of measurement.

    Args:
        most: Largest number of streams that the search for the capacity tries.
        part: Accuracy of the search, as a part of the result: 8 means an eighth.
        tries: Number of attempts at a level that is missed.
        levels: Largest number of attempts at all levels together.
        everyone: Whether CPU per token and unpaced tokens are measured for all servers. Other
            figures include only the servers that a goal names.
        together: Number of clients that all ask at the same moment.
        minutes: Minutes after which a figure gets no further round, and a search ends as soon as
            each server has held a level.
    """

    streams: int = 1000
    most: int = 8000
    clients: int = 64
    many: int = 200
    together: int = 1000
    memory: int = 2000
    seconds: float = 2.5
    rounds: int = 3
    part: int = 12
    tries: int = 2
    levels: int = 12
    everyone: bool = True
    minutes: float = 11.0


FULL = Scale()
QUICK = Scale(memory=1000, seconds=1.0, rounds=1, part=2, tries=1, levels=3, everyone=False)


@dataclass(frozen=True)
class Bench:
    """What to measure: the amount, the servers, and their core, or -1 for all cores.

    Args:
        until: Time on the monotonic clock, in seconds. No further round begins after it.
    """

    scale: Scale
    client: Client
    core: int
    until: float = inf

    @property
    def late(self) -> bool:
        return time.monotonic() > self.until


Measure = Callable[[Bench, Peer], Run]


def _paced(bench: Bench, peer: Peer, streams: int) -> tuple[dict[str, Any], dict[str, float]]:
    seconds = bench.scale.seconds
    spread = max(min(1.0, seconds), streams / OPENED_PER_SECOND)
    warm = min(1.0, seconds / 2)
    # As many tokens as fit, and two seconds more: no stream ends before the window does.
    setting = Setting(TTFT, ITL, int((spread + warm + seconds + 2) / ITL))
    with serving(peer, setting, bench.core) as server:
        counted = bench.client.drive(
            server, setting, streams, spread=spread, warm=warm, seconds=seconds
        )
    facts = {"late p99": counted["late"]["p99"], "lag p50": counted["lag"]["p50"]}
    return counted, {**facts, **_load_facts(counted)}


def _load_facts(counted: dict[str, Any]) -> dict[str, float]:
    return {
        "core %": 100 * counted["cpu"] / counted["seconds"],
        "client %": 100 * counted["client_cpu"] / counted["seconds"],
        "tokens/s": counted["tokens"] / counted["seconds"],
        "failures": counted["failures"],
    }


def _cpu_per_token(bench: Bench, peer: Peer) -> Run:
    counted, facts = _paced(bench, peer, bench.scale.streams)
    return Run(1e6 * counted["cpu"] / counted["tokens"], facts)


def _at_once(bench: Bench, peer: Peer, *, tokens: int, stream: bool = True) -> dict[str, Any]:
    """Answers without pauses, for clients that ask again at once."""
    setting, seconds = Setting(0, 0, tokens, stream), bench.scale.seconds
    with serving(peer, setting, bench.core) as server:
        return bench.client.drive(
            server,
            setting,
            bench.scale.clients,
            spread=0.1,
            warm=min(seconds, 0.5),
            seconds=seconds,
        )


def _unpaced(bench: Bench, peer: Peer) -> Run:
    counted = _at_once(bench, peer, tokens=200)
    facts = _load_facts(counted)
    # Where other programs take a part of the core, this is the fairer number.
    facts["events/CPU s"] = counted["tokens"] / max(counted["cpu"], 0.01)
    return Run(facts["tokens/s"], facts)


def _short_answers(bench: Bench, peer: Peer, *, stream: bool) -> Run:
    counted = _at_once(bench, peer, tokens=8, stream=stream)
    facts = {**_load_facts(counted), "answers/s": counted["answers"] / counted["seconds"]}
    return Run(counted["answers"] / max(counted["cpu"], 0.01), facts)


def _two_workers(bench: Bench, peer: Peer) -> Run:
    """Ours with two workers, on all cores; the one worker has the server's core alone. The client
    keeps its core, and gets what is left of it."""
    if peer is ONE_WORKER:
        run = _short_answers(bench, peer, stream=False)
    else:
        run = _short_answers(replace(bench, core=-1), TWO_WORKERS, stream=False)
    return Run(run.facts["answers/s"], run.facts)


def _first_byte(bench: Bench, peer: Peer, *, clients: str, together: bool = False) -> Run:
    setting, count = Setting(0, 0, 8), getattr(bench.scale, clients) if clients else 1
    spread, seconds = max(0.1, count / 5000), bench.scale.seconds / 2
    drive = partial(bench.client.drive, begins=True, together=together)
    with serving(peer, setting, bench.core) as server:
        counted = drive(server, setting, count, spread=spread, warm=0.2, seconds=seconds)
    first = counted["first_byte"]
    facts = {"p99": first["p99"], "max": first["max"]}
    facts |= {"first token p50": counted["first_token"]["p50"]}
    facts |= {"CPU µs": 1e6 * counted["cpu"] / max(counted["answers"], 1)}
    return Run(first["p50"], {**facts, "answers/s": counted["answers"] / counted["seconds"]})


def _memory(bench: Bench, peer: Peer) -> Run:
    streams, seconds = bench.scale.memory, min(bench.scale.seconds, 2.0)
    setting = Setting(TTFT, seconds / 2, 60)
    drive = partial(bench.client.drive, setting=setting, warm=seconds / 2, seconds=seconds)
    with serving(peer, setting, bench.core) as server:
        drive(server, streams=min(100, streams), spread=0.1)
        time.sleep(min(0.5, seconds))  # let it notice the disconnects
        before = server.resident_kib()
        counted = drive(server, streams=streams, spread=streams / OPENED_PER_SECOND)
    running = counted["running"]  # on a busy machine, fewer have begun
    facts = {"MiB at 0": before / 1024, "MiB then": counted["kib"] / 1024, "streams": running}
    return Run((counted["kib"] - before) / max(running, 1), facts)


class Search:
    """Finds the highest level that is held: doubles, or halves, then bisects.

    Args:
        scale: Where the search begins and ends, its accuracy, and its attempts.

    Attributes:
        level: The next level to try.
        held: The highest level held so far.
    """

    def __init__(self, scale: Scale) -> None:
        self.level = scale.streams
        self.held = 0
        self._missed = 0
        self._tries = 0
        self._levels = 0
        self._scale = scale

    @property
    def done(self) -> bool:
        near = 0 < self._missed <= self.held + max(self.held // self._scale.part, 1)
        ended = self.held >= self._scale.most or self._levels >= self._scale.levels
        return near or ended

    def tell(self, held: bool) -> None:
        """Report whether `level` was held. After that, `level` is the next one to try."""
        self._tries += 1
        self._levels += 1
        if not held and self._tries < self._scale.tries:
            return
        self._tries = 0
        if held:
            self.held = self.level
        else:
            self._missed = self.level
        if not self._missed:
            self.level = min(2 * self.level, self._scale.most)
        else:
            self.level = (self.held + self._missed) // 2


def _try_level(bench: Bench, peer: Peer, search: Search) -> Run:
    level = search.level
    try:
        facts = _paced(bench, peer, level)[1]
        held = facts["late p99"] <= HELD_MS and facts["lag p50"] <= HELD_MS
    except LoadFailed:
        facts, held = {}, False
    search.tell(held)
    return Run(search.held, {"level": level, **facts})


# None for what is searched for. A search takes a minute: only for those with a goal, and the limit.
FIGURES: dict[Figure, Measure | None] = {
    CPU: _cpu_per_token,
    CAPACITY: None,
    UNPACED: _unpaced,
    WHOLE: partial(_short_answers, stream=False),
    STREAMED: partial(_short_answers, stream=True),
    WORKERS: _two_workers,
    ONE: partial(_first_byte, clients=""),
    MANY: partial(_first_byte, clients="many"),
    TOGETHER: partial(_first_byte, clients="together", together=True),
    MEMORY: _memory,
}


def racers(figure: Figure, scale: Scale) -> list[Peer]:
    """All servers of the race, installed or not."""
    wanted = {OURS.name, *(goal.peer for goal in figure.goals)}
    if scale.everyone and figure in (CPU, UNPACED):
        wanted.update(peer.name for peer in PEERS)
    if figure is CAPACITY and not scale.everyone:
        wanted = {OURS.name, SEND.name}  # each search takes minutes
    if figure is WHOLE:
        wanted -= {SEND.name, AIMOCK.name}  # they only stream
    return [peer for peer in (*PEERS, *OTHERS) if peer.name in wanted]


def names(only: str = "") -> list[str]:
    return [figure.name for figure in _chosen(only)]


def _chosen(only: str) -> list[Figure]:
    return [figure for figure in FIGURES if only.lower() in figure.name.lower()]


def steps(scale: Scale, only: str) -> int:
    """Return about how many measurements there will be. For a search this is a guess."""
    return sum(
        len(racers(figure, scale)) * (scale.rounds if FIGURES[figure] else scale.part)
        for figure in _chosen(only)
    )


def measure(
    compiler: str, scale: Scale, only: str, step: Callable[[str], object]
) -> tuple[Found, dict[str, object]]:
    """Measure every figure whose name contains `only`, of every installed server. Returns the
    settings too.

    Args:
        compiler: Path of the C compiler.
        step: A function called before each measurement, with its description.

    Raises:
        DifferentWork: A server's answer is not the same as that of the others.
        NotStarted: A server did not start.
    """
    raise_file_limit()
    server_core, client_core = cores()
    settings: dict[str, object] = {
        **asdict(scale),
        "server core": server_core,
        "client core": client_core,
    }
    settings["load before"] = round(os.getloadavg()[0], 1)
    found: Found = []
    with pinned(client_core), built(compiler) as program:
        until = time.monotonic() + 60 * scale.minutes
        bench = Bench(scale, Client(program, client_core), server_core, until)
        for peer in (*PEERS, *OTHERS):
            if not peer.absence and any(peer in racers(figure, scale) for figure in _chosen(only)):
                check(peer, server_core)
                if any(
                    figure is WHOLE and peer in racers(WHOLE, scale) for figure in _chosen(only)
                ):
                    check_whole(peer, server_core)
        for figure in _chosen(only):
            found.append((figure, _measure(bench, figure, step)))
    settings["load after"] = round(os.getloadavg()[0], 1)
    return found, settings


def _measure(bench: Bench, figure: Figure, step: Callable[[str], object]) -> dict[str, Result]:
    peers = racers(figure, bench.scale)
    searched = FIGURES[figure] is None
    results = {peer.name: Result(absent=peer.absence, searched=searched) for peer in peers}
    for peer, go in _turns(bench, figure, [peer for peer in peers if not peer.absence]):
        result = results[peer.name]
        if result.absent:
            continue
        step(f"{figure.name}: {peer.name}")
        try:
            result.runs.append(go())
        except LoadFailed as error:
            result.absent = f"failed, {error}"
            result.runs.clear()
    return results


def _turns(
    bench: Bench, figure: Figure, peers: list[Peer]
) -> Iterator[tuple[Peer, Callable[[], Run]]]:
    """The order of measurements."""
    if run := FIGURES[figure]:
        for number in range(bench.scale.rounds):
            if number and bench.late:
                return
            first = number % len(peers)
            for peer in [*peers[first:], *peers[:first]]:
                yield peer, partial(run, bench, peer)
        return
    searches = [(peer, Search(bench.scale)) for peer in peers]
    while any(not search.done for _, search in searches):
        if bench.late and all(search.held for _, search in searches):
            return
        for peer, search in searches:
            if not search.done:
                yield peer, partial(_try_level, bench, peer, search)
