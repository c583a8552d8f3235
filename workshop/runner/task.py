"""The task of an exercise in the learner's language: its docstrings, as exercise.py has them.

    def tokens(model):                                      def tokens(model):
        \"\"\"Yield the tokens of the model, …\"\"\"      >         \"\"\"产生模型的 token，……\"\"\"

The code is the same in every language. The docstrings are in the catalogue like all other texts.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from ..language import _, chosen

__all__ = ["DOCSTRING", "docstrings", "task"]

DOCSTRING = re.compile(r'^( *)"""(.+?)"""$', re.MULTILINE | re.DOTALL)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a file, as they are written there but without their margin, each with
    the number of its line."""
    for match in DOCSTRING.finditer(source):
        yield source.count("\n", 0, match.start()) + 1, inspect.cleandoc(match[2])


def task(path: Path) -> str:
    """Return the text of an `exercise.py`, with its docstrings in the chosen language."""
    source = path.read_text(encoding="utf-8")
    return source if chosen() == "en" else DOCSTRING.sub(_translated, source)


def _translated(match: re.Match[str]) -> str:
    margin, text = match[1], _(inspect.cleandoc(match[2]))
    first, *more = f'"""{text}'.split("\n")
    lines = [first, *more, '"""'] if more else [first + '"""']
    return "\n".join(margin + line if line else "" for line in lines)
