"""Code as lines of HTML: pygments finds the tokens, `style.css` gives them colours.

    return b"0"   ->   <span class="k">return</span> <span class="s">b&quot;0&quot;</span>

A few classes are enough, and names, operators and brackets have none: a page of code is calm when
most of it is ink. Nothing here writes a style attribute; the pages' policy would not allow it.
"""

from functools import cache
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
    """The language of a file, by its name."""
    return LANGUAGES.get(PurePosixPath(name).suffix, "text")


def highlight(code: str, language: str) -> list[str]:
    """One piece of HTML for each line of the code, without line ends.

    Args:
        code: any text. Nothing in it can become markup.
        language: as a Markdown fence names it; one that nobody knows is plain text.
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
    return lines[:-1]


@cache
def _class(kind: Any) -> str:
    """Of the kind of a token, or of the nearest that it is a kind of."""
    return next((CLASSES[each] for each in reversed(kind.split()) if each in CLASSES), "")


def _lexer(language: str) -> Lexer:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return get_lexer_by_name("text", stripnl=False, ensurenl=False)
