"""The exercises as plain commands, for scripts, screen readers, and terminals that can do nothing.

    workshop list              the exercises, and how far you have come
    workshop check 3           0 it passes, 1 it does not, 2 there is no such lesson
    workshop hint 3            one more each time, three in all
    workshop solution 3        once yours passes, or after the third hint
    workshop reset 3           begin anew

Without a number the current lesson is meant. `workshop learn` (`learn.py`) does the same, key by
key.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from . import checking
from .exercises import Lesson, lessons
from .progress import HINTS, Desk, Progress, default_folder
from .verdict import bytes_seen, verdict

__all__ = ["check", "hint", "list_lessons", "reset", "solution"]

USAGE_ERROR = 2
WINDOWS = "For Linux and macOS. It may run on Windows, where nobody has tested it."


def check(argv: Sequence[str] | None = None) -> int:
    """`workshop check [N | --all]`. Returns 0, or 1 when an exercise fails."""
    parser = check_parser("check", "Check an exercise. Exit code: 0 it passes, 1 it does not.")
    parser.add_argument("--all", action="store_true", help="every exercise that you have begun")
    parser.add_argument(
        "--bytes", action="store_true", help="show what went to the exercise and came from it"
    )
    return run(parser, argv, _check)


def _check(desk: Desk, lesson: Lesson, options: argparse.Namespace) -> int:
    if options.all:
        return _check_all(desk, options.timeout)
    progress = desk.read()
    if options.lesson is None and lesson.number in progress.passed:
        lesson = following(lesson, progress) or lesson
    path = desk.exercise(lesson)
    report = checking.check(lesson, path, options.timeout)
    desk.checked(lesson, passed=report.failure is None)
    say([heading(lesson), Text(str(path), "dim"), Text(), *verdict(report), Text()])
    if options.bytes:
        say([*bytes_seen(report), Text()])
    if report.failure:
        if report.log and report.failure.name != "not-begun" and not options.bytes:
            say([Text(f"The bytes: {desk.command('check', lesson)} --bytes")])
        say([Text(f"Stuck? {desk.command('hint', lesson)}")])
        return 1
    say([Text(f"Compare: {desk.command('solution', lesson)}"), *what_next(desk, lesson)])
    return 0


def _check_all(desk: Desk, timeout: float) -> int:
    """A line for each exercise; later lessons may have changed what a learner knows of earlier."""
    failed = 0
    for lesson in lessons():
        path = desk.path(lesson)
        if not begun(lesson, path):
            say([Text(f"– {lesson.number:2}  not begun")])
            continue
        failure = checking.check(lesson, path, timeout).failure
        progress = desk.read()
        (progress.passed.discard if failure else progress.passed.add)(lesson.number)
        desk.write(progress)
        failed += failure is not None
        first = failure.message.partition("\n")[0] if failure else lesson.title
        mark = ("✗", "bold red") if failure else ("✓", "bold green")
        say([Text.assemble(mark, f" {lesson.number:2}  {first}")])
    return 1 if failed else 0


def hint(argv: Sequence[str] | None = None) -> int:
    """`workshop hint [N]`. Shows one more than the last time."""
    return run(lesson_parser("hint", "A hint for an exercise: one more each time."), argv, _hint)


def _hint(desk: Desk, lesson: Lesson, options: argparse.Namespace) -> int:
    say([heading(lesson), *next_hint(desk, lesson)])
    return 0


def solution(argv: Sequence[str] | None = None) -> int:
    """`workshop solution [N]`. Returns 1 where it is too early."""
    parser = lesson_parser("solution", "The solution, once yours passes or all hints are seen.")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask, after the third hint")
    return run(parser, argv, _solution)


def _solution(desk: Desk, lesson: Lesson, options: argparse.Namespace) -> int:
    progress = desk.read()
    if lesson.number not in progress.passed:
        seen = progress.hints.get(lesson.number, 0)
        if seen < HINTS:
            print(
                f"Exercise {lesson.number} has not passed yet: you have seen {seen} of {HINTS} "
                f"hints. First: {desk.command('hint', lesson)}",
                file=sys.stderr,
            )
            return 1
        if not options.yes and not confirmed(f"Show the solution of exercise {lesson.number}?"):
            return 1
    path = lesson.folder / "solution.py"
    say([Text(str(path), "dim"), Text()])
    text = path.read_text(encoding="utf-8")
    colours = Syntax(text, "python", theme="ansi_dark", background_color="default")
    console().print(colours if sys.stdout.isatty() else text, end="")
    return 0


def reset(argv: Sequence[str] | None = None) -> int:
    """`workshop reset [N]`. Returns 1 when the answer is no."""
    parser = lesson_parser("reset", "Begin an exercise anew. Yours is kept as exercise.old.py.")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    return run(parser, argv, _reset)


def _reset(desk: Desk, lesson: Lesson, options: argparse.Namespace) -> int:
    if not options.yes and not confirmed(f"Begin exercise {lesson.number} anew?"):
        return 1
    say([Text(f"Your file is now {desk.reset(lesson)}, and exercise.py is new.")])
    return 0


def list_lessons(argv: Sequence[str] | None = None) -> int:
    """`workshop list`."""
    return run(folder_parser("list", "The exercises, and how far you have come."), argv, _list)


def _list(desk: Desk, lesson: Lesson, options: argparse.Namespace) -> int:
    progress = desk.read()
    say([*overview(progress, lesson), Text(), bar(progress)])
    say([Text(), Text(f"Yours are in {desk.folder}", "dim")])
    return 0


# ---- what `learn` shares


def overview(progress: Progress, current: Lesson) -> Iterable[Text]:
    """All exercises, a line each."""
    for lesson in lessons():
        mark = "✓" if lesson.number in progress.passed else " "
        line = Text.assemble("  ", (mark, "green"), f" {lesson.number:2}  {lesson.title}")
        if lesson.number == current.number:
            line.append("  ← here", "cyan")
        yield line


def bar(progress: Progress) -> Text:
    """[########----------------]  4/12"""
    numbers = [lesson.number for lesson in lessons()]
    done = sum(number in progress.passed for number in numbers)
    width = 2 * len(numbers)
    return Text(f"[{'#' * (2 * done):-<{width}}]  {done}/{len(numbers)}")


def heading(lesson: Lesson) -> Text:
    return Text(f"Lesson {lesson.number} · {lesson.title}", "bold")


def next_hint(desk: Desk, lesson: Lesson) -> Iterable[Text]:
    """The hints that have been seen of a lesson, and one more."""
    seen = desk.next_hint(lesson)
    for number, text in enumerate(lesson.hints[:seen], 1):
        yield Text(f"\nHint {number} of {HINTS}", "yellow")
        yield Text(text)
    if seen == HINTS:
        line = desk.command("solution", lesson)
        yield Text(f"\nThat was the last. The solution: {line}", "dim")


def what_next(desk: Desk, lesson: Lesson) -> Iterable[Text]:
    """Where to go from an exercise that passes."""
    other = following(lesson, desk.read())
    if other is None:
        yield Text("That was the last one: every exercise passes. 🎉", "bold green")
    else:
        yield Text(f"Next: {desk.command('check', other)}")


def following(lesson: Lesson, progress: Progress) -> Lesson | None:
    """The next lesson that has not passed, after this one or else from the start."""
    todo = [other for other in lessons() if other.number not in progress.passed]
    later = [other for other in todo if other.number > lesson.number]
    return next(iter(later or todo), None)


def current_lesson(progress: Progress) -> Lesson:
    """Where the learner is: the lesson they were at, or else the first that has not passed."""
    every = lessons()
    for lesson in every:
        if lesson.number == progress.current:
            return lesson
    return next((lesson for lesson in every if lesson.number not in progress.passed), every[-1])


def begun(lesson: Lesson, path: Path) -> bool:
    """Whether there is a file of the learner's that differs from what they were given."""
    given = (lesson.folder / "exercise.py").read_bytes()
    return path.exists() and path.read_bytes() != given


def confirmed(question: str) -> bool:
    """Ask on the terminal; without one the answer is no, and `--yes` is named."""
    if not sys.stdin.isatty():
        print(f"{question} Nobody can be asked here: add --yes", file=sys.stderr)
        return False
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


# ---- arguments and output


def folder_parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"workshop {name}", description=description, epilog=WINDOWS
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=default_folder(),
        help="the folder of your exercises; default: %(default)s",
    )
    parser.set_defaults(lesson=None)
    return parser


