"""Tests the chat page's Markdown under Node: the result, its independence of the cuts, and its
cost."""

import json
import re
import subprocess
from typing import Any

import pytest

from servers.llm.model.texts import TEXTS, TORTURE

from .hostile_markdown import HOSTILE
from .peers import ROOT, SAFETY, need

RUNNER = ROOT / "tests" / "interop" / "markdown.mjs"


def markdown(command: str, texts: list[str], seed: int = 1) -> Any:
    """What `markdown.mjs` says to a command."""
    done = subprocess.run(
        [need("node", "nodejs"), RUNNER, command, ROOT / "servers" / "page", str(seed)],
        input=json.dumps(texts),
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    # A module is loaded from its text, so that a trace shows all of it.
    assert (done.returncode, done.stderr[-500:]) == (0, "")
    return json.loads(done.stdout)


LINK = '<a href="{0}" target="_blank">{1}</a>'
TITLED = '<a href="{0}" target="_blank" title="{2}">{1}</a>'
URL = "https://example.org/"
CODE = (
    '<div class="code"><div class="bar">{0}<button class="copy">Copy</button></div>'
    '<pre dir="ltr" tabindex="0"><code>{1}</code></pre></div>'
)
MATH = '<pre class="math" dir="ltr" tabindex="0"><code>{0}</code></pre>'
FORMULA = '<code class="math" dir="ltr">{0}</code>'
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
    "- [ ] a\n- [x] b": ('<ul><li class="todo"><p>a</p></li><li class="done"><p>b</p></li></ul>'),
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
    "\tcode by a tab": CODE.format("", "code by a tab\n"),
    "```\n\ta tab\n```": CODE.format("", "\ta tab\n"),
    "<b>\n<!-- -->": "<p>&lt;b&gt;\n&lt;!-- --&gt;</p>",
    # tabs where spaces may be
    "##\ta\t##\n*\t*\t*\n-\tb\n\n\tc\n1.\t[x]\td": (
        '<h2>a</h2><hr><ul class="loose"><li><p>b</p><p>c</p></li></ul>'
        '<ol start="1"><li class="done"><p>d</p></li></ol>'
    ),
    "a|b\n|-\t|\t-|\t\n1\t|\t2": TABLE.format(
        "<tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr>"
    ),
    # line endings; what is none, and no space
    "# a\rb\r\rc\r\nd": "<h1>a</h1><p>b</p><p>c\nd</p>",
    "# a\u2028b\n- c\u2029d\n\x00": "<h1>a\u2028b</h1><ul><li><p>c\u2029d\n\ufffd</p></li></ul>",
    "\u3000\u3000a\u3000\n\n#\u3000b\n\n\xa0c\n\n# \u3000d\u3000": (
        "<p>\u3000\u3000a\u3000</p><p>#\u3000b</p><p>\xa0c</p><h1>\u3000d\u3000</h1>"
    ),
    # cells
    "|a|b|\n|-|-|\n|1|2|3|4\n||2|\n|\n|1\\|2\\": TABLE.format(
        "<tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr><tr><td></td><td>2</td></tr>"
        "<tr><td></td><td></td></tr><tr><td>1|2\\</td><td></td></tr>"
    ),
    "|\u3000a|\n|-|\n|\u3000b\u3000|": TABLE.format(
        "<tr><th>\u3000a</th></tr><tr><td>\u3000b\u3000</td></tr>"
    ),
    "*a\n| b* |\n|---|\n| c |": "<p>*a</p>"
    + TABLE.format("<tr><th>b*</th></tr><tr><td>c</td></tr>"),
    "``` a\\+b&ouml;\n```": CODE.format("a+bö", ""),
    # a heading that is known at its end, and code by indentation after it
    "*a\nb*\n---\n    c\n\n    d\ne": (
        "<h2><em>a\nb</em></h2>" + CODE.format("", "c\n\nd\n") + "<p>e</p>"
    ),
    # references, defined before and after
    f"[a]: {URL}a\n[b]: <{URL}b> 'c'\n\n[a], [*d*][B] and [e][]\n\n> [e]: {URL}e\n> f": (
        f"<p>{LINK.format(f'{URL}a', 'a')}, {TITLED.format(f'{URL}b', '<em>d</em>', 'c')} and "
        f"{LINK.format(f'{URL}e', 'e')}</p><blockquote><p>f</p></blockquote>"
    ),
    f"[a]: {URL}\n\n[a](\n{URL}b) [a](b c) [a][b] [a][\na]": (
        f"<p>{LINK.format(f'{URL}b', 'a')} {LINK.format(URL, 'a')}(b c) [a][b] "
        f"{LINK.format(URL, 'a')}</p>"
    ),
    "[a]: javascript:alert(1)\n[b]: /c\n\n[a] [b]": (
        "<p>[a]: javascript:alert(1)\n[b]: /c</p><p>[a] [b]</p>"
    ),
    f"- [a]\n\n| [a] |\n|-|\n\n# [a]\n\n[a]: {URL}\n": (
        f"<ul><li><p>{LINK.format(URL, 'a')}</p></li></ul>"
        + TABLE.format(f"<tr><th>{LINK.format(URL, 'a')}</th></tr>")
        + f"<h1>{LINK.format(URL, 'a')}</h1>"
    ),
    # formulas, to their end or to a blank line
    "$$\na\n= *b*\n- c\n$$\nd\n\n\\[ x_1 \\]\n> \\[\n> y\n\nz": (
        MATH.format("$$\na\n= *b*\n- c\n$$\n")
        + "<p>d</p>"
        + MATH.format("\\[ x_1 \\]")
        + "<blockquote>"
        + MATH.format("\\[\ny\n")
        + "</blockquote><p>z</p>"
    ),
}
INLINES = {
    "*a* **b** ***c*** _d_ __e__ ~~f~~": (
        "<em>a</em> <strong>b</strong> <em><strong>c</strong></em> <em>d</em> <strong>e</strong> "
        "<del>f</del>"
    ),
    "**a *b* c** *a **b** c*": ("<strong>a <em>b</em> c</strong> <em>a <strong>b</strong> c</em>"),
    "snake_case_name 2 * 3 * 4 ** 5": "snake_case_name 2 * 3 * 4 ** 5",
    "**“你好”**世界": "<strong>“你好”</strong>世界",
    "**open": "**open",
    "`**a**` `` ` `` `": "<code>**a**</code> <code>`</code> `",
    "**`**` a**": "<strong><code>**</code> a</strong>",
    r"\*a\* \a": r"*a* \a",
    "a  \nb\\\nc": "a<br>b<br>c",
    "&lt;b&gt; &amp;amp; & &nope;": "&lt;b&gt; &amp;amp; &amp; &amp;nope;",
    f'[a *b*]({URL}(c)?d=e "f")': TITLED.format(f"{URL}(c)?d=e", "a <em>b</em>", "f"),
    f"![a picture]({URL}x.png)": LINK.format(f"{URL}x.png", "a picture"),
    f"[![a](https://x.org/)]({URL})": LINK.format(URL, "a"),
    f"(see {URL}b_c_d). <{URL}>": (
        f"(see {LINK.format(f'{URL}b_c_d', f'{URL}b_c_d')}). {LINK.format(URL, URL)}"
    ),
    f"看{URL}，好": f"看{LINK.format(URL, URL)}，好",
    "[mail](mailto:a@example.org)": LINK.format("mailto:a@example.org", "mail"),
    "[a](/b) [a](#b) [a]() [a][b] [a]": "[a](/b) [a](#b) [a]() [a][b] [a]",
    "[a](javascript:alert(1)) [b](JAVASCRIPT:x)": "[a](javascript:alert(1)) [b](JAVASCRIPT:x)",
    # words of any alphabet, punctuation of any: §6.2
    "变量_名字_测试 имя_файла__тут é_x_é é__x__é": "变量_名字_测试 имя_файла__тут é_x_é é__x__é",
    "_имя_ _é_. «_a_» (__变量__)": (
        "<em>имя</em> <em>é</em>. «<em>a</em>» (<strong>变量</strong>)"
    ),
    "a*“b”*c *£*d **€**e": "a*“b”*c *£*d **€**e",
    "名**“好”**。 **好。**名 👩🏽‍🚀*a*👩🏽‍🚀": (
        "名<strong>“好”</strong>。 <strong>好。</strong>名 👩🏽‍🚀<em>a</em>👩🏽‍🚀"
    ),
    # runs that end in parts
    "***a:** b* ***c* d** **e*f*": (
        "<em><strong>a:</strong> b</em> <strong><em>c</em> d</strong> **e<em>f</em>"
    ),
    "*a **b* c** *d**e*": "<em>a <em><em>b</em> c</em></em> <em>d**e</em>",
    "*a~~b* c~~ ~~~d~~~ ~e~": "<em>a~~b</em> c~~ ~~~d~~~ <del>e</del>",
    # code is stronger, a backtick alone is not
    "**a ` b**": "<strong>a ` b</strong>",
    "*a `*` b* *``a` b*": "<em>a <code>*</code> b</em> <em>``a` b</em>",
    # entities, not in code, and never marks
    "It&#39;s &copy; &rarr; &mdash; &#x4F60;&#0;&#xD800;&#99999999; `&copy;` &#42;a&#42;": (
        "It's © → — 你\ufffd\ufffd&amp;#99999999; <code>&amp;copy;</code> *a*"
    ),
    # links
    f"*a [b*]({URL}) *c [d]({URL})*": (
        f"*a {LINK.format(URL, 'b*')} <em>c {LINK.format(URL, 'd')}</em>"
    ),
    f"[a]({URL}b_(c_(d))) [a]({URL}b\\)c)": (
        f"{LINK.format(f'{URL}b_(c_(d))', 'a')} {LINK.format(f'{URL}b)c', 'a')}"
    ),
    f"[a](<{URL}b c>) [a](<{URL}b)c> 'd')": (
        f"{LINK.format(f'{URL}b%20c', 'a')} {TITLED.format(f'{URL}b)c', 'a', 'd')}"
    ),
    f"[a]({URL} (b)) [a]( {URL}\n'b\nc' ) [a]({URL}&auml;)": (
        f"{TITLED.format(URL, 'a', 'b')} " + TITLED.format(URL, "a", "b\nc") + " "
        f"{LINK.format(f'{URL}ä', 'a')}"
    ),
    f"[a [b]({URL}b) c]({URL}c": (
        f"[a {LINK.format(f'{URL}b', 'b')} c]({LINK.format(f'{URL}c', f'{URL}c')}"
    ),
    f"[`]({URL})` [a\\]({URL}b": (
        f"[<code>]({URL})</code> [a]({LINK.format(f'{URL}b', f'{URL}b')}"
    ),
    f"[]({URL}) [[a]]({URL})": f"{LINK.format(URL, '')} {LINK.format(URL, '[a]')}",
    f"<a@b.org> <ftp://x> <{URL}*b*> <javascript:x>": (
        f"{LINK.format('mailto:a@b.org', 'a@b.org')} &lt;ftp://x&gt; "
        f"{LINK.format(f'{URL}*b*', f'{URL}*b*')} &lt;javascript:x&gt;"
    ),
    # formulas, and what is none: currencies, shell variables, escapes
    "$x_1$ *a* $$y*2*$$ \\(a_b*c*\\), \\[ z \\].": " ".join(
        [
            FORMULA.format("$x_1$"),
            "<em>a</em>",
            FORMULA.format("$$y*2*$$"),
            FORMULA.format("\\(a_b*c*\\)") + ",",
            FORMULA.format("\\[ z \\]") + ".",
        ]
    ),
    "$5 and *$6*, $5-$10, US$5$, $HOME or $PATH, \\(\\) \\[a](b)": (
        "$5 and <em>$6</em>, $5-$10, US$5$, $HOME or $PATH, () [a](b)"
    ),
    f"({URL}a_(b)) {URL}(a) {URL}a). _{URL}_": (
        f"({LINK.format(f'{URL}a_(b)', f'{URL}a_(b)')}) {LINK.format(f'{URL}(a)', f'{URL}(a)')} "
        f"{LINK.format(f'{URL}a', f'{URL}a')}). <em>{LINK.format(URL, URL)}</em>"
    ),
}

