"""The servers of the benchmark: which they are, and how each is started, asked for its address, and
ended.

Each server is a process of its own, pinned to the server's core, on a port of its choice. It is
told the time to first token and the inter-token latency, in seconds. Its first line of output that
holds an address is where it listens. The command line of our own server is here too, and nowhere
else.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

PROMPT = "hi"
START_SECONDS = 120.0  # LiteLLM loads for 15, on a machine that does nothing else
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
ROOT = Path(__file__).parents[3]
ADDRESS = re.compile(rb"http://[^/\s:]+:(\d+)")


@dataclass(frozen=True)
class Setting:
    """The setting of a run, the same for all servers: the times in seconds, the tokens of an
    answer, and whether it is streamed."""

    ttft: float
    itl: float
    tokens: int
    stream: bool = True

    @property
    def flags(self) -> list[str]:
        return ["--ttft", f"{self.ttft:g}", "--itl", f"{self.itl:g}"]

    @property
    def body(self) -> str:
        """The request: `lorem` says as many tokens as it is asked for."""
        message = {"role": "user", "content": PROMPT}
        asked = {"model": "lorem", "stream": self.stream, "max_tokens": self.tokens}
        return json.dumps({**asked, "messages": [message]})

    @property
    def request(self) -> bytes:
        body = self.body.encode()
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


@dataclass(frozen=True)
class Peer:
    """One server.

    Args:
        command: A function that returns the command line, given the setting and a temporary folder.
        modules, programs: The Python modules and the programs that the server needs.
        install: The command that installs the server.
        packages: The packages whose versions are shown.
    """

    name: str
    command: Callable[[Setting, Path], list[str]]
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    install: str = "pip install -c .ci/locked.txt -e '.[bench]'"
    packages: tuple[str, ...] = ()

    @property
    def absence(self) -> str:
        """The reason why the server cannot be started here, and the command that installs it, or
        ""."""
        missing = [name for name in self.modules if not _is_here(name)]
        missing += [name for name in self.programs if not found(name)]
        return f"without {', '.join(missing)}; to add: {self.install}" if missing else ""


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # a test has put None in its place
        return False


def found(program: str) -> str | None:
    """Return where a program is: on the PATH, or where pip and npm put the programs of a package:
    beside this Python, in the clone or, for `npx`, in npm's cache."""
    cache = Path(os.environ.get("NPM_CONFIG_CACHE") or Path.home() / ".npm")
    folders = [Path(sys.executable).parent, ROOT / "node_modules/.bin"]
    folders += sorted(cache.glob("_npx/*/node_modules/.bin"))
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join(map(str, folders)))


def ours(setting: Setting, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "servers.chat", "--host", "127.0.0.1", "--port", "0"]
    return [*command, "--quiet", *setting.flags]


def python(module: str) -> Callable[[Setting, Path], list[str]]:
    return lambda setting, folder: [
        sys.executable,
        "-m",
        f"tests.bench.peers.{module}",
        *setting.flags,
    ]


def node(setting: Setting, folder: Path) -> list[str]:
    return ["node", str(Path(__file__).parent / "node_server.mjs"), *setting.flags]


def aimock(setting: Setting, folder: Path) -> list[str]:
    """This server sends four characters in a chunk, and has the same latency for the first chunk as
    for the others."""
    content = "".join(f"t{number % 1000:03d}" for number in range(setting.tokens))
    fixture = {"match": {"userMessage": PROMPT}, "response": {"content": content}}
    (folder / "fixture.json").write_text(json.dumps({"fixtures": [fixture]}), encoding="utf-8")
    flags = ["-p", "0", "-f", str(folder), "-c", "4", "-l", f"{1000 * setting.itl:g}"]
    return [found("llmock") or "llmock", *flags]


def c_loop(setting: Setting, folder: Path) -> list[str]:
    """Compiled where it starts, in a part of a second."""
    source, program = Path(__file__).parent / "floor.c", folder / "floor"
    build = f'cc -std=gnu11 -O2 -o {program} {source} && exec {program} "$@"'
    return ["sh", "-c", build, "sh", f"{setting.ttft:g}", f"{setting.itl:g}"]


