"""The `workshop` command, as a learner starts it."""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from runpy import run_module, run_path
from urllib.request import urlopen

import pytest

from protocol.chunked import ChunkedDecoder
from protocol.sse import EventStreamParser
from servers import chat, chunked, sse
from servers.llm.faults import listing
from servers.llm.model.tokens import tokenize
from workshop.__main__ import COMMANDS, main
from workshop.doctor import typed
from workshop.serve import ENTRIES, _describe

from ..conftest import ROOT, Start, foreign, line_of, outputs, serving
from ..saying import answer

WORKSHOP = ("-m", "workshop")
REQUEST = r"printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'"
SERVERS = ("chat", "chunked", "sse", "openai_proxy", "badproxy")
BENCHES = ("codecs", "streams", "proxy")
PORTS_0 = ("--chat-port", "0", "--chunked-port", "0", "--sse-port", "0", "--proxy-port", "0")


@pytest.mark.parametrize("flag", ["-h", "--help", "help"])
def test_help(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It lists every command with a description, and says where the course begins."""
    assert main([flag]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: workshop [COMMAND] [ARGUMENTS]\n")
    for name, (_, text) in COMMANDS.items():
        assert f"\n  {name:18} {text}\n" in shown
    assert "workshop/01_generator_basics" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: workshop {name} ")


PROGRAMS = {
    **{name: partial(main, [name, "--help"]) for name in COMMANDS},
    **{f"bench {name}": partial(main, ["bench", name, "--help"]) for name in BENCHES},
    **{f"servers.{name}": partial(run_module, f"servers.{name}") for name in SERVERS},
    **{path.name: partial(run_path, str(path)) for path in ROOT.glob("workshop/[0-9][0-9]_*")},
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.filterwarnings("ignore:.* found in sys.modules")
def test_help_describes_each_argument(
    program: partial[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words, before the default."""
    parsers: list[argparse.ArgumentParser] = []
    monkeypatch.setattr(argparse.ArgumentParser, "print_help", lambda self: parsers.append(self))
    monkeypatch.setattr("sys.argv", ["program", "--help"])
    with pytest.raises(SystemExit):
        program() if program.func is main else program(run_name="__main__")
    (parser,) = parsers
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            assert re.match(r"(?!default: )", action.help or "default: "), action.dest


def test_without_standard_input(tmp_path: Path) -> None:
    """`<&-`, as some programs start others: the same as at its end."""
    line = f"{sys.executable} -m workshop reset 1 --dir {tmp_path} <&-"
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True)
    question = "Start exercise 1 again? There is no terminal to ask on: add --yes\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", question)


def test_flags_without_a_command_are_for_serve(capsys: pytest.CaptureFixture[str]) -> None:
    """`workshop --chat-port x` is `workshop serve --chat-port x`."""
    with pytest.raises(SystemExit) as ended:
        main(["--chat-port", "x"])
    assert ended.value.code == 2
    assert "usage: workshop serve" in capsys.readouterr().err


ACTIVATE = "is not installed here. Activate it:  . .venv/bin/activate\n"


@pytest.mark.parametrize("command", [(), ("serve",), ("nc", "1")], ids=["map", "serve", "nc"])
def test_missing_package(command: tuple[str, ...], start: Start) -> None:
    """Outside the environment it says what to do, without a traceback."""
    code, out, error = outputs(start("-S", *WORKSHOP, *command))
    assert (code, out) == (1, "")
    missing, make = error.splitlines(keepends=True)
    assert missing.endswith(ACTIVATE)
    line = "python3 -m venv .venv && .venv/bin/pip install -c .ci/locked.txt -e ."
    assert make == f"or make it:  {line}\n"


@pytest.fixture(scope="module")
def shown() -> Iterator[list[str]]:
    """The map of a `workshop` on free ports that runs during the tests of this module."""
    with serving(*WORKSHOP, *PORTS_0, "--quiet") as (_, lines):
        yield lines


