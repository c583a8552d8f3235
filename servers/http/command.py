"""A server as a program: `python -m servers.NAME --port 8000`, until Ctrl-C.

The first line on standard output is the address. This line is flushed, so that a script can wait
for it and read the port that `--port 0` has picked. The log goes to standard error, one line per
request.
"""

import argparse
import contextlib
import gc
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

import trio

from .connection import Limits
from .log import show_log, tell
from .routes import Routes
from .server import PortBusyError, Server
from .workers import ABOUT_WORKERS, listen_for_workers, start_workers

__all__ = [
    "arguments",
    "base_url",
    "port_number",
    "run",
    "seconds",
    "serve_until_signal",
    "show_log",
    "url",
]

log = logging.getLogger("servers")


def arguments(name: str, description: str, port: int) -> argparse.ArgumentParser:
    """Return a parser with the flags that every server has.

    Args:
        name: The server's module, such as "servers.chat".
        description: The purpose of the server, shown by `--help`.
        port: The default port of the server.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        usage="%(prog)s [FLAGS]  (--help lists them)",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host", default="localhost", help="name or address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=port_number, default=port, help="0 picks a free one (default: %(default)s)"
    )
    parser.add_argument("--quiet", action="store_true", help="do not log each request")
    parser.add_argument(
        "--grace",
        type=seconds,
        default=5.0,
        metavar="S",
        help="seconds that running replies may take after Ctrl-C or SIGTERM (default: %(default)s)",
    )
    return parser


def port_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"not a port number (0 to 65535): {text}")
    return int(text)


def seconds(text: str) -> float:
    """Read the value of a flag that is a number of seconds, from 0 to an hour."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"not a number of seconds (0 to 3600): {text}")
    return value


def base_url(text: str) -> str:
    """Read the value of a flag that is the URL of an API or a server. A slash at its end is
    dropped.

    The error does not show a refused value, because it may contain a password.
    """
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is not a number up to 65535, or a broken IPv6 address
        good = False
    if not good or not text.isascii() or "@" in parts.netloc or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError("not a base URL such as http://localhost:8000/v1")
    return text.rstrip("/")


def run(
    options: argparse.Namespace, name: str, routes: Routes, limits: Limits | None = None
) -> int:
    """Serve these routes until a signal arrives.

    Returns:
        The exit code: 0, or 1 when the server could not listen.
    """
    count = getattr(options, "workers", 1)
    try:
        all_sockets = listen_for_workers(options.host, options.port, count)
    except PortBusyError as error:
        print(f"{error.strerror}: choose another with --port (0 picks a free one)", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cannot listen on {options.host}: {error}", file=sys.stderr)
        return 1
    sockets = all_sockets[0]
    address = url(options.host, sockets[0].getsockname()[1])

    def announce() -> None:
        print(f"{name} listens on {address}", flush=True)

    if count > 1:
        _announce(announce)
        print(f"{count} {ABOUT_WORKERS}", file=sys.stderr)
        of_worker = start_workers(all_sockets, routes)
        if of_worker is None:
            return 0  # this is the parent, and all workers have ended
        sockets = of_worker
    show_log(options.quiet)
    server = Server(routes, limits=limits, grace_seconds=options.grace)
    trio.run(serve_until_signal, [(server, sockets)], announce if count == 1 else None)
    return 0


@contextlib.contextmanager
def frozen() -> Iterator[None]:
    """Exclude all objects that exist now from garbage collection, because they stay until the
    server ends.

    A full collection visits every object while all streams wait. The loaded modules alone take
    20 ms, and a server does many full collections after its start.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def raise_file_limit() -> float:
    """Raise this process's limit of open files (sockets included) as far as the system allows.

    The usual soft limit of 1,024 files exists for programs that use `select`.

    Returns:
        The number of files that the process may open now, or infinity if there is no limit.
    """
    try:
        import resource
    except ModuleNotFoundError:  # not a POSIX system: there is no such limit
        return math.inf
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses "unlimited"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if limit == resource.RLIM_INFINITY else limit


def url(host: str, port: int) -> str:
    """Return the URL of a server, as it is typed into a browser."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def serve_until_signal(
    servers: Sequence[tuple[Server, list[socket.socket]]], announce: Callable[[], None] | None
) -> None:
    """Serve until SIGINT (Ctrl-C) or SIGTERM, then let running replies end.

    A second signal truncates the running replies.

    Args:
        servers: The servers, each with its listening sockets.
        announce: A function called when signals are handled and clients can connect, if any.
    """
    raise_file_limit()
    with frozen():
        async with trio.open_nursery() as nursery:
            await nursery.start(_obey_signals, [server for server, _ in servers])
            if announce is not None:
                _announce(announce)
            async with trio.open_nursery() as serving:
                for server, sockets in servers:
                    serving.start_soon(server.serve, sockets)
            nursery.cancel_scope.cancel()


def _announce(announce: Callable[[], None]) -> None:
    try:
        announce()
    except OSError as error:  # the output is >/dev/full, or a closed pipe: serve anyway
        log.warning("cannot write to standard output: %s", error.strerror)
        # Python writes the rest of its buffer at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _obey_signals(
    servers: Sequence[Server], task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        await anext(signals)
        for server in servers:
            server.stop()
        if connected := sum(server.connection_count for server in servers):
            tell(f"stopping: {connected} still connected (again: at once)")
        await anext(signals)
        for server in servers:
            server.abort()
