"""`workshop chat` on a terminal: a pseudo-terminal, as a person has it, with Ctrl-C."""

import os
import select
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servers import chat
from servers.pace import Pace

from .interop.held import hold
from .interop.peers import SAFETY

pty = pytest.importorskip("pty")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")

CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    """A program on a terminal of 24 lines and 80 columns, and whoever sits before it."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self._seen = b""

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def interrupt_prompt(self) -> None:
        """Ctrl-C, once the program waits for a key: CPython notices one that comes on the way
        there at the next key only."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            pytest.skip("no /proc here")
        while stat.read_text().rpartition(") ")[2][0] != "S":
            pass
        self.type(CTRL_C)

    def see(self, text: str) -> str:
        """Wait until this is written. Returns what was written up to it."""
        until = time.monotonic() + SAFETY
        while text.encode() not in self._seen:
            ready, _, _ = select.select([self._screen], [], [], until - time.monotonic())
            assert ready, f"{text!r} is not in {self._seen!r}"
            try:
                data = os.read(self._screen, 65536)
            except OSError:  # EIO: the program has ended
                data = b""
            assert data, f"{text!r} is not in {self._seen!r}, and the program has ended"
            self._seen += data
        before, _, self._seen = self._seen.partition(text.encode())
        return (before + text.encode()).decode(errors="replace")


def take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # else Ctrl-C is a letter like any other


@contextmanager
def on_terminal(state: Path, *arguments: str) -> Iterator[Terminal]:
    screen, inner = pty.openpty()
    termios.tcsetwinsize(inner, (24, 80)) if hasattr(termios, "tcsetwinsize") else None
    process = subprocess.Popen(
        [sys.executable, "-m", "workshop", "chat", *arguments],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"XDG_STATE_HOME": str(state), "TERM": "xterm", "COLUMNS": "80"},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(inner)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def test_a_conversation(tmp_path: Path) -> None:
    """Each token when it comes; Ctrl-C stops the answer, and the server's work, and no more."""
    saved = tmp_path / "saved.md"
    with (
        hold(chat.routes(Pace(0, 0))) as held,
        on_terminal(tmp_path, "--base-url", f"{held.url}/v1", "--model", "echo") as terminal,
    ):
        terminal.see("echo at ")
        terminal.see("> ")
        terminal.type("one two" + 400 * " more" + " end\n")
        terminal.see("end")
        held.release()  # the first word, with the role: nothing after it exists
        terminal.see("one")
        held.release()
        terminal.see("two")
        terminal.type("typed meanwhile")  # and dropped by Ctrl-C, as a terminal does
        held.release()
        assert "typed" not in terminal.see("more")
        terminal.type(CTRL_C)
        terminal.see("3 pieces")
        terminal.see("stopped by you")
        held.release(100)  # only a write tells the server
        assert held.wait_until_ended() < 100

        terminal.see("> ")
        terminal.type("/model sim-1\n")
        terminal.see("model: sim-1")
        terminal.type("你好\n")
        held.release(500)
        terminal.see("The user says")
        terminal.see("🚦")
        terminal.see(" tokens")
        terminal.see("complete")
        held.wait_until_ended()

        terminal.see("> ")
        terminal.type(f"/save {saved}\n")
        terminal.see("saved: ")
        terminal.type("/save\n")
        terminal.see("to which file?")
        terminal.type("/system be brief\n")
        terminal.see("system prompt: be brief")
        terminal.type("/new\n")
        terminal.see("a new conversation")
        terminal.type("/nonsense\n")
        terminal.see("no command /nonsense")
        terminal.type("/help\n")
        terminal.see("Arrow up")
        terminal.see("> ")
        terminal.type(CTRL_D)
        assert terminal.process.wait(SAFETY) == 0
    text = saved.read_text()
    assert text.startswith("## user\n\none two more")
    assert "\n\n## assistant\n\none two more\n\n## user\n\n你好\n\n## assistant\n\n" in text
    kept = tmp_path / "streaming-workshop" / "chat_history"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text().partition(" end\n")[2].startswith("/model sim-1\n你好\n/save ")


def test_leaving(tmp_path: Path) -> None:
    """Ctrl-C leaves a line; twice at an empty one, the program."""
    with on_terminal(tmp_path) as terminal:
        terminal.see("Ctrl-D leaves")
        terminal.see("> ")
        terminal.type("abc")
        terminal.see("abc")
        terminal.interrupt_prompt()
        terminal.see("> ")
        terminal.interrupt_prompt()
        terminal.see("(Ctrl-C again or Ctrl-D leaves)")
        terminal.see("> ")
        terminal.interrupt_prompt()
        assert terminal.process.wait(SAFETY) == 0


def test_one_question(tmp_path: Path) -> None:
    """Markdown without its marks, no thoughts, no numbers; Ctrl-C ends it with 130."""
    with hold(chat.routes(Pace(0, 0))) as held:
        url = f"{held.url}/v1"
        with on_terminal(
            tmp_path, "--base-url", url, "--model", "echo", "**bold** move"
        ) as terminal:
            held.release(50)
            assert terminal.process.wait(SAFETY) == 0
            assert "**" not in terminal.see("move").rpartition("\x1b[2K")[2]
        held.wait_until_ended()
        with on_terminal(tmp_path, "--base-url", url, "--model", "lorem", "x") as terminal:
            terminal.see("Lorem")
            terminal.type(CTRL_C)
            assert terminal.process.wait(SAFETY) == 130
            terminal.see("workshop chat: stopped by you")
