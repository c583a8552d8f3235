"""Functions for the lessons' programs: they find or start the server, label its bytes, and end the
program without a traceback."""

import argparse
import io
import os
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence

import h11
import trio
from trio.abc import Clock

from clients.http.client import request
from servers.http.command import port_number, show_log
from servers.http.reply_head import SERVER
from servers.http.routes import Routes
from servers.http.server import PortBusyError, Server, listen
from servers.llm.pace import Pace

from .verdict import visible

__all__ = ["Names", "any_screen", "leave_unread", "main", "run", "visible"]

INTERRUPTED = 130  # the exit code of a program ended by SIGINT: 128 + 2
PUNCTUATION = {"CRLF", "end-of-line", ":", "space"}
COLOURS = dict.fromkeys(PUNCTUATION, "2") | {"chunk-size": "33", "field-name": "36"}


class Names:
    """An observer for a decoder, which keeps the label of each byte.

    names = Names()
    decoder = ChunkedDecoder(observer=names)
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._named: list[tuple[str, int, int]] = []

    def __call__(self, label: str, start: int, end: int) -> None:
        self._named.append((label, start, end))

    def lines(self, data: bytes) -> list[str]:
        """Return the elements observed since the last call, one line for each chunk or part of a
        chunk.

        Args:
            data: The bytes that the decoder has received since the last call.
        """
        self._bytes += data
        lines: list[list[str]] = []
        for label, start, end in self._named:
            if label == "chunk-size" or not lines:
                lines.append([])
            lines[-1].append(_element(label, visible(bytes(self._bytes[start:end]))))
        self._named.clear()
        return ["  ".join(line) for line in lines]


def _element(label: str, text: str) -> str:
    if not text.strip(" "):
        text = "␠" * len(text)  # a space would be invisible
    shown = text if label in PUNCTUATION else f"{label} {text}"
    if label in COLOURS and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        return f"\x1b[{COLOURS[label]}m{shown}\x1b[0m"
    return shown


def any_screen() -> None:
    r"""On a screen whose encoding lacks ␍ or 你, print `\u240d` and `\u4f60` in place of an
    error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def run(
    show: Callable[..., Awaitable[int | None]], *arguments: object, clock: Clock | None = None
) -> int:
    """Run the function that shows a lesson.

    Returns:
        The function's exit code: 0 if the function returns None, and 130 after Ctrl-C.
    """
    any_screen()
    exit_code = INTERRUPTED
    try:
        exit_code = trio.run(show, *arguments, clock=clock) or 0
    except* KeyboardInterrupt:
        pass
    except* BrokenPipeError:
        exit_code = 0
        leave_unread()
    return exit_code


def leave_unread() -> None:
    """Discard all further output, because its reader, such as `head`, has ended. (Otherwise Python
    would flush the output at exit, and fail.)"""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(
    lesson: str,
    port: int,
    make_routes: Callable[[Pace], Routes],
    watch: Callable[[int], Awaitable[None]],
    tries: Sequence[tuple[str, str]],
    *,
    by_hand: bool = False,
    tls: ssl.SSLContext | None = None,
) -> int:
    """Run a lesson: its server, a client that shows the bytes, and then the learner's own tries.

    Args:
        lesson: A sentence about the lesson, for `--help`.
        port: The usual port of the lesson's server.
        make_routes: A function that returns the server's routes, given the server's pace.
        watch: A function that connects to a port of localhost and shows the bytes that arrive.
        tries: Pairs of a description and a command line to paste, with {port} in it.
        by_hand: Whether the learner may be the server, by typing into netcat (`--client`).
        tls: If given, the server speaks TLS with this context.

    Returns:
        The exit code: 0, 1 if another program uses the port, or 130 after Ctrl-C.
    """
    any_screen()
    name = os.path.basename(sys.argv[0].rstrip("/"))  # shells complete a folder's name with a slash
    parser = argparse.ArgumentParser(prog=name, description=lesson)
    about = "port of the lesson's server; default: %(default)s"
    parser.add_argument("--port", type=port_number, default=port, help=about)
    parser.add_argument("--fast", action="store_true", help="do not wait between words")
    if by_hand:
        parser.add_argument(
            "--client", action="store_true", help="start no server: you are the server, with netcat"
        )
    parser.set_defaults(client=False)
    parser.add_argument("--once", action="store_true", help="stop after the first answer")
    options = parser.parse_args()
    show_log(quiet=True)
    if options.client:
        return run(_ask, options.port, watch)
    pace = Pace(0, 0) if options.fast else Pace(0.2, 0.2)
    try:
        sockets = listen("localhost", options.port)
    except PortBusyError as busy:
        return run(_use_running_server, options.port, busy, watch)

    server = Server(make_routes(pace), tls=tls)
    return trio.run(_serve, server, sockets, watch, tries, options.once)


async def _serve(
    server: Server,
    sockets: list[socket.socket],
    watch: Callable[[int], Awaitable[None]],
    tries: Sequence[tuple[str, str]],
    once: bool,
) -> int:
    """Serve, and show the lesson. Unless `once` is true, continue to serve until Ctrl-C."""
    port = sockets[0].getsockname()[1]
    shown = False
    exit_code = 0

    async def show() -> None:
        nonlocal shown
        shown = await _watch(watch, port)
        if once or not shown:
            nursery.cancel_scope.cancel()
            return
        print("\nNow you: the server is still running. In another terminal:")
        for what, line in tries:
            print(f"\n{what}:\n  {line.format(port=port)}")
        print("\nCtrl-C stops.", flush=True)

    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, sockets)
            nursery.start_soon(show)
            await anext(signals)
            exit_code = 0 if shown else INTERRUPTED
            nursery.cancel_scope.cancel()
    return exit_code


async def _ask(port: int, watch: Callable[[int], Awaitable[None]]) -> int:
    """Show the answer of the server on this port, which the learner has started."""
    try:
        if await _watch(watch, port):
            return 0
        print(f"Was it typed? Enter must send CR LF:  workshop nc -l -C {port}")
    except OSError:
        print(f"no server listens on port {port}. In another terminal:  workshop nc -l -C {port}")
    return 1


async def _use_running_server(
    port: int, busy: PortBusyError, watch: Callable[[int], Awaitable[None]]
) -> int:
    """If the running server is one of ours (`workshop` in another terminal), use it."""
    try:
        with trio.fail_after(5):
            async with request("HEAD", f"http://localhost:{port}/") as response:
                ours = response.header("server") == SERVER
    except (OSError, h11.RemoteProtocolError, trio.BrokenResourceError, trio.TooSlowError):
        ours = False
    if not ours:
        print(f"{busy.strerror}, and not by the workshop: choose another with --port N")
        return 1
    print(f"port {port} is already served by the workshop: this lesson uses that server\n")
    return 0 if await _watch(watch, port) else 1


async def _watch(watch: Callable[[int], Awaitable[None]], port: int) -> bool:
    """Show the lesson. Returns whether it ran to its end."""
    try:
        await watch(port)
    except BrokenPipeError:
        leave_unread()
        return False
    except (h11.RemoteProtocolError, trio.BrokenResourceError) as error:  # the server was stopped
        print(f"the stream broke off: {error}")
        return False
    return True
