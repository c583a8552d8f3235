"""The lessons' links to code, the regions in it, and the page that says in which order to read."""

import re
from pathlib import Path

import pytest

from workshop.course.links import INDEX, WORD, Links, Standard, Target
from workshop.course.pages import ORDER
from workshop.course.tree import ROOT, Tree
from workshop.course.weave import Kind

from ...test_laws import plant
from .test_pages import TREE

LINKS = Links(Tree())


def wrong(links: Links) -> list[str]:
    """What is wrong with the regions of a tree and the links to them, a line each.

    Whatever Markdown page links to a fragment of a file that is not Markdown must find it; each
    region must be shown by a page; each must begin and end.
    """
    tree = links.tree
    found, used = [], set()
    for page in tree.names:
        if not page.endswith(".md"):
            continue
        for href, target in links.written(page):
            if target is None or target.page == INDEX or target.page.endswith(".md"):
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
            if Target(name, region) not in used:
                found.append(f"{name}: no page shows region {region}")
    return found


def test_regions_and_the_links_to_them() -> None:
    """Every piece of code that a page links to is there; every region is shown by a page."""
    assert wrong(LINKS) == []


LESSON = "workshop/03_chunks/README.md"


@pytest.mark.parametrize(
    ("name", "text", "told"),
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
def test_a_broken_link_is_told(name: str, text: str, told: list[str], tmp_path: Path) -> None:
    plant(tmp_path, TREE | {"servers/page/a.js": "let x;\n"} | {name: text})
    found = wrong(Links(Tree(tmp_path)))
    assert len(found) == len(told)
    for line, beginning in zip(sorted(found), sorted(told), strict=True):
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
    """A section alone is of the standard named last, or of the only one that the module names."""
    standard = Standard(said)
    assert [standard.url(match) for match in WORD.finditer(text)] == urls


def test_modules_are_found_as_a_reader_would() -> None:
    """Beside the page, else above it, else wherever the only one is."""
    assert LINKS.file("servers/http/connection.py", "body.py") == "servers/http/body.py"
    assert LINKS.file("servers/http/connection.py", "head.py") == "protocol/head.py"
    assert LINKS.file("servers/llm/api.py", "llm/api.py") == "servers/llm/api.py"
    assert LINKS.file("README.md", "protocol/sse.py") == "protocol/sse.py"
    assert LINKS.file("README.md", "chunked.py") is None  # there are two
    assert LINKS.file("README.md", "../../etc/passwd.py") is None


def test_the_reading_order_tells_how_long_it_is() -> None:
    """Rounded, and within a tenth, so that a file may change and the page remain true."""
    page = (ROOT / ORDER).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| \[([^]]+)\]\(\.\./([^)]+)\) \|", page, re.MULTILINE)
    assert len(rows) > 20
    total = prose = lines = 0
    for said, name, target in rows:
        assert name == target
        real = LINKS.tree.text(name).count("\n")
        assert abs(int(said) - real) <= 10 + real // 10, f"{name} has {real} lines, not {said}"
        total += int(said)
        for section in LINKS.tree.woven(name).sections:
            for block in section.blocks:
                written = sum(1 for line in block.lines if line.strip())
                lines += written
                prose += written if block.kind is not Kind.CODE else 0
    (about,) = re.findall(r"about ([\d,]+) lines, more than a quarter of them prose", page)
    assert abs(int(about.replace(",", "")) - total) < 100
    assert prose / lines > 0.25
