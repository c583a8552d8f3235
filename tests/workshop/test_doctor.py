"""`workshop doctor`: what it says about a machine, and the lines that get what is missing."""

import ast
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from servers.http.reply_head import SERVER
from tests.interop.peers import running
from tests.workshop.test_aha import REQUEST, bare, run_on_a_terminal
from workshop import aha, doctor

ROOT = Path(__file__).parents[2]
PRINTF = r"printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'"

MAKE = "python3 -m venv .venv && .venv/bin/pip install -c .ci/locked.txt -e ."
# The first lines of each netcat's help text.
OPENBSD = "OpenBSD netcat (Debian patchlevel 1.219-1)\nusage: nc [-46CDdFhklNnrStUuvZz]"
TRADITIONAL = "[v1.10-47]\nconnect to somewhere:\tnc [-options] hostname port[s] [ports] ..."
NCAT = "Ncat 7.93 ( https://nmap.org/ncat )\nUsage: ncat [options] [hostname] [port]"
SOCAT = "socat by Gerhard Rieger and contributors\nsocat version 1.7.4.4 on 06 Nov 2022"
BUSYBOX = "nc: invalid option -- 'h'\nBusyBox v1.35.0 multi-call binary.\n\nUsage: nc [-iN] [-wN]"
BUSYBOX_WITHOUT_NC = "BusyBox v1.35.0 multi-call binary.\nnc: applet not found"
MACOS = "usage: nc [-46AacCDdEFhklMnOortUuvz] [-K tc] [-b boundif] [-i interval]"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A machine that has only these commands, each with its help text."""
    commands: dict[str, str] = {}
    monkeypatch.setattr(doctor, "find", lambda c: str(tmp_path / c) if c in commands else None)
    monkeypatch.setattr(doctor, "answer_of", lambda path, *_: commands.get(Path(path).name, ""))
    return commands


@pytest.mark.parametrize(
    ("command", "help_text", "what", "keys"),
    [
        ("nc", OPENBSD, "OpenBSD netcat 1.219-1", "nc localhost 8000"),
        ("nc", TRADITIONAL, "traditional netcat 1.10-47, -q 0", "nc localhost 8000"),
        ("nc", NCAT, "Ncat 7.93, half-closes", "nc localhost 8000"),
        ("nc", BUSYBOX, "BusyBox nc 1.35.0, half-closes", "nc localhost 8000"),
        ("nc", MACOS, "BSD netcat", "nc localhost 8000"),
        ("busybox", BUSYBOX, "BusyBox nc 1.35.0, half-closes", "busybox nc localhost 8000"),
        ("socat", SOCAT, "socat 1.7.4.4, half-closes", "socat -t 30 - TCP:localhost:8000"),
        ("nc.traditional", TRADITIONAL, "traditional netcat", "nc.traditional localhost 8000"),
    ],
)
def test_a_netcat_is_known_by_its_help_text(
    machine: dict[str, str], command: str, help_text: str, what: str, keys: str
) -> None:
    machine[command] = help_text
    (finding,) = doctor.netcats()
    assert (finding.mark, finding.name) == ("✓", command)
    assert finding.what.startswith(what)
    assert finding.todo == f"{PRINTF} | {keys}"


@pytest.mark.parametrize("commands", [{}, {"busybox": BUSYBOX_WITHOUT_NC}, {"nc": "who knows"}])
def test_without_a_netcat_it_names_ours(machine: dict[str, str], commands: dict[str, str]) -> None:
    machine.update(commands)
    (finding,) = doctor.netcats()
    assert finding == doctor.Finding(
        "–", "netcat", "none", f"{PRINTF} | workshop nc localhost 8000"
    )


def test_it_follows_symbolic_links_and_lists_a_program_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nc.openbsd"
    program.write_text("#!/bin/sh\necho 'OpenBSD netcat (Debian patchlevel 1.219-1)' >&2\n")
    program.chmod(0o755)
    (tmp_path / "alternatives").mkdir()
    (tmp_path / "alternatives/nc").symlink_to(program)
    for name in ("nc", "netcat"):
        (tmp_path / name).symlink_to(tmp_path / "alternatives/nc")
    monkeypatch.setattr(doctor, "find", lambda c: shutil.which(c, path=str(tmp_path)))
    (finding,) = doctor.netcats()
    assert finding.name == "nc"
    assert finding.what == f"OpenBSD netcat 1.219-1, nc is {program.resolve()}"


def test_every_line_to_paste_gets_the_whole_answer() -> None:
    for finding in doctor.netcats():
        if finding.mark == "✓":
            with aha.listening(lambda client: aha.serve(client, lambda token: None)) as port:
                line = finding.todo.replace("8000", str(port))
                done = subprocess.run(["sh", "-c", line], capture_output=True, check=False)
            assert done.stdout.endswith(b"\r\n6\r\n hello\r\n0\r\n\r\n"), (line, done)


def test_printf_writes_the_request() -> None:
    done = subprocess.run(["sh", "-c", doctor.REQUEST], capture_output=True, check=True)
    assert done.stdout == REQUEST


# --- packages and Python --------------------------------------------------------------------


def test_packages_are_those_of_pyproject() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    listed = [f"{n}>={'.'.join(map(str, oldest))}" for n, oldest in doctor.PACKAGES.items()]
    assert listed == declared


def test_an_installed_package() -> None:
    assert [f.mark for f in doctor.packages()] == ["✓"] * len(doctor.PACKAGES)


def test_a_package_that_is_missing_too_old_or_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('built for another Python')")
    monkeypatch.syspath_prepend(str(tmp_path))
    packages = {"missing_package": (1,), "h11": (99, 0), "broken_package": (1,)}
    monkeypatch.setattr(doctor, "PACKAGES", packages)
    missing, old, broken = doctor.packages()
    assert (missing.mark, missing.what) == ("✗", "missing")
    assert old.mark == "✗"
    assert re.fullmatch(r"\d+\.\d+\.\d+ is too old", old.what)
    assert (broken.mark, broken.what) == ("✗", "broken: built for another Python")


@pytest.mark.parametrize(
    ("in_venv", "made", "line"),
    [
        (
            False,
            False,
            f"{MAKE} && . .venv/bin/activate",
        ),
        (False, True, ". .venv/bin/activate"),
        (True, True, "python -m pip install -c .ci/locked.txt -e ."),
    ],
)
def test_install_line_depends_on_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_venv: bool, made: bool, line: str
) -> None:
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "workshop/doctor.py"))
    monkeypatch.setattr(sys, "prefix", "venv" if in_venv else sys.base_prefix)
    if made:
        (tmp_path / ".venv/bin").mkdir(parents=True)
        (tmp_path / ".venv/bin/activate").touch()
    assert doctor.install_line() == line


def test_an_old_python_can_parse_the_file() -> None:
    ast.parse(Path(doctor.__file__).read_text(), feature_version=(3, 8))


def test_an_old_python(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "PYTHON", (9, 99))
    monkeypatch.setattr(doctor, "SECTIONS", [doctor.python])
    assert doctor.main([]) == 1
    version = ".".join(map(str, sys.version_info[:3]))
    assert capsys.readouterr().out == (
        f"✗ Python            {version}, older than 9.99\n"
        "                    install Python 9.99 or newer, then: python9.99 -m workshop doctor\n"
        "\nNot ready yet: see each ✗.\n"
    )


# --- network --------------------------------------------------------------------------------


def test_a_program_is_named_as_a_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name if the environment is active, else by its path."""
    program = tmp_path / "a b" / "workshop"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.this_command() == f"'{program}'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert doctor.this_command() == "workshop"


