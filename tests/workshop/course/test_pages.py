"""The course's pages: every link has a target, no text in a file becomes markup, and no request can
read another file."""

import re
from collections.abc import Collection, Iterator
from functools import cache
from html import escape
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote

import pytest

from servers import chat
from servers.chat import CONTENT_SECURITY_POLICY
from servers.http.reply import Reply, Request
from servers.http.routes import Routes
from servers.llm.pace import Pace
from workshop.course import prose, source
from workshop.course.build import build, main
from workshop.course.links import INDEX, SOURCE
from workshop.course.pages import Pages
from workshop.course.routes import FILES, course_routes
from workshop.course.tree import ROOT, Tree
from workshop.course.weave import split_lines
from workshop.course.words import TABLES

from ...servers.driving import ask, get
from ...test_laws import plant
from .reading import Elements

TREE = {
    "pyproject.toml": "",
    "README.md": "# A tree\n\n[lessons](workshop) [data](tests/vectors) [x](tests/test_codec.py)\n",
    "workshop/03_chunks/README.md": (
        "# Lesson 3: `chunks` & more\n\n"
        "## Why\n\nRFC 9112 §7.1, and §6.3 too.\n\n"
        "[The loop](../../protocol/codec.py#the-loop)\n\n"
        "[Not alone](../../protocol/codec.py#Decoder.feed), so it is a link.\n\n"
        "## Why\n\n| a | b |\n|---|--:|\n| 1 | [Why](#why) |\n"
    ),
    "workshop/03_chunks/__main__.py": "import protocol.codec\n",
    "protocol/__init__.py": '"""The codecs.\n\n    codec.py    bytes in\n"""\n',
    "protocol/codec.py": (
        '"""Reads chunks (RFC 9112 §7.1).\n\n    a\\\\r\\\\n    a size\n"""\n\n\n'
        "class Decoder:\n"
        '    """§7.1.3, as test_codec says, and test_feed; see `__init__.py`.\n\n'
        '    Args:\n        limit: in bytes, *all* of __them__.\n    """\n\n'
        "    def feed(self) -> None:\n"
        "        # region the-loop\n"
        "        while True:\n"
        "            break\n"
        "        # endregion\n"
    ),
    "servers/page/a.js": "// region script\nlet x = '<';\n// endregion\n",
    "workshop/03_chunks/solution.py": "# What a learner is to find.\n",
    "workshop/03_chunks/wrong_by_one.py": "# Or not.\n",
    "tests/test_codec.py": "from protocol.codec import Decoder\n\n\ndef test_feed() -> None: ...\n",
    "tests/vectors/x.json": "{}",
}


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    plant(tmp_path, TREE)
    return Pages(Tree(tmp_path), live=True)


def page(pages: Pages, name: str) -> str:
    html = pages.page(name)
    assert html is not None
    return html


# ---- links


def links_of(html: str) -> set[str]:
    return set(re.findall(r' (?:href|src)="([^"]*)"', html))


@cache
def place(folder: str, href: str) -> tuple[str, str] | None:
    """The path and the anchor of a link's target, or None outside of the course. Most pages of a
    folder have the same links. A link to an anchor of its own page has no path."""
    if re.match("https?:", href) or href == "/":
        return None
    path, _, fragment = unquote(href).partition("#")
    return normpath(join(folder, path)) if path else "", fragment


def dead_links(written: dict[str, str], frames: Collection[str] = ()) -> Iterator[str]:
    """Links between pages without a target.

    Args:
        written: Pages and other files, by path.
        frames: Pages of code in Chinese. They differ from those in English by their frame alone, so
            they have the same anchors, and need not be written.
    """
    anchors: dict[str, set[str]] = {}
    for path, html in written.items():
        ids = re.findall(r' id="([^"]*)"', html)
        anchors[path] = set(ids)
        if len(ids) > len(anchors[path]):
            yield f"{path}: an anchor twice"
    for path, html in written.items():
        folder = dirname(path)
        for href in links_of(html) if path.endswith(".html") else ():
            if (found := place(folder, href)) is None:
                continue
            target, fragment = found[0] or path, found[1]
            target = target.removeprefix("zh-CN/") if target in frames else target
            if target not in written or (fragment and fragment not in anchors[target]):
                yield f"{path}: {href}"


