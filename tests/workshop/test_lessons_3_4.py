"""Lessons 3 and 4, which have a server of their own, run as a learner runs them."""

import re
import signal
import socket

import pytest

from ..conftest import Start, foreign, line_of, outputs, serving
from .test_workshop import ACTIVATE

LESSONS = {3: "workshop/03_http_chunked", 4: "workshop/04_sse_protocol"}


@pytest.mark.parametrize("lesson", LESSONS.values())
def test_missing_package_in_a_lesson(lesson: str, start: Start) -> None:
    code, out, error = outputs(start("-S", lesson))
    assert (code, out) == (1, "")
    assert error.endswith(ACTIVATE)
    assert error.count("\n") == 1


def test_lesson_3(start: Start) -> None:
    """Its server, and its client that names every byte, until the end."""
    code, out, error = outputs(start(LESSONS[3], "--once", "--fast", "--port", "0"))
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert lines[0] == ("we send   GET / HTTP/1.1␍␊Host: localhost␍␊Connection: close␍␊␍␊")
    assert lines[1] == "head      HTTP/1.1 200 OK␍␊"
    assert "chunk-size 6  ␍␊  chunk-data Chunks  ␍␊" in out
    assert "chunk-size 3  ␍␊  chunk-data 你  ␍␊" in out
    assert "chunk-size 0  ␍␊" in out
    assert "The body, without its framing: 72 bytes, 65 characters" in out
    assert "Chunks say how long they are: 你好 is 6 bytes, not 2 characters. 🌊" in out


def test_lesson_4(start: Start) -> None:
    """The same stream with different cuts gives the same events."""
    code, out, error = outputs(start(LESSONS[4], "--once", "--fast", "--port", "0"))
    assert (code, error) == (0, "")
    assert out.count('     => word 18: {"text":" one"}') == 2
    assert out.count('     => done end: {"words":21}') == 2
    assert "\n5 events and 5 events; the same: True\n" in out


@pytest.mark.parametrize(("number", "tries"), [(3, 3), (4, 4)])
def test_lesson_goes_on_until_ctrl_c(number: int, tries: int) -> None:
    """It prints lines to paste, with its port; then Ctrl-C ends it with exit code 0."""
    with serving(LESSONS[number], "--fast", "--port", "0") as (process, lines):
        begin = lines.index("Now you: the server is still running. In another terminal:")
        pasted = [line for line in lines[begin:] if line.startswith("  curl ")]
        assert len(pasted) == tries
        match = re.search(r"http://localhost:([0-9]+)/", pasted[0])
        assert match
        with socket.create_connection(("127.0.0.1", int(match[1])), 20) as client:
            client.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        process.send_signal(signal.SIGINT)
        code, out, error = outputs(process)
    assert (code, out) == (0, "")
    assert "Traceback" not in error


@pytest.mark.parametrize(("number", "module"), [(3, "servers.chunked"), (4, "servers.sse")])
def test_lesson_uses_a_running_server(number: int, module: str, start: Start) -> None:
    """If `workshop` runs in another terminal, the lesson says so and uses its server."""
    server = start("-m", module, "--port", "0", "--itl", "0", "--quiet")
    port = line_of(server.stdout).rpartition(":")[2].strip("/\n")
    lesson = start(LESSONS[number], "--once", "--fast", "--port", port)
    code, out, error = outputs(lesson)
    assert (code, error) == (0, "")
    first, blank, *lines = out.splitlines()
    assert first == f"port {port} is already served by the workshop: this lesson uses that server"
    assert blank == ""
    assert any("chunk-size" in line for line in lines)
    server.send_signal(signal.SIGTERM)
    assert outputs(server) == (0, "", "")


FOREIGN = {
    "SMTP": b"220 mail ESMTP\r\n",
    "another web server": b"HTTP/1.1 200 OK\r\nServer: other\r\nContent-Length: 0\r\n\r\n",
    "one without a name": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "one that closes": b"",
}


@pytest.mark.parametrize("answer", FOREIGN.values(), ids=FOREIGN)
def test_lesson_and_a_foreign_program(answer: bytes, start: Start) -> None:
    """Exit code 1, and what to do. The lesson asks that program once, and for nothing else."""
    with foreign(answer) as port:
        code, out, error = outputs(start(LESSONS[3], "--once", "--port", str(port)))
    assert (code, error) == (1, "")
    assert out == (
        f"port {port} is in use, and not by the workshop: choose another with --port N\n"
    )


def test_closed_pipe_is_no_traceback(start: Start) -> None:
    """As `python workshop/03_http_chunked | head -1` does it."""
    lesson = start(LESSONS[3], "--port", "0")  # four seconds of words
    assert line_of(lesson.stdout).startswith("we send")
    assert lesson.stdout is not None
    lesson.stdout.close()
    lesson.stdout = None
    assert lesson.wait(60) == 0
    assert lesson.stderr is not None
    assert lesson.stderr.read() == b""
