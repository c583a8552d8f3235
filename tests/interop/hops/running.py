"""Runs the hops, and measures all cases, many at the same time.

    trio.run(ask_all, cases, folder, settled)

Waiting takes no processor time, so hundreds of streams of three seconds each take only half a
minute. The number of streams at the same time is limited, because on a busy machine the measured
times would be those of the machine, not those of the hops.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path

import trio

from servers.http.connection import Limits
from servers.http.server import Server, listen

from ..peers import SAFETY, free_port, listens
from .asking import Case, Seen, ask, most
from .hop import Hop
from .hops import HOPS
from .relaying import Direct
from .upstream import WAYS, Upstream

__all__ = ["ask_all"]

STREAMS = 100
"""Largest number of streams at the same time, not counting silent ones."""

STREAMS_OF_ONE = 30
"""Largest number of streams through one hop at the same time, not counting silent ones."""

PACE = 0.008
"""Seconds between two requests. If they began together, their events would arrive together."""

TRIES = 3
"""Largest number of measurements of a case whose outcome is surprising."""

BUSY_TRIES = 10
"""The same, if the machine was too busy in each of them (`Seen.on_busy_machine`)."""

TICK = 0.01
"""Seconds between two looks at how late this machine runs a task."""

Settled = Callable[[Case, Seen], bool]


async def ask_all(cases: Sequence[Case], folder: Path, settled: Settled) -> dict[str, str]:
    """Start the hops of these cases, measure the cases, and stop the hops.

    Args:
        folder: The folder for the programs' files.
        settled: Called with the outcome of each case. If it returns False, the case is measured
            again, because this machine may have been too busy: at most twice, or more often if it
            was.

    Returns:
        The output of each hop that did not start. Its cases were not measured.
    """
    names = dict.fromkeys(case.hop for case in cases)
    async with serving(len(names)) as asking, trio.open_nursery() as measuring:
        measuring.start_soon(asking.note_lateness)
        async with trio.open_nursery() as nursery:
            for name in names:
                own = [case for case in cases if case.hop == name]
                nursery.start_soon(asking.ask_hop, HOPS[name], own, folder / name.lower(), settled)
        measuring.cancel_scope.cancel()
    return asking.problems


@asynccontextmanager
async def serving(hops: int) -> AsyncIterator["Asking"]:
    """The upstream of this number of hops, on a separate port."""
    sent: dict[str, list[float]] = {}
    sockets = listen("127.0.0.1", 0)
    server = Server(Upstream(sent).routes, limits=Limits(heartbeat_seconds=3600))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, sockets)
        yield Asking(hops, sockets[0].getsockname()[1], sent)
        server.abort()


class Asking:
    """The state that the hops share.

    Args:
        hops: The number of hops.
        upstream: The upstream's port.
        sent: The times that the upstream noted.

    Attributes:
        problems: The output of each hop that did not start.
    """

    def __init__(self, hops: int, upstream: int, sent: dict[str, list[float]]) -> None:
        self.problems: dict[str, str] = {}
        self._starting = hops
        self._upstream = upstream
        self._sent = sent
        self._numbers = count()
        self._lateness: list[float] = []  # in milliseconds, one for each tick
        self._free = trio.Semaphore(STREAMS)
        self._pace = trio.Lock()
        self._all_run = trio.Event()

    async def note_lateness(self) -> None:
        """Note how much later than asked this machine runs a task, for ever."""
        while True:
            due = trio.current_time() + TICK
            await trio.sleep_until(due)
            self._lateness.append(1000 * (trio.current_time() - due))

    async def ask_hop(
        self, hop: Hop, cases: Sequence[Case], folder: Path, settled: Settled
    ) -> None:
        """Start one hop, measure its cases, and stop it. No case is measured before the last hop
        runs, because programs that start need all of the machine's processor time."""
        ports = {
            each: self._upstream if isinstance(hop, Direct) else free_port()
            for each in hop.configurations
        }
        async with running(hop, folder, self._upstream, ports) as problem:
            self._starting -= 1
            if not self._starting:
                self._all_run.set()
            if problem:
                self.problems[hop.name] = problem
                return
            await self._all_run.wait()
            for number in range(1, BUSY_TRIES + 1):
                again: list[Case] = []
                free = trio.Semaphore(STREAMS_OF_ONE)

                async def run(
                    case: Case,
                    free: trio.Semaphore = free,
                    again: list[Case] = again,
                    last: bool = number >= TRIES,
                ) -> None:
                    if case.way == "silent":  # it costs nothing
                        seen = await self._ask(hop, case, ports)
                    else:
                        async with free, self._free:
                            seen = await self._ask(hop, case, ports)
                    if not settled(case, seen) and (seen.on_busy_machine or not last):
                        again.append(case)

                async with trio.open_nursery() as nursery:
                    # The first cases are those that may hang until the client gives up.
                    for case in sorted(cases, key=lambda case: -WAYS.index(case.way)):
                        nursery.start_soon(run, case)
                cases = again

    async def _ask(self, hop: Hop, case: Case, ports: Mapping[str, int]) -> Seen:
        async with self._pace:
            await trio.sleep(PACE)
        number = next(self._numbers)
        forward = hop.configurations[case.configuration].forward
        via = f"http://127.0.0.1:{self._upstream}" if forward else ""
        begin = len(self._lateness)
        seen = await ask(case, ports[case.configuration], number, self._sent, via)
        seen.lateness = most(self._lateness[begin:])
        return seen


# ---- Processes


@asynccontextmanager
async def running(
    hop: Hop, folder: Path, upstream: int, ports: Mapping[str, int]
) -> AsyncIterator[str]:
    """Run a hop with all of its configurations. Its files and its output are in this folder. Yields
    "", or the hop's output if it did not start."""
    await trio.Path(folder).mkdir()
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(folder))
    environment = {**os.environ, **homes, "no_proxy": "*"}
    printed = folder / "output.txt"
    with printed.open("wb") as output:
        run = partial(
            trio.run_process,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            deliver_cancel=end,
        )
        async with trio.open_nursery() as nursery:
            processes = [
                await nursery.start(run, command)
                for command in hop.commands(folder, upstream, ports)
            ]
            listening = [await starts_to_listen(port, processes) for port in ports.values()]
            yield "" if all(listening) else f"{hop.name} did not start: {end_of(printed)}"
            nursery.cancel_scope.cancel()


async def starts_to_listen(port: int, processes: Sequence[trio.Process]) -> bool:
    """Wait until this is true, while all programs run. Returns whether it became true."""
    for _ in range(int(SAFETY / 0.05)):
        if listens(port):
            return True
        if any(process.returncode is not None for process in processes):
            return False
        await trio.sleep(0.05)
    return False


async def end(process: trio.Process) -> None:
    """Stop a program. If it does not stop within five seconds, it is killed."""
    process.terminate()
    await trio.sleep(5)
    process.kill()


def end_of(printed: Path) -> str:
    """Return the last line that a program has printed."""
    return printed.read_text(encoding="utf-8", errors="replace")[-2000:]
