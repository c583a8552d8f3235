"""The cost of relaying a stream: the OpenAI proxy compared with relays in other frameworks.

One proxy at a time runs on one core. The load client (`load.c`) and the upstream
(`peers/upstream.py`) run on the other. They are the same for all proxies: 200 streams of 20
events/s, each of about 250 bytes, whose token is the time at which it was made. First over plain
HTTP, then over TLS between the proxy and the API. The proxies take turns: every round measures each
once, starting with another one; `peers/check.py` looks at an answer of each before the race.

    CPU per event    user + system time of the proxy's processes in the window, divided by the
                     events that arrived in it
    on the way       from the moment an event was made to its arrival; "no proxy" is the floor,
                     with nothing between the API and the client
    memory           (resident set at 1,000 streams - at 0) / 1,000, at a token a second each,
                     after 100 other streams came and went
    TLS write        `TLSStream.send_now` of one event of 250 bytes into a socket, beside
                     `trio.SSLStream.send_all`

Values are medians of the rounds; a ratio is our median divided by the peer's. CPU is counted in
ticks of 10 ms, so a window of 4 s gives it with an error of 1 or 2 %. Other programs on these cores
make events late, but change a proxy's CPU time little.
"""

import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trustme

from clients.streams.tls import client_context
from servers.http.command import raise_file_limit

from . import tls_write
from .figures import Figure, Found, Goal, Result, Run
from .peers import NotStarted, Peer, Server, Setting, pinned, python, serving
from .peers.check import SETTING, check
from .peers.client import Client, LoadFailed, built, cores
from .peers.proxies import DIRECT, FASTAPI, OURS, Behind, proxies
from .table import DifferentWork

__all__ = ["FIGURES", "FULL", "QUICK", "Scale", "measure", "names", "steps"]

PEERS = proxies(Behind(0))  # for their names, and whether they are here
TTFT, ITL = 0.2, 0.05  # 20 events/s
OPENED_PER_SECOND = 400


@dataclass(frozen=True)
class Scale:
    """The amount of measurement.

    Args:
        streams: Number of streams at 20 events/s.
        memory: Number of streams at one event/s, to measure memory.
        writes: Number of writes of an event into TLS, in each round.
        everyone: Whether to include peers that no goal names.
    """

    streams: int = 200
    memory: int = 1000
    writes: int = 20_000
    seconds: float = 4.0
    rounds: int = 3
    everyone: bool = True


FULL = Scale()
QUICK = Scale(memory=300, writes=4000, seconds=2.0, rounds=1, everyone=False)


@dataclass(frozen=True)
class Bench:
    """What to measure: the amount, the proxies, their core, and the API's certificate, if it has
    one."""

    scale: Scale
    client: Client
    core: int
    certificate: "Certificate | None" = None


@dataclass(frozen=True)
class Certificate:
    """Two files (PEM): the certificate chain with its key, and the CA that signed it."""

    chain: Path
    ca: Path


# ---- one measurement


@contextmanager
def _behind(bench: Bench, setting: Setting) -> Iterator[tuple[Server, Behind]]:
    """The API, on the client's core."""
    certificate = bench.certificate
    tls = ["--certificate", str(certificate.chain)] if certificate else []
    start = python("upstream")
    peer = Peer("the upstream", lambda setting, folder: [*start(setting, folder), *tls])
    with serving(peer, setting, bench.client.core, wake=not tls) as server:
        yield server, Behind(server.port, certificate.ca if certificate else None)


@contextmanager
def _proxy(bench: Bench, name: str, setting: Setting) -> Iterator[Server]:
    """The proxy of this upstream, or the upstream itself if no proxy is wanted."""
    with _behind(bench, setting) as (api, behind):
        if name == DIRECT:
            yield api
            return
        (peer,) = (peer for peer in proxies(behind) if peer.name == name)
        with serving(peer, setting, bench.core) as server:
            yield server


