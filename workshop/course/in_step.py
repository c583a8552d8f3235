"""Keeps the Chinese pages in step with the English ones: `workshop course --stale`.

    ## Why                          a section of README.md

    ## 为什么                        the same in README.zh-CN.md; the comment names the English
    <!-- en: why 3f2a91 -->         section and the fingerprint of the text that was translated

If somebody changes a sentence in English, the fingerprint of its section changes. The section is
then listed as stale, with the sentences that have changed, and a test fails.

The rules this file keeps:

1. A Chinese page has the sections of the English page, in the same order. A section that only
   Chinese readers need is marked `<!-- zh only -->`.
2. Commands, output and code are the same bytes in both languages, so one replay covers both. They
   are not part of a fingerprint: `--write` copies them.
3. Line breaks are not part of a fingerprint: a paragraph may be wrapped again. Neither are figures,
   but a section must have the same ones in both languages.
"""

import difflib
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from .tree import HOME, ROOT, english_of, slug

__all__ = ["MARK", "Problem", "Section", "english_of", "main", "pairs", "problems", "sections"]

MARK = re.compile(
    r"^<!-- (?:en: (?P<anchor>[\w-]+) (?P<fingerprint>[0-9a-f]{6})|zh only) -->$", re.M
)
FIGURE = re.compile(r"^<!-- figure: [\w-]+ -->$", re.M)
FENCE = "```"
TOP = "top"
"""The name of a page's first section, whose heading is the title."""

PAGES = ("GLOSSARY", "QUESTIONS", "READING", "CONTRIBUTING")
VERSIONS = 200
"""How many versions of an English page are searched for the text that was translated."""


class Section(msgspec.Struct):
    """A heading of a page, with the text below it up to the next heading.

    Attributes:
        anchor: Name of the section: "top", or the anchor of its heading on GitHub.
        line: Number of the line of its heading.
        prose: Its text with its heading, without the mark. A fence is one line, `FENCE`.
        fences: Its fences, each with its first and last line.
        mark: The comment below the heading, or None.
    """

    anchor: str
    line: int
    prose: str = ""
    fences: list[str] = []
    mark: re.Match[str] | None = None

    @property
    def figures(self) -> list[str]:
        return FIGURE.findall(self.prose)

    @property
    def fingerprint(self) -> str:
        words = FIGURE.sub("", self.prose).split()
        return hashlib.sha256(" ".join(words).encode()).hexdigest()[:6]


class Problem(NamedTuple):
    """Something in a Chinese page that does not agree with the English page."""

    page: str
    line: int
    text: str
    anchor: str = ""  # of the section that has changed in English
    translated: str = ""  # the fingerprint of the text that was translated

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def pairs(root: Path = ROOT) -> dict[str, str]:
    """Return the pages that must exist in Chinese: {the Chinese page: the English page}."""
    lessons = sorted(root.glob("workshop/[0-9][0-9]_*/README.md"))
    english = [path.relative_to(root).as_posix() for path in lessons]
    english += [f"workshop/{name}.md" for name in PAGES if (root / f"workshop/{name}.md").exists()]
    return {HOME: "README.md"} | {name.removesuffix(".md") + ".zh-CN.md": name for name in english}


def sections(text: str) -> list[Section]:
    """Split a Markdown page at its headings."""
    found: list[Section] = []
    fence: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        heading = re.match(r"#{1,6} +(.+)", line)
        mark = MARK.match(line)
        if line.startswith("```") or fence:
            fence.append(line)
            if len(fence) > 1 and line == FENCE:
                found[-1].fences.append("\n".join(fence))
                found[-1].prose += FENCE + "\n"
                fence = []
        elif heading:
            name = slug(re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading[1])) if found else TOP
            taken = sum(section.anchor.startswith(name) for section in found)
            same = any(section.anchor == name for section in found)
            found.append(Section(f"{name}-{taken}" if same else name, number, line + "\n"))
        elif mark:
            found[-1].mark = mark
        elif found:
            found[-1].prose += line + "\n"
    return found


def problems(page: str, root: Path = ROOT) -> Iterator[Problem]:
    """Yield what is wrong with a Chinese page, in the order of its lines."""
    english = sections((root / english_of(page)).read_text(encoding="utf-8"))
    if not (root / page).exists():
        yield Problem(page, 1, f"there is no such page; translate {english_of(page)}")
        return
    chinese = sections((root / page).read_text(encoding="utf-8"))
    by_anchor = {section.anchor: section for section in english}
    order = []
    for section in chinese:
        if section.mark is None:
            text = "the heading has no mark below it: <!-- en: ANCHOR FINGERPRINT -->"
            yield Problem(page, section.line, text)
        elif anchor := section.mark["anchor"]:
            order.append(anchor)
            if anchor not in by_anchor:
                yield Problem(page, section.line, f"the English page has no section {anchor!r}")
            else:
                yield from _differences(page, section, by_anchor[anchor])
    for section in english:
        if section.anchor not in order:
            yield Problem(page, 1, f"section {section.anchor!r} is not translated")
    if sorted(order) == sorted(by_anchor) and order != list(by_anchor):
        yield Problem(page, 1, f"the order of the sections is not {', '.join(by_anchor)}")


