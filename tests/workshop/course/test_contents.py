"""The frame of the pages: the contents with minutes and ticks, the list of files, the search's
index, other languages, and the page for an address without a page."""

import re
from pathlib import Path

import msgspec
import pytest
import trio

from servers import chat
from servers.llm.pace import Pace
from workshop.course import words
from workshop.course.contents import minutes, question
from workshop.course.links import INDEX, SOURCE
from workshop.course.pages import Pages
from workshop.course.routes import course_routes
from workshop.course.search import sections
from workshop.course.tree import Tree
from workshop.course.words import TABLES, english

from ...servers.driving import ask, get
from ...test_laws import plant
from .reading import Elements
from .test_pages import TREE, page

LESSONS = {
    "workshop/01_first/README.md": (
        "# Lesson 1: the *first* one\n\nText.\n\n## Predict first\n\n"
        "A server sends `x`. Which\nnumber is it? And the next?\n"
    ),
    "workshop/02_second/README.md": "# Lesson 2: the second one\n",
    "workshop/02_second/exercise.py": "x = 1\n",
}


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    plant(tmp_path, TREE | LESSONS)
    return Pages(Tree(tmp_path), live=True)


# ---- the contents


def test_each_lesson_has_a_question_and_minutes(pages: Pages) -> None:
    contents = page(pages, INDEX)
    text = Elements.of(contents).text
    assert "The first one\nA server sends x. Which number is it?\n" in text
    assert "next?" not in text
    assert '<p class="time" title="Time to read, without the exercise">1 min</p>' in contents
    assert "protocol/codec.py" not in text


@pytest.mark.parametrize("lesson", Tree().lessons)
def test_real_lessons_have_both(lesson: str) -> None:
    text = Tree().text(lesson)
    assert question(text).endswith("?")
    assert 4 <= minutes(text) <= 15


def test_minutes() -> None:
    assert minutes("word " * 340) == 2
    assert minutes("字" * 640) == 2
    assert minutes("```text\n" + "a line of code\n" * 50 + "```\n") == 2
    assert minutes("") == 1


def test_a_tick_at_each_exercise_that_was_passed(pages: Pages) -> None:
    """In the list of lessons of every page, and on the contents, which say what comes next."""
    assert "✓" not in page(pages, "protocol/codec.py")
    assert "Begin with lesson 1" in page(pages, INDEX)
    pages.refresh([1])
    tick = '<span class="tick" aria-hidden="true">✓</span><span class="unseen">, passed</span>'
    assert page(pages, "protocol/codec.py").count(tick) == 1
    contents = Elements.of(page(pages, INDEX)).text
    assert "1 of 3 exercises passed" in contents
    assert "Continue with lesson 2" in contents
    pages.refresh()
    assert "✓" not in page(pages, INDEX)


async def test_the_ticks_are_what_workshop_check_has_written(tmp_path: Path) -> None:
    plant(tmp_path / "tree", TREE | LESSONS)
    progress = tmp_path / "progress.json"
    routes = chat.routes(
        Pace(0, 0), pages=course_routes(Tree(tmp_path / "tree"), progress=progress)
    )
    for written, ticks in [
        (None, 0),
        (b'{"current":2,"passed":[1,2],"hints":{}}', 2),
        (b"{damaged", 0),
        (b'{"current":2,"passed":[2],"hints":{}}', 1),
    ]:
        if written is not None:
            progress.write_bytes(written)
        answer = await ask(routes, get("/course/protocol/codec.py.html"))
        assert answer.count("✓".encode()) == ticks
    # Nothing else was written: a damaged file is left alone, too.
    assert sorted(path.name for path in await trio.Path(tmp_path).iterdir()) == [
        "progress.json",
        "tree",
    ]


def test_the_list_of_lessons_marks_the_page(pages: Pages) -> None:
    lesson = page(pages, "workshop/01_first/README.md")
    assert lesson.count('aria-current="page"') == 1
    assert '<a href="README.md.html" aria-current="page"><span class="number">1</span>' in lesson
    assert '<p class="over">Lesson 1 <span>· 1 min</span></p>\n<h1>the <em>first' in lesson