UVICORN = ("uvicorn", "uvloop", "httptools")
OURS, FASTAPI, ASGI, AIOHTTP, NODE, SEND, AIMOCK = PEERS = (
    Peer("ours", ours, packages=("trio", "h11", "msgspec")),
    Peer(
        "FastAPI",
        python("fastapi_server"),
        ("fastapi", "pydantic", *UVICORN),
        packages=("fastapi", "starlette", *UVICORN, "orjson"),
    ),
    Peer("bare ASGI", python("asgi_server"), UVICORN),
    Peer("aiohttp", python("aiohttp_server"), ("aiohttp", "uvloop"), packages=("aiohttp",)),
    Peer("Node http", node, programs=("node",), install="Node.js 20 or newer, as `node`"),
    Peer("send() loop", python("send_loop")),
    Peer(
        "aimock",
        aimock,
        programs=("llmock",),
        install="npm install -g @copilotkit/aimock, for its command llmock",
    ),
)
# The two floors of a paced token: a loop that sends one constant frame, and nothing else.
TIGHT = Peer("tight loop", python("tight_loop"))
ONE_WORKER = Peer("ours, 1 worker", ours)
TWO_WORKERS = Peer("ours, 2 workers", lambda *given: [*ours(*given), "--workers", "2"])
C_LOOP = Peer("tight loop in C", c_loop, programs=("cc",), install="apt install gcc libc6-dev")


class Server:
    """A running server and its children, observed from outside through /proc."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port

    def cpu(self) -> float:
        """Return the seconds of processor time since the server started: utime + stime, fields 14
        and 15."""
        return sum(sum(map(int, stat[11:13])) for stat in map(_stat, self._family())) / TICKS

    def resident_kib(self) -> int:
        status = "".join(Path(f"/proc/{pid}/status").read_text() for pid in self._family())
        return sum(map(int, re.findall(r"^VmRSS:\s*(\d+) kB", status, re.MULTILINE)))

    def _family(self) -> list[int]:
        family = [self.pid]
        for pid in family:  # grows while it is walked
            children = Path(f"/proc/{pid}/task/{pid}/children")
            family += map(int, children.read_text().split()) if children.exists() else []
        return family


def _stat(pid: int) -> list[str]:
    # The second field is the program's name, which may hold spaces and brackets.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Processes that start inside this block run on this core, or with -1 on all cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} if core >= 0 else range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class NotStarted(Exception):
    """A server did not print its address. The message is what it printed instead."""


@contextmanager
def serving(peer: Peer, setting: Setting, core: int, *, wake: bool = True) -> Iterator[Server]:
    """Start a server. At the end, only this server is ended, by its pid.

    Args:
        wake: Whether to wait until the server has begun to answer a request.
    """
    with tempfile.TemporaryDirectory() as name, open(Path(name) / "output", "w+b") as output:
        command = peer.command(setting, Path(name))
        with pinned(core):
            process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            server = Server(process.pid, _port(peer, process, Path(output.name)))
            if wake:
                _wake(server, setting)
            yield server
        finally:
            process.terminate()
            process.send_signal(signal.SIGINT)  # a second one, for all that let a stream end first
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(peer: Peer, process: "subprocess.Popen[bytes]", output: Path) -> int:
    """Return the port of the address that the server prints, once it listens there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (found := ADDRESS.search(output.read_bytes())) and _listens(int(found[1])):
            return int(found[1])
        time.sleep(0.02)
    raise NotStarted(f"{peer.name}: {output.read_text(errors='replace')[-500:] or 'no address'}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True


def _wake(server: Server, setting: Setting) -> None:
    """Wait for the first byte of a first answer, because a server may listen before it is ready."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=START_SECONDS) as client:
        client.sendall(setting.request)
        client.recv(1)


def versions(peers: Iterable[Peer]) -> dict[str, str]:
    """Return the versions of the peers' installed packages, and of node."""
    found: dict[str, str] = {}
    for package in (package for peer in peers for package in peer.packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if shutil.which("node"):
        answer = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30)
        found["node"] = answer.stdout.strip().removeprefix("v")
    return found