# Marks, links and rows that stand across the limits of what is read or shown at a time.
W, LINE = "word ", "a line\n"
LONG = {
    f"{W * 398}**one two three** end": f"<p>{W * 398}<strong>one two three</strong> end</p>",
    f"{W * 398}[a *b* c]({URL}) `d e f g` end": (
        f"<p>{W * 398}{LINK.format(URL, 'a <em>b</em> c')} <code>d e f g</code> end</p>"
    ),
    f"{'w' * 1990}**{'好' * 30}**": f"<p>{'w' * 1990}<strong>{'好' * 30}</strong></p>",
    f"**{W * 2000}*a* b** c": f"<p><strong>{W * 2000}<em>a</em> b</strong> c</p>",
    f"**{LINE * 2000}b** c": f"<p><strong>{LINE * 2000}b</strong> c</p>",
    f"# *{W * 700}a*": f"<h1><em>{W * 700}a</em></h1>",
    f"|a|b|\n|-|-|\n| {'x' * 2400} | *{W * 1000}y* |\n| c \\| | {'z' * 2000}": TABLE.format(
        f"<tr><th>a</th><th>b</th></tr><tr><td>{'x' * 2400}</td>"
        f"<td><em>{W * 1000}y</em></td></tr><tr><td>c |</td><td>{'z' * 2000}</td></tr>"
    ),
    "👩🏽‍🚀" * 1000: f"<p>{'👩🏽‍🚀' * 1000}</p>",
    f"a{'👩' * 4000}": f"<p>a{'👩' * 4000}</p>",
    # A limit is a limit: what is longer is text.
    f"`{'w' * 2001}`": f"<p>`{'w' * 2001}`</p>",
    f"[{'w' * 2001}]({URL})": f"<p>[{'w' * 2001}]({LINK.format(URL, URL)})</p>",
    f"{'*' * 101}a{'*' * 101}": f"<p>{'*' * 101}a{'*' * 101}</p>",
}


