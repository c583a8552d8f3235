"""Programs of this project as processes, and what of them the tests need."""

import gc
import os
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

# No test may spend anybody's money, or say something else where there is a key.
for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
    os.environ.pop(name, None)

# Whatever this shell says, bytecode is kept: else every worker compiles every test, and every
# program it starts compiles itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


# A busy machine is not a failure.
settings.register_profile("workshop", deadline=None)
settings.load_profile("workshop")


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: two for each core, for half of the time a test waits for another process."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end: the garbage collector need not look
    through it again and again, and not at each 700 objects of a test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


Process = subprocess.Popen[bytes]
Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `python ARGUMENTS…` in the clone, with pipes; killed if the test leaves it running."""
    with ExitStack() as processes:
        # A line that is not flushed must not come: no switch of this shell may hide that.
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
    """Kill a process in the end, and before if that does not come: no test waits for ever."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        process.kill()


def line_of(stream: IO[bytes] | None) -> str:
    """The next line of a process's output, in text."""
    assert stream is not None
    return stream.readline().decode()


def outputs(process: Process) -> tuple[int, str, str]:
    """The exit code of a process that ends by itself, and all it still says on both outputs."""
    out, error = process.communicate(timeout=60)
    return process.returncode, out.decode(), error.decode()


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[Process, list[str]]]:
    """`python ARGUMENTS…`, and what it prints until it says how to stop it."""
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
    """A program that is not ours: it says this to whoever connects to its port, and closes."""
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
