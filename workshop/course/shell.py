"""Shared by all pages: the frame around them, links, and tables of contents.

    skip link · the course · reading order · chat page
    the page
    ← before · after →

Every text from a file is escaped. The frame's own anchors begin with a dash, because no heading's
anchor and no name in Python begins with one.
"""

import posixpath
from collections.abc import Iterable, Sequence
from html import escape

from .links import INDEX, Links, LinkTarget
from .prose import Heading

__all__ = ["TITLE", "article", "contents", "crumbs", "link", "shell"]

TITLE = "Every byte of a streamed answer"


def link(links: Links, page: str, target: LinkTarget, html: str) -> str:
    """Return a link from a page to another page of the course.

    Args:
        links: The links of the tree.
        page: The page with the link.
        target: The page and the anchor to which the link leads.
        html: The text of the link, as HTML.
    """
    return f'<a href="{escape(links.href(page, target))}">{html}</a>'


def contents(headings: Sequence[Heading]) -> str:
    """Return a page's table of contents, or "" if there are fewer than two headings."""
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
    """Return a page of text. Its table of contents is beside it if the window is wide enough."""
    return (
        f'<main id="-main" class="sheet">\n{contents(headings)}<article>\n{html}</article>\n</main>'
    )


def crumbs(links: Links, page: str) -> str:
    """Return the path of a file, for the top of its page. Each folder links to its entry in the
    contents.

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
            html += link(links, page, LinkTarget(INDEX, folder), code) + " / "
    name = escape(posixpath.basename(page))
    return f'<p class="crumbs">{html}</p>\n<h1><code>{name}</code></h1>\n'


def shell(
    links: Links,
    page: str,
    title: str,
    main: str,
    *,
    neighbours: Iterable[tuple[str, str]],
    order: str,
    live: bool,
    files: Iterable[str],
) -> str:
    """Return a whole page.

    Args:
        links: The links of the tree.
        page: Name of the page.
        title: Title of the window, as text.
        main: The `main` element, as HTML.
        neighbours: The previous and the next page, as pairs of "prev" or "next" and a name.
        order: Name of the page with the reading order, or "".
        live: Whether a server serves the page, together with the chat page.
        files: Scripts and style sheets that the page loads.
    """
    top = posixpath.relpath(".", posixpath.dirname(page) or ".")
    language = "zh-CN" if page.endswith(".zh-CN.md") else "en"
    others = link(links, page, LinkTarget(order), "Reading order") if order else ""
    others += '<a href="/">Chat page</a>' if live else ""
    home = link(links, page, LinkTarget(INDEX), TITLE)
    steps = "".join(
        f'<a rel="{rel}" href="{escape(links.href(page, LinkTarget(other)))}">'
        f"{escape(_short_title(links, other))}</a>"
        for rel, other in neighbours
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
        f'<header>{home}<nav aria-label="Places">{others}</nav></header>\n'
        f'{main}\n<footer><nav aria-label="Before and after">{steps}</nav></footer>\n'
        "</body>\n</html>\n"
    )


def _short_title(links: Links, page: str) -> str:
    return links.tree.title(page) if page != INDEX else "Contents"
