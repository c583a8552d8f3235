"""The Chinese pages are in step with the English ones: sections, fingerprints, fences, links."""

import re
import subprocess
from pathlib import Path
from posixpath import dirname, join, normpath

import pytest

from workshop.course.build import main as course
from workshop.course.in_step import FENCE, english_of, main, pairs, problems, sections, write
from workshop.course.links import Links
from workshop.course.tree import Tree

from ...test_laws import plant

ROOT = Path(__file__).parents[3]

TREE = Tree()
LINKS = Links(TREE)
PAGES = list(pairs())
LINK = re.compile(r"\]\(([^)]+)\)")


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str) -> None:
    """To list this, with what has changed: `workshop course --stale`."""
    assert [str(problem) for problem in problems(page)] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_links_are_those_of_the_english_page(page: str) -> None:
    """A Chinese page links to the Chinese pages, where there are such, and to all that the English
    page links to. It may link to more."""
    chinese, english = (links_of(name) for name in (page, english_of(page)))
    translated = {source: page for page, source in pairs().items() if page in PAGES}
    for target in chinese:
        assert target not in translated or target == english_of(page), "the switch alone"
    expected = {translated.get(target, target) for target in english} - {page}
    assert expected <= chinese | {page}


@pytest.mark.parametrize("page", PAGES)
def test_the_anchors_that_it_names_exist(page: str) -> None:
    for href, target in LINKS.written(page):
        if target and target.fragment and target.page.endswith(".md"):
            text = TREE.document(target.page, target.language or "en")
            assert target.fragment in [section.anchor for section in sections(text)], href


def links_of(page: str) -> set[str]:
    """The pages and addresses to which a page links, as the names of files of the project."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.M | re.S)
    return {
        href if re.match(r"[a-z]+:", href) else normpath(join(dirname(page), href.split("#")[0]))
        for href in LINK.findall(text)
        if not href.startswith("#")
    }


# ---- the same on a small tree

ENGLISH = """\
# Lesson 1: chunks

A chunk has a size. It is
hexadecimal.

## Why

Because.

```console
$ true
```

After it.
"""
CHINESE = """\
# 第 1 课：块

块有长度，用十六进制写。

## 为什么

因为如此。

```console
$ true
```

