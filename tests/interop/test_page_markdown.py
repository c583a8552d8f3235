"""The chat page's Markdown, under Node: what it becomes, however it was cut, and at what cost."""

import json
import re
import subprocess
from typing import Any

from servers.llm.texts import TEXTS, TORTURE

from .hostile_markdown import HOSTILE
from .peers import ROOT, SAFETY, need

RUNNER = ROOT / "tests" / "interop" / "markdown.mjs"


def markdown(command: str, texts: list[str]) -> Any:
    """What `markdown.mjs` says to a command."""
    done = subprocess.run(
        [need("node", "nodejs"), RUNNER, command, ROOT / "servers" / "page"],
        input=json.dumps(texts),
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    # A module is loaded from its text, so that a trace shows all of it.
    assert (done.returncode, done.stderr[-500:]) == (0, "")
    return json.loads(done.stdout)


LINK = '<a href="{0}" target="_blank">{1}</a>'
URL = "https://example.org/"
CODE = (
    '<div class="code"><div class="bar">{0}<button class="copy">Copy</button></div>'
    '<pre dir="ltr" tabindex="0"><code>{1}</code></pre></div>'
)
TABLE = '<div class="table" tabindex="0"><table>{0}</table></div>'

BLOCKS = {
    "": "",
    "one\ntwo\n\nthree": "<p>one\ntwo</p><p>three</p>",
    "# One #\n## Two\n###### Six\n####### Seven": (
        "<h1>One</h1><h2>Two</h2><h6>Six</h6><p>####### Seven</p>"
    ),
    "#no heading": "<p>#no heading</p>",
    "a\n***\nb\n- - -": "<p>a</p><hr><p>b</p><hr>",
    "- a\n- b": "<ul><li><p>a</p></li><li><p>b</p></li></ul>",
    "- a\n\n- b": '<ul class="loose"><li><p>a</p></li><li><p>b</p></li></ul>',
    "- a\n  1. b\n     - c\n- d": (
        '<ul><li><p>a</p><ol start="1"><li><p>b</p><ul><li><p>c</p></li></ul></li></ol></li>'
        "<li><p>d</p></li></ul>"
    ),
    "3. a\n4. b": '<ol start="3"><li><p>a</p></li><li><p>b</p></li></ol>',
    "- a\nlazy": "<ul><li><p>a\nlazy</p></li></ul>",
    "in 1985. it\n1985. no list": "<p>in 1985. it\n1985. no list</p>",
    "- [ ] a\n- [x] b": (
        '<ul><li class="todo"><p>a</p></li><li class="done"><p>b</p></li></ul>'
    ),
    "> a\n> > b\n> c\n\nd": (
        "<blockquote><p>a</p><blockquote><p>b\nc</p></blockquote></blockquote><p>d</p>"
    ),
    "```py title\na < b\n\n    c\n```\nd": CODE.format("py", "a &lt; b\n\n    c\n") + "<p>d</p>",
    "~~~\n```\n~~~": CODE.format("", "```\n"),
    "```\nopen": CODE.format("", "open\n"),
    "- ```sh\n  ls\n  ```": "<ul><li>" + CODE.format("sh", "ls\n") + "</li></ul>",
    "| a | b |\n|:-:|--:|\n| 1 | `\\|` |\n| 2 |\n\nc": TABLE.format(
        '<tr><th class="center">a</th><th class="end">b</th></tr>'
        '<tr><td class="center">1</td><td class="end"><code>|</code></td></tr>'
        '<tr><td class="center">2</td><td class="end"></td></tr>'
    )
    + "<p>c</p>",
    "text\n| a |\n|---|\n| b |": "<p>text</p>"
    + TABLE.format("<tr><th>a</th></tr><tr><td>b</td></tr>"),
    "a | b\n-|-\n | c": TABLE.format("<tr><th>a</th><th>b</th></tr><tr><td>c</td><td></td></tr>"),
    "| a | b |\nno dashes": "<p>| a | b |\nno dashes</p>",
    "a\r\n\r\nb": "<p>a</p><p>b</p>",
    "\tcode by a tab": "<p>code by a tab</p>",
    "<b>\n<!-- -->": "<p>&lt;b&gt;\n&lt;!-- --&gt;</p>",
}
INLINES = {
    "*a* **b** ***c*** _d_ __e__ ~~f~~": (
        "<em>a</em> <strong>b</strong> <strong><em>c</em></strong> <em>d</em> <strong>e</strong> "
        "<del>f</del>"
    ),
    "**a *b* c** *a **b** c*": (
        "<strong>a <em>b</em> c</strong> <em>a <strong>b</strong> c</em>"
    ),
    "snake_case_name 2 * 3 * 4 ** 5": "snake_case_name 2 * 3 * 4 ** 5",
    "**“你好”**世界": "<strong>“你好”</strong>世界",
    "**open": "**open",
    "`**a**` `` ` `` `": "<code>**a**</code> <code>`</code> `",
    "**`**` a**": "<strong><code>**</code> a</strong>",
    r"\*a\* \a": r"*a* \a",
    "a  \nb\\\nc": "a<br>b<br>c",
    "&lt;b&gt; &amp;amp; & &nope;": "&lt;b&gt; &amp;amp; &amp; &amp;nope;",
    f"[a *b*]({URL}(c)?d=e \"f\")": LINK.format(f"{URL}(c)?d=e", "a <em>b</em>"),
    f"![a picture]({URL}x.png)": LINK.format(f"{URL}x.png", "a picture"),
    f"[![a](https://x.org/)]({URL})": LINK.format(URL, "a"),
    f"(see {URL}b_c_d). <{URL}>": (
        f"(see {LINK.format(f'{URL}b_c_d', f'{URL}b_c_d')}). &lt;{LINK.format(URL, URL)}&gt;"
    ),
    f"看{URL}，好": f"看{LINK.format(URL, URL)}，好",
    "[mail](mailto:a@example.org)": LINK.format("mailto:a@example.org", "mail"),
    "[a](/b) [a](#b) [a]() [a][b] [a]": "[a](/b) [a](#b) [a]() [a][b] [a]",
    "[a](javascript:alert(1)) [b](JAVASCRIPT:x)": "[a](javascript:alert(1)) [b](JAVASCRIPT:x)",
}


def test_what_it_becomes() -> None:
    """A table of Markdown and HTML, without what all elements have."""
    table = BLOCKS | {text: f"<p>{inner}</p>" for text, inner in INLINES.items()}
    found = markdown("render", list(table))
    plain = [re.sub(r' dir="auto"|</?span>', "", html) for html in found]
    assert dict(zip(table, plain, strict=True)) == table


def test_cuts() -> None:
    """Shown at any two moments, or after each character: it ends as if it had come whole."""
    assert markdown("cuts", [*BLOCKS, *INLINES, *TEXTS, TORTURE]) == []


def test_hostile_text_stays_text() -> None:
    """Cut at every place: no element and no attribute is ever made that is not on a short list, and
    no link to anything but http, https and mailto."""
    assert markdown("hostile", HOSTILE) == []


PIECES = [
    *"\n *_`~[]()#>-+|:!<&\\1.",
    *("\n\n", "\n- ", "\n1. ", "\n> ", "\n```\n", "\n| a | b |\n|---|:-:|\n", "**", "  \n"),
    *("word", "你好", "👩🏽‍🚀", "مرحبا", URL, "[a](https://b.org)", "\t", "\r\n", " [x] "),
    *("\n    ", "w" * 1500, "w " * 600),
]


def test_cuts_of_anything() -> None:
    """Random texts of what has a meaning in Markdown."""
    assert markdown("fuzz", PIECES) == []


# An opening, and what can follow it for ever. None of them has a blank line.
ENDLESS = {
    "a paragraph": ("", "word "),
    "a word": ("", "w"),
    "lines": ("", "a line\n"),
    "Chinese": ("", "你好，世界。"),
    "open marks": ("", "**a "),
    "open brackets": ("", "["),
    "a list": ("", "- an item\n"),
    "a quotation": ("", "> a line\n"),
    "a table": ("| a | b |\n|---|---|\n", "| 1 | 2 |\n"),
    "nested blocks": ("", "> - a\n"),
    "code": ("```\n", "a line\n"),
    "a line of code": ("```\n", "word "),
    "a heading": ("# ", "word "),
}


def test_cost_is_linear() -> None:
    """Twice as long an answer is at most 2.2 times the work: no open block is read again from its
    start, however long it is."""
    texts = [
        opening + piece * (length // len(piece))
        for opening, piece in ENDLESS.values()
        for length in (10_000, 20_000)
    ]
    work = markdown("work", texts)
    ratios = zip(ENDLESS, work[::2], work[1::2], strict=True)
    assert {name: long / short for name, short, long in ratios if long / short > 2.2} == {}


PATIENCE = [
    "[" + "[x](y)" * 400,  # each inner link in two ways: 2^400
    ("# a" + " " * 1900 + "x\n") * 60,  # the closing sequence of a heading, in cubic time
]


def test_no_text_is_tried_in_many_ways() -> None:
    """A pattern that tries again what it has tried needs longer than `SAFETY`."""
    assert len(markdown("render", PATIENCE)) == 2
