"""`workshop aha`: the order of tokens made and pieces received is checked, never their times."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from workshop import aha

ROOT = Path(__file__).parents[2]
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
CHUNKED = HEAD + (
    b"6\r\n\xe4\xbd\xa0\xe5\xa5\xbd\r\n2\r\n, \r\n6\r\n\xe4\xb8\x96\xe7\x95\x8c\r\n"
    b"5\r\n \xf0\x9f\x8c\x8d\r\n6\r\n hello\r\n0\r\n\r\n"
)
# No site-packages, no user site, no PYTHON* variables: the clone and the standard library.
BARE = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores Ctrl-C for its `&` jobs
sys.path.insert(0, {root!r})
from workshop import {module}
sys.exit({module}.main({argv!r}))
"""


def bare(module: str, *argv: str) -> list[str]:
    program = BARE.format(root=str(ROOT), module=module, argv=list(argv))
    return [sys.executable, "-I", "-S", "-c", program]


def run_on_a_terminal(command: list[str], **environment: str) -> str:
    """Returns the output of a command whose stdout is a terminal."""
    ours, theirs = os.openpty()
    with subprocess.Popen(command, stdout=theirs, env={**clean(), **environment}):
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 65536):
                written += piece
        except OSError:
            pass  # Linux reports the end of a terminal as EIO
        finally:
            os.close(ours)
    return written.decode()


def clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "NO_COLOR"}


