"""The page of a Python module: its prose on the left, its code on the right.

Each row is a section of the file (weave.py). On the left it has the name of the class or function
that begins there, the lessons that show it, and its docstring and comments. On the right it has the
code with the line numbers of the file. Each line number is an anchor: `#L120`. Classes and
functions (`#ChunkedDecoder.receive_data`), regions, and titles in comments (`#the-request`) are
anchors too.
"""

import posixpath
from collections.abc import Sequence
from html import escape

from .colours import highlight, language_of
from .links import Links, LinkTarget
from .prose import Heading, Prose, code_lines
from .shell import contents, crumbs, link
from .tree import slug
from .weave import LineKind, Section, Woven
from .words import ENGLISH, Words

__all__ = ["file_page", "source_page"]


def source_page(name: str, links: Links, prose: Prose, say: Words) -> str:
    """Return the `main` element of a Python module's page."""
    woven = links.tree.woven(name)
    sections = [section for section in woven.sections if not section.is_empty]
    intro = docstring = ""
    for block in sections[0].blocks if sections and not sections[0].has_code else ():
        docstring += block.text + "\n\n"
    if docstring.strip():
        intro = _intro(name, docstring, links, prose)
        del sections[0]
    page = _SourcePage(name, links, prose, say, woven, sections, docstring)
    rows = "".join(map(page.row, sections))
    facts = "".join(f"<li>{fact}</li>\n" for fact in _facts(name, links, say))
    return (
        f'<main id="-main" class="source">\n<div class="intro">\n{crumbs(links, name)}'
        f'<div class="prose">{intro}</div>\n<ul class="facts">\n{facts}</ul>\n'
        f'{contents(page.headings, say)}</div>\n<div class="woven"{_of(links)}>\n{rows}</div>\n'
        "</main>"
    )


def _intro(name: str, docstring: str, links: Links, prose: Prose) -> str:
    """Return a module's docstring. Its first paragraph is in the page's language."""
    first, _, rest = docstring.partition("\n\n")
    translated = links.tree.summary(name, links.language)
    if translated == first:
        html = prose.comment(name, docstring)
        return f"<div{_of(links)}>{html}</div>" if _of(links) else html
    rest = prose.comment(name, rest, docstring)
    return f"{prose.comment(name, translated)}<div{_of(links)}>{rest}</div>"


def _of(links: Links) -> str:
    """Return the attribute of a text that is in English on pages in another language."""
    return "" if links.language == ENGLISH else f' lang="{ENGLISH}"'


def file_page(name: str, links: Links, say: Words) -> str:
    """Return the `main` element for any other file: its highlighted lines."""
    lines = highlight(links.tree.text(name), language_of(name))
    regions = links.tree.woven(name).regions
    anchors = {span.first: _anchor(region) for region, span in regions.items()}
    facts = "".join(f"<li>{fact}</li>\n" for fact in _facts(name, links, say))
    return (
        f'<main id="-main" class="source">\n<div class="intro">\n{crumbs(links, name)}'
        f'<ul class="facts">\n{facts}</ul>\n</div>\n'
        f'<div class="whole">{code_lines(list(enumerate(lines, 1)), anchors)}</div>\n</main>'
    )


