"""The check of a learner's file, in a process of its own: `await run(lesson, path)`.

A learner's file may print, loop forever, call sys.exit, fill the memory or not be Python at all.
None of that may harm or delay the runner, so the check runs in a child process:

    parent   python -P -m workshop.runner.checking 10.0 …/03_http_chunked …/exercise.py
    child    writes the report, one JSON object, to its output; prints of the file go to its errors
             after 10 seconds a C thread (faulthandler) ends it, and prints the line that is running
    parent   when cancelled (^C, a newer save), kills the child and all processes it has started

In the end the parent has the child's complete report, or makes a report that says how the child
ended.
"""

import faulthandler
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import trio

from ..language import _
from .check_kit import Failure, Lab
from .exercises import Lesson, judge, leaf_errors

__all__ = ["SECONDS", "CheckReport", "check", "run"]

SECONDS = 10.0  # longest time of one check, including the start of its process
GRACE = 5.0  # seconds after which the parent kills a child that should have ended by itself
MEMORY = 2 << 30  # bytes of address space: an endless list raises MemoryError before it swaps
OUTPUT_SIZE = 4 << 10  # number of bytes shown from the end of the file's own output
REPORT_SIZE = 16 << 20
LOG_SIZE = 256 << 10  # how many of the last bytes of the log are kept, both directions together

ROOT = Path(__file__).parents[2]


class CheckReport(msgspec.Struct):
    """The result of a check.

    Attributes:
        failure: What is wrong with the exercise, or None if it passes.
        log: The bytes that the exercise was given ("sent") and returned ("received"), in order.
        output: The last part of the text that the file has printed.
    """

    failure: Failure | None = None
    log: list[tuple[str, bytes]] = []
    output: str = ""


# ---- the parent


async def run(lesson: Lesson, path: Path, seconds: float = SECONDS) -> CheckReport:
    """Run a lesson's check on a learner's file. Whatever the file does, this raises no error.

    Args:
        lesson: The lesson whose check is run.
        path: The learner's file.
        seconds: Longest time of the check, in seconds.
    """
    answer, printed = PipeTail(REPORT_SIZE), PipeTail(OUTPUT_SIZE)
    command = [sys.executable, "-P", "-X", "utf8", "-m", __name__]
    folders = [*sys.path, str(ROOT)]  # ROOT is added because the project may not be installed
    process = await trio.lowlevel.open_process(
        [*command, str(seconds), str(lesson.folder), str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=path.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders))},
        start_new_session=True,  # only the parent handles ^C in the terminal
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        with trio.move_on_after(seconds + GRACE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer.read, process.stdout)
                nursery.start_soon(printed.read, process.stderr)
                await process.wait()
                # A process that the child has started may keep the pipes open.
                nursery.cancel_scope.deadline = trio.current_time() + 0.5
    finally:
        kill(process)
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()
            await process.stderr.aclose()
    report = read_report(bytes(answer.data), process.returncode, path, seconds)
    report.output = printed.data.decode(errors="backslashreplace")
    return report


def check(lesson: Lesson, path: Path, seconds: float = SECONDS) -> CheckReport:
    """Do the same as `run`, for a caller that does not use trio.

    Raises:
        KeyboardInterrupt: On ^C, after the child was killed.
    """
    try:
        return trio.run(run, lesson, path, seconds)
    except BaseExceptionGroup as group:  # a nursery wraps every error in a group
        raise next(leaf_errors(group)) from None


class PipeTail:
    """Reads all of a pipe, and keeps the last bytes. (If it stopped reading, a file that prints
    forever would block.)

    Args:
        size: Number of bytes that are kept.
    """

    def __init__(self, size: int) -> None:
        self.data = bytearray()
        self._size = size

    async def read(self, pipe: trio.abc.ReceiveStream) -> None:
        async for piece in pipe:
            self.data += piece
            del self.data[: -self._size]


def kill(process: trio.Process) -> None:
    """Kill the child and all processes it has started."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS raises EPERM for a zombie
            pass
    else:
        process.kill()


TIMEOUT = re.compile(r'  File "(.*)", line (\d+) in ')


def read_report(answer: bytes, exit_code: int | None, path: Path, seconds: float) -> CheckReport:
    """Return the child's report, or if there is none, a report that says how the child ended."""
    try:
        return msgspec.json.decode(answer, type=CheckReport)
    except msgspec.DecodeError:
        pass
    if b"Timeout (" in answer:
        frames = TIMEOUT.findall(answer.decode(errors="replace"))
        lines = [line for file, line in frames if file == str(path)]
        where = _("a wait of the check was running")
        if lines:
            where = _("line {line} was running", line=lines[0])
        message = _(
            "it did not end within {seconds:g} s: {where}. Does a loop never end?",
            seconds=seconds,
            where=where,
        )
        return CheckReport(Failure("endless", message))
    if exit_code is not None and exit_code < 0:
        message = _("signal {number} ended the process", number=-exit_code)
        return CheckReport(Failure("ended", message))
    message = _("the file ended its process, with exit code {code}", code=exit_code)
    return CheckReport(Failure("ended", message))


# ---- the child


def main(seconds: float, folder: Path, path: Path) -> None:
    """Run the check, and write the report to the original standard output."""
    with os.fdopen(os.dup(1), "wb") as report:
        os.dup2(2, 1)  # from here on, prints of the file go to standard error
        faulthandler.dump_traceback_later(seconds, exit=True, file=report)
        limit_memory()
        lab = Lab()
        failure = judge(Lesson(folder), path, lab)
        data = msgspec.json.encode(CheckReport(failure, last_entries(lab.log)))
        faulthandler.cancel_dump_traceback_later()
        report.write(data)
    sys.stdout.flush()
    os._exit(0)  # exit at once, without the file's threads and exit handlers


def limit_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:
        return  # there is no such module on Windows
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ValueError, OSError):
        pass  # a lower limit is already set, or the system does not support one


def last_entries(log: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return the last entries of the log, with at most `LOG_SIZE` bytes together."""
    size, kept = 0, []
    for direction, data in reversed(log):
        size += len(data)
        if size > LOG_SIZE:
            break
        kept.append((direction, data))
    return kept[::-1]


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
