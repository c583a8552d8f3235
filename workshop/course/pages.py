"""The pages of the course as HTML, in one language.

    index                        the contents
    source                       the list of all files
    workshop/03_…/README.md      a lesson: prose, excerpts of code, figures
    protocol/chunked.py          a module: prose on the left, code on the right (source.py)
    servers/page/style.css       any other file: its lines

Links are relative, so the same pages can be served at `/course/` and written to a folder. A page
loads two style sheets and two scripts, and a lesson also its figures. Nothing is loaded from other
sites.
"""

import difflib
import posixpath
import re
from collections.abc import Iterable
from html import escape

from .contents import contents_page, minutes, source_list
from .figures.kit import frame
from .figures.routes import FIGURES
from .links import INDEX, SOURCE, Links, LinkTarget
from .prose import Prose
from .search import index_script
from .shell import Frame, article, link
from .source import file_page, source_page
from .tree import Tree
from .words import ENGLISH, Words

__all__ = ["ORDER", "Pages"]

ORDER = "workshop/READING.md"
"""The reading order of the source: the order of this file's links is the order of the pages."""

PLACES = [
    (INDEX, "contents"),
    (SOURCE, "source"),
    (ORDER, "order"),
    ("workshop/QUESTIONS.md", "questions"),
    ("workshop/GLOSSARY.md", "glossary"),
]


class Pages:
    """Makes the pages of a tree.

    Args:
        tree: The files.
        live: Whether the chat server serves the pages, so that it can answer the figures.
        language: The language of the pages: a key of `TABLES`.
    """

    def __init__(self, tree: Tree, *, live: bool, language: str = ENGLISH) -> None:
        self.tree = tree
        self.say = Words(language)
        self._live = live
        self._passed: frozenset[int] = frozenset()
        self._read()

    def refresh(self, passed: Iterable[int] = ()) -> None:
        """Look for changed files. If a file has changed, all pages are made again, because one page
        may show parts of many files.

        Args:
            passed: The numbers of the lessons whose exercise the reader has passed: these have a
                tick.
        """
        passed = frozenset(passed)
        if self.tree.refresh():
            self._read()
        if passed != self._passed:
            self._passed = passed
            self._written.clear()

    def _read(self) -> None:
        self.links = Links(self.tree, self.say.language)
        self._prose = Prose(self.links, self._figure)
        self._sequence = self._in_order()
        self._written: dict[str, str] = {}
        self._shown: list[str] = []  # the figures of the page that is being made
        self._index = ""

    @property
    def names(self) -> list[str]:
        """The names of all pages."""
        return [INDEX, SOURCE, *self.tree.names]

    def page(self, name: str) -> str | None:
        """Return the HTML of a page, or None if there is no page with this name."""
        if name not in self._written:
            if name not in (INDEX, SOURCE) and name not in self.tree:
                return None
            self._written[name] = self._write(name)
        return self._written[name]

    def search_index(self) -> str:
        """Return the index of the search, as a script: see search.py."""
        self._index = self._index or index_script(self.links)
        return self._index

    def missing(self, path: str) -> str:
        """Return the page for an address at which there is no page.

        Args:
            path: The address below the course's, as it was asked for.
        """
        # Links are relative, so they depend only on the number of slashes in the address.
        here = "/".join(["404"] * (path.count("/") + 1))
        asked = path.removesuffix(".html")
        links = self.links
        near = difflib.get_close_matches(asked, self.tree.names, 5) or [
            name
            for name in self.tree.names
            if posixpath.basename(name) == posixpath.basename(asked)
        ]
        items = "".join(
            f"<li>{link(links, here, LinkTarget(name), escape(self.tree.title(name)))}</li>\n"
            for name in near[:5]
        )
        home = link(links, here, LinkTarget(INDEX), escape(self.say("missing.home")))
        html = (
            f'<p class="code404" aria-hidden="true">404</p>\n'
            f"<h1>{escape(self.say('missing.title'))}</h1>\n"
            f'<p class="lead">{escape(self.say("missing.text"))}</p>\n'
        )
        if items:
            html += f"<h2>{escape(self.say('missing.near'))}</h2>\n<ul>\n{items}</ul>\n"
        html += f'<p class="begin">{home}</p>\n'
        title = self.say("missing.title")
        return self._frame().page(here, title, article(html, [], self.say), kind="text")

    def _write(self, name: str) -> str:
        title, kind, modules = self.say("title"), "text", list[str]()
        if name not in (INDEX, SOURCE):
            title = f"{self.tree.title(name, self.say.language)} · {title}"
        if name == INDEX:
            main = contents_page(self.links, self._prose, self.say, self._passed)
        elif name == SOURCE:
            title = f"{self.say('source')} · {title}"
            main = source_list(self.links, self._prose, self.say)
        elif name.endswith(".md"):
            self._shown = []
            html, headings = self._prose.page(name)
            modules = [f"figures/{figure}.js" for figure in self._shown] if self._live else []
            if self.tree.lesson(name):
                html = self._with_time(name, html)
            main = article(html, headings, self.say)
            if not self.tree.translation(name, self.say.language) and self.say.language != ENGLISH:
                main = main.replace("<article>", f'<article lang="{ENGLISH}">', 1)
        elif name.endswith(".py"):
            kind, main = "code", source_page(name, self.links, self._prose, self.say)
        else:
            kind, main = "code", file_page(name, self.links, self.say)
        index = self._sequence.index(name)
        neighbours = [("prev", self._sequence[index - 1])] if index else []
        neighbours += [("next", each) for each in self._sequence[index + 1 : index + 2]]
        return self._frame().page(
            name,
            title,
            main,
            kind=kind,
            neighbours=neighbours,
            modules=modules,
            address=name,
        )

    def _figure(self, name: str) -> str:
        """Return a figure of the page that is being made."""
        if name not in FIGURES:
            return ""
        self._shown.append(name)
        return frame(FIGURES[name], self.say, live=self._live)

    def _with_time(self, lesson: str, html: str) -> str:
        """Write a lesson's number above its title, and the minutes that it takes beside it."""
        time = minutes(self.tree.document(lesson, self.say.language))
        told = f" <span>· {escape(self.say('minutes', number=time))}</span>"
        return re.sub(
            r"<h1>([^:：<]*)[:：]\s*", rf'<p class="over">\1{told}</p>\n<h1>', html, count=1
        )

    def _frame(self) -> Frame:
        places = [(name, key) for name, key in PLACES if name in (INDEX, SOURCE, *self.tree.names)]
        return Frame(self.links, self.say, places, self._passed, self._live)

    def _in_order(self) -> list[str]:
        """Return all pages in order: the contents, the lessons, the list of files, the reading
        order, the files that it names, and all others."""
        order = [INDEX, *self.tree.lessons, SOURCE]
        if ORDER in self.tree:
            order.append(ORDER)
            order += [target.page for _, target in self.links.written(ORDER) if target]
        return list(dict.fromkeys([*order, *self.tree.names]))
