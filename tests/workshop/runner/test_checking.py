"""A learner's file in a process of its own: whatever it does, the check ends and says why."""

from pathlib import Path

import pytest
import trio

from workshop.runner import checking
from workshop.runner.checking import Report
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


def checked(lesson: Lesson, text: str, seconds: float = 20) -> Report:
    path = lesson.folder / "exercise.py"
    path.write_text(text)
    return checking.check(lesson, path, seconds)


def test_it_passes(lesson: Lesson) -> None:
    """With the bytes of both directions, and what it printed apart from them."""
    report = checked(lesson, "print('你好')\n" + GOOD)
    assert report == Report(None, [("sent", b"3"), ("received", b"three")], "你好\n")


# What the file holds, the name of the failure, what it says. Run in this process: the same words.
TOLD = {
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
    "an error without words": (
        "raise ValueError",
        "raised",
        "line 1 raised ValueError\n    raise ValueError",
    ),
    "an answer of another kind": (
        "def answer(n): return 3",
        "raised",
        """the check cannot use what the file gave: \
AttributeError: 'int' object has no attribute 'encode'""",
    ),
    "no answer": (
        "def answer(n): pass",
        "raised",
        """the check cannot use what the file gave: \
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


@pytest.mark.parametrize(("text", "name", "message"), TOLD.values(), ids=TOLD)
def test_what_is_told(lesson: Lesson, text: str, name: str, message: str) -> None:
    path = lesson.folder / "exercise.py"
    path.write_text(text)
    failure = judge(lesson, path)
    assert failure is not None
    assert (failure.name, failure.message) == (name, message)


# These end a process, or would, or leave a warning: only a child may run them.
HARMFUL = {
    "no generator": (
        "async def answer(n): pass",
        "raised",
        """the check cannot use what the file gave: \
AttributeError: 'coroutine' object has no attribute 'encode' \
(does an `async def` have no `yield`?)""",
    ),
    "a failure": ("def answer(n): return 'four'", "wrong", "that is not three"),
    "os._exit": ("import os\nos._exit(0)", "ended", "the file ended its process, with exit code 0"),
    "a signal": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "ended",
        "the process was ended by signal 9",
    ),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "ended", "the process was ended by signal 2"),
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
def test_what_may_end_a_process(lesson: Lesson, text: str, name: str, message: str) -> None:
    failure = checked(lesson, text).failure
    assert failure is not None
    assert (failure.name, failure.message) == (name, message)


def test_a_loop_without_end(lesson: Lesson) -> None:
    """The line is named, though Python never came to the end of it; what it printed is bounded."""
    report = checked(lesson, "x = 0\nwhile True:\n    print('x' * 1000)\n", seconds=2)
    assert report.failure is not None
    assert report.failure.name == "endless"
    assert report.failure.message == (
        "no end after 2 s: line 3 was running. Does a loop never end?"
    )
    assert len(report.output) <= checking.OUTPUT_SIZE


def test_a_wait_without_end(lesson: Lesson) -> None:
    """The check waits for something that never comes, and has no deadline of its own."""
    (lesson.folder / "check.py").write_text(
        "import time\nasync def check(exercise, lab):\n    time.sleep(1000)\n"
    )
    failure = checked(lesson, GOOD, seconds=0.1).failure
    assert failure is not None
    assert failure.message == (
        "no end after 0.1 s: a wait of the check was running. Does a loop never end?"
    )


async def test_nothing_is_left_of_a_check_that_is_cancelled(lesson: Lesson) -> None:
    """^C, or a newer save: the child goes, and what it has started."""
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


def test_the_process_of_a_real_lesson() -> None:
    """Every check of the course can be made there, beginning to end."""
    lesson = lessons()[0]
    report = checking.check(lesson, lesson.folder / "solution.py")
    assert report.failure is None
    assert report.log


def test_what_is_kept_of_a_long_log() -> None:
    log = [("sent", b"a" * 10), ("sent", b"b" * checking.LOG_SIZE), ("received", b"c")]
    assert checking.last(log) == [("received", b"c")]
    assert checking.last(log[:1]) == log[:1]
