"""The course in Chinese: which text is in which language, hints for English terms, the choice."""

import re
from pathlib import Path

import pytest

from workshop.course.pages import Pages
from workshop.course.terms import Terms
from workshop.course.tree import Tree
from workshop.course.words import TABLES, Words, first_paragraph

from ...test_laws import plant
from .test_scripts import run

FILES = {
    "pyproject.toml": "",
    "README.md": "# A tree\n\n## Why\n\nBecause.\n",
    "workshop/README.zh-CN.md": "# 一棵树\n\n<!-- en: top 000000 -->\n\n"
    "[English](../README.md) | 简体中文\n\n"
    "## 为什么\n\n<!-- en: why 000000 -->\n\n因为。[下](#为什么) [术语](GLOSSARY.zh-CN.md)\n",
    "workshop/GLOSSARY.md": "# Glossary\n",
    "workshop/GLOSSARY.zh-CN.md": "# 术语表\n\n| 中文 | English | 含义 |\n|---|---|---|\n"
    "| 重置，RST | reset, RST | … |\n| 心跳 | heartbeat | … |\n| epoll（不译） | epoll | … |\n"
    "| 跨源资源共享，CORS | CORS | … |\n",
    "workshop/NOTES.md": "# Notes\n\nA heartbeat.\n",
    "protocol/sse.py": '"""An event stream.\n\nHeartbeats, a heartbeat, two heartbeats.\n"""\n'
    "\nx = 1  # a heartbeat in code\n\n# A reset after epoll.\ny = 2\n",
}


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    plant(tmp_path, FILES)
    return Pages(Tree(tmp_path), live=True, language="zh-CN")


def page(pages: Pages, name: str) -> str:
    html = pages.page(name)
    assert html is not None
    return html


def test_a_translated_page(pages: Pages) -> None:
    """Its headings have the English anchors, so that the switch stays at its place."""
    html = page(pages, "README.md")
    assert '<html lang="zh-CN">' in html
    assert '<article lang="en">' not in html
    assert '<h2 id="why">' in html
    assert html.count(">English</a>") == 1, "the switch of the frame, and not that of the file"
    assert 'id="为什么"' in html
    assert 'href="../README.md.html" hreflang="en" lang="en">English</a>' in html
    assert '<link rel="alternate" hreflang="en" href="../README.md.html">' in html
    assert 'href="workshop/GLOSSARY.md.html">术语</a>' in html


def test_a_page_without_a_translation_says_that_it_is_english(pages: Pages) -> None:
    html = page(pages, "workshop/NOTES.md")
    assert '<html lang="zh-CN">' in html
    assert '<article lang="en">' in html


def test_a_module(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its comments stay English. The first mention of a term in a passage has a hint."""
    html = page(pages, "protocol/sse.py")
    assert '<div class="woven" lang="en">' in html
    hints = re.findall(r'<span class="term" title="([^"]*)">([^<]*)</span>', html)
    assert hints == [("心跳", "heartbeat"), ("重置", "reset")]
    monkeypatch.setattr(
        "workshop.course.tree.first_paragraph", lambda text, language: "一个事件流。"
    )
    assert '<p>一个事件流。</p>\n<div lang="en"><p>Heartbeats' in page(
        Pages(pages.tree, live=True, language="zh-CN"), "protocol/sse.py"
    )
    english = page(Pages(pages.tree, live=True), "protocol/sse.py")
    assert "term" not in english
    assert 'lang="en"' not in english.partition("<main")[2]


def test_the_first_paragraph_of_a_module() -> None:
    docstring = "Clients, and the byte streams that clients\nand servers use."
    assert first_paragraph(docstring, "zh-CN") == "客户端，以及客户端和服务器都使用的字节流。"
    assert first_paragraph("Nobody has translated this.", "zh-CN") is None


def test_terms(tmp_path: Path) -> None:
    plant(tmp_path, FILES)
    terms = Terms(Tree(tmp_path), "zh-CN")
    assert terms.html("<CORS> and RST", set()) == (
        '&lt;<span class="term" title="跨源资源共享，CORS">CORS</span>&gt; and RST'
    )
    assert Terms(Tree(tmp_path), "en").html("CORS", set()) == "CORS"


def test_the_browsers_language() -> None:
    """The first language of the browser that the pages have; otherwise the project's own."""
    wanted = [["zh-TW", "en"], ["de"], ["de", "zh"], ["en-GB", "zh"], ["ZH"]]
    chosen = run("language.js", "argv[0].map((list) => best(list, argv[1]))", wanted, list(TABLES))
    assert chosen == ["zh-CN", "en", "zh-CN", "en", "zh-CN"]


def test_the_words_in_chinese() -> None:
    assert Words("zh-CN")("minutes", number=12) == "12 分钟"
