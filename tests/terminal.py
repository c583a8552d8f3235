"""A program in a terminal, as a person uses it, who types and reads.

with terminal("cat") as (screen, process):
    screen.press(b"a\\n")
    screen.until("a\\r\\na")          the echo, and what cat says
    screen.press(b"\\x04")            ^D
"""

import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import ROOT, limited
from .streams import SAFETY


class Lifeline:
    """A pipe that shows when a process, and all processes that it has started, begin and end.

    Attributes:
        code: The lines of Python that open the pipe.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lifeline"
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.code = f"lifeline = open({str(path)!r}, 'w')\nlifeline.write('x')\nlifeline.flush()\n"

    def begun(self) -> None:
        """Wait until a process has opened the pipe."""
        assert self._read() == b"x"

    def ended(self) -> None:
        """Wait until every process that has opened the pipe has ended."""
        assert self._read() == b""
        os.close(self._end)

    def _read(self) -> bytes:
        assert select.select([self._end], [], [], SAFETY)[0], "nothing has happened"
        return os.read(self._end, 10)


class Screen:
    """The screen of a program and, if its input is a terminal, the keyboard."""

    def __init__(self, end: int) -> None:
        self._end = end
        self._text = b""

    def press(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def until(self, text: str) -> str:
        """Read until this text appears. Returns everything since the last call, including this
        text."""
        end = time.monotonic() + SAFETY
        while (at := self._text.find(text.encode())) < 0:
            left = end - time.monotonic()
            if not select.select([self._end], [], [], max(left, 0))[0]:
                pytest.fail(f"{text!r} did not come, but {self._text.decode()}")
            try:
                more = os.read(self._end, 65536)
            except OSError:  # Linux says EIO of a terminal whose program has ended
                more = b""
            if not more:
                pytest.fail(f"{text!r} did not come, but the end after {self._text.decode()}")
            self._text += more
        at += len(text.encode())
        shown, self._text = self._text[:at], self._text[at:]
        return shown.decode()


@contextmanager
def terminal(*command: str, **more: str) -> Iterator[tuple[Screen, subprocess.Popen[bytes]]]:
    """A command in a pseudo-terminal; ^C reaches it as it would from a keyboard.

    Args:
        more: Additional environment variables of the program.
    """
    end, its_end = pty.openpty()
    before = termios.tcgetattr(its_end)
    try:
        with (
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | {"TERM": "xterm", "COLUMNS": "200"} | more,
                stdin=its_end,
                stdout=its_end,
                stderr=its_end,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            ) as process,
            limited(process, 120),
        ):
            yield Screen(end), process
            process.wait(SAFETY)
        assert termios.tcgetattr(its_end) == before  # the terminal is as it was
    finally:
        os.close(end)
        os.close(its_end)