def _differences(page: str, chinese: Section, english: Section) -> Iterator[Problem]:
    assert chinese.mark is not None
    translated = chinese.mark["fingerprint"]
    if translated != english.fingerprint:
        text = f"section {english.anchor!r} has changed in English"
        yield Problem(page, chinese.line, text, english.anchor, translated)
    if chinese.figures != english.figures:
        text = f"the figures of section {english.anchor!r} are not those of the English page"
        yield Problem(page, chinese.line, text)
    if chinese.fences != english.fences:
        text = f"the fences of section {english.anchor!r} are not those of the English page"
        yield Problem(page, chinese.line, text)


# ---- what helps a translator


def changes(problem: Problem, root: Path = ROOT) -> Iterator[str]:
    """Yield the sentences that have changed since the section was translated: `- ` before an old
    one, `+ ` before a new one. Nothing is found if git does not have the old text."""
    name = english_of(problem.page)
    now = _section((root / name).read_text(encoding="utf-8"), problem.anchor)
    git = ["git", "-C", str(root)]
    try:
        done = subprocess.run(
            [*git, "log", f"-{VERSIONS}", "--format=%H", "--", name],
            capture_output=True,
            text=True,
            check=True,
        )
        for commit in done.stdout.split():
            shown = subprocess.run([*git, "show", f"{commit}:{name}"], capture_output=True)
            then = _section(shown.stdout.decode(errors="replace"), problem.anchor)
            if then and now and then.fingerprint == problem.translated:
                lines = difflib.ndiff(_sentences(then.prose), _sentences(now.prose))
                yield from (line for line in lines if line.startswith(("- ", "+ ")))
                return
    except (OSError, subprocess.CalledProcessError):
        return  # there is no git here, or this is not a clone


def _section(text: str, anchor: str) -> Section | None:
    return next((section for section in sections(text) if section.anchor == anchor), None)


def _sentences(prose: str) -> list[str]:
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\n|\n(?=[|\-#]|\d+\. )", prose))
    return [sentence for part in paragraphs for sentence in re.split(r"(?<=[.:?!]) ", part)]


def write(page: str, root: Path = ROOT) -> None:
    """Say that a page is translated: bring its marks and its fences up to date.

    If the page has no marks yet, and as many headings as the English page, its headings are marked
    in their order. A section that is missing is added in English, and remains stale.
    """
    english = sections((root / english_of(page)).read_text(encoding="utf-8"))
    path = root / page
    chinese = sections(path.read_text(encoding="utf-8")) if path.exists() else []
    marks = [section.mark and section.mark["anchor"] for section in chinese]
    if not any(marks) and len(chinese) == len(english):
        marks = [section.anchor for section in english]
    by_anchor = {section.anchor: section for section in english}
    written = []
    for anchor, section in zip(marks, chinese, strict=True):
        if source := by_anchor.get(anchor or ""):
            mark = f"<!-- en: {source.anchor} {source.fingerprint} -->"
            written.append((anchor, _marked(section, mark, source.fences)))
        else:
            written.append((anchor, _marked(section, "<!-- zh only -->", section.fences)))
    place = 0
    for section in english:
        names = [anchor for anchor, _ in written]
        if section.anchor in names:
            place = names.index(section.anchor) + 1
        else:
            mark = f"<!-- en: {section.anchor} 000000 -->"
            written.insert(place, (section.anchor, _marked(section, mark, section.fences)))
            place += 1
    path.write_text("\n\n".join(text for _, text in written) + "\n", encoding="utf-8")


def _marked(section: Section, mark: str, fences: Sequence[str]) -> str:
    """Return the text of a section with this mark, and with these fences in place of its own."""
    heading, _, rest = section.prose.partition("\n")
    remaining = list(fences)
    lines = [
        (remaining.pop(0) if remaining else "") if line == FENCE else line
        for line in rest.strip().split("\n")
    ]
    body = "\n".join([*lines, *(f"\n{fence}" for fence in remaining)])
    return f"{heading}\n\n{mark}\n\n{body.strip()}"


def main(names: Sequence[str], *, writing: bool, root: Path = ROOT) -> int:
    """List what is stale in these pages, or in all pages if none is named. With `writing`, first
    bring their marks up to date. Returns the exit code."""
    known = pairs(root)
    pages = [Path(name).as_posix() for name in names] or list(known)
    if unknown := [page for page in pages if page not in known]:
        print(f"workshop course: {unknown[0]} is not one of: {', '.join(known)}", file=sys.stderr)
        return 2
    if writing:
        for page in pages:
            write(page, root)
    found = 0
    for page in pages:
        for problem in problems(page, root):
            found += 1
            print(problem)
            for line in changes(problem, root) if problem.translated else ():
                print(f"    {line}")
    if not found:
        print(f"{len(pages)} pages are in step with the English ones.")
    elif not writing:
        print("\nTranslate what has changed, then: workshop course --stale --write PAGE …")
    return 1 if found else 0
