"""The exercises: where they are, and what their checks say to a file.

    workshop/03_http_chunked/
        exercise.py       what the learner gets, in a folder of their own; it fails as it is
        solution.py       it passes
        wrong_*.py        a mistake each, which the check calls by its name
        check.py          HINTS, three of them, and `async def check(exercise, lab)`

`judge` runs a check in this process, as the tests do. What a learner has written runs in a process
of its own (`checking.py`), for it may do anything.
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
OFTEN = {  # in what Python says of it: what to ask oneself
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
        """The one idea, from the first line of its README: "# Lesson 3: a chunk says …"."""
        first = (self.folder / "README.md").read_text(encoding="utf-8").partition("\n")[0]
        return first.partition(":")[2].strip()

    @property
    def hints(self) -> tuple[str, str, str]:
        return cast(tuple[str, str, str], load(self.folder / "check.py").HINTS)

    @property
    def stubs(self) -> set[str]:
        """The lines of `exercise.py` that stand for what is not written yet."""
        text = (self.folder / "exercise.py").read_text(encoding="utf-8")
        return {line.strip() for line in text.splitlines() if "raise NotImplementedError" in line}

    @property
    def wrong(self) -> list[Path]:
        """The files that make a mistake on purpose."""
        return sorted(self.folder.glob("wrong_*.py"))


def lessons(root: Path = HERE) -> list[Lesson]:
    """All lessons with an exercise, in their order."""
    return [Lesson(check.parent) for check in sorted(root.glob("[0-9][0-9]_*/check.py"))]


def load(path: Path) -> ModuleType:
    """Run a Python file and return it as a module, a new one each time.

    Raises:
        Exception: whatever the file raises, `SyntaxError` and `SystemExit` too.
    """
    name = f"{path.parent.name}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Bytecode of one second is taken for that of the next when the size is the same: compile anew.
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    sys.modules[name] = module  # dataclasses look their module up
    exec(code, module.__dict__)
    return module


def judge(lesson: Lesson, path: Path, lab: Lab | None = None) -> Failure | None:
    """Run the lesson's check on a file. Returns what is wrong with it, or None.

    Args:
        lab: keeps the bytes that went to and fro, for the caller to show.
    """
    # Where pytest is installed this loads all of it, and who only lists or shows needs none of it.
    from trio.testing import MockClock

    lab = lab or Lab()
    check = cast(Check, load(lesson.folder / "check.py").check)
    try:
        exercise = load(path)
        trio.run(check, exercise, lab, clock=MockClock(autojump_threshold=0))
    except (KeyboardInterrupt, trio.TrioInternalError):
        raise
    except BaseException as error:  # SystemExit too: the file may call sys.exit
        failures = [inner for inner in leaves(error) if isinstance(inner, Failure)]
        return failures[0] if failures else explain(next(leaves(error)), path, lesson)
    return None


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside the groups that nurseries make of them."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def explain(error: BaseException, path: Path, lesson: Lesson) -> Failure:
    """An error that came out of the learner's file, with the line there, and no line of ours."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = (error.text or "").strip()
        return Failure("syntax", f"line {error.lineno} is not Python: {error.msg}\n    {line}")
    # Only the line that the exercise was given with: code of the learner's may raise it, too.
    if isinstance(error, NotImplementedError) and frames and frames[-1].line in lesson.stubs:
        return Failure("not-begun", "it is not written yet" + (str(error) and f": {error}"))
    if isinstance(error, AttributeError) and getattr(error.obj, "__file__", "") == str(path):
        return Failure("missing", f"the file has no {error.name!r}")
    kind = type(error).__name__
    what = f"{kind}: {error}" if str(error) else kind
    if not frames:
        often = "".join(f" ({ask})" for kind, ask in OFTEN.items() if kind in what)
        return Failure("raised", f"the check cannot use what the file gave: {what}{often}")
    return Failure("raised", f"line {frames[-1].lineno} raised {what}\n    {frames[-1].line}")