def test_map(shown: list[str]) -> None:
    """Four addresses, each with its title and lines to paste."""
    places = [line for line in shown if line.startswith("http")]
    titles = [
        "home, chat page, simulated LLM",
        "lesson 3: chunked coding",
        "lesson 4: Server-Sent Events",
        r"OpenAI proxy, forwards to the simulated LLM \(no OPENAI_API_KEY\)",
    ]
    for place, title in zip(places, titles, strict=True):
        assert re.fullmatch(rf"http://localhost:[0-9]+/   {title}", place)
    assert shown[-1] == f"Ctrl-C stops. New here? Read {places[0].split()[0]}course/ first."
    tries = [line for line in shown if line.startswith("  ")]
    assert len(tries) == 11 if shutil.which("curl") else 3
    assert sum("printf" in line for line in tries) == 3


def test_the_course_names_the_ports_of_the_map(shown: list[str]) -> None:
    """A command of a lesson asks the server that is on this map."""
    home, lesson_3, *_ = [line.split()[0] for line in shown if line.startswith("http")]
    with urlopen(f"{home}course/workshop/03_http_chunked/README.md.html", timeout=60) as page:
        html = page.read().decode()
    assert f"curl -sN --raw {lesson_3} " in html
    assert "localhost:8003" not in html


def text_of(line: str, output: bytes) -> str:
    """The text that a pasted line printed, without framing."""
    if line.startswith("printf"):  # a netcat prints the head too
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
    """A shell runs all lines at the same time, and each prints the expected text."""

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
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 0, line
            assert text_of(line, out) == text, line


def with_path(directory: Path, monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    """Make this machine look as if it had only these programs."""
    for name in programs:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed (package {name})")
        (directory / name).symlink_to(path)
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setattr("workshop.doctor.find", shutil.which)


def test_map_without_any_netcat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without curl: the map names our netcat, as it can be started here."""
    entry = ENTRIES[1]
    with monkeypatch.context() as patch:
        with_path(tmp_path, patch)
        patch.setattr("sys.argv", ["workshop/__main__.py"])
        lines = _describe(entry, "localhost", 1234)
        assert lines[1:] == [f"  {REQUEST} | {sys.executable} -m workshop nc localhost 1234", ""]
        patch.setattr("sys.argv", ["/a b/workshop"])
        lines = _describe(entry, "localhost", 1234)
        assert lines[1:] == [f"  {REQUEST} | '/a b/workshop' nc localhost 1234", ""]


def test_map_with_socat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_path(tmp_path, monkeypatch, "socat")
    lines = _describe(ENTRIES[1], "127.0.0.1", 1234)
    assert lines[1:] == [f"  {REQUEST} | socat -t 30 - TCP:127.0.0.1:1234", ""]


def test_busy_port_does_not_stop_the_others() -> None:
    """The message names the flag that changes the port."""
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
                "OpenAI proxy, forwards to the simulated LLM (no OPENAI_API_KEY)",
            ]
            process.send_signal(signal.SIGINT)
            assert outputs(process) == (0, "", "")


def ports_of(lines: list[str]) -> list[str]:
    """The ports on a map, in its order."""
    return [line.split(":")[2].split("/")[0] for line in lines if line.startswith("http")]


def test_a_second_workshop(shown: list[str], start: Start) -> None:
    """It prints one line: the address of the first one, and how to start another."""
    flags = [f"--{entry.name}-port" for entry in ENTRIES]
    ports = [part for pair in zip(flags, ports_of(shown), strict=True) for part in pair]
    code, out, error = outputs(start(*WORKSHOP, *ports))
    assert (code, out) == (1, "")
    here = f"http://localhost:{ports[1]}/"
    again = " ".join([typed(sys.executable), *WORKSHOP, *PORTS_0])
    assert error == f"The workshop is already running: open {here} (to start another: {again})\n"


def test_one_server_of_the_workshop_runs(shown: list[str]) -> None:
    """A lesson runs in another terminal: the map names its port as ours, and serves the others."""
    port = ports_of(shown)[1]
    with serving(*WORKSHOP, *PORTS_0, "--chunked-port", port) as (process, lines):
        assert line_of(process.stderr) == (
            f"lesson 3: chunked coding: port {port} is already served by the workshop; "
            "choose another with --chunked-port N\n"
        )
        assert len(ports_of(lines)) == 3
        process.send_signal(signal.SIGINT)
        assert outputs(process)[:2] == (0, "")


def test_all_ports_busy(start: Start) -> None:
    """Exit code 1, and a line for each port."""
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
    """It finishes the running stream first; then it exits with 0, without a traceback."""
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
