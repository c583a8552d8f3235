"""All servers of the workshop in one process, and the map of their addresses, with commands to
paste.

    $ workshop
    http://localhost:8000/   home, chat page, simulated LLM
      curl -N http://localhost:8000/
      …
"""

import argparse
import os
import shutil
import socket
import sys
from collections.abc import Callable, Sequence

import msgspec
import trio

from servers import chat, chunked, sse
from servers.http.access import key_of_environment
from servers.http.command import port_number, serve_until_signal, show_log, url
from servers.http.redact import Secret
from servers.http.reply import Handler
from servers.http.routes import Routes
from servers.http.server import PortBusyError, Server, listen
from servers.llm import flags
from servers.llm.pace import Pace
from servers.openai_proxy import handlers as openai_proxy
from servers.openai_proxy.handlers import Upstream

from .course.routes import course_routes
from .doctor import OURS, answering_on, netcats, this_command
from .help_text import HelpFormatter
from .language import N_, _
from .xray.route import xray_routes

__all__ = ["main"]


class MapEntry(msgspec.Struct):
    """One server on the map.

    Args:
        name: The name in the server's flag `--NAME-port`.
        port: The server's default port.
        title: The description of the server on the map.
        make_routes: A function that makes the routes of this server from the flags. When this
            function is called, the flags hold the ports of the servers above this one on the map.
        tries: Commands to paste. {url} is the server's address, {nc} a netcat with its arguments.
        fin_is_disconnect: The server's limit of this name: see `Limits`.
    """

    name: str
    port: int
    title: str
    make_routes: Callable[[argparse.Namespace], Routes]
    tries: list[str]
    fin_is_disconnect: bool = False


GET = r"printf 'GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | {{nc}}"

ASK = """'{{"model":"sim-1","stream":true,"messages":[{{"role":"user","content":"你好"}}]}}'"""


def proxy_routes(options: argparse.Namespace) -> Routes:
    """Forward to the real API if there is a key for it, otherwise to the simulated LLM on this
    map."""
    key = key_of_environment()
    host = "127.0.0.1" if options.host == "localhost" else options.host
    here = url(host, options.chat_port) + "v1"
    upstream = Upstream(key=Secret(key)) if key else Upstream(here)
    return openai_proxy.routes(upstream)


def pages(options: argparse.Namespace) -> dict[str, Handler]:
    """Return the routes of the course and of x-ray. The lessons name the ports of these servers."""

    def ports() -> dict[int, int]:
        return {entry.port: getattr(options, f"{entry.name}_port") for entry in ENTRIES}

    return course_routes(ports=ports) | xray_routes()


PROXY = (
    N_("OpenAI proxy, forwards to the real API")
    if os.environ.get("OPENAI_API_KEY")
    else N_("OpenAI proxy, forwards to the simulated LLM (no OPENAI_API_KEY)")
)