def test_the_exercise_links_its_lesson(pages: Pages) -> None:
    source = page(pages, "workshop/02_second/exercise.py")
    assert '<li>Part of <a href="README.md.html">lesson 2</a></li>' in source


# ---- the list of files


def test_the_source_has_all_files_by_folder(pages: Pages) -> None:
    source = page(pages, SOURCE)
    assert {"protocol", "tests/vectors", "servers/page"} <= set(
        Elements.of(source).attributes("id")
    )
    for name in pages.tree.names:
        assert f'<a href="{name}.html"><code>{name.rpartition("/")[2]}</code></a>' in source


# ---- control characters, numbers of lines


def test_control_characters_are_marked(tmp_path: Path) -> None:
    """Many systems have no picture for ␍. In code it stays, because it is the code."""
    text = "# Ends\n\n␍␊ is `a␍␊`.\n\n```console\n$ nc\nGET /␍␊␠␊\n```\n"
    code = '"""A line ends in ␊."""\n\nx = "␍␊"\n'
    plant(tmp_path, {"README.md": text, "pyproject.toml": "x", "protocol/a.py": code})
    pages = Pages(Tree(tmp_path), live=False)
    shown = page(pages, "README.md")
    assert '<p><span class="ctl">\\r\\n</span> is <code>a<span class="ctl">\\r\\n</span>' in shown
    assert 'GET /<span class="ctl">\\r\\n</span><span class="ctl">␣</span>' in shown
    source = page(pages, "protocol/a.py")
    assert 'A line ends in <span class="ctl">\\n</span>.' in source
    assert "␍␊" in source


def test_numbers_of_lines_have_no_name_and_no_place_in_the_tab_order(pages: Pages) -> None:
    """They are for the eyes. A link without a name would be read aloud for each line."""
    numbers = [
        attributes
        for _, attributes in Elements.of(page(pages, "protocol/codec.py")).tags
        if "data-n" in attributes
    ]
    assert len(numbers) == 4
    for each in numbers:
        assert each["aria-hidden"] == "true"
        assert each["tabindex"] == "-1"


# ---- the search


def test_sections_of_a_page() -> None:
    text = (
        "# A `b`\n\nOne [two](x.md).\n\n```console\n# three\n```\n\n"
        "## Four\n\n**five**\n\n## Four\n"
    )
    assert list(sections(text)) == [
        ("", "A b", "One two. # three"),
        ("four", "Four", "five"),
        ("four-1", "Four", ""),
    ]


def test_the_index_has_sections_and_public_names(pages: Pages) -> None:
    script = pages.search_index()
    rows = script.removeprefix("globalThis.courseIndex = ").removesuffix(";\n")
    entries = msgspec.json.decode(rows, type=list[tuple[str, str, str, str]])
    found = {entry[0]: entry[1:] for entry in entries}
    lesson = "workshop/03_chunks/README.md.html"
    assert found[lesson][0] == "Lesson 3: chunks & more"
    why = "RFC 9112 §7.1, and §6.3 too. The loop Not alone, so it is a link."
    assert found[f"{lesson}#why"] == ("Why", "Lesson 3: chunks & more", why)
    name, where, text = found["protocol/codec.py.html#Decoder"]
    assert (name, where) == ("Decoder", "protocol/codec.py")
    assert text.startswith("§7.1.3, as test_codec says")
    assert not any("test_feed" in address for address in found)
    for address in found:
        target, _, fragment = address.partition("#")
        html = page(pages, target.removesuffix(".html"))
        assert not fragment or f' id="{fragment}"' in html


# ---- another language


@pytest.mark.parametrize("language", TABLES)
def test_a_language_has_all_words(language: str) -> None:
    table = TABLES[language]
    assert set(table) == set(english.WORDS)
    for key, text in table.items():
        assert names(text) == names(english.WORDS[key]), key


def names(text: str) -> set[str]:
    """The names of the values in a text."""
    return {part.partition("}")[0] for part in text.split("{")[1:]}


