"""Finds the targets of links: of words in prose, of Markdown links, and of the links between files.

    RFC 9112 §7.1              the text of the standard, at that section
    §9.2.6                     the same for the standard that was named last
    `routes.py`, head.py       the page of that module, as seen from the file with the word
    test_fast_path             the page of the test, at that function
    ../../protocol/sse.py#id   the page, at that region, class or function

Links work in both directions. A lesson links to code, and the page of the code lists the lessons
that link to it. The name of a test in code links to the test, and the page of a test lists the
modules that the test imports.
"""

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

import msgspec

from .tree import FENCE, Tree
from .words import ENGLISH

__all__ = ["INDEX", "SOURCE", "LinkTarget", "Links", "Standard"]

INDEX = "index"
"""The name of the contents page, which is not made from a file."""

SOURCE = "source"
"""The name of the page with the list of all files."""

WORD = re.compile(
    r"""
      RFC\ (?P<rfc>[0-9]{3,5}) (?:,?\ §\ ?(?P<rfc_section>[0-9]+(?:\.[0-9]+)*))?
    | WHATWG\ HTML (?:\ §\ ?(?P<html_section>[0-9]+(?:\.[0-9]+)*))?
    | §\ ?(?P<section>[0-9]+(?:\.[0-9]+)*)
    | \b(?P<test>test_\w+)\b(?!\.py)
    | (?<![\w/.-])(?P<file>(?:[\w-]+/)*[\w-]+\.(?:py|js|md))\b
    """,
    re.VERBOSE,
)
LINK = re.compile(r"\]\(([^()\s]+)\)")
TEST = re.compile(r"^[ \t]*(?:async )?def (test_\w+)", re.MULTILINE)
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]*)"
    r"|import[ \t]+([\w., ]+))",
    re.MULTILINE,
)

HTML_STANDARD = "https://html.spec.whatwg.org/multipage/server-sent-events.html"
HTML_SECTIONS = {
    "9.2": "server-sent-events",
    "9.2.1": "server-sent-events-intro",
    "9.2.2": "the-eventsource-interface",
    "9.2.3": "sse-processing-model",
    "9.2.4": "the-last-event-id-header",
    "9.2.5": "parsing-an-event-stream",
    "9.2.6": "event-stream-interpretation",
    "9.2.7": "authoring-notes",
}


class LinkTarget(msgspec.Struct, frozen=True):
    """A page of the course, and perhaps an anchor on it.

    Args:
        page: The name of the page.
        fragment: The anchor, or "".
        language: The language of the page, or "" for the language of the page with the link.
    """

    page: str
    fragment: str = ""
    language: str = ""


class Standard:
    """The standard that a passage is about. With it, a section without a standard (`§7.1`) can be a
    link.

    Args:
        context: Text that comes before the passage, such as the module's docstring. If it names
            exactly one standard, the passage is about that one.
    """

    def __init__(self, context: str = "") -> None:
        matches = filter(_names_standard, WORD.finditer(context))
        named = {match["rfc"] or "html" for match in matches}
        self._last = named.pop() if len(named) == 1 else ""

    def url(self, match: re.Match[str]) -> str | None:
        """Return the URL for a match of `WORD`, or None if it names neither a section nor a
        standard."""
        if _names_standard(match):
            self._last = match["rfc"] or "html"
        section = match["rfc_section"] or match["html_section"] or match["section"]
        if self._last == "html" and (section is None or section in HTML_SECTIONS):
            return HTML_STANDARD + (f"#{HTML_SECTIONS[section]}" if section else "")
        if self._last and self._last != "html":
            url = f"https://www.rfc-editor.org/rfc/rfc{self._last}"
            return url + (f"#section-{section}" if section else "")
        return None


def _names_standard(match: re.Match[str]) -> bool:
    return match["rfc"] is not None or match[0].startswith("WHATWG")


