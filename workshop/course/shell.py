"""Shared by all pages: the frame around them, links, and tables of contents.

    skip link
    contents · the course · search · source · chat page
    the lessons, with ticks  |  the page  |  the page's headings
    ← before · after →

The list of lessons is beside the page if the window is wide enough. Otherwise the button at the top
shows it: it is a popover, so this needs no script. Every text from a file is escaped. The frame's
own anchors begin with a dash, because no heading's anchor and no name in Python begins with one.
"""

import posixpath
from collections.abc import Collection, Iterable, Iterator, Sequence
from html import escape

import msgspec

from .links import INDEX, SOURCE, Links, LinkTarget
from .prose import Heading
from .words import ENGLISH, TABLES, Words

__all__ = ["Frame", "article", "contents", "crumbs", "idea", "link"]


def link(links: Links, page: str, target: LinkTarget, html: str) -> str:
    """Return a link from a page to another page of the course.

    Args:
        links: The links of the tree.
        page: The page with the link.
        target: The page and the anchor to which the link leads.
        html: The text of the link, as HTML.
    """
    return f'<a href="{escape(links.href(page, target))}">{html}</a>'


def idea(title: str) -> str:
    """Return a lesson's title without its number, because lists show the number."""
    words = title.replace("：", ": ", 1).partition(": ")[2] or title
    return words[:1].upper() + words[1:]


def contents(headings: Sequence[Heading], say: Words) -> str:
    """Return a page's table of contents, or "" if there are fewer than two headings."""
    if len(headings) < 2:
        return ""
    items = "".join(
        f'<li><a href="#{escape(heading.anchor)}">'
        + (f"<code>{escape(heading.text)}</code>" if heading.is_code else escape(heading.text))
        + "</a></li>"
        for heading in headings
    )
    name = escape(say("on-this-page"))
    return f'<nav class="toc" aria-label="{name}"><p>{name}</p><ul>{items}</ul></nav>\n'


def article(html: str, headings: Sequence[Heading], say: Words) -> str:
    """Return a page of text. Its table of contents is beside it if the window is wide enough."""
    return (
        f'<main id="-main" class="sheet">\n{contents(headings, say)}<article>\n{html}</article>\n'
        "</main>"
    )


def crumbs(links: Links, page: str) -> str:
    """Return the path of a file, for the top of its page. Each folder links to its entry in the
    list of files.

    Args:
        links: The links of the tree.
        page: Name of the page.
    """
    html = ""
    folder = ""
    for part in posixpath.dirname(page).split("/"):
        folder = posixpath.join(folder, part)
        if part:
            code = f"<code>{escape(part)}</code>"
            html += link(links, page, LinkTarget(SOURCE, folder), code) + " / "
    name = escape(posixpath.basename(page))
    return f'<p class="crumbs">{html}</p>\n<h1><code>{name}</code></h1>\n'


