"""Several processes that serve one port: `--workers 4`, or `--workers auto` for one per core.

    $ python -m servers.chat --workers 2
    servers.chat listens on http://localhost:8000/
    2 workers. Each keeps for itself: limits, recordings, verdicts, and faults that count (429*2).

                    parent              keeps all listening sockets; serves nothing
                   /      \\
          worker 0          worker 1    a whole server each, on sockets of its own

One Python process uses one core. On Linux, each worker has listening sockets of its own, and the
kernel gives each new connection to one of them (SO_REUSEPORT, socket(7)). Elsewhere all workers
accept connections from the same sockets.

The rules this file keeps:

1. The parent keeps a copy of every listening socket. So if a worker dies, its replacement accepts
   the connections that were waiting for it.
2. The parent passes SIGTERM to the workers, and Ctrl-C as SIGTERM. A terminal sends Ctrl-C to the
   workers too, so they block it: otherwise they would count it twice, and truncate their replies.
3. A worker that dies is replaced, and the parent says so. If it has lived for less than a second,
   the next one starts a second later.
4. When the parent dies, its workers stop, as after SIGTERM. They notice its death because only
   the parent holds the other end of a pipe, which then closes.
"""

import argparse
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from .routes import Routes
from .server import listen
from .shared_metrics import SharedMetrics, forget

__all__ = ["ABOUT_WORKERS", "MAX_WORKERS", "add_flag", "listen_for_workers", "start_workers"]

ABOUT_WORKERS = (
    "workers. Each keeps for itself: limits, recordings, verdicts, and faults that count (429*2)."
)
MAX_WORKERS = 64
SHORT_LIFE = 1.0  # seconds: see rule 3

Sockets = list[socket.socket]


def add_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--workers` to the flags of a server."""
    parser.add_argument(
        "--workers",
        type=worker_count,
        default=1,
        metavar="N",
        help="processes that share the port; auto: one per core (default: %(default)s)",
    )


def worker_count(text: str) -> int:
    if text == "auto":
        return min(_cores(), MAX_WORKERS)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_WORKERS):
        raise argparse.ArgumentTypeError(f"not a number from 1 to {MAX_WORKERS}, or auto: {text}")
    if int(text) > 1 and not hasattr(os, "fork"):
        raise argparse.ArgumentTypeError("this system cannot fork: only one worker is possible")
    return int(text)


def _cores() -> int:
    """Return how many cores this process may use."""
    if not hasattr(os, "fork"):
        return 1
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def listen_for_workers(host: str, port: int, count: int) -> list[Sockets]:
    """Open the listening sockets of all workers.

    Args:
        host, port: As for `listen`.
        count: The number of workers.

    Returns:
        The sockets of each worker. Where the kernel cannot spread connections, all have the same.

    Raises:
        PortBusyError, OSError: As `listen` does.
    """
    sockets = listen(host, port)
    if count == 1 or sys.platform != "linux":
        return [sockets] * count
    # The first attempt found out whether another server has the port: with SO_REUSEPORT, two
    # servers of one user would share it and not notice.
    port = sockets[0].getsockname()[1]
    _close(sockets)
    return [listen(host, port, reuse_port=True) for _ in range(count)]


def start_workers(all_sockets: Sequence[Sockets], routes: Routes) -> Sockets | None:
    """Fork a worker for each entry, and look after them until a signal arrives and all have ended.

    Like `os.fork`, this returns in each process: in a worker at once, in the parent at the end. The
    process must have no other threads.

    Args:
        all_sockets: The sockets of each worker, from `listen_for_workers`.
        routes: What the workers serve. A worker adds its own tasks to those of the routes.

    Returns:
        In a worker, its listening sockets. In the parent, None.
    """
    parent = _Parent(all_sockets, routes)
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler, a system may drop it
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    for number in range(len(all_sockets)):
        if sockets := parent.start(number):
            return sockets
    while parent.running:
        if signal.sigwait(signals) != signal.SIGCHLD:
            parent.stop()
        for number in parent.dead():
            if sockets := parent.start(number):
                return sockets
    shutil.rmtree(parent.folder, ignore_errors=True)
    return None


class _Parent:
    """The parent of the workers.

    Attributes:
        folder: The folder through which the workers share their numbers.
        running: For each process id, the worker's number and the time at which it started.
    """

    def __init__(self, all_sockets: Sequence[Sockets], routes: Routes) -> None:
        self._all_sockets = all_sockets
        self._routes = routes
        self._lifeline, self._held = os.pipe()
        self._is_stopping = False
        self.folder = Path(tempfile.mkdtemp(prefix="workers-"))
        self.running: dict[int, tuple[int, float]] = {}

    def start(self, number: int) -> Sockets | None:
        """Fork a worker. Returns its sockets there, and None here."""
        process = os.fork()
        if process:
            self.running[process] = number, time.monotonic()
            return None
        os.close(self._held)
        mine = self._all_sockets[number]
        for sockets in self._all_sockets:
            if sockets is not mine:
                _close(sockets)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGCHLD])  # rule 2
        self._routes.tasks = [*self._routes.tasks, self._follow]
        if metrics := self._routes.metrics:
            metrics.shared = SharedMetrics(self.folder, metrics.collect)
            self._routes.tasks.append(metrics.shared.run)
        return mine

    async def _follow(self) -> None:
        """Wait, in a worker, until the parent has died. Then stop, as after SIGTERM."""
        await trio.lowlevel.wait_readable(self._lifeline)
        signal.raise_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Tell all workers to stop. The second time, they truncate their running replies."""
        self._is_stopping = True
        for sockets in self._all_sockets:
            _close(sockets)
        for process in self.running:
            os.kill(process, signal.SIGTERM)

    def dead(self) -> list[int]:
        """Return the numbers of the workers that have died and must be replaced."""
        numbers = []
        for process in list(self.running):
            ended, status = os.waitpid(process, os.WNOHANG)
            if not ended:
                continue
            number, began = self.running.pop(process)
            forget(self.folder, process)
            if self._is_stopping:
                continue
            code = os.waitstatus_to_exitcode(status)
            cause = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
            print(f"worker {number} has died ({cause}), and is replaced", file=sys.stderr)
            if time.monotonic() - began < SHORT_LIFE:
                time.sleep(SHORT_LIFE)
            numbers.append(number)
        return numbers


def _close(sockets: Sockets) -> None:
    for sock in sockets:
        sock.close()


# What this file does not do: share anything but the numbers of `GET /metrics` and `GET /health`, or
# move a connection from one worker to another.
