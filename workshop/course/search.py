"""The index of the search: all sections of the pages, and the public names of the source.

    globalThis.courseIndex = [
      ["workshop/03_http_chunked/README.md.html#why","Why","Lesson 3: …","The number in front …"],
      ["protocol/chunked.py.html#encode_chunk","encode_chunk","protocol/chunked.py","Return …"],
    ];

Each entry is an address, a title, the page, and a text. The index is made when it is first asked
for, or when the pages are written to a folder. It is a script and not JSON, because a page that was
opened from a folder may load a script, but may not fetch a file. `search.js` searches it in the
reader's browser: no word that a reader looks for leaves it.
"""

import re
from collections.abc import Iterator

import msgspec

from .in_step import MARK
from .links import INDEX, Links, LinkTarget
from .prose import anchor_for
from .tree import FENCE

__all__ = ["index_script", "sections"]

MAX_TEXT = 1500
"""Largest text of an entry, in characters. A longer one is a table of measurements."""

HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
SYNTAX = re.compile(r"^```\w*|<!--.*?-->|\]\([^)]*\)|[`*\[]", re.MULTILINE)
DEFINITION = re.compile(r"^(?:class|def|async def) ([A-Za-z]\w*)", re.MULTILINE)
DOCSTRING = re.compile(r'(?:(?!\n[^\s)])[^"])*?:\n\s+r?"""(.*?)(?:\n\n|""")', re.DOTALL)
"""The first paragraph of a docstring, after the name that it describes. What begins at the margin,
except the end of a list of arguments, belongs to another name."""


def index_script(links: Links) -> str:
    """Return the index of all pages as a script."""
    rows = (msgspec.json.encode(entry).decode() for entry in _entries(links))
    return "globalThis.courseIndex = [\n" + ",\n".join(rows) + "\n];\n"


def sections(markdown: str) -> Iterator[tuple[str, str, str]]:
    """Yield the anchor, the heading and the text of each section. The first section, which begins
    with the title, has no anchor."""
    outside = FENCE.sub(lambda fence: re.sub("^#", "~", fence[0], flags=re.MULTILINE), markdown)
    found = list(HEADING.finditer(outside))
    taken: set[str] = set()
    for number, heading in enumerate(found):
        end = found[number + 1].start() if number + 1 < len(found) else len(markdown)
        title = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading[1])
        mark = MARK.search(markdown, heading.end(), end)
        anchor = (mark and mark["anchor"]) or anchor_for(title, taken)
        if number:
            taken.add(anchor)
        text = " ".join(SYNTAX.sub("", markdown[heading.end() : end]).replace("|", " ").split())
        yield anchor if number else "", title, text


def _entries(links: Links) -> Iterator[tuple[str, str, str, str]]:
    tree = links.tree
    documents = [name for name in tree.names if name.endswith(".md")]
    # Among equal results the first entry wins: lessons, other documents, then the source.
    for name in sorted(documents, key=lambda name: (tree.lesson(name) is None, name)):
        for anchor, title, text in sections(tree.document(name, links.language)):
            where = tree.title(name, links.language)
            href = links.href(INDEX, LinkTarget(name, anchor))
            yield href, title, "" if title == where else where, text[:MAX_TEXT]
    for name in tree.names:
        if not name.endswith(".md"):
            summary = " ".join(tree.summary(name, links.language).split())
            yield links.href(INDEX, LinkTarget(name)), name, "", summary[:MAX_TEXT]
        if name.endswith(".py") and not name.startswith("tests/"):
            for found in DEFINITION.finditer(tree.text(name)):
                docstring = DOCSTRING.match(tree.text(name), found.end())
                text = " ".join(docstring[1].split()) if docstring else ""
                href = links.href(INDEX, LinkTarget(name, found[1]))
                yield href, found[1], name, text[:MAX_TEXT]
