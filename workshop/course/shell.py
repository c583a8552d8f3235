"""What all pages share: the frame around them, links, and tables of contents.

    skip link · the course · reading order · chat page
    the page
    ← before · after →

Every text that comes from a file goes through `escape` on its way in here. The frame's own anchors
begin with a dash, as no heading and no name in Python does.
"""

import posixpath
from collections.abc import Iterable, Sequence
from html import escape

from .links import INDEX, Links, Target
from .prose import Heading

__all__ = ["TITLE", "article", "contents", "crumbs", "link", "shell"]

TITLE = "Every byte of a streamed answer"


def link(links: Links, page: str, target: Target, html: str) -> str:
    """A link from a page to another place of the course."""
    return f'<a href="{escape(links.href(page, target))}">{html}</a>'


def contents(headings: Sequence[Heading]) -> str:
    """A page's table of contents, if it has enough of them."""
    if len(headings) < 2:
        return ""
    items = "".join(
        f'<li><a href="#{escape(heading.anchor)}">'
        + (f"<code>{escape(heading.text)}</code>" if heading.is_code else escape(heading.text))
        + "</a></li>"
        for heading in headings
    )
    return f'<nav class="toc" aria-label="On this page"><ul>{items}</ul></nav>\n'


def article(html: str, headings: Sequence[Heading]) -> str:
    """A page of text, with its table of contents beside it where there is room."""
    return (
        f'<main id="-main" class="sheet">\n{contents(headings)}<article>\n{html}</article>\n</main>'
    )


def crumbs(links: Links, page: str) -> str:
    """A file's page begins with its path: each folder leads to its place in the contents."""
    html = ""
    folder = ""
    for part in posixpath.dirname(page).split("/"):
        folder = posixpath.join(folder, part)
        if part:
            html += link(links, page, Target(INDEX, folder), f"<code>{escape(part)}</code>") + " / "
    name = escape(posixpath.basename(page))
    return f'<p class="crumbs">{html}</p>\n<h1><code>{name}</code></h1>\n'


def shell(
    links: Links,
    page: str,
    title: str,
    main: str,
    *,
    beside: Iterable[tuple[str, str]],
    order: str,
    live: bool,
    files: Iterable[str],
) -> str:
    """A whole page.

    Args:
        page: its name.
        title: of the window, as text.
        main: its `main` element.
        beside: (rel, page): the one before, and the one after.
        order: the page that says in which order to read, or "".
        live: it is served, with the chat page beside it.
        files: scripts and style sheets that it loads.
    """
    top = posixpath.relpath(".", posixpath.dirname(page) or ".")
    language = "zh-CN" if page.endswith(".zh-CN.md") else "en"
    places = link(links, page, Target(order), "Reading order") if order else ""
    places += '<a href="/">Chat page</a>' if live else ""
    steps = "".join(
        f'<a rel="{rel}" href="{escape(links.href(page, Target(other)))}">'
        f"{escape(_short_title(links, other))}</a>"
        for rel, other in beside
    )
    loads = "".join(
        f'<script type="module" src="{top}/{file}"></script>\n'
        if file.endswith(".js")
        else f'<link rel="stylesheet" href="{top}/{file}">\n'
        for file in files
    )
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        f'<link rel="icon" href="{top}/icon.svg">\n'
        f"{loads}</head>\n<body>\n"
        '<a class="skip" href="#-main">Skip to the text</a>\n'
        f'<header>{link(links, page, Target(INDEX), TITLE)}<nav aria-label="Places">{places}</nav>'
        f'</header>\n{main}\n<footer><nav aria-label="Before and after">{steps}</nav></footer>\n'
        "</body>\n</html>\n"
    )


def _short_title(links: Links, page: str) -> str:
    return links.tree.title(page) if page != INDEX else "Contents"
