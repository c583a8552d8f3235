"""What is installed here: `workshop doctor`, or `python3 -m workshop doctor` in a bare clone.

The doctor prints one line for each thing that the workshop uses. For each missing thing it prints a
command that installs it. ✓ is installed, ✗ is missing and required, – is missing and optional. This
file uses the standard library only, and no syntax newer than Python 3.8, so that even a Python that
is too old for the workshop can run it, and report its own age.

Several different programs are named netcat. `nc` may be any of these programs, so the doctor
recognises each by its help text. These programs differ in what they do at the end of their input.
With a pipe, that end comes at once:

    OpenBSD, traditional    wait until the server closes
    Ncat, BusyBox           send a FIN at once and wait; many servers take that for a disconnect
    socat                   sends a FIN at once, and closes after 0.5 s of silence, or -t seconds
"""

from __future__ import annotations

import argparse
import errno
import http.client
import importlib
import io
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .language import N_, _, pad

PYTHON = (3, 11)
PACKAGES = {
    "h11": (0, 16),
    "trio": (0, 31),
    "msgspec": (0, 21),
    "prometheus-client": (0, 20),
    "rich": (13, 5),
    "watchfiles": (0, 21),
    "markdown-it-py": (3,),
    "pygments": (2, 17),
    "trustme": (1, 2),
}
PORTS = {
    8000: "servers.chat",
    8003: "servers.chunked",
    8004: "servers.sse",
    8005: "servers.openai_proxy",
}
OURS = "streaming-workshop"  # SERVER of servers/http/reply_head.py, which needs packages
ASK_SECONDS = 1.0
OPTIONAL = {  # tests with other programs use these
    "Chromium": ("--version", ["chromium", "chromium-browser", "google-chrome"]),
    "nginx": ("-v", ["nginx"]),
    "HAProxy": ("-v", ["haproxy"]),
}

REQUEST = r"printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'"
HELP = {  # arguments that make a command show its help, without opening a connection
    "nc": ["-h"],
    "netcat": ["-h"],
    "ncat": ["-h"],
    "nc.openbsd": ["-h"],
    "nc.traditional": ["-h"],
    "socat": ["-V"],
    "busybox": ["nc", "--help"],
}
HALF_CLOSE = N_("half-closes at once; our servers still answer")
NETCATS = [  # (a pattern of its help text, its name, the command after the pipe, a note)
    (r"OpenBSD netcat", "OpenBSD netcat", "{} localhost 8000", ""),
    (
        r"\[v1\.\d+",
        "traditional netcat",
        "{} localhost 8000",
        N_("-q 0 or -q 1 would close too early"),
    ),
    (r"Ncat \d", "Ncat", "{} localhost 8000", HALF_CLOSE),
    (r"socat version", "socat", "{} -t 30 - TCP:localhost:8000", HALF_CLOSE),
    (r"BusyBox v[\s\S]*Usage: nc", "BusyBox nc", "{} localhost 8000", HALF_CLOSE),
    (r"GNU netcat", "GNU netcat", "{} localhost 8000", ""),
    (r"usage: nc \[-4", "BSD netcat", "{} localhost 8000", ""),  # macOS, FreeBSD
]


@dataclass(frozen=True)
class Finding:
    mark: str  # ✓ installed, ✗ missing and required, – missing and optional
    name: str
    what: str
    todo: str = ""  # a command to paste


def this_command() -> str:
    """The command that started the workshop, because `workshop` may not be on the PATH."""
    started = sys.argv[0]
    if os.path.basename(started) == "workshop":
        return typed(started)
    if started.endswith(os.path.join("workshop", "__main__.py")):
        return typed(sys.executable) + " -m workshop"
    return "workshop"


def typed(program: str) -> str:
    """Return a program's name if a shell finds it by that name, otherwise its path."""
    name = os.path.basename(program)
    return name if shutil.which(name) == program else shlex.quote(program)


def install_line() -> str:
    root = Path(__file__).parent.parent
    if sys.prefix != sys.base_prefix:
        return "python -m pip install -c .ci/locked.txt -e ."
    if (root / ".venv/bin/activate").exists():
        return ". .venv/bin/activate"
    return (
        "python3 -m venv .venv && .venv/bin/pip install -c .ci/locked.txt -e . "
        "&& . .venv/bin/activate"
    )


def python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= PYTHON:
        yield Finding("✓", "Python", version)
    else:
        wanted = ".".join(map(str, PYTHON))
        todo = _(
            "install Python {version} or newer, then: python{version} -m workshop doctor",
            version=wanted,
        )
        what = _("{version}, older than {wanted}", version=version, wanted=wanted)
        yield Finding("✗", "Python", what, todo)


