"""The two pages that are lists: the contents, and all files of the source.

    index     each lesson with its question, and the minutes that it takes to read
    source    each folder with its files, each file with the first sentence of its docstring

The question is the first one of the lesson's first section, in which the reader predicts what will
happen. The minutes are an estimate from the lesson's length: see `minutes`.
"""

import posixpath
import re
from collections.abc import Collection
from html import escape

from .links import INDEX, SOURCE, Links, LinkTarget
from .prose import Heading, Prose
from .shell import article, contents, idea, link
from .tree import FENCE
from .words import ENGLISH, Words

__all__ = ["contents_page", "minutes", "question", "source_list"]

ORDER = ["protocol", "servers", "clients", "workshop", "tests"]

WORDS_PER_MINUTE = 170  # plain English that explains something, read in a second language
CHARACTERS_PER_MINUTE = 320  # the same for Chinese
LINES_PER_MINUTE = 25  # lines of transcripts and code
CHINESE = re.compile("[\u3400-\u9fff]")

SECTION = re.compile(r"^## [^\n]*\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
QUESTION = re.compile(r".*?[?？]", re.DOTALL)


def minutes(markdown: str) -> int:
    """Return how long it takes to read a page, in minutes. To do what it says takes longer."""
    code = sum(str(fence).count("\n") - 1 for fence in FENCE.findall(markdown))
    prose = FENCE.sub("", markdown)
    characters = len(CHINESE.findall(prose))
    words = len(CHINESE.sub(" ", prose).split())
    time = words / WORDS_PER_MINUTE + characters / CHARACTERS_PER_MINUTE + code / LINES_PER_MINUTE
    return max(1, round(time))


def question(markdown: str) -> str:
    """Return the text up to the first question of a lesson's first section, or ""."""
    section = SECTION.search(COMMENT.sub("", FENCE.sub("", markdown)))
    paragraph = section[1].strip().partition("\n\n")[0] if section else ""
    found = QUESTION.match(paragraph)
    return " ".join(found[0].split()) if found else ""


def contents_page(links: Links, prose: Prose, say: Words, passed: Collection[int]) -> str:
    """Return the `main` element of the contents.

    Args:
        links: The links of the tree.
        prose: The renderer of the questions.
        say: The words of the language.
        passed: The numbers of the lessons whose exercise the reader has passed.
    """
    tree, language = links.tree, say.language
    numbers = {name: tree.lesson(name) for name in tree.lessons}
    cards = ""
    for name, number in numbers.items():
        text = tree.document(name, language)
        title = link(links, INDEX, LinkTarget(name), escape(idea(tree.title(name, language))))
        tick = ""
        if number in passed:
            tick = f' <span class="tick">✓ {escape(say("passed"))}</span>'
        time = escape(say("minutes", number=minutes(text)))
        cards += (
            f'<li>\n<span class="number" aria-hidden="true">{number}</span>\n'
            f"<div><h3>{title}</h3>\n<p>{prose.inline(name, question(text))}</p></div>\n"
            f'<p class="time" title="{escape(say("minutes-title"))}">{time}{tick}</p>\n</li>\n'
        )
    documents = "".join(
        f"<li>{link(links, INDEX, LinkTarget(name), escape(tree.title(name, language)))}</li>\n"
        for name in tree.names
        if name.endswith(".md") and not tree.lesson(name)
    )
    after = [name for name, number in numbers.items() if number not in passed]
    begin = after[0] if after else next(iter(numbers), "")
    key = "contents.continue" if passed and after else "contents.start"
    buttons = link(links, INDEX, LinkTarget(SOURCE), escape(say("contents.source")))
    if begin:
        first = escape(say(key, number=numbers[begin]))
        href = escape(links.href(INDEX, LinkTarget(begin)))
        buttons = f'<a class="first" href="{href}">{first}</a> {buttons}'
    count = ""
    if passed:
        told = say("passed-count", number=len(passed), all=len(numbers))
        count = f'<p class="note">{escape(told)}</p>\n'
    html = (
        f'<h1>{escape(say("title"))}</h1>\n<p class="lead">{escape(say("contents.lead"))}</p>\n'
        f'<p class="begin">{buttons}</p>\n{count}'
        f'<h2 id="lessons">{escape(say("lessons"))}</h2>\n<ol class="cards">\n{cards}</ol>\n'
        f'<p class="note">{escape(say("contents.hint"))}</p>\n'
        f'<h2 id="more">{escape(say("contents.more"))}</h2>\n<ul class="documents">\n{documents}'
        "</ul>\n"
    )
    return article(html, [], say)


def source_list(links: Links, prose: Prose, say: Words) -> str:
    """Return the `main` element of the list of all files. Inner folders are folded: a link to one
    of them opens it."""
    html, headings = "", []
    for folder, names in _folders(links).items():
        anchor = escape(folder or "top")
        shown = f"<code>{escape(folder)}/</code>" if folder else escape(say("source.top"))
        about = ""
        package = f"{folder}/__init__.py"
        if package in links.tree and (summary := links.tree.summary(package, say.language)):
            about = f"<p>{prose.inline(package, _first_sentence(summary))}</p>\n"
        rows = "".join(_row(links, prose, say, name) for name in names)
        files = f'<dl class="files">\n{rows}</dl>\n' if rows else ""
        if "/" not in folder:
            title = f"{folder}/" if folder else say("source.top")
            headings.append(Heading(folder or "top", title, is_code=bool(folder)))
            html += f'<h2 id="{anchor}">{shown}</h2>\n{about}{files}'
        elif rows:
            lines = sum(links.tree.text(name).count("\n") for name in names)
            size = escape(say("source.folder", files=len(names), lines=f"{lines:,}"))
            html += (
                f"<details>\n<summary><h3>{shown}</h3> <small>{size}</small></summary>\n"
                f'<div id="{anchor}">\n{about}{files}</div>\n</details>\n'
            )
        else:
            html += f'<span id="{anchor}"></span>'
    return (
        f'<main id="-main" class="sheet source-list">\n{contents(headings, say)}<article>\n'
        f'<h1>{escape(say("source"))}</h1>\n<p class="lead">{escape(say("source.lead"))}</p>\n'
        f"{html}</article>\n</main>"
    )


def _row(links: Links, prose: Prose, say: Words, name: str) -> str:
    tree, language = links.tree, say.language
    is_page = name.endswith(".md")
    summary = tree.title(name, language) if is_page else tree.summary(name, language)
    base = f"<code>{escape(posixpath.basename(name))}</code>"
    lines = say("source.lines", number=links.tree.text(name).count("\n"))
    file = link(links, SOURCE, LinkTarget(name), base)
    about = prose.inline(SOURCE, _first_sentence(summary))
    is_english = language != ENGLISH and not CHINESE.search(summary)
    of = f' lang="{ENGLISH}"' if is_english else ""
    return f"<dt>{file} <small>{escape(lines)}</small></dt><dd{of}>{about}</dd>\n"


def _first_sentence(text: str) -> str:
    match = re.match(r".*?(?:[.](?=\s|$)|。)", text, re.DOTALL)
    return " ".join((match[0] if match else text).split())


def _folders(links: Links) -> dict[str, list[str]]:
    """Return the files by folder. Folders that hold only folders are included."""
    folders: dict[str, list[str]] = {}
    for name in links.tree.names:
        folder = posixpath.dirname(name)
        while folder := posixpath.dirname(folder):
            folders.setdefault(folder, [])
        folders.setdefault(posixpath.dirname(name), []).append(name)

    def place(folder: str) -> tuple[int, str]:
        top = folder.split("/")[0]
        return (ORDER.index(top) if top in ORDER else len(ORDER), folder)

    return {folder: folders[folder] for folder in sorted(folders, key=place)}
