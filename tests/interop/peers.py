"""What the tests with real programs share: the programs, our servers, and what an answer holds.

    need("ncat", "ncat")                       the program, or a skip that says what to install
    with running("servers.sse") as server:     a server of ours, as a process of its own
    shell("printf … | ncat localhost 8004")    a line as a learner types it, and all it prints
    Answer.of(output)                          its head, its chunks, its events

Nothing here sleeps or measures time. `SAFETY` is how long a test waits for what must happen
before it calls it a failure: long, for a busy machine is not a bug.
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
from ..streams import SAFETY as SAFETY  # the tests get it from here

ROOT = Path(__file__).parent.parent.parent


def need(program: str, package: str, *other_names: str) -> str:
    """Where a program is. Without it the test is skipped; where CI is set, it fails.

    Args:
        program: its name.
        package: the Debian package that has it.
        other_names: it may have elsewhere.
    """
    paths = filter(None, map(shutil.which, (program, *other_names)))
    return next(paths, "") or unavailable(f"{program} is missing: install {package}")


def unavailable(reason: str) -> NoReturn:
    """Skip the test, for what it needs is not here; where CI is set, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# ---- our servers


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"


@dataclass(frozen=True)
class RunningServer(Address):
    """A server of ours, and its process."""

    process: subprocess.Popen[bytes]


@contextmanager
def running(name: str, *flags: str) -> Iterator[RunningServer]:
    """`python -m NAME --port 0 --quiet FLAGS`, from its address line to the end of the block.

    What it says on standard error it says of its own bugs, so that must be nothing.
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


# ---- their programs


def shell(line: str, given: bytes = b"") -> bytes:
    """Everything that a command line prints, once it has returned to the prompt by itself."""
    # A session of its own, so that a netcat that hangs can be ended with its shell.
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
    """A command line under way, and the pipe it prints to."""
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
    """End a shell with all that it has started, if anything of it still runs."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and again until it has ended: nginx (1.22.1) does not notice one that comes just
    before it waits for events; once in 20,000 times, on a busy machine."""
    while process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)


def read_until(pipe: IO[bytes], end: bytes) -> bytes:
    """Read a pipe as its writer fills it, until what came ends so."""
    data = b""
    while not data.endswith(end):
        ready, _, _ = select.select([pipe], [], [], SAFETY)
        assert ready, f"only {data!r} came, and {end!r} is waited for"
        more = os.read(pipe.fileno(), 1 << 16)
        assert more, f"the end came after {data!r}, before {end!r}"
        data += more
    return data


def listens(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), SAFETY).close()
    except ConnectionError:  # refused, or reset by a listener that closes just then
        return False
    return True


def wait_until(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    """Wait for what nothing tells, while this process lives."""
    for _ in range(int(SAFETY / 0.01)):
        if happened():
            return
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        break
    pytest.fail(f"waited in vain for {process.args!r}")


# ---- what they print


@dataclass(frozen=True)
class Answer:
    """A response as our own strict decoders read it.

    Attributes:
        status: RFC 9110 §15.
        headers: by lower-case name.
        pieces: the body; of a chunked one, each chunk.
    """

    status: int
    headers: dict[str, str]
    pieces: list[bytes]

    @classmethod
    def of(cls, output: bytes, method: str = "GET") -> "Answer":
        """Raises h11.RemoteProtocolError on anything that is not one whole response."""
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
        """What each chunk says: its text, or in an event stream its event's text."""
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
    """The tokens of an event stream of ours, which must end with its `done` event."""
    *tokens, done = events
    assert done.event == "done"
    return [msgspec.json.decode(event.data, type=Text).text for event in tokens]