class _SourcePage:
    """Makes the rows of one page. No anchor is used twice.

    Args:
        context: The module's docstring.

    Attributes:
        headings: Entries of the table of contents: titles, and public names.
    """

    def __init__(
        self,
        name: str,
        links: Links,
        prose: Prose,
        say: Words,
        woven: Woven,
        sections: Sequence[Section],
        context: str,
    ) -> None:
        self._name = name
        self._links = links
        self._prose = prose
        self._say = say
        self._context = context
        self._lines = highlight(woven.text, "python")
        rows = {section.name for section in sections}
        inner = {
            name: span
            for name, span in (woven.regions | woven.definitions).items()
            if name not in rows
        }
        self._anchors: dict[int, str] = {}
        for inner_name, span in inner.items():
            before = self._anchors.get(span.first, "")
            self._anchors[span.first] = before + _anchor(inner_name)
        self._taken = {*woven.regions, *woven.definitions}
        self.headings: list[Heading] = []

    def row(self, section: Section) -> str:
        prose = self._title(section) + self._heading(section)
        shown: list[tuple[int, str]] = []
        for block in section.blocks:
            if block.kind is LineKind.CODE:
                numbers = range(block.first, block.first + len(block.lines))
                shown += [(number, self._lines[number - 1]) for number in numbers]
            elif block.text:
                prose += self._prose.comment(self._name, block.text, self._context)
        while shown and not shown[0][1].strip():
            del shown[0]
        while shown and not shown[-1][1].strip():
            shown.pop()
        anchor = f' id="{escape(section.name)}"' if section.name else ""
        code = code_lines(shown, self._anchors) if shown else ""
        return (
            f'<section{anchor}>\n<div class="prose">{prose}</div>\n'
            f'<div class="code">{code}</div>\n</section>\n'
        )

    def _title(self, section: Section) -> str:
        if not section.title:
            return ""
        anchor = slug(section.title)
        while anchor in self._taken:
            anchor += "-"
        self._taken.add(anchor)
        self.headings.append(Heading(anchor, section.title))
        return f'<h2 id="{escape(anchor)}">{escape(section.title)}</h2>\n'

    def _heading(self, section: Section) -> str:
        """Return the name of the class or function that begins here, and the lessons that show a
        part of this section."""
        html = ""
        if name := section.name:
            parent, _, short = name.rpartition(".")
            if not name.startswith("_") and "._" not in name:
                self.headings.append(Heading(name, f".{short}" if parent else short, is_code=True))
            html = f'<a href="#{escape(name)}"><code>{escape(short)}</code></a>'
        lessons = {}
        for lesson, fragment in self._links.lessons.get(self._name, ()):
            span = self._links.tree.span(self._name, fragment)
            if span is not None and section.first <= span.first <= section.last:
                lessons[lesson] = fragment
        html += "".join(
            f' <span class="used">{_lesson(self._links, self._name, each, self._say)}</span>'
            for each in lessons
        )
        return f'<p class="name">{html}</p>\n' if html else ""


def _facts(name: str, links: Links, say: Words) -> list[str]:
    """Return the relations of a file to other files: its lessons, imports, users and tests."""
    facts = [escape(say("source.lines", number=links.tree.text(name).count("\n")))]
    lessons = list(dict.fromkeys(lesson for lesson, _ in links.lessons.get(name, ())))
    # The files of a lesson's folder, such as its exercise.
    own = f"{posixpath.dirname(name)}/README.md"
    if links.tree.lesson(own):
        lessons = [each for each in lessons if each != own]
        facts.append(f"{escape(say('source.part-of'))} {_lesson(links, name, own, say)}")
    if lessons:
        shown = ", ".join(_lesson(links, name, each, say) for each in lessons)
        facts.append(f"{escape(say('source.read-in'))} {shown}")
    importers = links.importers.get(name, [])
    stem = posixpath.splitext(posixpath.basename(name))[0]
    tests = [each for each in importers if posixpath.basename(each).startswith("test_")]
    users = [each for each in importers if not each.startswith("tests/")]
    is_test = name.startswith("tests/")
    for key, names in [
        ("source.tests" if is_test else "source.uses", links.imports.get(name, [])),
        ("source.used-by", importers if is_test else users),
        ("source.tested-by", [each for each in tests if f"test_{stem}" in each] or tests),
    ]:
        if names and not (is_test and key == "source.tested-by"):
            shown = ", ".join(_file(links, name, each) for each in names)
            facts.append(f"{escape(say(key))} {shown}")
    return facts


def _lesson(links: Links, page: str, lesson: str, say: Words) -> str:
    text = say("source.lesson", number=links.tree.lesson(lesson))
    return link(links, page, LinkTarget(lesson), escape(text))


def _file(links: Links, page: str, name: str) -> str:
    """Return a link to a file. The text is the file's name if it is in the page's folder, otherwise
    its path."""
    beside = posixpath.dirname(page) == posixpath.dirname(name)
    shown = posixpath.basename(name) if beside else name
    return link(links, page, LinkTarget(name), f"<code>{escape(shown)}</code>")


def _anchor(name: str) -> str:
    return f'<span id="{escape(name)}"></span>'
