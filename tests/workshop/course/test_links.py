"""The lessons' links to code, the regions in the code, and the page with the reading order."""

import re
from pathlib import Path

import pytest

from workshop.course.links import SOURCE, WORD, Links, LinkTarget, Standard
from workshop.course.tree import Tree
from workshop.course.weave import LineKind

from ...test_laws import plant
from . import reading_lengths
from .test_pages import TREE

LINKS = Links(Tree())


def wrong(links: Links) -> list[str]:
    """What is wrong with the regions of a tree and the links to them: a line for each mistake.

    If a Markdown page links to a fragment of another kind of file, the fragment must exist. Each
    region must have a beginning and an end, and a page must link to it.
    """
    tree = links.tree
    found, used = [], set()
    for page in tree.names:
        if not page.endswith(".md"):
            continue
        for href, target in links.written(page):
            if target is None or target.page == SOURCE or target.page.endswith(".md"):
                continue
            used.add(target)
            if target.fragment and tree.span(target.page, target.fragment) is None:
                found.append(f"{page}: nothing is called {target.fragment} in {href}")
    for name in tree.names:
        if name.endswith(".md"):
            continue
        woven = tree.woven(name) if "region" in tree.text(name) else None
        for problem in woven.problems if woven else ():
            found.append(f"{name}: {problem}")
        for region in woven.regions if woven else ():
            if LinkTarget(name, region) not in used:
                found.append(f"{name}: no page shows region {region}")
    return found


def test_regions_and_the_links_to_them() -> None:
    """Every piece of code that a page links to exists, and a page shows every region."""
    assert wrong(LINKS) == []


LESSON = "workshop/03_chunks/README.md"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (LESSON, "[x](../../protocol/codec.py#the-loop)\n", []),
        (LESSON, "# Nothing\n", ["protocol/codec.py: no page shows region the-loop"]),
        (
            LESSON,
            "[x](../../protocol/codec.py#the-loop) [y](../../protocol/codec.py#Decoder.fed)\n",
            [f"{LESSON}: nothing is called Decoder.fed in ../../protocol/codec.py#Decoder.fed"],
        ),
        ("protocol/x.py", "x = 1\n# endregion\n", ["protocol/x.py: line 2: endregion without"]),
        (
            "protocol/x.py",
            "# region y\nx = 1\n",
            ["protocol/x.py: line 1: region y has no endregion"],
        ),
        ("servers/page/a.js", "x\n// endregion\n", ["servers/page/a.js: line 2: endregion"]),
        (
            "workshop/NOTES.md",
            "[M](../protocol/codec.py#L99) [N](../servers/page/a.js#f)\n",
            [
                "workshop/NOTES.md: nothing is called L99 in ../protocol/codec.py#L99",
                "workshop/NOTES.md: nothing is called f in ../servers/page/a.js#f",
            ],
        ),
        (
            "workshop/NOTES.md",
            "```text\n[x](../protocol/codec.py#no)\n```\n[L](../protocol/codec.py#L7)",
            [],
        ),
    ],
)
def test_a_broken_link_is_found(name: str, text: str, expected: list[str], tmp_path: Path) -> None:
    plant(tmp_path, TREE | {"servers/page/a.js": "let x;\n"} | {name: text})
    found = wrong(Links(Tree(tmp_path)))
    assert len(found) == len(expected)
    for line, beginning in zip(sorted(found), sorted(expected), strict=True):
        assert line.startswith(beginning)


@pytest.mark.parametrize(
    ("said", "text", "urls"),
    [
        ("", "§7.1", [None]),
        ("RFC 9112 §6", "§7.1", ["https://www.rfc-editor.org/rfc/rfc9112#section-7.1"]),
        ("RFC 9112 §6, RFC 9110 §5", "§7.1", [None]),
        ("", "RFC 8305", ["https://www.rfc-editor.org/rfc/rfc8305"]),
        (
            "RFC 9112 §6",
            "WHATWG HTML §9.2.6 and §9.2.5, not §1.2",
            [
                "https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation",
                "https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream",
                None,
            ],
        ),
    ],
)
def test_sections_of_standards(said: str, text: str, urls: list[str | None]) -> None:
    """A section alone belongs to the standard named last, or to the only one in the module."""
    standard = Standard(said)
    assert [standard.url(match) for match in WORD.finditer(text)] == urls


def test_modules_are_found_as_a_reader_would() -> None:
    """Beside the page, else above it, else the only file of that name."""
    assert LINKS.file("servers/http/connection.py", "body.py") == "servers/http/body.py"
    assert LINKS.file("servers/http/connection.py", "head.py") == "protocol/head.py"
    assert LINKS.file("servers/llm/api.py", "llm/api.py") == "servers/llm/api.py"
    assert LINKS.file("README.md", "protocol/sse.py") == "protocol/sse.py"
    assert LINKS.file("README.md", "chunked.py") is None  # there are two
    assert LINKS.file("README.md", "../../etc/passwd.py") is None


@pytest.mark.parametrize("path", [reading_lengths.PAGE, reading_lengths.CHINESE])
def test_the_reading_order_says_how_long_each_file_is(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    rows = len(re.findall(r"^\| \d", page, re.MULTILINE))
    assert len(reading_lengths.names(page)) == rows
    found = list(reading_lengths.mistakes(page, LINKS.tree))
    assert not found, f"{found}: {reading_lengths.WRITE}"


def test_a_wrong_length_is_found_and_mended() -> None:
    page = reading_lengths.PAGE.read_text(encoding="utf-8")
    name = reading_lengths.names(page)[0]
    wrong_page = re.sub(r"\| \d+ \| \[", "| 999 | [", page, count=1)
    (mistake,) = reading_lengths.mistakes(wrong_page, LINKS.tree)
    assert mistake.startswith(f"{name}: ")
    mended = reading_lengths.generated(wrong_page, LINKS.tree)
    assert mended == reading_lengths.generated(page, LINKS.tree)
    assert list(reading_lengths.mistakes(mended, LINKS.tree)) == []


def test_more_than_a_quarter_of_what_is_read_is_prose() -> None:
    page = reading_lengths.PAGE.read_text(encoding="utf-8")
    prose = lines = 0
    for name in reading_lengths.names(page):
        for section in LINKS.tree.woven(name).sections:
            for block in section.blocks:
                written = sum(1 for line in block.lines if line.strip())
                lines += written
                prose += written if block.kind is not LineKind.CODE else 0
    assert prose / lines > 0.25