def test_what_it_becomes() -> None:
    """A table of Markdown and HTML, without what all elements have."""
    table = BLOCKS | {text: f"<p>{inner}</p>" for text, inner in INLINES.items()}
    assert dict(zip(table, plain(list(table)), strict=True)) == table


def test_directions() -> None:
    """Text goes as its first letters go; code and formulas go from left to right."""
    (shown,) = markdown("render", ["שלום `a < b` $x$\n```\nא = 1"])
    assert shown == (
        '<p dir="auto"><span>שלום <code dir="ltr">a &lt; b</code> '
        '<code class="math" dir="ltr">$x$</code></span></p>'
        '<div class="code"><div class="bar"><button class="copy">Copy</button></div>'
        '<pre dir="ltr" tabindex="0"><code><span>א = 1\n</span></code></pre></div>'
    )


COLOURED = {
    'py\ndef f(a):  # b\n    return "x\\"y" + 3.5': (
        '<b>def</b> f(a):  <i># b</i>\n    <b>return</b> <u>"x\\"y"</u> + <u>3.5</u>\n'
    ),
    "python\n'''a\n# b''' # don't": "<u>'''a\n# b'''</u> <i># don't</i>\n",
    "js\nconst a = `x\n${b}`; /* c\nd */ for (;;) // don't": (
        "<b>const</b> a = <u>`x\n${b}`</u>; <i>/* c\nd */</i> <b>for</b> (;;) <i>// don't</i>\n"
    ),
    "sh\necho $# # if\nif true; then a-for; fi": (
        "echo $# <i># if</i>\n<b>if</b> <b>true</b>; <b>then</b> a-for; <b>fi</b>\n"
    ),
    "sql\nSELECT a -- b": "<b>SELECT</b> a <i>-- b</i>\n",
    "rust\nfn f(x: &'a str)": "<b>fn</b> f(x: &amp;'a <b>str</b>)\n",
    # no language, and what is none: nothing is known
    "\nreturn 1 # b": "return 1 # b\n",
    "constructor\nreturn 1": "return 1\n",
    # a text that is open at the end of its part
    "js\n/* " + "line\n" * 1000 + "*/ return `": (
        "<i>/* " + "line\n" * 1000 + "*/</i> <b>return</b> <u>`\n</u>"
    ),
}