def lesson_parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = folder_parser(name, description)
    parser.add_argument(
        "lesson", nargs="?", type=lesson_number, metavar="N", help="which; default: where you are"
    )
    return parser


def check_parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = lesson_parser(name, description)
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=checking.SECONDS,
        metavar="SECONDS",
        help="how long one check may take; default: %(default)s",
    )
    return parser


def lesson_number(text: str) -> Lesson:
    for lesson in lessons():
        if text.isascii() and text.isdecimal() and lesson.number == int(text):
            return lesson
    numbers = ", ".join(str(lesson.number) for lesson in lessons())
    raise argparse.ArgumentTypeError(f"no lesson {text!r}; there are {numbers}")


def seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"not between 0 and 3600 seconds: {text}")
    return value


Command = Callable[[Desk, Lesson, argparse.Namespace], int]


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None, command: Command) -> int:
    """Parse the arguments and run a command with the learner's folder and the lesson meant."""
    options = parser.parse_args(argv)
    desk = Desk(options.dir.expanduser().absolute())
    try:
        lesson = options.lesson or current_lesson(desk.read())
        return command(desk, lesson, options)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(
            f"{parser.prog}: {error.filename or desk.folder}: {error.strerror}. "
            "Another folder for your exercises: --dir FOLDER",
            file=sys.stderr,
        )
        return USAGE_ERROR


def console() -> Console:
    """The terminal, in colour if it is one (and NO_COLOR is not set); nothing is ever wrapped."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(lines: Iterable[Text]) -> None:
    """Print lines, each when it is there."""
    terminal = console()
    for line in lines:
        terminal.print(line)
