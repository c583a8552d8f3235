"""The exercises as plain commands, for scripts, screen readers and simple terminals.

    workshop list              the exercises, and your progress
    workshop check 3           exit code 0: it passes, 1: it does not, 2: there is no such lesson
    workshop hint 3            one more hint each time, three in all
    workshop solution 3        once yours passes, or after the third hint
    workshop reset 3           start the exercise again

Without a number, a command is about the current lesson. `workshop learn` (`learn.py`) does the same
with single keys.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from ..help_text import HelpFormatter
from ..language import N_, _, breaks, chosen, n_
from ..output import output_error
from . import checking
from .exercises import Lesson, lessons
from .progress import HINTS, Progress, Workspace, default_folder
from .task import task
from .verdict import exchanged_bytes, verdict

__all__ = ["check", "hint", "list_lessons", "reset", "solution"]

USAGE_ERROR = 2
WINDOWS = N_("Made for Linux and macOS. It may run on Windows, but nobody has tested it there.")


def check(argv: Sequence[str] | None = None) -> int:
    """`workshop check [N | --all]`. Returns 0, or 1 if an exercise fails."""
    about = _("Check an exercise. Exit code: 0 it passes, 1 it does not.")
    parser = check_parser("check", about)
    every = _("check every exercise you have begun")
    parser.add_argument("--all", action="store_true", help=every)
    shown = _("show the bytes the exercise was given and returned")
    parser.add_argument("--bytes", action="store_true", help=shown)
    return run(parser, argv, _check)


def _check(workspace: Workspace, lesson: Lesson, options: argparse.Namespace) -> int:
    if options.all:
        return _check_all(workspace, options.timeout)
    progress = workspace.read()
    if options.lesson is None and lesson.number in progress.passed:
        lesson = following(lesson, progress) or lesson
    path = workspace.exercise(lesson)
    report = checking.check(lesson, path, options.timeout)
    workspace.checked(lesson, passed=report.failure is None)
    say([heading(lesson), Text(str(path), "dim"), Text(), *verdict(report), Text()])
    if options.bytes:
        say([*exchanged_bytes(report), Text()])
    if report.failure:
        if report.log and report.failure.name != "not-begun" and not options.bytes:
            command = workspace.command("check", lesson) + " --bytes"
            say([Text(_("The bytes: {command}", command=command))])
        say([Text(_("Stuck? {command}", command=workspace.command("hint", lesson)))])
        return 1
    compare = _("Compare: {command}", command=workspace.command("solution", lesson))
    say([Text(compare), *what_next(workspace, lesson)])
    return 0


def _check_all(workspace: Workspace, timeout: float) -> int:
    """Check all exercises that the learner has begun, with a line for each exercise."""
    failed = 0
    for lesson in lessons():
        path = workspace.path(lesson)
        if not begun(lesson, path):
            say([Text(f"– {lesson.number:2}  " + _("not begun"))])
            continue
        failure = checking.check(lesson, path, timeout).failure
        progress = workspace.read()
        (progress.passed.discard if failure else progress.passed.add)(lesson.number)
        workspace.write(progress)
        failed += failure is not None
        first = failure.message.partition("\n")[0] if failure else lesson.title
        mark = ("✗", "bold red") if failure else ("✓", "bold green")
        say([Text.assemble(mark, f" {lesson.number:2}  {first}")])
    return 1 if failed else 0


def hint(argv: Sequence[str] | None = None) -> int:
    """`workshop hint [N]`. Each call shows one more hint."""
    return run(lesson_parser("hint", _("Show the hints: one more each time.")), argv, _hint)


def _hint(workspace: Workspace, lesson: Lesson, options: argparse.Namespace) -> int:
    say([heading(lesson), *next_hint(workspace, lesson)])
    return 0


def solution(argv: Sequence[str] | None = None) -> int:
    """`workshop solution [N]`. Returns 1 if the solution may not be shown yet, or if the learner
    answers no."""
    about = _("The solution, once yours passes or all hints are seen.")
    parser = lesson_parser("solution", about)
    silent = _("do not ask, after the third hint")
    parser.add_argument("-y", "--yes", action="store_true", help=silent)
    return run(parser, argv, _solution)


def _solution(workspace: Workspace, lesson: Lesson, options: argparse.Namespace) -> int:
    progress = workspace.read()
    if lesson.number not in progress.passed:
        seen = progress.hints.get(lesson.number, 0)
        if seen < HINTS:
            first = n_(
                "Exercise {lesson} has not passed yet: you have seen {n} of {all} hints. "
                "First: {command}",
                "Exercise {lesson} has not passed yet: you have seen {n} of {all} hints. "
                "First: {command}",
                seen,
                lesson=lesson.number,
                all=HINTS,
                command=workspace.command("hint", lesson),
            )
            print(first, file=sys.stderr)
            return 1
        question = _("Show the solution of exercise {lesson}?", lesson=lesson.number)
        if not options.yes and not confirmed(question):
            return 1
    path = lesson.folder / "solution.py"
    say([Text(str(path), "dim"), Text()])
    text = path.read_text(encoding="utf-8")
    colours = Syntax(text, "python", theme="ansi_dark", background_color="default")
    console().print(colours if sys.stdout.isatty() else text, end="")
    return 0


def reset(argv: Sequence[str] | None = None) -> int:
    """`workshop reset [N]`. Returns 1 if the learner answers no."""
    about = _("Start an exercise again; yours is kept as exercise.old.py.")
    parser = lesson_parser("reset", about)
    silent = _("do it without a question")
    parser.add_argument("-y", "--yes", action="store_true", help=silent)
    return run(parser, argv, _reset)


def _reset(workspace: Workspace, lesson: Lesson, options: argparse.Namespace) -> int:
    question = _("Start exercise {lesson} again?", lesson=lesson.number)
    if not options.yes and not confirmed(question):
        return 1
    old = workspace.reset(lesson)
    say([Text(_("Your file is now {path}, and exercise.py is new.", path=old))])
    return 0


def list_lessons(argv: Sequence[str] | None = None) -> int:
    """`workshop list`."""
    return run(folder_parser("list", _("List the exercises and your progress.")), argv, _list)


def _list(workspace: Workspace, lesson: Lesson, options: argparse.Namespace) -> int:
    progress = workspace.read()
    say([*overview(progress, lesson), Text(), bar(progress)])
    say([Text(), Text(_("Your files are in {folder}", folder=workspace.folder), "dim")])
    return 0


# ---- shared with learn.py


def overview(progress: Progress, current: Lesson) -> Iterable[Text]:
    """Yield one line for each exercise."""
    for lesson in lessons():
        mark = "✓" if lesson.number in progress.passed else " "
        line = Text.assemble("  ", (mark, "green"), f" {lesson.number:2}  {lesson.title}")
        if lesson.number == current.number:
            line.append("  " + _("← here"), "cyan")
        yield line


def bar(progress: Progress) -> Text:
    """Return a progress bar: [########----------------]  4/12"""
    numbers = [lesson.number for lesson in lessons()]
    done = sum(number in progress.passed for number in numbers)
    width = 2 * len(numbers)
    return Text(f"[{'#' * (2 * done):-<{width}}]  {done}/{len(numbers)}")


def heading(lesson: Lesson) -> Text:
    return Text(_("Lesson {number} · {title}", number=lesson.number, title=lesson.title), "bold")


def next_hint(workspace: Workspace, lesson: Lesson) -> Iterable[Text]:
    """Yield the hints of a lesson that the learner has seen, and one more."""
    seen = workspace.next_hint(lesson)
    for number, text in enumerate(lesson.hints[:seen], 1):
        yield Text("\n" + _("Hint {number} of {all}", number=number, all=HINTS), "yellow")
        yield Text(text)
    if seen == HINTS:
        line = workspace.command("solution", lesson)
        yield Text("\n" + _("That was the last hint. The solution: {command}", command=line), "dim")


def what_next(workspace: Workspace, lesson: Lesson) -> Iterable[Text]:
    """Yield the command for the next exercise, after one that passes."""
    other = following(lesson, workspace.read())
    if other is None:
        yield Text(_("Every exercise passes. 🎉"), "bold green")
    else:
        yield Text(_("Next: {command}", command=workspace.command("check", other)))


def following(lesson: Lesson, progress: Progress) -> Lesson | None:
    """Return the next lesson that has not passed. Lessons after this one come first, then those
    before."""
    todo = [other for other in lessons() if other.number not in progress.passed]
    later = [other for other in todo if other.number > lesson.number]
    return next(iter(later or todo), None)


def current_lesson(progress: Progress) -> Lesson:
    """Return the learner's current lesson, or otherwise the first lesson that has not passed."""
    every = lessons()
    for lesson in every:
        if lesson.number == progress.current:
            return lesson
    return next((lesson for lesson in every if lesson.number not in progress.passed), every[-1])


def begun(lesson: Lesson, path: Path) -> bool:
    """Whether the learner has changed the file that they were given, in either language."""
    given = lesson.folder / "exercise.py"
    texts = (given.read_text("utf-8"), task(given))
    return path.exists() and path.read_text("utf-8", "replace") not in texts


def confirmed(question: str) -> bool:
    """Ask a question on the terminal. Without a terminal the answer is no, and a message names
    `--yes`."""
    if not sys.stdin.isatty():
        no_terminal = _("{question} There is no terminal to ask on: add --yes", question=question)
        print(no_terminal, file=sys.stderr)
        return False
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes", "是")
    except EOFError:
        return False


# ---- arguments and output


def folder_parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"workshop {name}",
        description=description,
        epilog=_(WINDOWS),
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=default_folder(),
        help=_("the folder of your exercises; default: %(default)s"),
    )
    parser.set_defaults(lesson=None)
    return parser


