"""The prompt: reads questions, and keeps them in a private history file."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

try:
    import readline
    import termios
except ModuleNotFoundError:  # Windows, whose console has its own history
    readline = termios = None  # type: ignore[assignment]

__all__ = ["history", "history_file", "no_echo", "read_question"]

MAX_LINES = 1000


def history_file() -> Path:
    """Return the path XDG_STATE_HOME/streaming-workshop/chat_history."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "streaming-workshop" / "chat_history"


@contextlib.contextmanager
def history() -> Iterator[None]:
    """Load the lines of earlier runs (arrow up), and save those of this run.

    Questions may be private, so no other user can read the file. If the file cannot be used, for
    example on a full disk, everything else works.
    """
    if readline is None:
        yield
        return
    path = history_file()
    readline.set_history_length(MAX_LINES)
    # In a locale without UTF-8 (LC_ALL=C), the bytes of 你 would otherwise be commands of the
    # editor.
    readline.parse_and_bind("set convert-meta off")
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT, 0o600))
        path.chmod(0o600)
        readline.read_history_file(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            readline.write_history_file(path)


def read_question(prompt: str) -> str:
    """Read one question. A line that ends in a backslash is continued on the next line.

    Ctrl-C drops the typed text, and an empty question is returned.

    Raises:
        EOFError: The user pressed Ctrl-D.
        KeyboardInterrupt: The user pressed Ctrl-C at an empty line.
    """
    lines: list[str] = []
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        lines.append(input(prompt))
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1]
            lines.append(input("… "))
    except KeyboardInterrupt as interrupt:
        if lines or any(interrupt.args):
            print()
            return ""
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    return "\n".join(lines).strip()


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Get the line now, because readline forgets it when `input` raises.
    raise KeyboardInterrupt(readline.get_line_buffer() if readline else "")


@contextlib.contextmanager
def no_echo() -> Iterator[None]:
    """Do not echo keys while an answer arrives. The next prompt shows them. Ctrl-C does not show
    ^C."""
    if termios is None or not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    quiet = termios.tcgetattr(sys.stdin)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)