def test_colours_of_code() -> None:
    """Keywords, comments and literals get elements; the style sheet gives them colours."""
    for text, shown in zip(COLOURED, plain([f"```{text}" for text in COLOURED]), strict=True):
        whole = re.sub(r"</([biu])><\1>", "", shown)
        assert whole == CODE.format(text.partition("\n")[0], COLOURED[text])


def plain(texts: list[str]) -> list[str]:
    """Their HTML without directions and parts. A mark that a part's end cuts is whole here."""
    bare = [
        re.sub(r' dir="auto"|(?<=<code) dir="ltr"|</?span>', "", html)
        for html in markdown("render", texts)
    ]
    return [re.sub(r"</(strong|em)><\1>", "", html) for html in bare]


def test_what_is_long() -> None:
    """The same, however far a mark's ends are from each other."""
    for text, found in zip(LONG, plain(list(LONG)), strict=True):
        assert found == LONG[text], text[:20] + "…" + text[-20:]


def test_cuts() -> None:
    """Whether the text is shown at any two moments or after each character, the end is the same as
    for the whole text at once."""
    code = [f"```{text}" for text in COLOURED if len(text) < 100]
    assert markdown("cuts", [*BLOCKS, *INLINES, *code]) == []
    assert markdown("long", [*TEXTS, TORTURE]) == []


