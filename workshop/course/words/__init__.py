"""Every word of the pages' frame and of the figures: one table for each language.

    say = Words("en")
    say("minutes", number=12)      ->   "12 min"

The text of a lesson is not here: it is in `README.md`, and its translation beside it, in
`README.zh-CN.md`. Pages in the language of the project are at `/course/`, all others at
`/course/LANGUAGE/`. To add a language, write its table (every key of `english.py`, with the same
`{names}`), add it to `TABLES`, and translate as many lessons as you like: a page without a
translation is shown in English, in the frame of the other language.
"""

from collections.abc import Mapping
from functools import cache
from gettext import NullTranslations

from ...language import catalogue
from . import chinese, english

__all__ = ["ENGLISH", "TABLES", "Words", "first_paragraph", "one_line"]

ENGLISH = "en"
"""The language of the project's files, as BCP 47 names it."""

TABLES: dict[str, Mapping[str, str]] = {ENGLISH: english.WORDS, "zh-CN": chinese.WORDS}
"""The tables by language. The first one is the language of the project's files."""


def one_line(paragraph: str) -> str:
    """Return a paragraph without its line breaks, as the catalogue of modules has it."""
    return " ".join(paragraph.split())


@cache
def _modules(language: str) -> NullTranslations:
    try:
        return catalogue(language, "modules")
    except FileNotFoundError:
        return NullTranslations()


def first_paragraph(text: str, language: str) -> str | None:
    """Return the first paragraph of a module's docstring in a language, or None if it is not
    translated."""
    paragraph = one_line(text)
    translated = _modules(language).gettext(paragraph)
    return translated if translated != paragraph else None


class Words:
    """The words of one language.

    Args:
        language: A key of `TABLES`.
    """

    def __init__(self, language: str = ENGLISH) -> None:
        self.language = language
        self._table = TABLES[language]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text, with these values in the places of their `{names}`.

        Raises:
            KeyError: The table has no such text, or the text needs a value that was not given.
        """
        text = self._table[key]
        return text.format(**values) if values else text

    def group(self, name: str) -> dict[str, str]:
        """Return all texts whose keys begin with `name.`, by the rest of the key."""
        start = f"{name}."
        return {
            key[len(start) :]: text for key, text in self._table.items() if key.startswith(start)
        }
