"""A log that nobody reads: the server does not wait, and the lost lines are counted."""

import errno
import fcntl
import logging
import os
import re
import signal
import socket
from collections.abc import Iterator

import pytest

from servers.http.log import QueuedLog, tell

from ...conftest import Start, line_of, outputs
from ..test_programs import port_of

PIPE_SIZE = 4096


def narrow(fileno: int) -> None:
    """Make a pipe hold little, if the system can."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(fileno, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


LOST = r"\((\d+) lines of the log are lost: nobody read it\)"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that holds one page, as (end to read, end to write)."""
    reading, writing = os.pipe()
    narrow(writing)
    yield reading, writing
    os.close(reading)


def read_until(reading: int, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        more = os.read(reading, 1 << 16)
        assert more, data[-100:]
        data += more
    return data


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("servers", logging.INFO, "", 0, message, (), None)


def test_lines_are_written_in_order(pipe: tuple[int, int]) -> None:
    log = QueuedLog(pipe[1])
    for number in range(1000):
        log.emit(record(f"line {number} 你好"))
    expected = "".join(f"line {number} 你好\n" for number in range(1000)).encode()
    assert read_until(pipe[0], b"line 999 \xe4\xbd\xa0\xe5\xa5\xbd\n") == expected
    log.flush()


@pytest.mark.parametrize("nonblocking", [False, True])
def test_logging_does_not_wait_for_a_reader(pipe: tuple[int, int], nonblocking: bool) -> None:
    """Of far more lines than pipe and queue hold, the lost ones are counted in their place."""
    os.set_blocking(pipe[1], not nonblocking)
    log = QueuedLog(pipe[1], max_size=10_000)
    for number in range(10_000):
        log.emit(record(f"{number:09}"))  # 10 bytes, with the end of the line
    told, kept, lost, rest = 0, 0, 0, b""
    while told < 10_000:  # until then the thread waits in its write
        *lines, rest = (rest + os.read(pipe[0], 1 << 16)).split(b"\n")
        for line in lines:
            if line.isdigit():
                assert int(line) == told, "a line is kept in its place"
                kept, told = kept + 1, told + 1
            else:
                (count,) = re.fullmatch(LOST, line.decode()).groups()  # type: ignore[union-attr]
                lost, told = lost + int(count), told + int(count)
    # At least as many lines as the queue holds were kept, of far more than queue and pipe hold.
    assert kept >= 1000
    assert lost > 0
    log.put("the next")
    assert read_until(pipe[0], b"the next\n") == b"the next\n"


def test_a_file_that_cannot_be_written() -> None:
    """A full disk, and a closed pipe: logging has no effect and raises nothing."""
    reading, gone = os.pipe()
    os.close(reading)
    for fileno in (os.open("/dev/full", os.O_WRONLY), gone):
        log = QueuedLog(fileno)
        for _ in range(3):
            log.put("x")
            log.flush()
        os.close(fileno)


def test_a_record_that_cannot_be_formatted(capsys: pytest.CaptureFixture[str]) -> None:
    """As in `logging`: the error is printed, and nothing is raised."""
    QueuedLog().emit(logging.LogRecord("servers", logging.INFO, "", 0, "%d", ("x",), None))
    assert "--- Logging error ---" in capsys.readouterr().err


def test_tell_without_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    tell("hello")
    assert capsys.readouterr().err == "hello\n"


def requests(port: int, count: int) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: a\r\n"
    requests = (request + b"\r\n") * (count - 1) + request + b"Connection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(requests)
        received = b""
        while data := client.recv(65536):
            received += data
    assert received.count(b"HTTP/1.1 200 ") == count


def test_a_server_whose_log_nobody_reads(start: Start) -> None:
    """Its pipe is full after some hundred lines. It answers all requests, and exits at a signal."""
    process = start("-m", "servers.chat", "--port", "0")
    assert process.stderr is not None
    narrow(process.stderr.fileno())
    port = port_of(process, "servers.chat")
    requests(port, 2000)
    requests(port, 2000)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_a_log_is_complete_at_exit(start: Start) -> None:
    process = start("-m", "servers.chat", "--port", "0")
    requests(port_of(process, "servers.chat"), 300)
    process.send_signal(signal.SIGTERM)
    code, _, log = outputs(process)
    assert (code, log.count("200 GET /health")) == (0, 300)


FULL = """import os, sys
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"""


def test_standard_output_that_cannot_be_written(start: Start) -> None:
    """`>/dev/full`: it logs a warning without a traceback, and serves until it is stopped."""
    process = start("-c", FULL, "-m", "servers.chat", "--port", "0")
    assert line_of(process.stderr).endswith(
        f" cannot write to standard output: {os.strerror(errno.ENOSPC)}\n"
    )
    process.send_signal(signal.SIGTERM)
    assert outputs(process) == (0, "", "")