之后。
"""
PAGE = "workshop/01_chunks/README.zh-CN.md"
SOURCE = "workshop/01_chunks/README.md"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    plant(tmp_path, {SOURCE: ENGLISH, PAGE: CHINESE})
    write(PAGE, tmp_path)
    return tmp_path


def change(root: Path, page: str, old: str, new: str) -> None:
    text = (root / page).read_text(encoding="utf-8")
    assert old in text
    (root / page).write_text(text.replace(old, new), encoding="utf-8")


def told(root: Path) -> list[str]:
    return [f"{problem.line}: {problem.text}" for problem in problems(PAGE, root)]


def test_a_page_is_marked(tree: Path) -> None:
    text = (tree / PAGE).read_text(encoding="utf-8")
    top, why = (section.fingerprint for section in sections(ENGLISH))
    assert f"# 第 1 课：块\n\n<!-- en: top {top} -->\n\n块有" in text
    assert f"## 为什么\n\n<!-- en: why {why} -->\n\n因为" in text
    assert "如此。\n\n```console\n$ true\n```\n\n之后。\n" in text
    assert told(tree) == []
    write(PAGE, tree)
    assert (tree / PAGE).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("page", "old", "new", "expected"),
    [
        (SOURCE, "It is\nhexadecimal", "It\nis hexadecimal", []),
        (SOURCE, "hexadecimal", "decimal", ["1: section 'top' has changed in English"]),
        (SOURCE, "## Why", "## Why so", ["7: the English page has no section 'why'"]),
        (SOURCE, "$ true", "$ false", ["7: the fences of section 'why'"]),
        (PAGE, "$ true", "$ false", ["7: the fences of section 'why'"]),
        (PAGE, "## 为什么", "## 另外\n\n## 为什么", ["7: the heading has no mark below it"]),
        (PAGE, "## 为什么", "## 另外\n\n<!-- zh only -->\n\n## 为什么", []),
    ],
)
def test_a_difference_is_found(
    tree: Path, page: str, old: str, new: str, expected: list[str]
) -> None:
    change(tree, page, old, new)
    found = told(tree)
    assert len(found) == len(expected) + ("## Why" in old)
    assert all(line.startswith(part) for line, part in zip(found, expected, strict=False))


def test_a_missing_section_is_found_and_added_in_english(tree: Path) -> None:
    change(tree, SOURCE, "## Why", "## How\n\nSo.\n\n## Why")
    assert told(tree) == ["1: section 'how' is not translated"]
    write(PAGE, tree)
    assert told(tree) == ["7: section 'how' has changed in English"]
    assert "\n## How\n\n<!-- en: how 000000 -->\n\nSo.\n\n## 为什么\n" in (tree / PAGE).read_text()


def test_the_order_of_the_sections_is_the_english_one(tree: Path) -> None:
    change(tree, SOURCE, "# Lesson 1: chunks", "## First\n\n# Lesson 1: chunks")
    (tree / PAGE).unlink()
    write(PAGE, tree)
    text = (tree / PAGE).read_text().replace("000000", "123456")
    first, second, third = re.split(r"\n(?=#)", text)
    (tree / PAGE).write_text("\n".join([first, third, second]))
    assert told(tree)[-1] == "1: the order of the sections is not top, lesson-1-chunks, why"


def test_a_fence_is_copied(tree: Path) -> None:
    change(tree, SOURCE, "$ true\n", "$ false\n1\n")
    change(tree, SOURCE, "After it.", "After it.\n\n```text\nmore\n```")
    write(PAGE, tree)
    assert (
        "```console\n$ false\n1\n```\n\n之后。\n\n```text\nmore\n```\n" in (tree / PAGE).read_text()
    )
    assert told(tree) == []


def test_a_missing_page_is_found(tree: Path) -> None:
    (tree / PAGE).unlink()
    assert told(tree) == [f"1: there is no such page; translate {SOURCE}"]


def test_the_command_shows_what_has_changed(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tree, {"README.md": "# A\n", "workshop/README.zh-CN.md": "# 甲\n"})
    assert main([PAGE], writing=False, root=tree) == 0
    assert capsys.readouterr().out == "1 pages are in step with the English ones.\n"
    git = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@b"]
    change(tree, SOURCE, "It is\nhexadecimal.", "It is decimal.")
    assert main([PAGE], writing=False, root=tree) == 1
    told_without_git = capsys.readouterr().out.splitlines()
    assert told_without_git[:2] == [f"{PAGE}:1: section 'top' has changed in English", ""]
    change(tree, SOURCE, "It is decimal.", "It is\nhexadecimal.")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], check=True)
    change(tree, SOURCE, "It is\nhexadecimal.", "It is decimal.")
    assert main([], writing=False, root=tree) == 1
    lines = capsys.readouterr().out.splitlines()
    at = lines.index(f"{PAGE}:1: section 'top' has changed in English")
    assert lines[at + 1 : at + 3] == ["    - It is hexadecimal.", "    + It is decimal."]
    assert main([], writing=True, root=tree) == 0
    assert main(["workshop/NO.md"], writing=True, root=tree) == 2


def test_the_command_is_part_of_workshop_course(capsys: pytest.CaptureFixture[str]) -> None:
    assert course(["--stale", "workshop/NO.md"]) == 2
    assert "workshop/NO.md is not one of: workshop/README.zh-CN.md" in capsys.readouterr().err


def test_a_fence_is_not_prose() -> None:
    top, why = sections(ENGLISH)
    assert (len(top.fences), why.fences) == (0, ["```console\n$ true\n```"])
    assert FENCE in why.prose
    assert "true" not in why.prose