def _relay(bench: Bench, name: str) -> dict[Figure, Run]:
    """Return the CPU time, and how long events are on the way, of one run."""
    seconds = bench.scale.seconds
    spread = max(min(1.0, seconds), bench.scale.streams / OPENED_PER_SECOND)
    warm = min(1.0, seconds / 2)
    # As many events as fit, and two seconds more: no stream ends before the window does.
    setting = Setting(TTFT, ITL, int((spread + warm + seconds + 2) / ITL))
    with _proxy(bench, name, setting) as server:
        counted = bench.client.drive(
            server, setting, bench.scale.streams, spread=spread, warm=warm, seconds=seconds
        )
    facts = {
        "core %": 100 * counted["cpu"] / counted["seconds"],
        "client %": 100 * counted["client_cpu"] / counted["seconds"],
        "events/s": counted["tokens"] / counted["seconds"],
        "p99": counted["age"]["p99"],
        "max": counted["age"]["max"],
    }
    way = Run(counted["age"]["p50"], facts)
    cpu = Run(1e6 * counted["cpu"] / counted["tokens"], facts)
    figures = FIGURES_OF[bench.certificate is not None]
    return {figures.way: way} if name == DIRECT else {figures.cpu: cpu, figures.way: way}


def _memory(bench: Bench, name: str) -> dict[Figure, Run]:
    streams, seconds = bench.scale.memory, min(bench.scale.seconds, 2.0)
    # The streams of the first drive must not end before the second has been measured.
    setting = Setting(TTFT, seconds / 2, 120)

    def drive(server: Server, count: int) -> dict[str, Any]:
        spread = max(count / OPENED_PER_SECOND, 0.1)
        return bench.client.drive(
            server, setting, count, spread=spread, warm=seconds / 2, seconds=seconds
        )

    with _proxy(bench, name, setting) as server:
        drive(server, min(100, streams))
        time.sleep(min(0.5, seconds))  # let it notice the disconnects
        before = server.resident_kib()
        counted = drive(server, streams)
    facts = {"MiB at 0": before / 1024, "MiB then": counted["kib"] / 1024}
    figure = FIGURES_OF[bench.certificate is not None].memory
    return {figure: Run((counted["kib"] - before) / streams, facts)}


# ---- the figures


@dataclass(frozen=True)
class Figures:
    """Measure with one kind of API: plain HTTP or TLS."""

    cpu: Figure
    way: Figure
    memory: Figure


def _figures(kind: str, *, has_goals: bool) -> Figures:
    def goals(*goals: Goal) -> tuple[Goal, ...]:
        return goals if has_goals else (Goal(FASTAPI),)

    return Figures(
        Figure(
            f"CPU per relayed event, {kind}",
            "µs",
            goals(Goal(FASTAPI, 0.6, 0.4)),
            ("core %", "events/s"),
        ),
        Figure(
            f"on the way, {kind}",
            "ms",
            goals(Goal(FASTAPI, 0.6), Goal(FASTAPI, 0.6, fact="p99")),
            ("p99", "max", "client %"),
            digits=2,
        ),
        Figure(
            f"memory per relayed stream, {kind}",
            "KiB",
            goals(Goal(FASTAPI, 0.5)),
            ("MiB at 0", "MiB then"),
        ),
    )


FIGURES_OF = {
    False: _figures("plain", has_goals=True),
    True: _figures("TLS", has_goals=False),
}
WRITE = Figure("TLS write of one event", "µs", (Goal(tls_write.TRIO, 0.3),), ("writes",), digits=1)
FIGURES = [
    figure
    for figures in FIGURES_OF.values()
    for figure in (figures.cpu, figures.way, figures.memory)
] + [WRITE]


def names(only: str = "") -> list[str]:
    return [figure.name for figure in FIGURES if only.lower() in figure.name.lower()]


Measure = Callable[[Bench, str], dict[Figure, Run]]


def _races(only: str) -> Iterator[tuple[bool, Measure, list[Figure]]]:
    """Return whether TLS is used, what to run, and which of its figures are wanted."""
    wanted = names(only)
    for tls, figures in FIGURES_OF.items():
        for run, of in ((_relay, [figures.cpu, figures.way]), (_memory, [figures.memory])):
            if chosen := [figure for figure in of if figure.name in wanted]:
                yield tls, run, chosen


def _racers(measure: Measure, scale: Scale, *, tls: bool) -> list[str]:
    names = [peer.name for peer in PEERS] if scale.everyone else [OURS, FASTAPI]
    # The load client does not speak TLS.
    return [*names, DIRECT] if measure is _relay and not tls else names


def steps(scale: Scale, only: str) -> int:
    """Number of measurements."""
    races = sum(len(_racers(run, scale, tls=tls)) for tls, run, _ in _races(only))
    return scale.rounds * (races + (WRITE.name in names(only)))


