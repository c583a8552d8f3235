"""The check of a learner's file, in a process of its own: `await run(lesson, path)`.

A learner's file may print, loop for ever, call sys.exit, fill the memory or not be Python at all.
None of that may harm or hold up the runner, so a child process takes the risk:

    parent   python -P -m workshop.runner.checking 10.0 …/03_http_chunked/check.py …/exercise.py
    child    its output is the report, one JSON object; what the file prints goes to its errors
             a thread that Python cannot hold up ends it after 10 seconds, and says at which line
    parent   kills it when it is cancelled (^C, a newer save), and all that it started

The child has ended, and its report is whole, or the parent says what happened to it instead.
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

from .check_kit import Failure, Lab
from .exercises import Lesson, judge, leaves

__all__ = ["SECONDS", "Report", "check", "run"]

SECONDS = 10.0  # that one check may take, with the start of its process
GRACE = 5.0  # more seconds after which the parent ends a child that has not ended itself
MEMORY = 2 << 30  # bytes of address space: an endless list ends as MemoryError, not as swapping
OUTPUT_SIZE = 4 << 10  # bytes of the file's own output that are shown: the last ones
REPORT_SIZE = 16 << 20
LOG_SIZE = 256 << 10  # bytes each way that `s` can show: the last ones

ROOT = Path(__file__).parents[2]


class Report(msgspec.Struct):
    """What a check found.

    Attributes:
        failure: None when the exercise passes.
        log: all that went to the exercise ("sent") and came from it ("received").
        output: what the file printed, its last lines.
    """

    failure: Failure | None = None
    log: list[tuple[str, bytes]] = []
    output: str = ""


# ---- the parent


async def run(lesson: Lesson, path: Path, seconds: float = SECONDS) -> Report:
    """Run the lesson's check on a learner's file. Nothing that the file does can raise here.

    Args:
        seconds: how long it may take.
    """
    said, printed = Tail(REPORT_SIZE), Tail(OUTPUT_SIZE)
    command = [sys.executable, "-P", "-X", "utf8", "-m", __name__]
    places = [*sys.path, str(ROOT)]  # also where the project is only a clone
    process = await trio.lowlevel.open_process(
        [*command, str(seconds), str(lesson.folder), str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=path.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(place for place in places if place)},
        start_new_session=True,  # ^C in the terminal is the parent's to handle
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        with trio.move_on_after(seconds + GRACE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(said.read, process.stdout)
                nursery.start_soon(printed.read, process.stderr)
                await process.wait()
                # Something that it has started may hold the pipes open.
                nursery.cancel_scope.deadline = trio.current_time() + 0.5
    finally:
        end(process)
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()
            await process.stderr.aclose()
    report = understood(bytes(said.data), process.returncode, path, seconds)
    report.output = printed.data.decode(errors="backslashreplace")
    return report


def check(lesson: Lesson, path: Path, seconds: float = SECONDS) -> Report:
    """`run` for a caller without trio.

    Raises:
        KeyboardInterrupt: ^C; the child is gone.
    """
    try:
        return trio.run(run, lesson, path, seconds)
    except BaseExceptionGroup as group:  # nurseries make one of it
        raise next(leaves(group)) from None


class Tail:
    """The last bytes of a pipe. All of it is read, or a file that prints for ever would stand."""

    def __init__(self, size: int) -> None:
        self.data = bytearray()
        self._size = size

    async def read(self, pipe: trio.abc.ReceiveStream) -> None:
        async for piece in pipe:
            self.data += piece
            del self.data[: -self._size]


def end(process: trio.Process) -> None:
    """Kill the child and whatever it has started."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS says EPERM of a zombie
            pass
    else:
        process.kill()


TIMEOUT = re.compile(r'  File "(.*)", line (\d+) in ')


def understood(said: bytes, exit_code: int | None, path: Path, seconds: float) -> Report:
    """The child's report, or what its silence means."""
    try:
        return msgspec.json.decode(said, type=Report)
    except msgspec.DecodeError:
        pass
    if b"Timeout (" in said:
        frames = TIMEOUT.findall(said.decode(errors="replace"))
        lines = [line for file, line in frames if file == str(path)]
        where = f"line {lines[0]} was running" if lines else "a wait of the check was running"
        message = f"no end after {seconds:g} s: {where}. Does a loop never end?"
        return Report(Failure("endless", message))
    if exit_code is not None and exit_code < 0:
        return Report(Failure("ended", f"the process was ended by signal {-exit_code}"))
    return Report(Failure("ended", f"the file ended its process, with exit code {exit_code}"))


# ---- the child


def main(seconds: float, folder: Path, path: Path) -> None:
    """Judge, and write the report to what was standard output."""
    with os.fdopen(os.dup(1), "wb") as report:
        os.dup2(2, 1)  # from here on, what the file prints is no report
        faulthandler.dump_traceback_later(seconds, exit=True, file=report)
        limit_memory()
        lab = Lab()
        failure = judge(Lesson(folder), path, lab)
        data = msgspec.json.encode(Report(failure, last(lab.log)))
        faulthandler.cancel_dump_traceback_later()
        report.write(data)
    sys.stdout.flush()
    os._exit(0)  # at once: threads and exit handlers of the file have no say


def limit_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:
        return  # Windows
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ValueError, OSError):
        pass  # a lower limit is set already, or the system has none


def last(log: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The last entries, together no longer than `LOG_SIZE`."""
    size, kept = 0, []
    for way, data in reversed(log):
        size += len(data)
        if size > LOG_SIZE:
            break
        kept.append((way, data))
    return kept[::-1]


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
