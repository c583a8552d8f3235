"""The `workshop` command and the lessons with a server, as a learner starts them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from protocol.chunked import ChunkedDecoder
from protocol.sse import EventStreamParser
from servers import chat, chunked, sse
from servers.llm.faults import listing
from servers.llm.tokens import tokenize
from workshop.__main__ import COMMANDS, main
from workshop.serve import PLACES, _describe

from .conftest import ROOT, Process, Start, limited, line_of, outputs
from .saying import answer

WORKSHOP = ("-m", "workshop")
REQUEST = r"printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'"
PORTS_0 = ("--chat-port", "0", "--chunked-port", "0", "--sse-port", "0", "--proxy-port", "0")
LESSONS = {3: "workshop/03_http_chunked", 4: "workshop/04_sse_protocol"}


@pytest.mark.parametrize("flag", ["-h", "--help", "help"])
def test_help(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command with what it does, and where the course begins."""
    assert main([flag]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: workshop [COMMAND] [ARGUMENTS]\n")
    for name, (_, text) in COMMANDS.items():
        assert f"\n  {name:10}{text}\n" in shown
    assert "workshop/01_generator_basics" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: workshop {name} ")


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and what there is."""
    assert main(["sreve"]) == 2
    out, error = capsys.readouterr()
    names = ", ".join(COMMANDS)
    assert (out, error) == ("", f"workshop: no command 'sreve'. There are: {names}\n")


def test_flags_alone_are_for_serve(capsys: pytest.CaptureFixture[str]) -> None:
    """`workshop --chat-port x` is `workshop serve --chat-port x`."""
    with pytest.raises(SystemExit) as ended:
        main(["--chat-port", "x"])
    assert ended.value.code == 2
    assert "usage: workshop serve" in capsys.readouterr().err


ACTIVATE = "is not installed here. Activate it:  . .venv/bin/activate\n"


@pytest.mark.parametrize("command", [(), ("serve",), ("nc", "1")], ids=["map", "serve", "nc"])
def test_missing_package(command: tuple[str, ...], start: Start) -> None:
    """Outside the environment: what to do, and no traceback."""
    code, out, error = outputs(start("-S", *WORKSHOP, *command))
    assert (code, out) == (1, "")
    missing, make = error.splitlines(keepends=True)
    assert missing.endswith(ACTIVATE)
    assert make == "or make it:  python3 -m venv .venv && .venv/bin/pip install -e .\n"


@pytest.mark.parametrize("lesson", LESSONS.values())
def test_missing_package_in_a_lesson(lesson: str, start: Start) -> None:
    code, out, error = outputs(start("-S", lesson))
    assert (code, out) == (1, "")
    assert error.endswith(ACTIVATE)
    assert error.count("\n") == 1


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


@pytest.fixture(scope="module")
def shown() -> Iterator[list[str]]:
    """The map of a `workshop` on free ports, which serves while this module's tests run."""
    with serving(*WORKSHOP, *PORTS_0, "--quiet") as (_, lines):
        yield lines


def test_map(shown: list[str]) -> None:
    """Four addresses, each with its title and lines to paste."""
    places = [line for line in shown if line.startswith("http")]
    titles = [
        "home, chat page, simulated LLM",
        "lesson 3: chunked coding",
        "lesson 4: Server-Sent Events",
        r"OpenAI proxy, before the simulated LLM \(no OPENAI_API_KEY\)",
    ]
    for place, title in zip(places, titles, strict=True):
        assert re.fullmatch(rf"http://localhost:[0-9]+/   {title}", place)
    assert shown[-1] == f"Ctrl-C stops. New here? Read {places[0].split()[0]}course/ first."
    tries = [line for line in shown if line.startswith("  ")]
    assert len(tries) == 11 if shutil.which("curl") else 3
    assert sum("printf" in line for line in tries) == 3


def text_of(line: str, output: bytes) -> str:
    """The text that a pasted line has brought, freed of all framing."""
    if line.startswith("printf"):  # a netcat shows the head as well
        output = output.partition(b"\r\n\r\n")[2]
    if line.startswith("printf") or "--raw" in line:
        decoder = ChunkedDecoder()
        output = b"".join(decoder.receive_data(output))
        assert decoder.complete
    if not output.startswith((b"data: ", b"event: ", b"retry: ")):
        return output.decode()
    said = ""
    for event in EventStreamParser().receive_data(output):
        if event.data != "[DONE]":
            data = json.loads(event.data)
            deltas = [choice["delta"] for choice in data.get("choices", [])]
            for part in (data, *deltas):
                for key in ("text", "reasoning_content", "content"):
                    said += part.get(key, "")
    return said


def test_every_line_of_the_map_can_be_pasted(shown: list[str]) -> None:
    """Each is run by the shell, all at the same time, and the text comes."""

    def said(prompt: str) -> str:
        return "".join([*answer(prompt).thinking, *answer(prompt).text])

    words = tokenize(sse.TEXT)
    expected = [
        chat.GREETING,
        said("你好"),
        said("你好"),
        said("hello"),
        listing(),
        chunked.TEXT,
        chunked.TEXT,
        sse.TEXT,
        "".join(words[7:]),
        sse.TEXT,
        said("你好"),
    ]
    tries = [line.strip() for line in shown if line.startswith("  ")]
    if len(tries) < len(expected):
        pytest.skip("curl is not installed (package curl): its lines are not on the map")
    bin_path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    ["sh", "-c", line],
                    cwd=ROOT,
                    env=os.environ | {"PATH": bin_path},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
            for line in tries
        ]
        for process in processes:
            stack.callback(process.kill)
        for line, process, text in zip(tries, processes, expected, strict=True):
            out, _ = process.communicate(timeout=30)
            assert process.returncode == 0, line
            assert text_of(line, out) == text, line


