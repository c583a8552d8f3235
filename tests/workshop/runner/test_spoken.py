"""What a learner reads of each exercise, in Chinese and English, in a terminal and on a pipe.

The commands run in this process and write to a pseudo-terminal or a pipe, because a process for
each mistake would take minutes. In test_language.py they run in processes of their own.
"""

import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path

import pytest

from workshop import language
from workshop.__main__ import main
from workshop.language import cells
from workshop.runner import checking
from workshop.runner.check_kit import Failure, Lab
from workshop.runner.exercises import Lesson, judge, lessons
from workshop.runner.task import task

from ...test_chinese import HAN
from ..test_language import ENVIRONMENT

# LANG, the flags, and the language in which the workshop answers.
WAYS = [("zh_CN.UTF-8", [], "zh-CN"), ("C", ["--lang", "zh-CN"], "zh-CN"), ("C", [], "en")]
COLUMNS = 66  # of the terminal: narrow enough that most messages take two lines
PASSES = {"zh-CN": "✓ 通过", "en": "✓ passes"}
LAST = {"zh-CN": "这是最后一条提示。看答案：", "en": "That was the last hint. The solution: "}


@cache
def judged(lesson: Lesson, source: bytes, spoken: str) -> checking.CheckReport:
    """The report on a file with this text. The check runs once for each text and language."""
    known = (*lesson.wrong, lesson.folder / "solution.py")
    unsolved = lesson.folder / "exercise.py"
    path = next((path for path in known if path.read_bytes() == source), unsolved)
    lab = Lab()
    failure = judge(lesson, path, lab)
    return checking.CheckReport(failure, lab.log)


@pytest.fixture(params=WAYS, ids=["zh", "C --lang zh-CN", "C"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Set the environment of a learner. Returns the flags of every command."""
    lang, flags, _language = request.param
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LANG", lang)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setattr(
        checking,
        "check",
        lambda lesson, path, _seconds: judged(lesson, path.read_bytes(), language.chosen()),
    )
    language.choose()
    yield flags
    monkeypatch.setenv("WORKSHOP_LANG", "")
    language.choose("en")


def said(output: str, arguments: list[str]) -> tuple[int, str]:
    """The exit code, and what a command wrote to a "terminal" or a "pipe"."""
    end, its_end = os.openpty() if output == "terminal" else os.pipe()
    with open(its_end, "w", encoding="utf-8") as file, redirect_stdout(file):
        code = main(arguments)
    written = b""
    with suppress(OSError):  # Linux says EIO at the end of a terminal
        while more := os.read(end, 65536):
            written += more
    os.close(end)
    text = written.decode()
    assert ("\x1b[" in text) is (output == "terminal")
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()
    if output == "terminal" and language.chosen() == "zh-CN":
        assert not [line for line in lines if line.startswith(tuple("，。；：？！）”"))]
        assert not [line for line in lines if re.search(HAN, line) and cells(line) > COLUMNS]
    return code, "\n".join(lines)


def squeezed(text: str) -> str:
    """A text without spaces and line breaks, because a terminal adds its own."""
    return "".join(text.split())


@pytest.mark.parametrize("output", ["terminal", "pipe"])
@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.name)
def test_each_mistake(lesson: Lesson, output: str, way: list[str], tmp_path: Path) -> None:
    check = [*way, "check", str(lesson.number), "--dir", str(tmp_path)]
    code, text = said(output, check)
    spoken = language.chosen()
    path = tmp_path / lesson.name / "exercise.py"
    assert path.read_text(encoding="utf-8") == task(lesson.folder / "exercise.py")
    for given in [lesson.folder / "exercise.py", *lesson.wrong]:
        path.write_bytes(given.read_bytes())
        code, text = said(output, check)
        failure = judged(lesson, path.read_bytes(), spoken).failure
        assert isinstance(failure, Failure)
        assert code == 1
        assert squeezed(f"✗ {failure.message}") in squeezed(text)
        assert squeezed(failure.rule) in squeezed(text)
        assert bool(re.search(HAN, failure.message)) >= (spoken == "zh-CN"), failure
        if given in lesson.wrong:
            assert failure.name == given.stem.removeprefix("wrong_").replace("_", "-")
    path.write_bytes((lesson.folder / "solution.py").read_bytes())
    code, text = said(output, check)
    assert code == 0
    assert PASSES[spoken] in text.splitlines()


def test_all_at_once(way: list[str], tmp_path: Path) -> None:
    for lesson in lessons():
        path = tmp_path / lesson.name / "exercise.py"
        path.parent.mkdir()
        path.write_bytes(lesson.wrong[0].read_bytes())
    code, text = said("pipe", [*way, "check", "--all", "--dir", str(tmp_path)])
    lines = text.splitlines()
    assert code == 1
    assert len(lines) == len(lessons())
    for number, line in enumerate(lines, 1):
        assert re.match(rf"✗ {number:2}  .", line)
        assert bool(re.search(HAN, line)) >= (language.chosen() == "zh-CN"), line


@pytest.mark.parametrize("output", ["terminal", "pipe"])
@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.name)
def test_each_hint(lesson: Lesson, output: str, way: list[str], tmp_path: Path) -> None:
    command = [*way, "hint", str(lesson.number), "--dir", str(tmp_path)]
    for number in (1, 2, 3):
        code, text = said(output, command)
        assert code == 0
        for hint in lesson.hints[:number]:
            assert squeezed(hint) in squeezed(text)
            assert bool(re.search(HAN, hint)) >= (language.chosen() == "zh-CN"), hint
        assert (LAST[language.chosen()] in text) is (number == 3)