# --- what is sent when ----------------------------------------------------------------------


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list of all lines on the screen, without their times."""
    lines: list[str] = []
    monkeypatch.setattr(aha, "say", lambda line: lines.append(re.sub(r"\+\d+\.\d\d s", "", line)))
    return lines


def in_order(trace: list[str]) -> str:
    """Returns m for each token made, c for each piece that came."""
    return "".join(line.split()[0][0] for line in trace)


def test_chunked_sends_each_token_before_the_next_is_made(
    trace: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = threading.Semaphore(0)
    held_up: list[str] = []
    record = aha.say

    def say(line: str) -> None:
        record(line)
        if "came" in line:
            arrived.release()

    def pace(token: str) -> None:  # make a token only when the piece before it has come
        if not arrived.acquire(timeout=60):
            held_up.append(token)

    monkeypatch.setattr(aha, "say", say)
    aha.show("/chunked", hop=False, pace=pace)
    assert held_up == []
    assert re.fullmatch("cmcmcmcmcmcc?", in_order(trace))  # the last chunk may come alone
    assert trace[2] == "    came  6␍␊你好␍␊"


@pytest.mark.parametrize(("target", "hop"), [("/content-length", False), ("/chunked", True)])
def test_the_other_two_send_nothing_before_the_last_token_is_made(
    trace: list[str], target: str, hop: bool
) -> None:
    aha.show(target, hop, pace=lambda token: None)
    assert in_order(trace) == "mmmmmc"


def test_the_hop_changes_no_byte() -> None:
    with (
        aha.listening(lambda client: aha.serve(client, lambda token: None)) as server,
        aha.listening(lambda client: aha.relay(client, server)) as hop,
    ):
        assert b"".join(aha.ask(hop, "/chunked")) == CHUNKED


def test_the_length_counts_bytes_not_characters() -> None:
    with aha.listening(lambda client: aha.serve(client, lambda token: None)) as server:
        head, _, body = b"".join(aha.ask(server, "/content-length")).partition(b"\r\n\r\n")
    assert body.decode() == "你好, 世界 🌍 hello"
    assert head.endswith(b"\r\nContent-Length: 25")
    assert len(body) == 25


# --- what is shown --------------------------------------------------------------------------


def test_every_byte_gets_its_layer() -> None:
    *head, unfinished, first, second = list(aha.rows(HEAD + b"6\r\n\xe4\xbd\xa0\xe5\xa5\xbd\r\n2"))
    assert b"".join(data for row in head for _, data in row) == HEAD
    assert {layer for row in head for layer, _ in row} == {"head", "CRLF"}
    assert unfinished == [("head", b"")]
    assert first == [
        ("chunk-size", b"6"),
        ("CRLF", b"\r\n"),
        ("chunk-data", "你好".encode()),
        ("CRLF", b"\r\n"),
    ]
    assert second == [("chunk-data", b"2")]  # a size only when its CRLF has come


def test_no_byte_is_lost_or_shown_twice_wherever_the_answer_is_cut() -> None:
    shown = "".join(aha.paint(CHUNKED, seen=0))
    assert shown.startswith("HTTP/1.1 200 OK␍␊Content-Type")
    assert shown.endswith("5␍␊ 🌍␍␊6␍␊ hello␍␊0␍␊␍␊")
    for cut in range(len(CHUNKED)):
        if CHUNKED[cut] & 0xC0 != 0x80:  # inside a character, each half is shown as bytes
            parts = [*aha.paint(CHUNKED[:cut], seen=0), *aha.paint(CHUNKED, seen=cut)]
            assert "".join(parts) == shown


# --- the command ----------------------------------------------------------------------------


def test_a_bare_clone_runs_it_and_a_pipe_gets_no_escape_codes() -> None:
    probe = [sys.executable, "-I", "-S", "-c", "import h11"]
    assert subprocess.run(probe, capture_output=True, check=False).returncode == 1, "not bare"
    done = subprocess.run(bare("aha", "--fast"), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    text = done.stdout.decode()
    assert re.findall(r"^(\d)  (.*):", text, re.M) == [
        ("1", "Content-Length"),
        ("2", "chunked"),
        ("3", "chunked, through a hop"),
    ]
    assert len(re.findall(r"^  \+\d+\.\d\d s  made  ", text, re.M)) == 15
    assert "In 3 the server did nothing wrong." in text


def test_the_lines_to_paste() -> None:
    text = subprocess.run(bare("aha", "--fast"), capture_output=True, check=True).stdout.decode()
    assert "\n  A  workshop\n  B  curl -N http://localhost:8000/\n" in text
    assert (
        "python3 -m venv .venv && .venv/bin/pip install -c .ci/locked.txt -e . "
        "&& .venv/bin/workshop"
    ) in text
    (command,) = re.findall(r"^ +(printf .*) \| nc localhost 8000$", text, re.M)
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout == REQUEST


def test_a_terminal_gets_colours_unless_no_color_is_set() -> None:
    text = run_on_a_terminal(bare("aha", "--fast"))
    assert "\x1b[1;33m6\x1b[0m\x1b[35m␍␊\x1b[0m\x1b[1;32m你好\x1b[0m\x1b[35m␍␊\x1b[0m" in text
    assert "\x1b[36mHTTP/1.1 200 OK\x1b[0m" in text
    assert "\x1b" not in run_on_a_terminal(bare("aha", "--fast"), NO_COLOR="1")


def test_output_without_unicode() -> None:
    command = [sys.executable, "-c", "from workshop import aha; aha.main(['--fast'])"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u4f60\u597d" in done.stdout


def test_ctrl_c_ends_it_with_130() -> None:
    with subprocess.Popen(
        bare("aha"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()  # now it is past its imports
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (130, "")


def test_ctrl_c_in_the_middle_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(port: int, target: str) -> Iterator[bytes]:
        yield next(ask(port, target))
        raise KeyboardInterrupt

    ask = aha.ask
    monkeypatch.setattr(aha, "ask", interrupted)
    assert aha.main(["--fast"]) == 130


def test_a_client_that_disconnects_is_not_an_error_of_the_server() -> None:
    gone = threading.Event()

    def wait(token: str) -> None:
        gone.wait(60)

    with aha.listening(lambda c: aha.serve(c, wait)) as port:
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"GET /content-length HTTP/1.1\r\n\r\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()  # with a reset, so the very first write of the server fails
        gone.set()
    # pytest warns of an exception that a thread does not catch, and warnings are errors.


def test_closed_pipe_is_no_traceback() -> None:
    with subprocess.Popen(
        bare("aha", "--fast"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 1
