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
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

import trio

from .check_kit import Failure, Lab

__all__ = ["Lesson", "judge", "lessons", "load"]

Check = Callable[[ModuleType, Lab], Awaitable[None]]
LIKELY_CAUSES = {  # from a part of Python's message to a question that leads to the cause
    "'NoneType'": "does a function end without `return` or `yield`?",
    "'coroutine'": "does an `async def` have no `yield`?",
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
        first = (self.folder / "README.md").read_text(encoding="utf-8").partition("\n")[0]
        return first.partition(":")[2].strip()

    @property
    def hints(self) -> tuple[str, str, str]:
        return cast(tuple[str, str, str], load(self.folder / "check.py").HINTS)

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
        return Failure("syntax", f"line {error.lineno} is not Python: {error.msg}\n    {line}")
    # Only the original line of the exercise counts: a learner's code may raise the same error.
    if isinstance(error, NotImplementedError) and frames and frames[-1].line in lesson.stubs:
        return Failure("not-begun", "it is not written yet" + (str(error) and f": {error}"))
    if isinstance(error, AttributeError) and getattr(error.obj, "__file__", "") == str(path):
        return Failure("missing", f"the file has no {error.name!r}")
    kind = type(error).__name__
    what = f"{kind}: {error}" if str(error) else kind
    if not frames:
        causes = "".join(f" ({ask})" for kind, ask in LIKELY_CAUSES.items() if kind in what)
        return Failure("raised", f"the check cannot use the file's result: {what}{causes}")
    return Failure("raised", f"line {frames[-1].lineno} raised {what}\n    {frames[-1].line}")
