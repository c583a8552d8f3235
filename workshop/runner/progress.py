"""The learner's own folder: their copies of the exercises, and how far they have come.

    ~/.local/share/streaming-workshop/          or $XDG_DATA_HOME, or --dir
        01_generator_basics/exercise.py         copied once, then the learner's
        03_http_chunked/exercise.py
        progress.json                           {"current":3,"passed":[1,2],"hints":{"3":1}}

The clone is never written to. A file of the learner's is never overwritten: `reset` keeps what was
there as `exercise.old.py`.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path

import msgspec

from ..doctor import this_command
from .exercises import Lesson

__all__ = ["Desk", "Progress", "default_folder"]

HINTS = 3


class Progress(msgspec.Struct):
    """How far a learner has come; lessons by their numbers.

    Attributes:
        current: where they are.
        passed: the exercises that passed when they were checked last.
        hints: how many hints they have seen.
    """

    current: int = 0
    passed: set[int] = set()
    hints: dict[int, int] = {}


def default_folder() -> Path:
    """Where the XDG Base Directory Specification wants a user's data; relative paths are void."""
    data = os.environ.get("XDG_DATA_HOME", "")
    home = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    return home / "streaming-workshop"


class Desk:
    """A learner's folder. Every method may raise `OSError`: the folder is not ours.

    Args:
        folder: made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "progress.json"

    def command(self, name: str, lesson: Lesson) -> str:
        """The line to paste for a lesson of this folder: workshop hint 3"""
        line = f"{this_command()} {name} {lesson.number}"
        if self.folder != default_folder():
            line += f" --dir {shlex.quote(str(self.folder))}"
        return line

    def path(self, lesson: Lesson) -> Path:
        """Where the learner's file is, if it is there."""
        return self.folder / lesson.name / "exercise.py"

    def exercise(self, lesson: Lesson) -> Path:
        """The learner's file, copied from the lesson if they have none."""
        path = self.path(lesson)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(lesson.folder / "exercise.py", path)
        return path

    def reset(self, lesson: Lesson) -> Path:
        """Begin an exercise anew. Returns where the learner's file was moved to."""
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
        """The progress, or a new one; a file that is none of ours is kept as a backup."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress()
        except msgspec.DecodeError as error:
            backup = self._file.with_suffix(".json.bak")
            os.replace(self._file, backup)
            print(
                f"{self._file} cannot be read ({error}): kept as {backup.name}, and begun anew",
                file=sys.stderr,
            )
            return Progress()

    def write(self, progress: Progress) -> None:
        """Keep it, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".json.new")
        draft.write_bytes(msgspec.json.encode(progress) + b"\n")
        os.replace(draft, self._file)

    def go_to(self, lesson: Lesson) -> None:
        """Note where the learner is."""
        progress = self.read()
        progress.current = lesson.number
        self.write(progress)

    def checked(self, lesson: Lesson, passed: bool) -> None:
        """Note what a check found."""
        progress = self.read()
        progress.current = lesson.number
        (progress.passed.add if passed else progress.passed.discard)(lesson.number)
        self.write(progress)

    def next_hint(self, lesson: Lesson) -> int:
        """Count one more hint as seen, three at most. Returns how many are now."""
        progress = self.read()
        seen = progress.hints[lesson.number] = min(HINTS, progress.hints.get(lesson.number, 0) + 1)
        self.write(progress)
        return seen