async def test_every_link_has_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Follow all links through the handlers, from the contents to all pages."""
    for module in (prose, source):  # colours have no links, and cost as much as all the rest
        monkeypatch.setattr(module, "highlight", lambda text, _: [*map(escape, split_lines(text))])
    # No file changes during this test, and to look for changes is a quarter of the work.
    monkeypatch.setattr(Pages, "refresh", lambda pages, passed: None)
    handler = course_routes()["GET /course/{path}"]
    names = {f"{name}.html" for name in (INDEX, SOURCE, *Tree().names)}
    frames = {f"zh-CN/{name}" for name in names if name.endswith((".py.html", ".js.html"))}
    frames -= {"zh-CN/protocol/chunked.py.html"}
    written: dict[str, str] = {}
    waiting = ["index.html"]
    while waiting:
        path = waiting.pop()
        if path in written:
            continue
        reply = await handler(Request("GET", f"/course/{path}", params={"path": path}))
        assert isinstance(reply, Reply)
        assert (reply.status, path) == (200, path)
        written[path] = reply.body.decode()
        hrefs = links_of(written[path]) if path.endswith(".html") else ()
        targets = filter(None, (place(dirname(path), href) for href in hrefs))
        waiting += {target for target, _ in targets if target} - frames - written.keys()
    assert list(dead_links(written, frames)) == []
    both = names | {f"zh-CN/{name}" for name in names} - frames
    # The modules of figures import these two; no page names them.
    assert set(written) == both | set(FILES) - {"figures/kit.js", "figures/bytes.js"}


def test_a_dead_link_is_reported() -> None:
    """The test above can fail."""
    told = dead_links({
        "a.html": '<p id="x"><a href="b.html#y"></a><a href="#x"></a><a href="#z"></a>',
        "b.html": '<p id="y"><p id="y"><a href="c.html"></a>',
    })  # fmt: skip
    assert sorted(told) == ["a.html: #z", "b.html: an anchor twice", "b.html: c.html"]


def test_the_pages_of_a_build_have_no_dead_links(tmp_path: Path) -> None:
    """Without a server there are no modules of figures, and no links to `/`."""
    plant(tmp_path / "tree", TREE)
    number = build(tmp_path / "out", Tree(tmp_path / "tree"))
    written = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text(encoding="utf-8")
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    # An empty file and the two solutions have no page; the contents and the source are pages.
    assert number == (len(TREE) - 3 + 2) * len(TABLES)
    written.pop("404.html")  # it has links for one folder only
    assert not any("What a learner" in html or "Or not" in html for html in written.values())
    assert list(dead_links(written)) == []
    assert 'type="module"' not in written["workshop/03_chunks/README.md.html"]
    assert written["search-index.js"].startswith("globalThis.courseIndex = [")
    assert not any('href="/' in html for html in written.values())


# ---- the contents of a page


def test_a_link_to_code_alone_in_its_paragraph_becomes_that_code(pages: Pages) -> None:
    lesson = Elements.of(page(pages, "workshop/03_chunks/README.md"))
    assert "The loop protocol/codec.py, lines 16–17\nwhile True:\n    break\n" in (lesson.text)
    assert "region" not in lesson.text
    assert lesson.attributes("data-n") == ["16", "17"]
    hrefs = lesson.attributes("href")
    assert hrefs.count("../../protocol/codec.py.html#the-loop") == 1
    assert "../../protocol/codec.py.html#Decoder.feed" in hrefs


def test_the_page_of_the_code_names_the_lesson(pages: Pages) -> None:
    source = page(pages, "protocol/codec.py")
    lesson = '<a href="../workshop/03_chunks/README.md.html">lesson 3</a>'
    assert source.count(f'<span class="used">{lesson}</span>') == 2
    assert f"<li>Read in {lesson}</li>" in source
    for anchor in ("Decoder", "Decoder.feed", "the-loop", "L16"):
        assert f' id="{anchor}"' in source


def test_words_are_links(pages: Pages) -> None:
    """Standards with their sections, tests and modules become links."""
    rfc = "https://www.rfc-editor.org/rfc/rfc9112#section-"
    source = page(pages, "protocol/codec.py")
    assert f'<a href="{rfc}7.1">RFC 9112 §7.1</a>' in source
    assert f'<a href="{rfc}7.1.3">§7.1.3</a>' in source
    assert '<a href="../tests/test_codec.py.html">test_codec</a>' in source
    assert '<a href="../tests/test_codec.py.html#test_feed">test_feed</a>' in source
    assert '<a href="__init__.py.html"><code>__init__.py</code></a>' in source
    assert f'<a href="{rfc}6.3">§6.3</a>' in page(pages, "workshop/03_chunks/README.md")
    assert '<a href="codec.py.html">codec.py</a>    bytes in' in page(pages, "protocol/__init__.py")


def test_files_name_each_other(pages: Pages) -> None:
    source = Elements.of(page(pages, "protocol/codec.py")).text
    assert "Used by workshop/03_chunks/__main__.py\nTested by tests/test_codec.py\n" in source
    assert "Tests protocol/codec.py\n" in Elements.of(page(pages, "tests/test_codec.py")).text


def test_prose_in_code_is_not_full_markdown(pages: Pages) -> None:
    source = Elements.of(page(pages, "protocol/codec.py"))
    assert "limit\nin bytes, *all* of __them__." in source.text.replace("limitin", "limit\nin")
    assert "a\\r\\n    a size" in source.text


def test_links_to_folders(pages: Pages) -> None:
    """They lead to the folder's entry in the list of files."""
    hrefs = Elements.of(page(pages, "README.md")).attributes("href")
    assert {"source.html#workshop", "source.html#tests/vectors"} <= set(hrefs)