class Links:
    """The links in the files of a tree, in their current versions.

    Args:
        tree: The files.
        language: The language of the pages with the links.
    """

    def __init__(self, tree: Tree, language: str = ENGLISH) -> None:
        self.tree = tree
        self.language = language
        python = [name for name in tree.names if name.endswith(".py")]
        self._by_basename: dict[str, list[str]] = {}
        for name in tree.names:
            self._by_basename.setdefault(posixpath.basename(name), []).append(name)
        self._tests = {
            test: name
            for name in python
            if name.startswith("tests/")
            for test in TEST.findall(tree.text(name))
        }
        self.imports = {name: sorted({*self._imports(name)} - {name}) for name in python}
        self.importers: dict[str, list[str]] = {}
        for name, imported in self.imports.items():
            for each in imported:
                self.importers.setdefault(each, []).append(name)
        self.lessons: dict[str, list[tuple[str, str]]] = {}  # page: (lesson, fragment)
        for lesson in tree.lessons:
            for _, target in self.written(lesson):
                if target is not None and not target.page.endswith(".md"):
                    self.lessons.setdefault(target.page, []).append((lesson, target.fragment))

    def href(self, page: str, target: LinkTarget) -> str:
        """Return the relative URL from a page to a target."""
        if page == target.page and target.fragment and not target.language:
            return "#" + quote(target.fragment)
        there = _place(target.page, target.language or self.language)
        here = posixpath.dirname(_place(page, self.language))
        path = posixpath.relpath(f"/{there}", f"/{here}") + ".html"
        return quote(path) + (f"#{quote(target.fragment)}" if target.fragment else "")

    def asset(self, page: str, file: str) -> str:
        """Return the relative URL from a page to a file that the pages load."""
        here = posixpath.dirname(_place(page, self.language))
        return quote(posixpath.relpath(f"/{file}", f"/{here}"))

    def resolve(self, page: str, href: str) -> LinkTarget | None:
        """Return the target of a relative link in a file. A link to a file leads to the file's
        page. A link to a folder leads to the page of its README, or to its entry in the list of
        files. Returns None if there is no such file or folder."""
        path, _, fragment = unquote(href).partition("#")
        if not path:
            return LinkTarget(page, fragment)
        # The Chinese README of the project is in another folder than the English one.
        written = self.tree.translation(page, self.language) or page
        name = posixpath.normpath(posixpath.join(posixpath.dirname(written), path))
        if name in self.tree:
            # In a translated page, a link to a page that is translated too leads back to English.
            leaves = self.tree.translation(page, self.language) and self.tree.translation(
                name, self.language
            )
            return LinkTarget(name, fragment, ENGLISH if leaves else "")
        if translated := self.tree.original(name):
            return LinkTarget(translated[0], fragment, translated[1])
        readme = f"{name}/README.md"
        if readme in self.tree:
            return LinkTarget(readme, fragment)
        if any(each.startswith(name + "/") for each in self.tree.names):
            return LinkTarget(SOURCE, name)
        return None

    def word(self, page: str, match: re.Match[str], standard: Standard) -> str | None:
        """Return the URL for a match of `WORD` on a page, or None."""
        if test := match["test"]:
            target = self.test(test)
            return self.href(page, target) if target else None
        if file := match["file"]:
            name = self.file(page, file)
            return self.href(page, LinkTarget(name)) if name and name != page else None
        return standard.url(match)

    def test(self, name: str) -> LinkTarget | None:
        """Find a test by the name of its function, or of its file without `.py`."""
        if name in self._tests:
            return LinkTarget(self._tests[name], name)
        files = self._by_basename.get(name + ".py", [])
        return LinkTarget(files[0]) if len(files) == 1 else None

    def file(self, page: str, path: str) -> str | None:
        """Find a file that a page names: in the page's folder, in a folder above it, or anywhere if
        only one file has this name."""
        folder = posixpath.dirname(page)
        while True:
            name = posixpath.normpath(posixpath.join(folder, path))
            if name in self.tree:
                return name
            if not folder:
                break
            folder = posixpath.dirname(folder)
        found = [
            name
            for name in self._by_basename.get(posixpath.basename(path), [])
            if name.endswith("/" + path) and not name.startswith("tests/")
        ]
        return found[0] if len(found) == 1 else None

    def written(self, page: str) -> Iterator[tuple[str, LinkTarget | None]]:
        """Yield the relative links in a Markdown file, with their targets."""
        for href in LINK.findall(FENCE.sub("", self.tree.document(page, self.language))):
            if not re.match(r"[a-z]+:", href):
                yield href, self.resolve(page, href)

    def _imports(self, name: str) -> Iterator[str]:
        """Yield the project's files that a module imports: `from .body import Body` imports
        body.py."""
        package = posixpath.dirname(name).split("/")
        for dots, module, names, plain in IMPORT.findall(self.tree.text(name)):
            base = package[: len(package) + 1 - len(dots)] if dots else []
            parts = [*base, *filter(None, module.split("."))]
            candidates = [part.strip().split(" ")[0].split(".") for part in plain.split(",")]
            for each in re.findall(r"[\w.]+", re.sub(r"\bas\s+\w+", "", names)):
                inner = [*parts, each]
                candidates.append(inner if self._module(inner) else parts)
            yield from filter(None, map(self._module, candidates))

    def _module(self, parts: list[str]) -> str | None:
        path = "/".join(parts)
        return next(
            (name for name in (f"{path}.py", f"{path}/__init__.py") if name in self.tree), None
        )


def _place(page: str, language: str) -> str:
    """Return the path of a page below the course's address, without `.html`."""
    return page if language == ENGLISH else f"{language}/{page}"
