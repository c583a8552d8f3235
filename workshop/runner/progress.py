"""The learner's own folder: their copies of the exercises, and their progress.

    ~/.local/share/streaming-workshop/          or $XDG_DATA_HOME, or --dir
        01_generator_basics/exercise.py         copied once; the learner edits the copy
        03_http_chunked/exercise.py
        progress.json                           {"current":3,"passed":[1,2],"hints":{"3":1}}

The runner never writes into the clone. The runner never overwrites a file of the learner: `reset`
keeps the old file as `exercise.old.py`.
"""

import os
import shlex
import sys
from pathlib import Path

import msgspec

from ..doctor import this_command
from ..language import _
from .exercises import Lesson
from .task import task

__all__ = ["Progress", "Workspace", "default_folder"]

HINTS = 3


class Progress(msgspec.Struct):
    """A learner's progress. A lesson is named by its number.

    Attributes:
        current: Number of the current lesson, or 0 before the first one.
        passed: Numbers of the exercises that passed when they were last checked.
        hints: Number of hints that the learner has seen, by lesson.
    """

    current: int = 0
    passed: set[int] = set()
    hints: dict[int, int] = {}


def default_folder() -> Path:
    """Return the place for a user's data. The XDG Base Directory Specification names this place,
    and says to ignore a relative path in $XDG_DATA_HOME."""
    data = os.environ.get("XDG_DATA_HOME", "")
    home = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    return home / "streaming-workshop"


class Workspace:
    """A learner's folder. Every method may raise `OSError`, because the learner owns the folder.

    Args:
        folder: The path of the folder, which is created when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "progress.json"

    def command(self, name: str, lesson: Lesson) -> str:
        """Return the command to paste for a lesson in this folder: workshop hint 3"""
        line = f"{this_command()} {name} {lesson.number}"
        if self.folder != default_folder():
            line += f" --dir {shlex.quote(str(self.folder))}"
        return line

    def path(self, lesson: Lesson) -> Path:
        """Return the path of the learner's file, which may not exist yet."""
        return self.folder / lesson.name / "exercise.py"

    def exercise(self, lesson: Lesson) -> Path:
        """Return the path of the learner's file. If there is no such file, it is copied from the
        lesson."""
        path = self.path(lesson)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(task(lesson.folder / "exercise.py"), encoding="utf-8")
        return path

    def reset(self, lesson: Lesson) -> Path:
        """Start an exercise again. Returns the new path of the learner's old file."""
        path = self.exercise(lesson)
        old = path.with_name("exercise.old.py")
        os.replace(path, old)
        self.exercise(lesson)
        progress = self.read()
        progress.passed.discard(lesson.number)
        progress.hints.pop(lesson.number, None)
        self.write(progress)
        return old

    def read(self) -> Progress:
        """Return the saved progress, or a new one. A file that cannot be read is kept as a
        backup."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress()
        except msgspec.DecodeError as error:
            backup = self._file.with_suffix(".json.bak")
            os.replace(self._file, backup)
            message = _(
                "{file} cannot be read ({error}): it is kept as {backup}, and your progress "
                "starts again",
                file=self._file,
                error=error,
                backup=backup.name,
            )
            print(message, file=sys.stderr)
            return Progress()

    def write(self, progress: Progress) -> None:
        """Save the progress: either all of it, or nothing if writing fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".json.new")
        draft.write_bytes(msgspec.json.encode(progress) + b"\n")
        os.replace(draft, self._file)

    def go_to(self, lesson: Lesson) -> None:
        """Save the learner's current lesson."""
        progress = self.read()
        progress.current = lesson.number
        self.write(progress)

    def checked(self, lesson: Lesson, passed: bool) -> None:
        """Save the result of a check."""
        progress = self.read()
        progress.current = lesson.number
        (progress.passed.add if passed else progress.passed.discard)(lesson.number)
        self.write(progress)

    def next_hint(self, lesson: Lesson) -> int:
        """Count one more hint as seen, up to three. Returns the new count."""
        progress = self.read()
        seen = progress.hints[lesson.number] = min(HINTS, progress.hints.get(lesson.number, 0) + 1)
        self.write(progress)
        return seen