def test_a_port_where_the_workshop_runs_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.OURS == SERVER
    with running("servers.sse") as server:
        monkeypatch.setattr(doctor, "PORTS", {server.port: "servers.sse"})
        _, finding = doctor.network()
    assert (finding.mark, finding.what, finding.todo) == ("✓", "the workshop is running there", "")


def test_a_silent_server_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ASK_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert doctor.answering_on(silent.getsockname()[1]) == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_busy_port_comes_with_a_line_that_avoids_it(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if doctor.can_bind(host, 0):
        pytest.skip(f"this machine has no {host}")
    monkeypatch.setattr(doctor, "answering_on", lambda port: "")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {port: "servers.sse"})
        _, finding = doctor.network()
    assert (finding.mark, finding.what) == ("–", "busy")
    assert finding.todo == "stop the program that uses it, or: python -m servers.sse --port 0"
    _, finding = doctor.network()
    assert finding == doctor.Finding("✓", f"port {port}", "free")


def test_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "can_bind", lambda host, port: "no" if ":" in host else "")
    ipv6, *ports = doctor.network()
    assert ipv6 == doctor.Finding("–", "IPv6 loopback", "no")
    assert [p.mark for p in ports] == ["✓"] * len(doctor.PORTS)


# --- other programs, and the command --------------------------------------------------------