def test_equal_headings_and_right_aligned_tables(pages: Pages) -> None:
    lesson = Elements.of(page(pages, "workshop/03_chunks/README.md"))
    assert {"why", "why-1"} <= set(lesson.attributes("id"))
    assert ("td", {"class": "right"}) in lesson.tags
    assert lesson.attributes("style") == []


def test_a_page_shows_the_current_file(tmp_path: Path) -> None:
    """A change is visible after the next refresh, also on other pages that show the file."""
    plant(tmp_path, TREE)
    pages = Pages(Tree(tmp_path), live=True)
    lesson = "workshop/03_chunks/README.md"
    assert "while" in page(pages, lesson)
    changed = TREE["protocol/codec.py"].replace("while True", "while 'at last'")
    plant(tmp_path, {"protocol/codec.py": changed, "protocol/new.py": "x = 1\n"})
    pages.refresh()
    assert "at last" in Elements.of(page(pages, lesson)).text
    assert pages.page("protocol/new.py") is not None
    (tmp_path / "protocol/new.py").unlink()
    pages.refresh()
    assert pages.page("protocol/new.py") is None


# ---- no text in a file becomes markup

EVIL = "<script>alert(1)</script><img src=http://evil.example/ onerror='x'>\"'&amp;"
HOSTILE = {
    "pyproject.toml": EVIL,
    "README.md": (
        f"# {EVIL}\n\n{EVIL}\n\n## {EVIL}\n\n```{EVIL}\n{EVIL}\n```\n\n    {EVIL}\n\n`{EVIL}`\n\n"
        "[a](javascript:alert(1)) [b](data:text/html,x) [c](//evil.example) [d](vbscript:x)\n"
        "![pixel](http://evil.example/pixel.png) <http://evil.example/> [e](<../../etc/passwd>)\n"
        f"[f](protocol/a.py#\"><script>) [g](x:y) [h](JAVASCRIPT:x 'onclick=1')\n\n"
        f"| {EVIL} |\n|--:|\n| {EVIL} |\n"
    ),
    "workshop/01_x/README.md": f"# Lesson 1: {EVIL}\n\n[{EVIL}](../../protocol/a.py#f)\n",
    "protocol/a.py": (
        f'"""{EVIL}\n\n    {EVIL}\n\nArgs:\n    {EVIL}: {EVIL}\n"""\n\n# ---- {EVIL}\n'
        f"# {EVIL}\n# RFC 9112 §7.1{EVIL}\n"
        f'def f(x="""{EVIL}"""):\n    """[x](javascript:y) {EVIL}"""\n    {EVIL!r}  # {EVIL}\n'
    ),
    "protocol/broken.py": f"def (:\n# {EVIL}\n",
    "servers/page/x.js": f"// {EVIL}\n",
    "servers/page/x.html": EVIL,
    "servers/page/<b>&\"'.css": EVIL,
}


