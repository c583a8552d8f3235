"""The first minute: a mistyped command, Ctrl-C too early, another package of our name."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workshop import __version__
from workshop.__main__ import COMMANDS, main

from ..conftest import ROOT, Start, foreign, outputs


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the commands that exist."""
    for wrong, hint in [
        ("chek", "Did you mean check?"),
        ("sreve", "Did you mean serve?"),
        ("nonsense", f"There are: {', '.join(COMMANDS)}"),
    ]:
        assert main([wrong]) == 2
        out, error = capsys.readouterr()
        assert (out, error) == ("", f"workshop: no command {wrong!r}. {hint}\n")


def test_version(capsys: pytest.CaptureFixture[str], start: Start) -> None:
    """It works in a bare clone too."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"workshop {__version__}\n"
    bare = start("-S", "-m", "workshop", "--version")
    assert outputs(bare) == (0, f"workshop {__version__}\n", "")


@pytest.mark.parametrize("module", ["workshop", "servers.chat"])
def test_a_wrong_flag_prints_two_lines(module: str, start: Start) -> None:
    """One line that says how to learn more, and one that says what is wrong."""
    code, out, error = outputs(start("-m", module, "--nonsense"))
    assert (code, out, error.count("\n")) == (2, "", 2)
    assert "--help" in error.splitlines()[0]
    assert "--nonsense" in error.splitlines()[1]


STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\ndata: [DONE]\n\n'
)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "command", ["--version", "list", "spec --list", "chat --base-url {url} Hi"]
)
def test_an_output_that_cannot_be_written(command: str, unbuffered: str, tmp_path: Path) -> None:
    """One line says why. Python drops what it could not write, or keeps it in a buffer."""
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered, "XDG_DATA_HOME": str(tmp_path)}
    with foreign(STREAM) as port, open("/dev/full", "wb") as full:
        arguments = command.format(url=f"http://127.0.0.1:{port}/v1").split()
        done = subprocess.run(
            [sys.executable, "-m", "workshop", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    problem = os.strerror(errno.ENOSPC)
    assert (done.returncode, done.stderr) == (1, f"workshop: cannot write the output: {problem}\n")


HIDDEN = {
    ("workshop",): ("clients", "protocol", "servers"),
    ("servers.chat",): ("clients", "protocol"),
    ("clients.nc", "1"): ("protocol",),
}


@pytest.mark.parametrize(
    ("command", "package"),
    [(command, package) for command, packages in HIDDEN.items() for package in packages],
)
@pytest.mark.parametrize("form", ["{}/__init__.py", "{}.py"])
def test_another_package_of_our_name(
    command: tuple[str, ...], package: str, form: str, tmp_path: Path
) -> None:
    """Python finds one in the current folder first: the command says so, and what to do."""
    other = tmp_path / form.format(package)
    other.parent.mkdir(exist_ok=True)
    other.touch()
    line = [sys.executable, "-m", *command]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = f"Another package named {package} hides the one of the workshop: {other}\n"
    said += "Start it in another folder, or in an environment of its own.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_a_folder_without_code_hides_nothing(tmp_path: Path) -> None:
    """`clients/` holds only notes."""
    (tmp_path / "clients").mkdir()
    line = [sys.executable, "-m", "servers.chat", "--help"]
    assert subprocess.run(line, cwd=tmp_path, capture_output=True, check=False).returncode == 0


INTERRUPTED_BY = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {at!r}:
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # some shells let a program ignore it
sys.meta_path.insert(0, Interrupt())
"""


@pytest.mark.parametrize(
    ("command", "at"),
    [
        (["-m", "workshop"], "trio"),
        (["-m", "workshop"], "servers.http.server"),
        (["-m", "servers.chat"], "trio"),
        (["-m", "servers.chat"], "servers.llm.engine"),
        (["-m", "servers.openai_proxy"], "clients.http.client"),
        (["-m", "clients.nc", "1"], "trio"),
        (["workshop/03_http_chunked"], "trio"),
        (["workshop/12_ten_thousand_streams"], "workshop.runner.lesson"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else part,
)
def test_ctrl_c_while_python_imports(command: list[str], at: str, tmp_path: Path) -> None:
    """It ends and prints nothing. The signal comes at an import, not after a time."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_BY.format(at=at))
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert done.returncode in (130, -signal.SIGINT)  # a shell reports 130 in both cases
