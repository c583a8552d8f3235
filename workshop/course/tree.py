"""The files that have a page, and their current contents.

    README.md                                   workshop/READING.md
    workshop/03_http_chunked/README.md          protocol/chunked.py
    servers/page/sse.js                         tests/protocol/test_chunked.py

A page's name is the file's path in the clone. A translation (`README.zh-CN.md`) has no page of its
own: it is the text of the page `README.md` in another language. The names are collected from the
five folders into a table. The path of a request is looked up in this table. A request's path is
never used as the path of a file.
"""

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .weave import LineRange, Woven, find_regions, read_docstring, split_lines, weave
from .words import ENGLISH, TABLES, first_paragraph

__all__ = ["HOME", "ROOT", "Tree", "english_of", "slug"]

ROOT = Path(__file__).parent.parent.parent

FOLDERS = ("workshop", "protocol", "servers", "clients")
IN_A_CLONE = ("README.md", "LICENSE", "pyproject.toml", ".ci/run")
SUFFIXES = {".py", ".md", ".js", ".mjs", ".css", ".html", ".json", ".c", ".cfg", ".conf"}
MAX_SIZE = 60_000
"""Largest size of a file that has a page, in bytes. A larger file is data."""

# Solutions have no page: `workshop solution` shows one to learners who have finished an exercise.
SPOILER = re.compile(r"workshop/\d\d_\w+/(?:solution|wrong_\w+)\.py")
LESSON = re.compile(r"workshop/(\d\d)_\w+/README\.md")
HEADING = re.compile(r"^# +(.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


HOME = "workshop/README.zh-CN.md"
"""The Chinese page for the README of the project, which stands in the folder above."""


class FileVersion(NamedTuple):
    """The version of a file, which is different after each change."""

    mtime_ns: int
    size: int


class Tree:
    """The files under a root folder.

    Args:
        root: A clone, or the folder in which the packages are installed.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self._stamps: dict[str, FileVersion] = {}  # of all files, also of translations
        self._names: dict[str, None] = {}  # of the pages
        self._texts: dict[str, str] = {}
        self._woven: dict[str, Woven] = {}
        self._titles: dict[tuple[str, str], str] = {}  # by name and language
        self.refresh()

    @property
    def names(self) -> list[str]:
        """The names of all pages, in the order of the folders, sorted by name in each folder."""
        return list(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def refresh(self) -> bool:
        """Look for changed files. Returns whether any file has changed."""
        stamps = dict(self._look())
        changed = stamps.items() ^ self._stamps.items()
        for name, _ in changed:
            self._texts.pop(name, None)
            self._woven.pop(name, None)
        if changed:
            self._titles.clear()
        self._stamps = stamps
        self._names = {name: None for name in stamps if self.original(name) is None}
        self.lessons = [name for name in self._names if self.lesson(name)]
        return bool(changed)

    def original(self, name: str) -> tuple[str, str] | None:
        """Return the file of which this file is a translation, and the language; otherwise None."""
        for language in TABLES:
            if language != ENGLISH and name.endswith(f".{language}.md"):
                original = english_of(name)
                return (original, language) if original in self._stamps else None
        return None

    def translation(self, name: str, language: str) -> str | None:
        """Return the translation of a file into a language, or None."""
        beside = HOME if name == english_of(HOME) else f"{name.removesuffix('.md')}.{language}.md"
        return (
            beside if beside in self._stamps and self.original(beside) == (name, language) else None
        )

    def document(self, name: str, language: str = ENGLISH) -> str:
        """Return the text of a Markdown file in a language. Without a translation, this is the
        file's own text."""
        return self.text(self.translation(name, language) or name)

    def text(self, name: str) -> str:
        """Return the text of a file, with its own line ends."""
        if name not in self._texts:
            data = (self.root / name).read_bytes()
            self._texts[name] = data.decode(errors="backslashreplace")
        return self._texts[name]

    def woven(self, name: str) -> Woven:
        """Return a file, split into its sections. A file that is not Python has only regions
        (`// region NAME`)."""
        if name not in self._woven:
            text = self.text(name)
            if name.endswith(".py"):
                woven = weave(text)
            else:
                woven = Woven(text)
                lines = (line.strip() for line in split_lines(text))
                comments = {n: line for n, line in enumerate(lines, 1) if line.startswith("//")}
                find_regions(woven, comments)
            self._woven[name] = woven
        return self._woven[name]

    def span(self, name: str, fragment: str) -> LineRange | None:
        """Return the lines for the fragment of a link: a region, a class or function, or `L12`."""
        woven = self.woven(name)
        line = re.fullmatch(r"L([1-9][0-9]{0,5})", fragment)
        if line and int(line[1]) <= len(split_lines(woven.text)):
            return LineRange(int(line[1]), int(line[1]))
        return woven.regions.get(fragment) or woven.definitions.get(fragment)

    def title(self, name: str, language: str = ENGLISH) -> str:
        """Return the heading of a Markdown file. For any other file, return its name."""
        if not name.endswith(".md"):
            return name
        if (name, language) not in self._titles:
            heading = HEADING.search(FENCE.sub("", self.document(name, language)))
            self._titles[name, language] = re.sub(r"[`*]", "", heading[1]) if heading else name
        return self._titles[name, language]

    def summary(self, name: str, language: str = ENGLISH) -> str:
        """Return the first paragraph of a module's docstring, in this language if it is
        translated."""
        docstring = read_docstring(self.text(name)) if name.endswith(".py") else ""
        paragraph = docstring.partition("\n\n")[0]
        if language == ENGLISH:
            return paragraph
        return first_paragraph(paragraph, language) or paragraph

    def lesson(self, name: str) -> int | None:
        """Return the number of the lesson if this file is a lesson's README, otherwise None."""
        match = LESSON.fullmatch(name)
        return int(match[1]) if match else None

    def _look(self) -> Iterator[tuple[str, FileVersion]]:
        in_a_clone = (self.root / "pyproject.toml").is_file()
        for name in IN_A_CLONE if in_a_clone else ():
            yield from self._stamp(name)
        for top in (*FOLDERS, *(("tests",) if in_a_clone else ())):
            for path, folders, files in os.walk(self.root / top):
                folders[:] = sorted(set(folders) - {"__pycache__"})
                folder = Path(path).relative_to(self.root).as_posix()
                for file in sorted(files):
                    if posixpath.splitext(file)[1] in SUFFIXES:
                        yield from self._stamp(f"{folder}/{file}")

    def _stamp(self, name: str) -> Iterator[tuple[str, FileVersion]]:
        try:
            status = os.stat(f"{self.root}/{name}")
        except OSError:  # the file has just been deleted
            return
        if 0 < status.st_size <= MAX_SIZE and not SPOILER.fullmatch(name):
            yield name, FileVersion(status.st_mtime_ns, status.st_size)


def slug(text: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")


def english_of(page: str) -> str:
    """Return the English page for a translated one."""
    return "README.md" if page == HOME else re.sub(r"\.[\w-]+\.md$", ".md", page)
