"""`workshop chat` on a pseudo-terminal, with Ctrl-C, as a person uses it."""

import errno
import os
import stat
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from servers import chat
from servers.llm.pace import Pace

from ...interop.held import hold
from ...streams import SAFETY
from ...terminal import Screen, terminal

CTRL_C, CTRL_D = b"\x03", b"\x04"


def chatting(
    state: Path, *arguments: str, **more: str
) -> AbstractContextManager[tuple[Screen, subprocess.Popen[bytes]]]:
    command = [sys.executable, "-m", "workshop", "chat", *arguments]
    return terminal(*command, XDG_STATE_HOME=str(state), **more)


def interrupt_prompt(screen: Screen, process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C once the program waits for a key: CPython notices a Ctrl-C that comes just
    before that only at the next key."""
    state = Path(f"/proc/{process.pid}/stat")
    if not state.exists():
        pytest.skip("no /proc here")
    while state.read_text().rpartition(") ")[2][0] != "S":
        pass
    screen.press(CTRL_C)


def test_a_conversation(tmp_path: Path) -> None:
    """Each token is shown at once. Ctrl-C stops the answer and the server's work, nothing else."""
    saved = tmp_path / "saved.md"
    with (
        hold(chat.routes(Pace(0, 0))) as held,
        chatting(tmp_path, "--base-url", f"{held.url}/v1", "--model", "echo") as (screen, process),
    ):
        screen.until("echo at ")
        screen.until("> ")
        screen.press(b"one two" + 400 * b" more" + b" end\n")
        screen.until("end")
        held.release()  # the first word, with the role: the rest is not sent yet
        screen.until("one")
        held.release()
        screen.until("two")
        screen.press(b"typed meanwhile")  # Ctrl-C makes the terminal drop it
        held.release()
        assert "typed" not in screen.until("more")
        screen.press(CTRL_C)
        screen.until("3 pieces")
        screen.until("stopped by you")
        held.release(100)  # the server notices at a write
        assert held.wait_until_ended() < 100

        screen.until("> ")
        screen.press(b"/model sim-1\n")
        screen.until("model: sim-1")
        screen.press("你好\n".encode())
        held.release(500)
        screen.until("The user says")
        screen.until("🚦")
        screen.until(" tokens")
        screen.until("complete")
        held.wait_until_ended()

        screen.until("> ")
        screen.press(f"/save {saved}\n".encode())
        screen.until("saved: ")
        assert saved.stat().st_mode & 0o777 == 0o600, "others may not read it"
        screen.press(b"/save\n")
        screen.until("to which file?")
        screen.press(b"/system be brief\n")
        screen.until("system prompt: be brief")
        screen.press(b"/new\n")
        screen.until("a new conversation")
        screen.press(b"/nonsense\n")
        screen.until("no command /nonsense")
        screen.press(b"/help\n")
        screen.until("Arrow up")
        screen.until("> ")
        screen.press(CTRL_D)
        assert process.wait(SAFETY) == 0
    text = saved.read_text()
    assert text.startswith("## user\n\none two more")
    assert "\n\n## assistant\n\none two more\n\n## user\n\n你好\n\n## assistant\n\n" in text
    kept = tmp_path / "streaming-workshop" / "chat_history"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text().partition(" end\n")[2].startswith("/model sim-1\n你好\n/save ")


def test_a_conversation_goes_on_after_failures(tmp_path: Path) -> None:
    """A locale without 你, a file that cannot be written, and a server that has stopped."""
    saved = tmp_path / "saved.md"
    with ExitStack() as server:
        held = server.enter_context(hold(chat.routes(Pace(0, 0))))
        held.release(50)
        echo = ("--base-url", f"{held.url}/v1", "--model", "echo")
        with chatting(tmp_path, *echo, LC_ALL="C") as (screen, process):
            screen.until("> ")
            screen.press("你好\n".encode())
            screen.until("complete")
            screen.until("> ")
            screen.press("/save ~no-such-user/你\n".encode())
            screen.until(f"~no-such-user/你: {os.strerror(errno.ENOENT)}")
            screen.until("> ")
            server.close()
            screen.press(b"again\n")
            screen.until(os.strerror(errno.ECONNREFUSED))
            screen.until("> ")
            screen.press(f"/save {saved}\n".encode())
            screen.until("saved: ")
            screen.until("> ")
            screen.press(CTRL_D)
            assert process.wait(SAFETY) == 0
    assert saved.read_text() == "## user\n\n你好\n\n## assistant\n\n你好\n"


def test_quitting(tmp_path: Path) -> None:
    """Ctrl-C clears a line; twice at an empty line it quits, and so does Ctrl-D."""
    with chatting(tmp_path) as (screen, process):
        screen.until("Ctrl-D quits")
        screen.until("> ")
        screen.press(b"abc")
        screen.until("abc")
        interrupt_prompt(screen, process)
        screen.until("> ")
        interrupt_prompt(screen, process)
        screen.until("(Ctrl-C again or Ctrl-D quits)")
        screen.until("> ")
        interrupt_prompt(screen, process)
        assert process.wait(SAFETY) == 0


def test_one_question(tmp_path: Path) -> None:
    """It shows Markdown without its marks, no thinking, no statistics. Ctrl-C: exit code 130."""
    with hold(chat.routes(Pace(0, 0))) as held:
        url = f"{held.url}/v1"
        long = ("--base-url", url, "--model", "lorem", "x")
        asked = ("--base-url", url, "--model", "echo", "**bold** move")
        with chatting(tmp_path, *asked) as (screen, process):
            held.release(50)
            assert process.wait(SAFETY) == 0
            assert "**" not in screen.until("move").rpartition("\x1b[2K")[2]
        held.wait_until_ended()
        with chatting(tmp_path, *long) as (screen, process):
            screen.until("Lorem")
            screen.press(CTRL_C)
            assert process.wait(SAFETY) == 130
            screen.until("workshop chat: stopped by you")
