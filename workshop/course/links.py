"""What leads where: from a word in prose, from a link, from a file to those that speak of it.

    RFC 9112 §7.1              the standard's own text, at that section
    §9.2.6                     of the standard that was named last
    `routes.py`, head.py       the page of that module, as seen from the file that says so
    test_fast_path             the test's page, at that function
    ../../protocol/sse.py#id   the page, at that region, class or function

A lesson links to code, and the code's page says which lessons do; code names a test, and the test's
page says which modules it imports: each way is found from the other.
"""

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

import msgspec

from .tree import FENCE, Tree

__all__ = ["INDEX", "Links", "Standard", "Target"]

INDEX = "index"
"""The name of the page of contents, which is no file."""

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


class Target(msgspec.Struct, frozen=True):
    """A place in the course: a page, and what of it."""

    page: str
    fragment: str = ""


class Standard:
    """Which standard a passage speaks of, so that a section alone (`§7.1`) leads somewhere.

    Args:
        said: the text that comes before it, such as the module's docstring. If that names one
            standard and no other, the passage is about it.
    """

    def __init__(self, said: str = "") -> None:
        named = {match["rfc"] or "html" for match in WORD.finditer(said) if _names_standard(match)}
        self._last = named.pop() if len(named) == 1 else ""

    def url(self, match: re.Match[str]) -> str | None:
        """Where a match of `WORD` leads, if it names a section or a standard."""
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
    """The links of a tree, as it is now."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
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

    def href(self, page: str, target: Target) -> str:
        """The relative URL that leads from a page to a target."""
        if page == target.page and target.fragment:
            return "#" + quote(target.fragment)
        path = posixpath.relpath(target.page, posixpath.dirname(page) or ".") + ".html"
        return quote(path) + (f"#{quote(target.fragment)}" if target.fragment else "")

    def resolve(self, page: str, href: str) -> Target | None:
        """What a relative link in a file means: the page that it names, or a folder's."""
        path, _, fragment = unquote(href).partition("#")
        if not path:
            return Target(page, fragment)
        name = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        if name in self.tree:
            return Target(name, fragment)
        readme = f"{name}/README.md"
        if readme in self.tree:
            return Target(readme, fragment)
        if any(each.startswith(name + "/") for each in self.tree.names):
            return Target(INDEX, name)
        return None

    def word(self, page: str, match: re.Match[str], standard: Standard) -> str | None:
        """The URL that a match of `WORD` on a page leads to."""
        if test := match["test"]:
            target = self.test(test)
            return self.href(page, target) if target else None
        if file := match["file"]:
            name = self.file(page, file)
            return self.href(page, Target(name)) if name and name != page else None
        return standard.url(match)

    def test(self, name: str) -> Target | None:
        """A test by its function's name, or by its file's without `.py`."""
        if name in self._tests:
            return Target(self._tests[name], name)
        files = self._by_basename.get(name + ".py", [])
        return Target(files[0]) if len(files) == 1 else None

    def file(self, page: str, path: str) -> str | None:
        """A file that is named on a page: beside it, else above, else the only one so named."""
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

    def written(self, page: str) -> Iterator[tuple[str, Target | None]]:
        """The links in a Markdown file that do not leave the clone, and what they mean."""
        for href in LINK.findall(FENCE.sub("", self.tree.text(page))):
            if not re.match(r"[a-z]+:", href):
                yield href, self.resolve(page, href)

    def _imports(self, name: str) -> Iterator[str]:
        """The project's files that a module imports: `from .body import Body` is body.py."""
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