def measure(
    compiler: str, scale: Scale, only: str, step: Callable[[str], object]
) -> tuple[Found, dict[str, object]]:
    """Measure every figure whose name contains `only`, of every installed proxy. Returns the
    settings too.

    Args:
        compiler: Path of the C compiler.
        step: A function called before each measurement, with its description.

    Raises:
        DifferentWork: Our answer, or FastAPI's, is not what the upstream sent.
        NotStarted: Our proxy or FastAPI's did not start.
    """
    raise_file_limit()
    proxy_core, client_core = cores()
    settings: dict[str, object] = {
        **asdict(scale),
        "proxy core": proxy_core,
        "client core": client_core,
        "openssl": ssl.OPENSSL_VERSION.split()[1],
        "load before": round(os.getloadavg()[0], 1),
    }
    found: dict[str, dict[str, Result]] = {}
    with pinned(client_core), built(compiler) as program, certified() as certificate:
        plain = Bench(scale, Client(program, client_core), proxy_core)
        secure = Bench(scale, plain.client, proxy_core, certificate)
        failed: dict[bool, dict[str, str]] = {}
        for tls, run, figures in _races(only):
            setup = secure if tls else plain
            if tls not in failed:
                failed[tls] = _failures(setup, _racers(run, scale, tls=tls))
            results = _race(setup, run, figures, failed[tls], step)
            found |= {figure.name: results[figure] for figure in figures}
        if WRITE.name in names(only):
            with pinned(proxy_core):
                found[WRITE.name] = _write(scale, certificate, step)
    settings["load after"] = round(os.getloadavg()[0], 1)
    return [(figure, found[figure.name]) for figure in FIGURES if figure.name in found], settings


def _race(
    bench: Bench,
    run: Measure,
    figures: list[Figure],
    failed: dict[str, str],
    step: Callable[[str], object],
) -> dict[Figure, dict[str, Result]]:
    """Measure every figure of every proxy that has not failed, in turns."""
    names = _racers(run, bench.scale, tls=bench.certificate is not None)
    results = {
        figure: {name: Result() for name in names if name != DIRECT or "way" in figure.name}
        for figure in figures
    }
    for number in range(bench.scale.rounds):
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            step(f"{figures[0].name}: {name}")
            if name in failed:
                continue
            try:
                found = run(bench, name)
            except LoadFailed as error:
                failed[name] = f"failed, {error}"
                continue
            for figure in figures:
                if name in results[figure]:
                    results[figure][name].runs.append(found[figure])
    for of_figure in results.values():
        for name, result in of_figure.items():
            if name in failed:
                result.absent = failed[name]
                result.runs.clear()
    return results


def _failures(bench: Bench, names: list[str]) -> dict[str, str]:
    """Return the proxies that are missing, or do not relay every event as the others do, and the
    reasons."""
    failed = {peer.name: peer.absence for peer in PEERS if peer.absence}
    for name in names:
        if name == DIRECT or name in failed:
            continue
        try:
            _check(bench, name)
        except (DifferentWork, NotStarted) as error:
            if name in (OURS, FASTAPI):
                raise
            failed[name] = f"failed, {error}"  # a race without it is still one
    return failed


def _check(bench: Bench, name: str) -> None:
    with _behind(bench, SETTING) as (_, behind):
        (peer,) = (peer for peer in proxies(behind) if peer.name == name)
        check(peer, bench.core, relays=True)


def _write(
    scale: Scale, certificate: Certificate, step: Callable[[str], object]
) -> dict[str, Result]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate.chain)
    client = client_context(str(certificate.ca))
    results = {tls_write.OURS: Result(), tls_write.TRIO: Result()}
    for _ in range(scale.rounds):
        step(WRITE.name)
        for name, result in results.items():
            took = tls_write.seconds_per_write(name, server, client, scale.writes)
            result.runs.append(Run(1e6 * took, {"writes": scale.writes}))
    return results


@contextmanager
def certified() -> Iterator[Certificate]:
    """Make a certificate for localhost, and a CA for it. Both are deleted at the end of the
    block."""
    with TemporaryDirectory() as folder:
        files = Certificate(Path(folder) / "chain.pem", Path(folder) / "ca.pem")
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(files.ca))
        ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(files.chain))
        yield files