async def test_another_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has the frame of its language, and its translation if there is one."""
    table = dict(english.WORDS) | {"source": "Quelle", "language": "Deutsch"}
    monkeypatch.setitem(words.TABLES, "de", table)
    plant(
        tmp_path,
        TREE
        | LESSONS
        | {
            "workshop/01_first/README.de.md": (
                "# Lektion 1: die erste\n\n"
                "## Rate\n\n<!-- en: predict-first 123abc -->\n\nEins?\n\n"
                "[Zwei](../02_second/README.md) [hier](README.de.md#rate)\n"
                "[Code](../../protocol/codec.py) [English](README.md)\n"
            )
        },
    )
    english_page = page(Pages(Tree(tmp_path), live=True), "workshop/01_first/README.md")
    assert 'href="../../de/workshop/01_first/README.md.html" hreflang="de"' in english_page
    pages = Pages(Tree(tmp_path), live=True, language="de")
    assert "workshop/01_first/README.de.md" not in pages.names
    first = page(pages, "workshop/01_first/README.md")
    assert '<html lang="de">' in first
    assert "<h1>die erste</h1>" in first
    assert "Quelle" in first
    assert 'href="../../../style.css"' in first
    assert 'href="../02_second/README.md.html"' in first
    assert '<h2 id="predict-first"><span id="rate"></span>Rate</h2>' in first
    assert '<a href="README.md.html#rate">hier</a>' in first
    assert '<a href="../../../workshop/01_first/README.md.html">English</a>' in first
    assert 'href="../../../workshop/01_first/README.md.html" hreflang="en"' in first
    assert "Eins?" in page(pages, INDEX)
    routes = chat.routes(Pace(0, 0), pages=course_routes(Tree(tmp_path)))
    for path in ("/course/de/", "/course/de/workshop/01_first/README.md.html"):
        assert b'<html lang="de">' in await ask(routes, get(path))
    assert b"Lektion 1" in await ask(routes, get("/course/de/search-index.js"))
    assert b"Lektion 1" not in await ask(routes, get("/course/search-index.js"))


def test_the_page_of_the_project_is_translated_in_another_folder(tmp_path: Path) -> None:
    """GitHub shows the file of this name at the top, so its translation stands in a folder."""
    plant(tmp_path, TREE | {"workshop/README.zh-CN.md": "# 一棵树\n\n[课](01_x/README.md)\n"})
    assert "A tree" in page(Pages(Tree(tmp_path), live=True), INDEX)
    assert "一棵树" not in page(Pages(Tree(tmp_path), live=True), INDEX)
    chinese = Pages(Tree(tmp_path), live=True, language="zh-CN")
    assert "一棵树" in page(chinese, "README.md")
    assert "一棵树" in page(chinese, INDEX)


async def test_a_command_names_the_port_that_its_server_has(tmp_path: Path) -> None:
    """Only in a lesson: the text of a source file is not changed."""
    asks = "curl http://localhost:8003/ ; nc localhost 8004 ; nc localhost 8009"
    text = f"# Ask\n\n```console\n$ {asks}\n```\n"
    plant(
        tmp_path, TREE | {"workshop/01_first/README.md": text, "protocol/ask.py": f'"""{asks}"""\n'}
    )
    course = course_routes(Tree(tmp_path), ports=lambda: {8003: 41673, 8004: 8004})
    routes = chat.routes(Pace(0, 0), pages=course)
    lesson = await ask(routes, get("/course/workshop/01_first/README.md.html"))
    here = asks.replace("8003/", "41673/")
    assert here in re.sub("<[^>]*>", "", lesson.decode())
    source = await ask(routes, get("/course/protocol/ask.py.html"))
    assert asks in re.sub("<[^>]*>", "", source.decode())


# ---- no such page


async def test_no_such_page(tmp_path: Path) -> None:
    """A browser gets a page with links that work there; other programs get two lines."""
    plant(tmp_path, TREE)
    routes = chat.routes(Pace(0, 0), pages=course_routes(Tree(tmp_path)))
    answer = await ask(routes, get("/course/protocol/code.py.html", "Accept: text/html"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"\r\nContent-Security-Policy: " in head
    html = body.decode()
    assert "<h1>There is no such page</h1>" in html
    assert '<a href="../protocol/codec.py.html">protocol/codec.py</a>' in html
    assert 'href="../style.css"' in html
    assert '<a href="../index.html">All lessons</a>' in html
