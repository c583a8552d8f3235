"""The pages of the course as HTML.

    index                        the contents
    workshop/03_…/README.md      a lesson: prose, excerpts of code, a live panel
    protocol/chunked.py          a module: prose on the left, code on the right (source.py)
    servers/page/style.css       any other file: its lines

Links are relative, so the same pages can be served at `/course/` and written to a folder. A page
loads one stylesheet, and a lesson also a script. Nothing is loaded from other sites.
"""

import posixpath
from html import escape

from .links import INDEX, Links, LinkTarget
from .live import NO_PANEL, panel
from .prose import Heading, Prose
from .shell import TITLE, article, link, shell
from .source import file_page, source_page
from .tree import Tree

__all__ = ["ORDER", "Pages"]

ORDER = "workshop/READING.md"
"""The reading order of the source: the order of this file's links is the order of the pages."""


END = "read-on"
"""The anchor of the heading with which each lesson ends."""


class Pages:
    """Makes the pages of a tree.

    Args:
        tree: The files.
        live: Whether the chat server serves the pages, so that it can answer the live panels.
    """

    def __init__(self, tree: Tree, *, live: bool) -> None:
        self.tree = tree
        self._live = live
        self._read()

    def refresh(self) -> None:
        """Look for changed files. If a file has changed, all pages are made again, because one page
        may show parts of many files."""
        if self.tree.refresh():
            self._read()

    def _read(self) -> None:
        self.links = Links(self.tree)
        self._prose = Prose(self.links)
        self._sequence = self._in_order()
        self._written: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """The names of all pages."""
        return [INDEX, *self.tree.names]

    def page(self, name: str) -> str | None:
        """Return the HTML of a page, or None if there is no page with this name."""
        if name not in self._written:
            if name != INDEX and name not in self.tree:
                return None
            self._written[name] = self._write(name)
        return self._written[name]

    def _write(self, name: str) -> str:
        title = self.tree.title(name) if name != INDEX else TITLE
        files = ["style.css"]
        if name == INDEX:
            main = self._index()
        elif name.endswith(".md"):
            html, headings = self._prose.page(name)
            if lesson := self.tree.lesson(name):
                live = panel(lesson) if self._live else NO_PANEL
                html, headings = _before_the_end(html, headings, live)
                if self._live:
                    files.append("panel.js")
            main = article(html, headings)
        elif name.endswith(".py"):
            main = source_page(name, self.links, self._prose)
        else:
            main = file_page(name, self.links)
        index = self._sequence.index(name)
        neighbours = [("prev", self._sequence[index - 1])] if index else []
        neighbours += [("next", each) for each in self._sequence[index + 1 : index + 2]]
        return shell(
            self.links,
            name,
            title,
            main,
            neighbours=neighbours,
            order=ORDER if ORDER in self.tree else "",
            live=self._live,
            files=files,
        )

    def _in_order(self) -> list[str]:
        """Return all pages in order: the contents, the lessons, the reading order, the files that
        it names, and all others."""
        order = [INDEX, *self.tree.lessons]
        if ORDER in self.tree:
            order.append(ORDER)
            order += [target.page for _, target in self.links.written(ORDER) if target]
        return list(dict.fromkeys([*order, *self.tree.names]))

    # ---- Contents

    def _index(self) -> str:
        lessons = "".join(
            f'<li value="{self.tree.lesson(name)}">{self._link(name, _idea(self.tree.title(name)))}'
            "</li>\n"
            for name in self.tree.lessons
        )
        documents = "".join(
            f"<li>{self._link(name, self.tree.title(name))}</li>\n"
            for name in self.tree.names
            if name.endswith(".md") and not self.tree.lesson(name)
        )
        html = (
            f"<h1>{TITLE}</h1>\n"
            '<p class="lead">From <code>yield</code> to the pixel: the lessons, and the annotated '
            "source of everything they run, with prose on the left and code on the right.</p>\n"
            f'<h2 id="lessons">Lessons</h2>\n<ol class="lessons">\n{lessons}</ol>\n'
            f'<h2 id="more">More to read</h2>\n<ul>\n{documents}</ul>\n'
        )
        headings = [Heading("lessons", "Lessons"), Heading("more", "More to read")]
        for folder, names in self._folders().items():
            title = f"{folder}/" if folder else "at the top"
            depth = folder.count("/")
            if folder and not depth:
                headings.append(Heading(folder, title, is_code=True))
            level = 3 if depth else 2
            anchor = escape(folder or "top")
            html += f'<h{level} id="{anchor}"><code>{escape(title)}</code></h{level}>\n'
            rows = "".join(map(self._row, names))
            html += f'<dl class="files">\n{rows}</dl>\n' if rows else ""
        return article(html, headings)

    def _folders(self) -> dict[str, list[str]]:
        """Return the files other than Markdown, by folder. Folders that hold only folders are
        included."""
        folders: dict[str, list[str]] = {}
        for name in self.tree.names:
            folder = posixpath.dirname(name)
            while folder := posixpath.dirname(folder):
                folders.setdefault(folder, [])
            files = folders.setdefault(posixpath.dirname(name), [])
            if not name.endswith(".md"):
                files.append(name)
        order = ["protocol", "servers", "clients", "workshop", "tests"]
        return dict(
            sorted(
                folders.items(),
                key=lambda item: (
                    order.index(item[0].split("/")[0]) if item[0].split("/")[0] in order else 9,
                    item[0],
                ),
            )
        )

    def _row(self, name: str) -> str:
        summary = self._prose.inline(INDEX, self.tree.summary(name))
        base = f"<code>{escape(posixpath.basename(name))}</code>"
        lines = self.tree.text(name).count("\n")
        file = link(self.links, INDEX, LinkTarget(name), base)
        return f"<dt>{file} <small>{lines}</small></dt><dd>{summary}</dd>\n"

    def _link(self, name: str, text: str) -> str:
        return link(self.links, INDEX, LinkTarget(name), escape(text))


def _before_the_end(html: str, headings: list[Heading], live: str) -> tuple[str, list[Heading]]:
    """Insert a lesson's live panel before the last section (what to read next)."""
    last = next((n for n, each in enumerate(headings) if each.anchor == END), len(headings))
    before, heading, after = html.partition(f'<h2 id="{END}">')
    headings = [*headings[:last], Heading("-live", "Live"), *headings[last:]]
    return before + live + heading + after, headings


def _idea(title: str) -> str:
    """Return a lesson's title without its number, because the list shows the number."""
    idea = title.partition(": ")[2] or title
    return idea[:1].upper() + idea[1:]
