"""Functions for the tests with real programs: they find programs, run our servers, and parse
answers.

    need("ncat", "ncat")                       path of the program; else skip the test
    with running("servers.sse") as server:     one of our servers, in its own process
    shell("printf … | ncat localhost 8004")    run a command line; returns its output
    Answer.of(output)                          its head, its chunks, its events

Nothing here sleeps or measures time. `SAFETY` is the time for which a test waits for an event
before it fails. It is long, because a busy machine must not fail a test.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import msgspec
import pytest

from protocol.head import HeadReader
from protocol.http1 import body_decoder, response_framing
from protocol.sse import EventStreamParser, ServerSentEvent

from ..ports import free_port as free_port
from ..streams import SAFETY as SAFETY  # re-exported for the tests

ROOT = Path(__file__).parent.parent.parent


def need(program: str, package: str, *other_names: str) -> str:
    """Find a program. If it is missing, skip the test; with CI set, fail.

    Args:
        program: its name.
        package: the Debian package that contains it.
        other_names: its names on other systems.
    """
    paths = filter(None, map(shutil.which, (program, *other_names)))
    return next(paths, "") or unavailable(f"{program} is missing: install {package}")


def unavailable(reason: str) -> NoReturn:
    """Skip the test, because something is missing. With CI set, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# ---- our servers


@dataclass(frozen=True)
class Address:
    """The address that a server listens on."""

    port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"


@dataclass(frozen=True)
class RunningServer(Address):
    """One of our servers, and its process."""

    process: subprocess.Popen[bytes]


@contextmanager
def running(name: str, *flags: str) -> Iterator[RunningServer]:
    """Run `python -m NAME --port 0 --quiet FLAGS`. The block begins when the server has printed its
    address, and at its end the server is stopped.

    Output on standard error would be a bug of the server, so it must be empty.
    """
    command = [sys.executable, "-m", name, "--port", "0", "--quiet", *flags]
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors) as process:
            assert process.stdout is not None
            try:
                line = read_until(process.stdout, b"\n").decode()
                yield RunningServer(int(line.rstrip("/\n").rpartition(":")[2]), process)
            finally:
                process.kill()
        errors.seek(0)
        assert errors.read().decode() == ""


# ---- other programs


def shell(line: str, given: bytes = b"") -> bytes:
    """Run a command line until it ends by itself. Returns its output."""
    # A new session, so that a hanging netcat can be killed with its shell.
    with subprocess.Popen(
        ["sh", "-c", line],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(given, SAFETY)
        except subprocess.TimeoutExpired:
            pytest.fail(f"did not return to the prompt: {line}")
        finally:
            kill_group(process)
    assert process.returncode == 0, errors.decode()
    return output


@contextmanager
def started(line: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A running command line, and the pipe with its output."""
    with subprocess.Popen(
        ["sh", "-c", line],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a shell and all processes that it has started, if any of them still runs."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM until the process ends. On a busy machine, about once in 20,000 times, nginx
    (1.22.1) misses a signal that arrives just before it waits for events."""
    while process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)


def read_until(pipe: IO[bytes], end: bytes) -> bytes:
    """Read a pipe until the output ends with these bytes."""
    data = b""
    while not data.endswith(end):
        ready, _, _ = select.select([pipe], [], [], SAFETY)
        assert ready, f"only {data!r} came, and {end!r} is waited for"
        more = os.read(pipe.fileno(), 1 << 16)
        assert more, f"the end came after {data!r}, before {end!r}"
        data += more
    return data


def listens(port: int) -> bool:
    """Whether a server listens on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), SAFETY).close()
    except ConnectionError:
        # the connection was refused, or reset by a listener that is just closing
        return False
    return True


def wait_until(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    """Poll until this is true, while this process runs. Polling is needed because nothing reports
    the change."""
    for _ in range(int(SAFETY / 0.01)):
        if happened():
            return
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        break
    pytest.fail(f"waited in vain for {process.args!r}")


# ---- their output


@dataclass(frozen=True)
class Answer:
    """A response, parsed by our own strict decoders.

    Attributes:
        status: the status code (RFC 9110 §15).
        headers: the fields by lower-case name.
        pieces: the body, or the chunks of a chunked body.
    """

    status: int
    headers: dict[str, str]
    pieces: list[bytes]

    @classmethod
    def of(cls, output: bytes, method: str = "GET") -> "Answer":
        """Parse one response. Raises h11.RemoteProtocolError unless it is complete."""
        reader = HeadReader(is_request=False)
        head = reader.receive_data(output)
        assert head is not None, output
        decoder = body_decoder(response_framing(head, method))
        pieces = decoder.receive_data(reader.trailing_data)
        decoder.receive_eof()
        assert decoder.trailing_data == b""
        headers = {name.decode(): value.decode() for name, value in head.fields}
        return cls(int(head.start_line[9:12]), headers, pieces)

    @property
    def tokens(self) -> list[str]:
        """The text of each chunk, or of each event."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            return [piece.decode() for piece in self.pieces]
        return event_texts(read_events(self.pieces))


class Text(msgspec.Struct):
    """The data of our events."""

    text: str


def read_events(pieces: Sequence[bytes]) -> list[ServerSentEvent]:
    parser = EventStreamParser()
    events = [event for piece in pieces for event in parser.receive_data(piece)]
    assert parser.at_event_border
    return events


def event_texts(events: Sequence[ServerSentEvent]) -> list[str]:
    """The tokens of our event stream. Fails unless it ends with a `done` event."""
    *tokens, done = events
    assert done.event == "done"
    return [msgspec.json.decode(event.data, type=Text).text for event in tokens]
