"""Lessons 1 and 2: each README shows what its lesson prints, and the lesson prints it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workshop.runner.exercises import load

ROOT = Path(__file__).parents[2]
LESSONS = ["01_generator_basics", "02_async_generator"]


def transcripts(lesson: str) -> list[tuple[str, str]]:
    """Each `$ command` in a README's console fences, with the output shown for it."""
    text = (ROOT / "workshop" / lesson / "README.md").read_text()
    fences = re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S)
    found = [re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", fence, re.M) for fence in fences]
    return [pair for fence in found for pair in fence]


def run(command: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",  # lesson 1 must remove it for its child
    }
    return subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_readme_shows_what_the_lesson_prints(lesson: str) -> None:
    ((command, expected),) = transcripts(lesson)
    assert command == f"python workshop/{lesson}"
    done = run(command + " --fast")
    assert (done.returncode, done.stderr) == (0, "")
    shown, printed = (one_piece(text).splitlines() for text in (expected, done.stdout))
    assert len(printed) == len(shown), done.stdout
    for pattern, line in zip(shown, printed, strict=True):
        assert re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), line), line


def one_piece(text: str) -> str:
    """Join what came through the flushed pipe: on a busy machine one read may return two tokens."""
    before, flushed, pieces = text.partition("flush=True) into a pipe\n")
    return before + flushed + "".join(re.findall("'(.*)'", pieces)) if flushed else text


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_fence_is_a_console_fence(lesson: str) -> None:
    text = (ROOT / "workshop" / lesson / "README.md").read_text()
    assert re.findall(r"^```(.*)$", text, re.M) == ["console", ""]


def test_a_generator_is_small() -> None:
    sizes = re.findall(r"^    as a \w+ +([\d,]+) bytes$", run_fast(LESSONS[0]), re.M)
    as_list, as_generator = (int(size.replace(",", "")) for size in sizes)
    assert as_list > 1_000_000 * 8
    assert as_generator < 1_000


def test_without_flush_the_pipe_holds_everything_back_and_with_flush_nothing_is_lost() -> None:
    _, held, flushed = run_fast(LESSONS[0]).split("5. The surprise: ")
    tokens = "'你好\\n, \\n世界\\n🌍\\nhello\\n'"
    assert re.findall("'.*'", held) == [tokens]
    assert "'" + "".join(re.findall("'(.*)'", flushed)) + "'" == tokens


def test_a_flushed_token_is_read_before_the_next_is_made(tmp_path: Path) -> None:
    lesson = load(ROOT / "workshop" / LESSONS[0] / "__main__.py")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    program = f"print('one', flush=True); open({str(gate)!r}).read(); print('two')"
    pieces = lesson.arrivals(program)
    assert next(pieces)[1] == b"one\n"
    gate.write_text("")
    assert b"".join(piece for _, piece in pieces) == b"two\n"


def run_fast(lesson: str) -> str:
    done = run(f"python workshop/{lesson} --fast")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    return done.stdout


def test_break_leaves_the_generator_open_and_aclosing_does_not() -> None:
    _, by_break, by_aclosing = re.split(r"^[23]\. .*\n", run_fast(LESSONS[1]), flags=re.M)
    assert "ends" not in by_break  # its finally is cancelled at the first await
    assert by_break.index("drops the stream") < by_break.index("finally begins")
    assert by_break.index("ResourceWarning: Async generator") < by_break.index("finally begins")
    assert by_aclosing.index("finally ends") < by_aclosing.index("left the block")


@pytest.mark.parametrize("lesson", LESSONS)
def test_without_packages(lesson: str) -> None:
    command = [sys.executable, "-I", "-S", f"workshop/{lesson}", "--fast"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if lesson == LESSONS[0]:
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("This lesson needs the package trio. ")
        assert done.stderr.count("\n") == 1
        assert ". .venv/bin/activate" in done.stderr


@pytest.mark.parametrize(
    ("lesson", "line"),
    [*((name, "") for name in LESSONS), (LESSONS[0], "5. The surprise: print(token, flush")],
)
def test_ctrl_c_ends_it_with_130(lesson: str, line: str) -> None:
    """At the first line, and while lesson 1's child writes: the child ends quietly too."""
    program = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"runpy.run_path('workshop/{lesson}', run_name='__main__')"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as running:
        assert running.stdout is not None
        while not running.stdout.readline().startswith(line):  # now it is past its imports
            pass
        if line:
            running.stdout.readline()  # the child has written one token of five
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (130, "")


@pytest.mark.parametrize(
    "program", [*(f"{lesson} --fast" for lesson in LESSONS), "03_http_chunked/tcp.py"]
)
def test_closed_pipe_is_no_traceback(program: str) -> None:
    """As `| head -n 1` does it."""
    done = run(f"python -u workshop/{program} | head -n 1")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    "program",
    [
        *(f"{lesson} --fast" for lesson in LESSONS),
        "03_http_chunked/tcp.py",
        "12_ten_thousand_streams --fast",
    ],
)
def test_output_without_unicode(program: str) -> None:
    done = run(f"PYTHONIOENCODING=ascii python workshop/{program}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\" in done.stdout
