"""The lengths in READING.md: how many lines each file has, and all of them together.

    python -m tests.workshop.course.reading_lengths            print the page with the right numbers
    python -m tests.workshop.course.reading_lengths --write    write it, in both languages

Files change more often than this page. So its numbers are rounded, and are right while they differ
by no more than a tenth and 10 lines.
"""

import re
import sys
from collections.abc import Iterator, Sequence

from workshop.course.in_step import problems, write
from workshop.course.pages import ORDER
from workshop.course.tree import ROOT, Tree

PAGE = ROOT / ORDER
CHINESE = PAGE.with_suffix(".zh-CN.md")
WRITE = "python -m tests.workshop.course.reading_lengths --write"
ROW = re.compile(r"^\| (\d+) \| \[([^]]+)\]\(\.\./\2\) \|", re.MULTILINE)
TOTAL = re.compile(r"(?:about|大约) ([\d,]+) (?:lines, more than a quarter|行，其中四分之一以上)")


def names(page: str) -> list[str]:
    """The files in the page's tables, in order."""
    return [row[2] for row in ROW.finditer(page)]


def generated(page: str, tree: Tree) -> str:
    """Return the page with the lengths of its files, rounded to 10 lines, and their sum, rounded to
    100."""

    def with_length(row: re.Match[str]) -> str:
        return row[0].replace(f"| {row[1]} |", f"| {rounded(length(tree, row[2]), 10)} |", 1)

    total = sum(length(tree, name) for name in names(page))
    page = TOTAL.sub(lambda said: said[0].replace(said[1], f"{rounded(total, 100):,}"), page)
    return ROW.sub(with_length, page)


def mistakes(page: str, tree: Tree) -> Iterator[str]:
    """A line for each number on the page that is too far from the truth."""
    said = {row[2]: int(row[1]) for row in ROW.finditer(page)}
    said["all files"] = int(TOTAL.findall(page)[0].replace(",", ""))
    real = {name: length(tree, name) for name in names(page)}
    real["all files"] = sum(real.values())
    for name, lines in real.items():
        if abs(said[name] - lines) > 10 + lines // 10:
            yield f"{name}: {lines} lines, and the page says {said[name]}"


def length(tree: Tree, name: str) -> int:
    return tree.text(name).count("\n")


def rounded(lines: int, to: int) -> int:
    return max(to, round(lines / to) * to)


def main(argv: Sequence[str]) -> int:
    """Print the page, or write it."""
    text = generated(PAGE.read_text(encoding="utf-8"), Tree())
    if "--write" in argv:
        name = CHINESE.relative_to(ROOT).as_posix()
        was_in_step = not list(problems(name))
        PAGE.write_text(text, encoding="utf-8")
        text = generated(CHINESE.read_text(encoding="utf-8"), Tree())
        CHINESE.write_text(text, encoding="utf-8")
        if was_in_step:  # only numbers have changed
            write(name)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