def lesson_parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = folder_parser(name, description)
    about = _("its number; default: the current one")
    parser.add_argument("lesson", nargs="?", type=lesson_number, metavar="N", help=about)
    return parser


def check_parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = lesson_parser(name, description)
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=checking.SECONDS,
        metavar="SECONDS",
        help=_("longest time of one check; default: %(default)s"),
    )
    return parser


def lesson_number(text: str) -> Lesson:
    for lesson in lessons():
        if text.isascii() and text.isdecimal() and lesson.number == int(text):
            return lesson
    numbers = ", ".join(str(lesson.number) for lesson in lessons())
    message = _("no lesson {text!r}; there are {numbers}", text=text, numbers=numbers)
    raise argparse.ArgumentTypeError(message)


def seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        message = _("not between 0 and 3600 seconds: {text}", text=text)
        raise argparse.ArgumentTypeError(message)
    return value


Command = Callable[[Workspace, Lesson, argparse.Namespace], int]


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None, command: Command) -> int:
    """Parse the arguments, and run a command with the learner's folder and the chosen lesson."""
    options = parser.parse_args(argv)
    workspace = Workspace(options.dir.expanduser().absolute())
    try:
        lesson = options.lesson or current_lesson(workspace.read())
        return command(workspace, lesson, options)
    except OSError as error:
        if output_error():
            raise
        message = _(
            "{command}: {path}: {problem}. Another folder for your exercises: --dir FOLDER",
            command=parser.prog,
            path=error.filename or workspace.folder,
            problem=error.strerror,
        )
        print(message, file=sys.stderr)
        return USAGE_ERROR


def console() -> Console:
    """Return the output, with colours if it is a terminal and NO_COLOR is not set. Lines are not
    wrapped."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(lines: Iterable[Text]) -> None:
    """Print lines, each as soon as it is ready."""
    terminal = console()
    for line in lines:
        terminal.print(line if chosen() == "en" else wrapped(line, terminal.width))


def wrapped(line: Text, width: int) -> Text:
    """Return a line that is broken where Chinese is. A terminal would break it before a ，too."""
    if not sys.stdout.isatty():
        return line
    lines = [part for each in line.split("\n") for part in each.divide(breaks(each.plain, width))]
    for part in lines:
        part.rstrip()  # a space after the last column would take a line of its own
    return Text("\n").join(lines)