def with_path(directory: Path, monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    """As if this machine had these programs and no other."""
    for name in programs:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed (package {name})")
        (directory / name).symlink_to(path)
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setattr("workshop.doctor.find", shutil.which)


def test_map_without_any_netcat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without curl: ours takes their place, started as it can be here."""
    place = PLACES[1]
    with monkeypatch.context() as patch:
        with_path(tmp_path, patch)
        patch.setattr("sys.argv", ["x/__main__.py"])
        lines = _describe(place, "localhost", 1234)
        assert lines[1:] == [f"  {REQUEST} | python -m workshop nc localhost 1234", ""]
        patch.setattr("sys.argv", ["/a b/workshop"])
        lines = _describe(place, "localhost", 1234)
        assert lines[1:] == [f"  {REQUEST} | '/a b/workshop' nc localhost 1234", ""]


def test_map_with_socat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_path(tmp_path, monkeypatch, "socat")
    lines = _describe(PLACES[1], "127.0.0.1", 1234)
    assert lines[1:] == [f"  {REQUEST} | socat -t 30 - TCP:127.0.0.1:1234", ""]


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


def test_busy_port_does_not_stop_the_others() -> None:
    """It is named with the flag that changes it."""
    with foreign(b"") as port:
        flags = [flag if flag != "0" else str(port) for flag in PORTS_0[2:4]]
        with serving(*WORKSHOP, *PORTS_0, *flags) as (process, lines):
            said = line_of(process.stderr)
            assert said == (
                f"lesson 3: chunked coding: port {port} is in use; "
                "choose another with --chunked-port N\n"
            )
            assert [line.partition("   ")[2] for line in lines if line.startswith("http")] == [
                "home, chat page, simulated LLM",
                "lesson 4: Server-Sent Events",
                "OpenAI proxy, before the simulated LLM (no OPENAI_API_KEY)",
            ]
            process.send_signal(signal.SIGINT)
            assert outputs(process) == (0, "", "")


def test_all_ports_busy(start: Start) -> None:
    """Exit code 1, a line for each."""
    with foreign(b"") as port:
        names = ("chat", "chunked", "sse", "proxy")
        flags = [part for name in names for part in (f"--{name}-port", str(port))]
        code, out, error = outputs(start(*WORKSHOP, *flags))
    assert (code, out) == (1, "")
    assert [line.rpartition("with ")[2] for line in error.splitlines()] == [
        f"--{name}-port N" for name in names
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_workshop(number: signal.Signals) -> None:
    """A stream under way comes to its end first; then 0, and no traceback."""
    with serving(*WORKSHOP, *PORTS_0) as (process, lines):
        place = next(line for line in lines if line.endswith("lesson 4: Server-Sent Events"))
        match = re.search(r":([0-9]+)/", place)
        assert match
        with socket.create_connection(("127.0.0.1", int(match[1])), 20) as client:
            client.sendall(b"GET / HTTP/1.0\r\nLast-Event-ID: 18\r\n\r\n")
            received = client.recv(65536)
            process.send_signal(number)
            while data := client.recv(65536):
                received += data
        assert received.endswith(b'event: done\nid: end\ndata: {"words":21}\n\n')
        code, out, error = outputs(process)
    assert (code, out) == (0, "")
    stopping, done = error.splitlines()
    assert stopping == "stopping: 1 still connected (again: at once)"
    assert re.search(r"200 GET / 5 pieces, [0-9]+ bytes, done$", done)


# ---- the lessons


def test_lesson_3(start: Start) -> None:
    """Its own server, a client that names every byte, and the end."""
    code, out, error = outputs(start(LESSONS[3], "--once", "--fast", "--port", "0"))
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert lines[0] == ("we send   GET / HTTP/1.1␍␊Host: localhost␍␊Connection: close␍␊␍␊")
    assert lines[1] == "head      HTTP/1.1 200 OK␍␊"
    assert "chunk-size 6  ␍␊  chunk-data Chunks  ␍␊" in out
    assert "chunk-size 3  ␍␊  chunk-data 你  ␍␊" in out
    assert "chunk-size 0  ␍␊" in out
    assert "The body, freed of its framing: 72 bytes, 65 characters" in out
    assert "Chunks say how long they are: 你好 is 6 bytes, not 2 characters. 🌊" in out


def test_lesson_4(start: Start) -> None:
    """The same stream, cut in two ways, gives the same events."""
    code, out, error = outputs(start(LESSONS[4], "--once", "--fast", "--port", "0"))
    assert (code, error) == (0, "")
    assert out.count('     => word 18: {"text":" one"}') == 2
    assert out.count('     => done end: {"words":21}') == 2
    assert "\n5 events and 5 events; the same: True\n" in out


@pytest.mark.parametrize(("number", "tries"), [(3, 3), (4, 4)])
def test_lesson_goes_on_until_ctrl_c(number: int, tries: int) -> None:
    """Lines to paste, with the port it found; then Ctrl-C ends it like a program that has done."""
    with serving(LESSONS[number], "--fast", "--port", "0") as (process, lines):
        begin = lines.index("Now you: the server goes on. In another terminal:")
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
    """`workshop` runs in another terminal: the lesson says so and shows the same."""
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
    """Exit code 1 and what to do: it asks first, and only once."""
    with foreign(answer) as port:
        code, out, error = outputs(start(LESSONS[3], "--once", "--port", str(port)))
    assert (code, error) == (1, "")
    assert out == (
        f"port {port} is in use, and not by the workshop: choose another with --port N\n"
    )


def test_lesson_whose_reader_has_seen_enough(start: Start) -> None:
    """`python workshop/03_http_chunked | head -1`: no traceback."""
    lesson = start(LESSONS[3], "--port", "0")  # four seconds of words
    assert line_of(lesson.stdout).startswith("we send")
    assert lesson.stdout is not None
    lesson.stdout.close()
    lesson.stdout = None
    assert lesson.wait(20) == 0
    assert lesson.stderr is not None
    assert lesson.stderr.read() == b""