class Frame(msgspec.Struct):
    """The frame of all pages of one language.

    Args:
        links: The links of the tree.
        say: The words of the language.
        places: The pages that are listed below the lessons, as (name, key of its words).
        passed: The numbers of the lessons whose exercise the reader has passed.
        live: Whether a server serves the pages, together with the chat page.
    """

    links: Links
    say: Words
    places: Sequence[tuple[str, str]]
    passed: Collection[int]
    live: bool

    def page(
        self,
        page: str,
        title: str,
        main: str,
        *,
        kind: str,
        neighbours: Iterable[tuple[str, str]] = (),
        modules: Iterable[str] = (),
        address: str = "",
    ) -> str:
        """Return a whole page.

        Args:
            page: Name of the page.
            title: Title of the window, as text.
            main: The `main` element, as HTML.
            kind: "text" for a page of prose, "code" for a page that needs the whole width.
            neighbours: The previous and the next page, as pairs of "prev" or "next" and a name.
            modules: Modules (scripts) that the page loads.
            address: The page's name in the other languages, or "" if they do not have it.
        """
        say, links = self.say, self.links
        home = link(links, page, LinkTarget(INDEX), escape(say("title")))
        steps = "".join(
            f'<a rel="{rel}" href="{escape(links.href(page, LinkTarget(other)))}">'
            f"{escape(self._title(other))}</a>"
            for rel, other in neighbours
        )
        after = f'<footer><nav aria-label="{escape(say("neighbours"))}">{steps}</nav></footer>\n'
        language = "zh-CN" if page.endswith(".zh-CN.md") else say.language
        return (
            f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}</title>\n"
            f'<link rel="icon" href="{self._asset(page, "icon.svg")}">\n'
            f"{self._languages(page, address)}{self._loads(page, modules)}</head>\n"
            f'<body class="{kind}-page">\n'
            f'<a class="skip" href="#-main">{escape(say("skip"))}</a>\n'
            '<header>\n<button type="button" class="menu" popovertarget="-lessons">'
            f"{escape(say('menu'))}</button>\n"
            f'<p class="home">{home}</p>\n{self._search(page)}'
            f'<nav class="places" aria-label="{escape(say("places"))}">'
            f"{''.join(self._top_links(page, address))}</nav>\n</header>\n"
            f"{self._lessons(page)}{main}\n{after if steps else ''}</body>\n</html>\n"
        )

    def _loads(self, page: str, modules: Iterable[str]) -> str:
        sheets = "".join(
            f'<link rel="stylesheet" href="{self._asset(page, name)}">\n'
            for name in ("style.css", "frame.css", "figures/figures.css")
        )
        # The index of the search, in the page's language, is beside that language's contents.
        index = self.links.href(page, LinkTarget("search-index")).removesuffix(".html") + ".js"
        scripts = f'<script defer src="{self._asset(page, "copy.js")}"></script>\n'
        scripts += (
            f'<script defer src="{self._asset(page, "search.js")}" data-index="{index}"></script>\n'
        )
        return sheets + scripts + "".join(
            f'<script type="module" src="{self._asset(page, name)}"></script>\n'
            for name in modules
        )  # fmt: skip

    def _languages(self, page: str, address: str) -> str:
        """Return the addresses of the page in the other languages, and the script that chooses."""
        if not address:
            return ""
        alternates = "".join(
            f'<link rel="alternate" hreflang="{language}" '
            f'href="{escape(self.links.href(page, LinkTarget(address, language=language)))}">\n'
            for language in TABLES
            if language != self.say.language
        )
        script = self._asset(page, "language.js")
        return f'{alternates}<script src="{script}" data-original="{ENGLISH}"></script>\n'

    def _asset(self, page: str, name: str) -> str:
        return escape(self.links.asset(page, name))

    def _search(self, page: str) -> str:
        say = self.say
        told = " ".join(
            f'data-{key}="{escape(say(f"search.{key}"))}"' for key in ("none", "failed", "count")
        )
        copy = " ".join(
            f'data-copy-{key}="{escape(say(f"copy.{key}"))}"' for key in ("label", "done", "failed")
        )
        return (
            f'<search class="find" {told} {copy}>'
            f'<input type="search" role="combobox" aria-label="{escape(say("search.label"))}" '
            f'placeholder="{escape(say("search.placeholder"))}" autocomplete="off" '
            'spellcheck="false" aria-expanded="false" aria-controls="-found" '
            'aria-autocomplete="list"><div id="-found" role="listbox" '
            f'aria-label="{escape(say("search.label"))}" hidden></div>'
            '<p class="unseen" role="status"></p></search>\n'
        )

    def _top_links(self, page: str, address: str) -> Iterator[str]:
        yield link(self.links, page, LinkTarget(SOURCE), escape(self.say("source")))
        if self.live:
            yield f'<a href="/">{escape(self.say("chat"))}</a>'
        for language, table in TABLES.items():
            if language != self.say.language and address:
                href = self.links.href(page, LinkTarget(address, language=language))
                name = escape(table["language"])
                yield f'<a href="{escape(href)}" hreflang="{language}" lang="{language}">{name}</a>'

    def _lessons(self, page: str) -> str:
        """Return the list of lessons, with a tick at each exercise that was passed, and the other
        places."""
        items = []
        for name in self.links.tree.lessons:
            number = self.links.tree.lesson(name)
            tick = ' <span class="tick" aria-hidden="true">✓</span>'
            tick += f'<span class="unseen">, {escape(self.say("passed"))}</span>'
            shown = idea(self.links.tree.title(name, self.say.language))
            text = f'<span class="number">{number}</span> <span>{escape(shown)}'
            text += f"{tick if number in self.passed else ''}</span>"
            items.append(self._entry(page, name, text))
        others = [self._entry(page, name, escape(self.say(key))) for name, key in self.places]
        return (
            f'<nav id="-lessons" popover aria-label="{escape(self.say("lessons"))}">\n'
            f"<ol>\n{''.join(items)}</ol>\n<ul>\n{''.join(others)}</ul>\n</nav>\n"
        )

    def _entry(self, page: str, name: str, html: str) -> str:
        here = ' aria-current="page"' if name == page else ""
        href = escape(self.links.href(page, LinkTarget(name)))
        return f'<li><a href="{href}"{here}>{html}</a></li>\n'

    def _title(self, page: str) -> str:
        if page in (INDEX, SOURCE):
            return self.say("contents" if page == INDEX else "source")
        return self.links.tree.title(page, self.say.language)