def packages() -> Iterator[Finding]:
    for name, oldest in PACKAGES.items():
        module = name.removesuffix("-py").replace("-", "_")  # markdown-it-py
        try:
            importlib.import_module(module)
            version = metadata.version(name)
        except Exception as problem:  # it is missing, or installed but broken; both are reported
            missing = isinstance(problem, ModuleNotFoundError) and problem.name == module
            what = _("missing") if missing else _("broken: {problem}", problem=problem)
            yield Finding("✗", name, what, install_line())
            continue
        if tuple(map(int, re.findall(r"\d+", version))) < oldest:
            what = _("{version} is too old", version=version)
            yield Finding("✗", name, what, install_line())
        else:
            yield Finding("✓", name, version)


def answer_of(*command: str) -> str:
    """Return what a command prints to stdout and stderr, or "" if it cannot run or takes over 5
    s."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def find(command: str) -> str | None:
    """Return the path of a command. Servers are in sbin, which may not be on a user's PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(command, path=path)


def version_in(text: str) -> str:
    match = re.search(r"\d+\.\d+[\w.-]*", text)
    return match.group() if match else ""


def curl() -> Iterator[Finding]:
    if find("curl"):
        line = "curl -N http://localhost:8000/"
        yield Finding("✓", "curl", version_in(answer_of("curl", "--version")), line)
    else:
        line = f"{this_command()} nc localhost 8000"
        todo = _("install curl, or use: {command}", command=line)
        yield Finding("–", "curl", _("missing"), todo)


def netcats() -> Iterator[Finding]:
    seen = set()
    for command, arguments in HELP.items():
        path = find(command)
        program = os.path.realpath(path) if path else ""  # perhaps a link in /etc/alternatives
        if not path or program in seen:
            continue
        help_text = answer_of(path, *arguments)
        for signature, name, line, note in NETCATS:
            match = re.search(signature, help_text)
            if match:
                seen.add(program)
                what = f"{name} {version_in(help_text[match.start() :])}"
                if os.path.basename(program) != command:
                    what = _(
                        "{what}, {command} is {path}", what=what, command=command, path=program
                    )
                if note:
                    what = _("{what}, {note}", what=what, note=_(note))
                keys = line.format("busybox nc" if command == "busybox" else command)
                yield Finding("✓", command, what, f"{REQUEST} | {keys}")
                break
    if not seen:
        yield Finding("–", "netcat", _("none"), f"{REQUEST} | {this_command()} nc localhost 8000")


def can_bind(host: str, port: int) -> str:
    """Return why a server cannot listen on this host and port, or "" if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            if os.name == "posix":  # servers do the same, so a port closed just now is free
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
    except OSError as problem:
        return N_("busy") if problem.errno == errno.EADDRINUSE else str(problem.strerror)
    return ""


def answering_on(port: int, host: str = "localhost") -> str:
    """Return the `Server` field of the server on this port, or "" if none answers in
    ASK_SECONDS."""
    connection = http.client.HTTPConnection(host, port, timeout=ASK_SECONDS)
    try:
        connection.request("HEAD", "/")
        return connection.getresponse().getheader("Server") or ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def network() -> Iterator[Finding]:
    no_ipv6 = can_bind("::1", 0)
    yield Finding("–" if no_ipv6 else "✓", _("IPv6 loopback"), no_ipv6 or "::1")
    for port, module in PORTS.items():
        name = _("port {port}", port=port)
        problem = can_bind("127.0.0.1", port) or ("" if no_ipv6 else can_bind("::1", port))
        if problem == "busy" and answering_on(port) == OURS:
            yield Finding("✓", name, _("the workshop is running there"))
        elif problem:
            command = f"python -m {module} --port 0"
            todo = _("stop the program that uses it, or: {command}", command=command)
            yield Finding("–", name, _(problem), todo)
        else:
            yield Finding("✓", name, _("free"))


def optional() -> Iterator[Finding]:
    for name, (flag, commands) in OPTIONAL.items():
        path = next(filter(None, map(find, commands)), None)
        if path:
            yield Finding("✓", name, version_in(answer_of(path, flag)))
        else:
            yield Finding("–", name, _("missing: its tests are skipped"))


SECTIONS = [python, packages, curl, netcats, network, optional]
COLOURS = {"✓": "32", "✗": "31", "–": "33"}


def main(argv: list[str] | None = None) -> int:
    description = _("What is installed on this machine, and how to get the rest.")
    argparse.ArgumentParser(prog="workshop doctor", description=description).parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without ✓ gets \\u2713
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    ready, last_todo = True, ""
    for section in SECTIONS:
        for finding in section():
            mark = finding.mark
            ready = ready and mark != "✗"
            if colour:
                mark = f"\x1b[{COLOURS[mark]}m{mark}\x1b[0m"
            print(f"{mark} {pad(finding.name, 18)}{finding.what}".rstrip())
            if finding.todo and finding.todo != last_todo:  # print the same line once
                print(f"{'':20}{finding.todo}")
            last_todo = finding.todo
    if ready:
        print("\n" + _("The workshop can run: {command}", command=this_command()))
    else:
        print("\n" + _("Not ready yet: see each ✗."))
    return 0 if ready else 1