def test_programs_that_only_tests_use(machine: dict[str, str]) -> None:
    machine["nginx"] = "nginx version: nginx/1.22.1\n"
    machine["google-chrome"] = "sh: 9: [: 25276502016: unexpected operator\nChromium 150.0.80.79"
    chromium, nginx, haproxy = doctor.optional()
    assert (chromium.mark, chromium.what) == ("✓", "150.0.80.79")
    assert (nginx.mark, nginx.what) == ("✓", "1.22.1")
    assert (haproxy.mark, haproxy.what) == ("–", "missing: its tests are skipped")


def test_curl(machine: dict[str, str]) -> None:
    (without,) = doctor.curl()
    assert (without.mark, without.what) == ("–", "missing")
    machine["curl"] = "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1"
    (found,) = doctor.curl()
    assert found == doctor.Finding("✓", "curl", "7.88.1", "curl -N http://localhost:8000/")


def test_a_command_that_cannot_run_or_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.answer_of("/nowhere/nc", "-h") == ""

    def hang(*args: object, **kwargs: object) -> None:
        raise subprocess.TimeoutExpired("nc", 5)

    monkeypatch.setattr(subprocess, "run", hang)
    assert doctor.answer_of("nc", "-h") == ""


def test_only_required_things_change_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = doctor.Finding("–", "port 8000", "busy")
    monkeypatch.setattr(doctor, "SECTIONS", [lambda: [busy]])
    assert doctor.main([]) == 0
    out = capsys.readouterr().out
    assert out == "– port 8000         busy\n\nThe workshop can run: workshop\n"


def test_in_a_bare_clone_it_says_what_to_install() -> None:
    done = subprocess.run(bare("doctor"), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"\x1b" not in done.stdout
    lines = done.stdout.decode().splitlines()
    assert "✗ h11               missing" in lines
    assert "✗ rich              missing" in lines
    assert "✗ prometheus-client missing" in lines
    assert sum(" -e ." in line or "activate" in line for line in lines) == 1
    marked = [line for line in lines if line[:1] in ("✓", "✗", "–")]
    assert len(marked) >= 14
    for line in marked:  # the third column starts at the same position in all lines
        assert line[19] == " "
        assert line[20] != " "


def test_a_terminal_gets_colours_unless_no_color_is_set() -> None:
    text = run_on_a_terminal(bare("doctor"))
    assert "\x1b[32m✓\x1b[0m Python" in text
    assert "\x1b[31m✗\x1b[0m h11" in text
    assert "\x1b" not in run_on_a_terminal(bare("doctor"), NO_COLOR="1")


def test_a_reader_that_closes_the_pipe() -> None:
    """`workshop doctor | head` prints no traceback, not even at exit."""
    line = f"{sys.executable} -m workshop doctor | true"
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, timeout=60)
    assert done.stderr == b""
