"""The pages of the course as HTML.

    index                        what there is
    workshop/03_…/README.md      a lesson: prose, code where a link stands for it, a live panel
    protocol/chunked.py          a module: prose on the left, code on the right (source.py)
    servers/page/style.css       any other file: its lines

Links are relative, so the same pages are served at `/course/` and written to a folder. They load
one stylesheet, a lesson also a script, and nothing from elsewhere.
"""

import posixpath
from html import escape

from .links import INDEX, Links, Target
from .live import NO_PANEL, panel
from .prose import Heading, Prose
from .shell import TITLE, article, link, shell
from .source import file_page, source_page
from .tree import Tree

__all__ = ["ORDER", "Pages"]

ORDER = "workshop/READING.md"
"""Read the source in this order: its links say which page comes after which."""


END = "read-on"
"""The heading with which a lesson ends."""


class Pages:
    """Writes the pages of a tree.

    Args:
        tree: the files.
        live: the pages are served by the chat server, which answers their panels.
    """

    def __init__(self, tree: Tree, *, live: bool) -> None:
        self.tree = tree
        self._live = live
        self._read()

    def refresh(self) -> None:
        """Look at the files again. A page may show parts of many, so all are written anew."""
        if self.tree.refresh():
            self._read()

    def _read(self) -> None:
        self.links = Links(self.tree)
        self._prose = Prose(self.links)
        self._sequence = self._in_order()
        self._written: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """Of all pages."""
        return [INDEX, *self.tree.names]

    def page(self, name: str) -> str | None:
        """A whole page, or None if there is none of that name."""
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
        place = self._sequence.index(name)
        beside = [("prev", self._sequence[place - 1])] if place else []
        beside += [("next", each) for each in self._sequence[place + 1 : place + 2]]
        return shell(
            self.links,
            name,
            title,
            main,
            beside=beside,
            order=ORDER if ORDER in self.tree else "",
            live=self._live,
            files=files,
        )

    def _in_order(self) -> list[str]:
        """Contents, lessons, the reading order and what it names, then all the rest."""
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
            "source of all that they run, with prose on the left and code on the right.</p>\n"
            f'<h2 id="lessons">Lessons</h2>\n<ol class="lessons">\n{lessons}</ol>\n'
            f'<h2 id="more">More to read</h2>\n<ul>\n{documents}</ul>\n'
        )
        headings = [Heading("lessons", "Lessons"), Heading("more", "More to read")]
        for folder, names in self._folders().items():
            title = f"{folder}/" if folder else "beside them"
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
        """The files that are no Markdown, by folder; also folders that hold only folders."""
        folders: dict[str, list[str]] = {}
        for name in self.tree.names:
            folder = posixpath.dirname(name)
            while folder := posixpath.dirname(folder):
                folders.setdefault(folder, [])
            files = folders.setdefault(posixpath.dirname(name), [])
            if not name.endswith(".md"):
                files.append(name)
        places = ["protocol", "servers", "clients", "workshop", "tests"]
        return dict(
            sorted(
                folders.items(),
                key=lambda item: (
                    places.index(item[0].split("/")[0]) if item[0].split("/")[0] in places else 9,
                    item[0],
                ),
            )
        )

    def _row(self, name: str) -> str:
        said = self._prose.inline(INDEX, self.tree.summary(name))
        base = f"<code>{escape(posixpath.basename(name))}</code>"
        lines = self.tree.text(name).count("\n")
        where = link(self.links, INDEX, Target(name), base)
        return f"<dt>{where} <small>{lines}</small></dt><dd>{said}</dd>\n"

    def _link(self, name: str, text: str) -> str:
        return link(self.links, INDEX, Target(name), escape(text))


def _before_the_end(html: str, headings: list[Heading], live: str) -> tuple[str, list[Heading]]:
    """A lesson with its live panel, which stands before what to read next."""
    last = next((n for n, each in enumerate(headings) if each.anchor == END), len(headings))
    before, heading, after = html.partition(f'<h2 id="{END}">')
    headings = [*headings[:last], Heading("-live", "Live"), *headings[last:]]
    return before + live + heading + after, headings


def _idea(title: str) -> str:
    """A lesson's title without its number, which the list has."""
    idea = title.partition(": ")[2] or title
    return idea[:1].upper() + idea[1:]
