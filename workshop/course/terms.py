"""Hints for a reader whose first language is not English: the glossary's terms in English comments.

    A slow reader needs back pressure.      back pressure: has a tooltip, 背压

The terms are read from the glossary of that language, `GLOSSARY.zh-CN.md`, so there is no second
list. A term has one hint in each passage, at its first place.
"""

import re
from html import escape

from .tree import Tree
from .words import ENGLISH

__all__ = ["Terms"]

GLOSSARY = "workshop/GLOSSARY.md"
ROW = re.compile(r"^\| (?P<theirs>[^|]+) \| (?P<english>[^|]+) \|", re.MULTILINE)
TOO_COMMON = {"read", "write", "close", "client", "token", "English"}


class Terms:
    """The terms of a glossary.

    Args:
        tree: The files.
        language: The language of the hints.
    """

    def __init__(self, tree: Tree, language: str) -> None:
        self._hints: dict[str, str] = {}
        glossary = tree.translation(GLOSSARY, language) if language != ENGLISH else None
        for row in ROW.finditer(tree.text(glossary)) if glossary else ():
            theirs, english = row["theirs"].split("，"), row["english"].split(", ")
            for place, term in enumerate(english):  # one Chinese word for each, or one for all
                hint = theirs[place] if len(theirs) == len(english) else row["theirs"]
                if term not in TOO_COMMON and "（不译）" not in hint and hint != term:
                    self._hints[term] = hint
        longest_first = sorted(map(re.escape, self._hints), key=len, reverse=True)
        self._pattern = re.compile(rf"\b({'|'.join(longest_first) or '(?!)'})s?\b")

    def html(self, text: str, hinted: set[str]) -> str:
        """Return a text as HTML, with hints for the terms that have none yet in `hinted`."""
        html, end = "", 0
        for match in self._pattern.finditer(text):
            if match[1] not in hinted:
                hinted.add(match[1])
                hint = escape(self._hints[match[1]])
                html += escape(text[end : match.start()])
                html += f'<span class="term" title="{hint}">{escape(match[0])}</span>'
                end = match.end()
        return html + escape(text[end:])