ENTRIES = [
    MapEntry(
        "chat",
        8000,
        N_("home, chat page, simulated LLM"),
        lambda options: chat.from_flags(options, pages(options)),
        [
            "curl -N {url}",
            "curl -N {url}chat/你好",
            "curl -N {url}v1/chat/completions -d " + ASK,
            GET.format(path="/chat/hello"),
            "curl {url}faults",
        ],
    ),
    MapEntry(
        "chunked",
        8003,
        N_("lesson 3: chunked coding"),
        lambda options: chunked.routes(Pace(0.2, 0.2)),
        ["curl -N --raw {url}", GET.format(path="/")],
    ),
    MapEntry(
        "sse",
        8004,
        N_("lesson 4: Server-Sent Events"),
        lambda options: sse.routes(Pace(0.2, 0.2)),
        ["curl -N {url}", "curl -N -H 'Last-Event-ID: 7' {url}", GET.format(path="/")],
    ),
    MapEntry(
        "proxy",
        8005,
        PROXY,
        proxy_routes,
        ["curl -N {url}v1/chat/completions -d " + ASK],
        fin_is_disconnect=True,
    ),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C. Returns the exit code: 0, or 1 if no server could start."""
    parser = argparse.ArgumentParser(
        prog="workshop serve",
        usage=_("%(prog)s [FLAGS]  (--help lists them)"),
        description=_("Serve everything on this machine and print the map."),
        epilog=_(
            "--profile and what follows it set the simulated LLM, as in python -m servers.chat."
        ),
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "--host",
        default="localhost",
        help=_("name or address to listen on (default: %(default)s)"),
    )
    for entry in ENTRIES:
        parser.add_argument(
            f"--{entry.name}-port",
            type=port_number,
            default=entry.port,
            metavar="N",
            help=_(
                "port of {title}; 0 picks a free one (default: %(default)s)", title=_(entry.title)
            ),
        )
    parser.add_argument("--quiet", action="store_true", help=_("do not log each request"))
    flags.add_flags(parser)
    options = parser.parse_args(argv)
    show_log(options.quiet)
    limits = flags.limits_of(options)
    servers: list[tuple[Server, list[socket.socket]]] = []
    lines: list[str] = []
    problems: list[str] = []
    running = 0  # servers on this map that an earlier `workshop` already serves
    course = "workshop/01_generator_basics/README.md"
    for entry in ENTRIES:
        port = getattr(options, f"{entry.name}_port")
        try:
            sockets = listen(options.host, port)
        except OSError as error:
            reason = error.strerror if isinstance(error, PortBusyError) else error
            if isinstance(error, PortBusyError) and answering_on(port, options.host) == OURS:
                reason = _("port {port} is already served by the workshop", port=port)
                running += 1
            problem = _(
                "{title}: {reason}; choose another with --{name}-port N",
                title=_(entry.title),
                reason=reason,
                name=entry.name,
            )
            problems.append(problem)
            continue
        port = sockets[0].getsockname()[1]
        setattr(options, f"{entry.name}_port", port)
        try:
            routes = entry.make_routes(options)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        own = msgspec.structs.replace(limits, fin_is_disconnect=entry.fin_is_disconnect)
        servers.append((Server(routes, limits=own), sockets))
        lines += _describe(entry, options.host, port)
        if entry.name == "chat":
            course = f"{url(options.host, port)}course/"
    if running == len(ENTRIES):
        here, free = url(options.host, options.chat_port), [f"--{p.name}-port 0" for p in ENTRIES]
        again = " ".join([this_command(), *free])
        already = _(
            "The workshop is already running: open {url} (to start another: {command})",
            url=here,
            command=again,
        )
        problems = [already]
    for problem in problems:
        print(problem, file=sys.stderr)
    if not servers:
        return 1
    lines.append(_("Why does a stream come late? {command} xray URL", command=this_command()))
    lines.append(_("Ctrl-C stops. New here? Read {course} first.", course=course))
    trio.run(serve_until_signal, servers, lambda: print("\n".join(lines), flush=True))
    return 0


def _describe(entry: MapEntry, host: str, port: int) -> list[str]:
    """Return the lines of the map for one server. Each command can be pasted unchanged."""
    address = url(host, port)
    bold, plain = ("\x1b[1m", "\x1b[0m") if _colours() else ("", "")
    nc = _netcat().replace("localhost 8000", f"{host} {port}")
    nc = nc.replace("localhost:8000", f"{host}:{port}")
    tries = [line.format(url=address, nc=nc) for line in entry.tries]
    if shutil.which("curl") is None:
        tries = [line for line in tries if not line.startswith("curl")]
    return [f"{bold}{address}{plain}   {_(entry.title)}", *(f"  {line}" for line in tries), ""]


def _netcat() -> str:
    """Return a netcat of this machine, with arguments for localhost 8000, or our own if there is
    none."""
    return next(iter(netcats())).todo.rpartition(" | ")[2]


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