def test_hostile_files(tmp_path: Path) -> None:
    plant(tmp_path, HOSTILE)
    pages = Pages(Tree(tmp_path), live=True)
    for name in pages.names:
        elements = Elements.of(page(pages, name))
        for tag, attributes in elements.tags:
            assert tag not in {"img", "iframe", "object", "style", "base", "b"}
            assert not any(key.startswith("on") or key in {"style", "action"} for key in attributes)
            if tag in {"script", "link"} and attributes.get("rel") != "alternate":
                source = attributes.get("src") or attributes.get("href") or ""
                assert source.removeprefix("../" * source.count("../")) in FILES
            for href in filter(None, [attributes.get("href")]):
                assert not re.match(r"(?!https?:)[A-Za-z]+:|//", href)
        if name not in (INDEX, SOURCE, "servers/page/<b>&\"'.css"):
            assert "<script>alert(1)</script>" in elements.text


# ---- the handlers

TRAVERSALS = [
    "/course/../pyproject.toml",
    "/course/..%2fpyproject.toml.html",
    "/course/%2e%2e/%2e%2e/etc/passwd.html",
    "/course/protocol/../protocol/sse.py.html",
    "/course/protocol//sse.py.html",
    "/course//protocol/sse.py.html",
    "/course/%2fetc%2fpasswd.html",
    "/course/protocol/sse.py",
    "/course/protocol/sse.py.html/",
    "/course/protocol/sse.py.html%00",
    "/course/protocol/SSE.py.html",
    "/course/protocol.html",
    "/course/.git/config.html",
    "/course/.html",
    "/course/routes.py",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Routes:
    root = tmp_path_factory.mktemp("tree")
    plant(root, TREE)
    return chat.routes(Pace(0, 0), pages=course_routes(Tree(root)))


@pytest.mark.parametrize("path", TRAVERSALS)
async def test_path_traversal(path: str, served: Routes) -> None:
    """The name is looked up among the pages, and never used as a path of a file."""
    answer = await ask(served, get(path))
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert answer.endswith(b"\r\n\r\n404 Not Found\n\nThe course has no such page: see /course/\n")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/course/", b"text/html; charset=utf-8"),
        ("/course/protocol/codec.py.html", b"text/html; charset=utf-8"),
        ("/course/style.css", b"text/css; charset=utf-8"),
        ("/course/search.js", b"text/javascript; charset=utf-8"),
        ("/course/search-index.js", b"text/javascript; charset=utf-8"),
    ],
)
async def test_headers(path: str, kind: bytes, served: Routes) -> None:
    """The policy is that of the chat page: only styles and scripts from the server's own files."""
    head, _, body = (await ask(served, get(path))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Type: " + kind in head
    assert b"\r\nContent-Security-Policy: " + CONTENT_SECURITY_POLICY.encode() in head
    assert body


async def test_the_name_of_a_file_redirects_to_its_page(served: Routes) -> None:
    answer = await ask(served, get("/course/protocol/codec.py"))
    assert answer.startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")
    assert b"\r\nLocation: /course/protocol/codec.py.html\r\n" in answer


async def test_the_path_without_its_last_slash_is_redirected(served: Routes) -> None:
    answer = await ask(served, get("/course"))
    assert answer.startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")
    assert b"\r\nLocation: /course/\r\n" in answer


# ---- the command


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "http://localhost:8000/course/" in capsys.readouterr().out
    (tmp_path / "file").write_text("")
    assert main(["--build", str(tmp_path / "file")]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("workshop course: ")
    assert error.count("\n") == 1


# ---- lessons


def test_a_prompt_is_not_copied_with_its_command() -> None:
    pages = Pages(Tree(), live=False)
    html = page(pages, "workshop/04_sse_protocol/README.md")
    assert '<pre class="console"><code><span class="p">$ </span>python' in html
    style = (ROOT / "workshop/course/style.css").read_text()
    assert re.search(r"^\.p \{[^}]*user-select: none", style, re.MULTILINE)


@pytest.mark.parametrize("lesson", Tree().lessons)
def test_a_prediction_is_answered_after_the_experiment(lesson: str) -> None:
    text = (ROOT / lesson).read_text()
    headings = re.findall(
        r"^(?:## (Predict first|Run|Why)$|\*\*(Your prediction)\.\*\* )", text, re.M
    )
    assert [one or other for one, other in headings] == [
        "Predict first",
        "Run",
        "Why",
        "Your prediction",
    ]
