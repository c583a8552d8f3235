"""The catalogues of the workshop's texts: `python -m tests.catalogue --update`.

    workshop.po    what the commands say, and the exercises
    modules.po     the first paragraph of each module, for the course's pages

    extract    texts in _(…), n_(…), N_(…); hints of check.py; docstrings of exercise.py
    update     NAME.po: new texts without a translation, a similar one marked as fuzzy
    compile    NAME.mo, which the program reads, in a bare clone too

Babel does all three. Without `--update`, the command lists what is not translated.
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import babel.messages.catalog
from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from workshop.course.tree import Tree
from workshop.course.words import one_line
from workshop.language import LOCALE
from workshop.runner.task import docstrings

ROOT = Path(__file__).parent.parent
FOLDER = Path(LOCALE) / "zh_CN" / "LC_MESSAGES"
# A file is the same with any version of Babel.
babel.messages.catalog.VERSION = ""  # type: ignore[attr-defined]
KEYWORDS = {"_": None, "N_": None, "n_": (1, 2)}
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)  # the catalogue's only date: no change for its own sake
ARGPARSE = [  # the standard library says these, in one version of Python or another
    "usage: ",
    "options",
    "positional arguments",
    "show this help message and exit",
    "%(prog)s: error: %(message)s\n",
    "argument %(argument_name)s: %(message)s",
    "expected one argument",
    "expected at least one argument",
    "unrecognized arguments: %s",
    "the following arguments are required: %s",
    "ignored explicit argument %r",
    "ambiguous option: %(option)s could match %(matches)s",
    "invalid %(type)s value: %(value)r",
    "not allowed with argument %s",
]


def modules() -> Iterator[tuple[str, int, str | tuple[str, ...]]]:
    """The first paragraph of each module that is not a test."""
    tree = Tree()
    for name in tree.names:
        if name.endswith(".py") and not name.startswith("tests/") and tree.summary(name):
            yield name, 0, one_line(tree.summary(name))


def texts() -> Iterator[tuple[str, int, str | tuple[str, ...]]]:
    """(file, line, text, or its two forms) of everything that is translated."""
    for path in sorted((ROOT / "workshop").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        with path.open("rb") as file:
            for line, text, _comments, _context in extract("python", file, KEYWORDS):
                yield name, line, text
        source = path.read_text(encoding="utf-8")
        if path.name == "exercise.py":
            yield from ((name, line, text) for line, text in docstrings(source))
        if path.name == "check.py":
            yield from ((name, line, text) for line, text in hints(source))
    yield from (("argparse", 0, text) for text in ARGPARSE)


def hints(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HINTS":
            for hint in ast.literal_eval(node.value):
                yield node.lineno, hint


SOURCES = {"workshop": texts, "modules": modules}


def template(name: str) -> Catalog:
    found = Catalog(
        project="streaming-workshop",
        msgid_bugs_address="",
        creation_date=LONG_AGO,
        charset="utf-8",
    )
    for place, _line, text in SOURCES[name]():
        has_fields = name == "workshop" and re.search(r"\{\w", str(text))
        flags = ["python-brace-format"] if has_fields else []
        found.add(text, locations=[(place, 0)], flags=flags)
    return found


def read(name: str) -> Catalog:
    with (FOLDER / f"{name}.po").open("rb") as file:
        return read_po(file, locale="zh_CN")


def updated(name: str) -> Catalog:
    """The translations, with the texts as they are now."""
    catalogue = read(name)
    catalogue.update(template(name), no_fuzzy_matching=False, update_creation_date=False)
    catalogue.obsolete.clear()
    return catalogue


def as_po(catalogue: Catalog) -> bytes:
    file = io.BytesIO()
    write_po(file, catalogue, width=100, include_lineno=False, sort_by_file=True)
    return file.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def missing(catalogue: Catalog) -> list[str]:
    """The texts without a translation, or with one that nobody has looked at since they changed."""
    return [
        str(message.id)
        for message in catalogue
        if message.id and (message.fuzzy or not message.string or not all(message.string))
    ]


def main() -> None:
    for name in SOURCES:
        catalogue = updated(name)
        if "--update" in sys.argv:
            (FOLDER / f"{name}.po").write_bytes(as_po(catalogue))
            (FOLDER / f"{name}.mo").write_bytes(as_mo(catalogue))
        for text in missing(catalogue):
            print(f"{name}: not translated: {text!r}")


if __name__ == "__main__":
    main()
