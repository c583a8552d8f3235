"""The load client: `load.c` built on the spot, run on a core of its own against one server.

The client says "begin" and "end" when its window opens and closes; at these moments the server's
processor time is read, so that the time for starting and for opening connections is not counted.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import Server, Setting, pinned

__all__ = ["Client", "LoadFailed", "built", "compiler", "cores"]

SOURCE = Path(__file__).parents[1] / "load.c"


LONG_WINDOW = 10.0  # seconds: in a longer one, every server that works has its turn


class LoadFailed(Exception):
    """The load client gave up. The message is what it printed."""


def compiler() -> str | None:
    """The C compiler of this machine."""
    return next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)


@contextmanager
def built(compiler: str) -> Iterator[Path]:
    """Compile the client. It is deleted at the end of the block.

    Raises:
        subprocess.CalledProcessError: The client does not compile without warnings.
    """
    with TemporaryDirectory() as folder:
        program = Path(folder) / "load"
        flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program)]
        subprocess.run([compiler, *flags, str(SOURCE)], check=True)
        yield program


def cores() -> tuple[int, int]:
    """Return the core of the server and that of the client. They are the same if the machine has
    only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


class Client:
    """Sends requests to a server, and measures it.

    Args:
        program: The compiled client.
        core: The core on which the client runs.
    """

    def __init__(self, program: Path, core: int) -> None:
        self._program = program
        self.core = core

    def drive(
        self,
        server: Server,
        setting: Setting,
        streams: int,
        *,
        spread: float,
        warm: float,
        seconds: float,
        begins: bool = False,
        together: bool = False,
    ) -> dict[str, Any]:
        """Open the streams and measure them. If nothing arrives in the window, perhaps the server
        had no turn on a busy machine, so the next window is four times as long.

        Args:
            setting: The setting that the server was given too.
            spread: Time in which the streams are opened, in seconds.
            warm: Time from then to the beginning of the window, in seconds.
            seconds: Length of the window, in seconds.
            begins: Whether an answer must begin in the window, too.
            together: Whether all ask at the same time, again and again.

        Returns:
            The numbers that the client prints (see `load.c`), and two of the server: "cpu", the
            seconds of its processor time in the window, and "kib", its resident set at the end.

        Raises:
            LoadFailed: The server refused, cut off or misframed an answer, or sent nothing.
        """
        while True:
            counted = self._drive(server, setting, streams, [spread, warm, seconds], together)
            if counted["tokens"] and (counted["first_byte"]["count"] or not begins):
                return counted
            if seconds > LONG_WINDOW:
                what = "no answer began" if counted["tokens"] else "no token arrived"
                raise LoadFailed(f"{what} in a window of {seconds:g} s")
            seconds *= 4

    def _drive(
        self,
        server: Server,
        setting: Setting,
        streams: int,
        times: list[float],
        together: bool,
    ) -> dict[str, Any]:
        numbers = [server.port, streams, setting.ttft, setting.itl, setting.tokens, *times]
        command = [str(self._program), *map(str, numbers), setting.body]
        command += ["together"] * together
        pipe = subprocess.PIPE
        with pinned(self.core):
            client = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
        with client:
            assert client.stdout is not None
            assert client.stderr is not None
            try:
                began = client.stdout.readline() == "begin\n"
                before = server.cpu()
                ended = client.stdout.readline() == "end\n"
                cpu, kib = server.cpu() - before, server.resident_kib()
                counted: dict[str, Any] = json.loads(client.stdout.readline() or "{}")
                if not (began and ended and counted):
                    raise LoadFailed(client.stderr.read().strip())
            except OSError as error:
                raise LoadFailed(f"the server has gone: {error}") from error
            finally:
                client.kill()
        return {**counted, "cpu": cpu, "kib": kib}
