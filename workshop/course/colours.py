"""Code as lines of HTML: pygments finds the tokens, `style.css` gives them colours.

    return b"0"   ->   <span class="k">return</span> <span class="s">b&quot;0&quot;</span>

A few classes are enough. Names, operators and brackets have no class: a page of code is calm if
most of it has one colour. Style attributes are never written, because the pages'
Content-Security-Policy forbids them.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from html import escape
from pathlib import PurePosixPath
from typing import Any

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String
from pygments.util import ClassNotFound

from .weave import split_lines

__all__ = ["highlight", "language_of"]

CLASSES = {
    Keyword: "k",
    Keyword.Constant: "m",
    Operator.Word: "k",
    String: "s",
    String.Escape: "e",
    String.Interpol: "e",
    Number: "m",
    Comment: "c",
    Name.Function: "f",
    Name.Class: "f",
    Name.Tag: "k",
    Name.Decorator: "d",
    Generic.Prompt: "p",
    Generic.Output: "o",
}

LANGUAGES = {
    ".py": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".css": "css",
    ".html": "html",
    ".json": "json",
    ".toml": "toml",
    ".c": "c",
    ".conf": "nginx",
}


def language_of(name: str) -> str:
    """Return the language of a file, as a Markdown fence names it."""
    return LANGUAGES.get(PurePosixPath(name).suffix, "text")


@lru_cache(maxsize=1024)  # a file is shown in each language of the pages, and in excerpts
def highlight(code: str, language: str) -> Sequence[str]:
    """Return the code as HTML, one string for each line, without line ends.

    Args:
        code: The code, which may be any text: all of it is escaped.
        language: The language, as a Markdown fence names it. Code in an unknown language is plain
            text.
    """
    source = "".join(line.rstrip("\r\n") + "\n" for line in split_lines(code))
    lines = [""]
    for kind, value in _lexer(language).get_tokens(source):
        name = _class(kind)
        for number, part in enumerate(value.split("\n")):
            if number:
                lines.append("")
            if part:
                html = escape(part)
                lines[-1] += f'<span class="{name}">{html}</span>' if name else html
    return tuple(lines[:-1])


@cache
def _class(kind: Any) -> str:
    """Return the CSS class of a token's kind, or of the nearest ancestor that has a class."""
    return next((CLASSES[each] for each in reversed(kind.split()) if each in CLASSES), "")


def _lexer(language: str) -> Lexer:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return get_lexer_by_name("text", stripnl=False, ensurenl=False)
