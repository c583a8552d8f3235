"""A learner's file in a process of its own: whatever it does, its check ends and gives a reason."""

from pathlib import Path

import pytest
import trio

from workshop.runner import checking
from workshop.runner.checking import CheckReport
from workshop.runner.exercises import Lesson, judge, lessons

from ...terminal import Lifeline

CHECK = """
from workshop.runner.check_kit import Failure
HINTS = ("", "", "")
async def check(exercise, lab):
    lab.give(b"3")
    lab.take(exercise.answer(3).encode())
    if lab.received != b"three":
        raise Failure("wrong", "that is not three", received=lab.received, at=0)
"""
GOOD = "def answer(number):\n    return 'three'\n"


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    folder = tmp_path / "99_test"
    folder.mkdir()
    (folder / "check.py").write_text(CHECK)
    return Lesson(folder)


def checked(lesson: Lesson, text: str, seconds: float = 20) -> CheckReport:
    path = lesson.folder / "exercise.py"
    path.write_text(text)
    return checking.check(lesson, path, seconds)


def test_it_passes(lesson: Lesson) -> None:
    """The report has the bytes of both directions, and apart from them the file's output."""
    report = checked(lesson, "print('你好')\n" + GOOD)
    assert report == CheckReport(None, [("sent", b"3"), ("received", b"three")], "你好\n")


# The text of the file, and the name and message of the failure. These run in this process.
FAILURES = {
    "another answer": ("def answer(n): return 'four'", "wrong", "that is not three"),
    "not begun": (
        "def answer(n):\n    raise NotImplementedError('answer')",
        "not-begun",
        "it is not written yet: answer",
    ),
    "no such function": ("", "missing", "the file has no 'answer'"),
    "an error": (
        "def answer(n):\n    return help_me(n)\ndef help_me(n):\n    return n / 0",
        "raised",
        "line 4 raised ZeroDivisionError: division by zero\n    return n / 0",
    ),
    "an error without a message": (
        "raise ValueError",
        "raised",
        "line 1 raised ValueError\n    raise ValueError",
    ),
    "an answer of another type": (
        "def answer(n): return 3",
        "raised",
        """the check cannot use the file's result: \
AttributeError: 'int' object has no attribute 'encode'""",
    ),
    "no answer": (
        "def answer(n): pass",
        "raised",
        """the check cannot use the file's result: \
AttributeError: 'NoneType' object has no attribute 'encode' \
(does a function end without `return` or `yield`?)""",
    ),
    "not Python": (
        "x = 1\ny = (\n",
        "syntax",
        "line 2 is not Python: '(' was never closed\n    y = (",
    ),
    "sys.exit": (
        "import sys\nsys.exit(3)",
        "raised",
        "line 2 raised SystemExit: 3\n    sys.exit(3)",
    ),
    "no such module": (
        "import nosuch",
        "raised",
        "line 1 raised ModuleNotFoundError: No module named 'nosuch'\n    import nosuch",
    ),
    "deep": (
        "def answer(n): return answer(n)",
        "raised",
        """line 1 raised RecursionError: maximum recursion depth exceeded
    def answer(n): return answer(n)""",
    ),
}


@pytest.mark.parametrize(("text", "name", "message"), FAILURES.values(), ids=FAILURES)
def test_the_message_of_a_failure(lesson: Lesson, text: str, name: str, message: str) -> None:
    path = lesson.folder / "exercise.py"
    path.write_text(text)
    failure = judge(lesson, path)
    assert failure is not None
    assert (failure.name, failure.message) == (name, message)


# These may end a process or cause a warning: only a child process may run them.
HARMFUL = {
    "not a generator": (
        "async def answer(n): pass",
        "raised",
        """the check cannot use the file's result: \
AttributeError: 'coroutine' object has no attribute 'encode' \
(does an `async def` have no `yield`?)""",
    ),
    "a failure": ("def answer(n): return 'four'", "wrong", "that is not three"),
    "os._exit": ("import os\nos._exit(0)", "ended", "the file ended its process, with exit code 0"),
    "a signal": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "ended",
        "signal 9 ended the process",
    ),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "ended", "signal 2 ended the process"),
    "input": (
        "input()",
        "raised",
        "line 1 raised EOFError: EOF when reading a line\n    input()",
    ),
    "memory": (
        "def answer(n):\n    return b'x' * (1 << 40)",
        "raised",
        "line 2 raised MemoryError\n    return b'x' * (1 << 40)",
    ),
}


@pytest.mark.parametrize(("text", "name", "message"), HARMFUL.values(), ids=HARMFUL)
def test_a_file_may_end_its_process(lesson: Lesson, text: str, name: str, message: str) -> None:
    failure = checked(lesson, text).failure
    assert failure is not None
    assert (failure.name, failure.message) == (name, message)


def test_an_endless_loop(lesson: Lesson) -> None:
    """The failure names the line that is running; the report has a part of the output only."""
    report = checked(lesson, "x = 0\nwhile True:\n    print('x' * 1000)\n", seconds=2)
    assert report.failure is not None
    assert report.failure.name == "endless"
    assert report.failure.message == (
        "it did not end within 2 s: line 3 was running. Does a loop never end?"
    )
    assert len(report.output) <= checking.OUTPUT_SIZE


def test_an_endless_wait(lesson: Lesson) -> None:
    """The check itself waits forever, without a deadline of its own."""
    (lesson.folder / "check.py").write_text(
        "import time\nasync def check(exercise, lab):\n    time.sleep(1000)\n"
    )
    failure = checked(lesson, GOOD, seconds=0.1).failure
    assert failure is not None
    assert failure.message == (
        "it did not end within 0.1 s: a wait of the check was running. Does a loop never end?"
    )


async def test_a_cancelled_check_leaves_no_process(lesson: Lesson) -> None:
    """After ^C or a newer save, the child is killed, and all processes it has started."""
    lifeline = Lifeline(lesson.folder)
    path = lesson.folder / "exercise.py"
    path.write_text(
        f"import subprocess\n{lifeline.code}"
        "subprocess.Popen(['sleep', '100'], pass_fds=[lifeline.fileno()])\n"
        "while True:\n    pass\n"
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(checking.run, lesson, path)
        await trio.to_thread.run_sync(lifeline.begun)
        nursery.cancel_scope.cancel()
    lifeline.ended()


def test_the_check_of_a_real_lesson() -> None:
    """It runs in a child process, from beginning to end."""
    lesson = lessons()[0]
    report = checking.check(lesson, lesson.folder / "solution.py")
    assert report.failure is None
    assert report.log


def test_only_the_end_of_a_long_log_is_kept() -> None:
    log = [("sent", b"a" * 10), ("sent", b"b" * checking.LOG_SIZE), ("received", b"c")]
    assert checking.last_entries(log) == [("received", b"c")]
    assert checking.last_entries(log[:1]) == log[:1]
