"""The exercises: find them, and run the check of one.

    workshop/03_http_chunked/
        exercise.py       copied into the learner's own folder; it fails as it is
        solution.py       it passes
        wrong_*.py        one mistake each; the check must report it by its name
        check.py          HINTS, three of them, and `async def check(exercise, lab)`

`judge` runs a check in this process, as the tests do. A learner's file runs in a process of its own
(`checking.py`), because it may do anything.
"""

import importlib.util
import re
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

import trio

from ..language import N_, _, chosen
from .check_kit import Failure, Lab

__all__ = ["Lesson", "judge", "lessons", "load"]

Check = Callable[[ModuleType, Lab], Awaitable[None]]
LIKELY_CAUSES = {  # from a part of Python's message to a question that leads to the cause
    "'NoneType'": N_("does a function end without `return` or `yield`?"),
    "'coroutine'": N_("does an `async def` have no `yield`?"),
}
HERE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Lesson:
    """A lesson that has an exercise."""

    folder: Path

    @property
    def number(self) -> int:
        return int(self.folder.name.partition("_")[0])

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def title(self) -> str:
        """The lesson's one idea, from the first line of its README: "# Lesson 3: a chunk …"."""
        first = self.page.read_text(encoding="utf-8").partition("\n")[0]
        return re.split("[:：]", first, maxsplit=1)[-1].strip()

    @property
    def page(self) -> Path:
        """The lesson's README in the chosen language."""
        translated = self.folder / f"README.{chosen()}.md"
        return translated if translated.exists() else self.folder / "README.md"

    @property
    def hints(self) -> tuple[str, str, str]:
        first, second, third = map(_, load(self.folder / "check.py").HINTS)
        return first, second, third

    @property
    def stubs(self) -> set[str]:
        """The lines of `exercise.py` that the learner must replace."""
        text = (self.folder / "exercise.py").read_text(encoding="utf-8")
        return {line.strip() for line in text.splitlines() if "raise NotImplementedError" in line}

    @property
    def wrong(self) -> list[Path]:
        """The files with a deliberate mistake."""
        return sorted(self.folder.glob("wrong_*.py"))


def lessons(root: Path = HERE) -> list[Lesson]:
    """Return all lessons that have an exercise, in order."""
    return [Lesson(check.parent) for check in sorted(root.glob("[0-9][0-9]_*/check.py"))]


def load(path: Path) -> ModuleType:
    """Run a Python file. Returns it as a module, which is new each time.

    Raises:
        BaseException: Anything that the file raises, including `SyntaxError` and `SystemExit`.
    """
    name = f"{path.parent.name}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # To know whether cached bytecode is current, Python compares a file's size, and its time in
    # whole seconds. A file may be saved twice in a second, so it is compiled here without the
    # cache.
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    sys.modules[name] = module  # dataclasses look up their module there
    exec(code, module.__dict__)
    return module


def judge(lesson: Lesson, path: Path, lab: Lab | None = None) -> Failure | None:
    """Run the lesson's check on a file.

    Args:
        lesson: The lesson whose check is run.
        path: The file.
        lab: The object that keeps the bytes that the file was given and returned. The caller may
            show them.

    Returns:
        The failure, or None if the file passes.
    """
    # trio.testing imports all of pytest if it is installed. Most commands do not need trio.testing,
    # so it is imported here.
    from trio.testing import MockClock

    lab = lab or Lab()
    check = cast(Check, load(lesson.folder / "check.py").check)
    try:
        exercise = load(path)
        trio.run(check, exercise, lab, clock=MockClock(autojump_threshold=0))
    except (KeyboardInterrupt, trio.TrioInternalError):
        raise
    except BaseException as error:  # includes SystemExit: the file may call sys.exit
        failures = [inner for inner in leaf_errors(error) if isinstance(inner, Failure)]
        return failures[0] if failures else explain(next(leaf_errors(error)), path, lesson)
    return None


def leaf_errors(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors inside an exception group, at any depth. For any other error, yield the
    error itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaf_errors(inner)
    else:
        yield error


def explain(error: BaseException, path: Path, lesson: Lesson) -> Failure:
    """Describe an error that the learner's file has raised. Only lines in that file are named."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = (error.text or "").strip()
        message = _("line {line} is not Python: {problem}", line=error.lineno, problem=error.msg)
        return Failure("syntax", f"{message}\n    {line}")
    # Only the original line of the exercise counts: a learner's code may raise the same error.
    if isinstance(error, NotImplementedError) and frames and frames[-1].line in lesson.stubs:
        what = str(error)
        if not what:
            return Failure("not-begun", _("it is not written yet"))
        return Failure("not-begun", _("it is not written yet: {name}", name=what))
    if isinstance(error, AttributeError) and getattr(error.obj, "__file__", "") == str(path):
        return Failure("missing", _("the file has no {name!r}", name=error.name))
    kind = type(error).__name__
    what = f"{kind}: {error}" if str(error) else kind
    if not frames:
        message = _("the check cannot use the file's result: {error}", error=what)
        for cause, question in LIKELY_CAUSES.items():
            if cause in what:
                message = _("{message} ({question})", message=message, question=_(question))
        return Failure("raised", message)
    message = _("line {line} raised {error}", line=frames[-1].lineno, error=what)
    return Failure("raised", f"{message}\n    {frames[-1].line}")