def test_cuts_of_what_is_long() -> None:
    """At a few places, because each text is long."""
    assert markdown("long", list(LONG)) == []


def test_hostile_text_stays_text() -> None:
    """Cut at every place: no element and no attribute is ever made that is not on a short list, and
    no link to anything but http, https and mailto."""
    assert markdown("hostile", HOSTILE) == []


PIECES = [
    *"\n *_`~[]()#>-+|:!<&\\1.",
    *("\n\n", "\n- ", "\n1. ", "\n> ", "\n```\n", "\n| a | b |\n|---|:-:|\n", "**", "  \n"),
    *("word", "你好", "👩🏽‍🚀", "مرحبا", URL, "[a](https://b.org)", "\t", "\r\n", " [x] ", "\r"),
    *("](https://c.org)", "![", "***", "~~", "&amp;", "<a@b.org>", "\\|", "“", "”", "\u3000"),
    *("\n    ", "w" * 1500, "w " * 600),
    *("\n```py\n", '"""', "# ", "/*", "*/", "\n~~~js\n", "return "),
    *("$", "$$", "\\(", "\\)", "\n$$\n", "\\[", "~", "\n===\n", "a@b.org", "www.c.org", "&notit;"),
    *("][", "[a]", "[a][]", "\n\n[a]: https://d.org\n", "\n[b]: <https://e.org>\n'", '"', "'"),
]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cuts_of_anything(seed: int) -> None:
    """Random texts of what has a meaning in Markdown."""
    assert markdown("fuzz", PIECES, seed) == []
