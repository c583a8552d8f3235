"""Settings of all tests, and fixtures that start programs of this project as processes."""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# A test must not spend money at an API, and its outcome must not depend on a key.
for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
    os.environ.pop(name, None)

# Tests read English, whatever the locale of this machine is. A test of another language chooses it.
os.environ["WORKSHOP_LANG"] = "en"

# Bytecode is written even if this shell forbids it: otherwise every worker would compile every
# test, and every program that a test starts would compile itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell starts its background jobs with Ctrl-C ignored, and every program would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


# A slow example on a busy machine is not a failure.
settings.register_profile("workshop", deadline=None)
settings.load_profile("workshop")


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: two workers per core, because tests wait for processes half of the time."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """Objects from before the first test stay to the end. So the garbage collector ignores them,
    and it runs less often than at every 700 new objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.fixture(autouse=True)
def signals_stay() -> Iterator[None]:
    """A test puts back what it changes. If it left SIGPIPE at its default, a later test of the same
    process would be killed where a peer closes first."""
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGPIPE] if os.name == "posix" else [])]
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


Process = subprocess.Popen[bytes]
Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `python ARGUMENTS…` in the clone, with pipes. It is killed at the end of the test."""
    with ExitStack() as processes:
        # PYTHONUNBUFFERED in this shell would hide that a program does not flush a line.
        environment = {key: os.environ[key] for key in os.environ if key != "PYTHONUNBUFFERED"}

        def start(*arguments: str) -> Process:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=environment | {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
            processes.enter_context(process)
            processes.enter_context(limited(process))
            return process

        yield start


@contextmanager
def limited(process: Process, seconds: float = 60) -> Iterator[None]:
    """Kill a process at the end of the block, or after this many seconds, so that no test waits
    forever."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        process.kill()


def line_of(stream: IO[bytes] | None) -> str:
    """Return the next line of a process's output, as text."""
    assert stream is not None
    return stream.readline().decode()


def outputs(process: Process) -> tuple[int, str, str]:
    """Return the exit code of a process that ends by itself, and the rest of its output and
    errors."""
    out, error = process.communicate(timeout=60)
    return process.returncode, out.decode(), error.decode()


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[Process, list[str]]]:
    """Run `python ARGUMENTS…`. Yields it with the lines it prints, up to "Ctrl-C stops."."""
    with (
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        ) as process,
        limited(process, 120),
    ):
        lines = [line_of(process.stdout)]
        while lines[-1] and not lines[-1].startswith("Ctrl-C stops."):
            lines.append(line_of(process.stdout))
        yield process, [line.rstrip("\n") for line in lines]


@contextmanager
def foreign(answer: bytes) -> Iterator[int]:
    """A server that is not ours: it sends this answer on every connection, and closes. Yields its
    port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.sendall(answer)
                        client.shutdown(socket.SHUT_WR)
                        client.recv(65536)
            except OSError:
                pass  # the listener was shut down

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
