"""The language in which the workshop speaks: the first of these that names one it knows.

    workshop --lang zh-CN learn      the flag, anywhere before `--`
    WORKSHOP_LANG=zh-CN              this variable
    LANG=zh_CN.UTF-8                 the locale: LANGUAGE, LC_ALL, LC_MESSAGES, LANG

The source marks each English text. The translation is looked up when the program prints the text:

    _("line {line} raised {error}", line=3, error=error)    one sentence, and the values in it
    n_("{n} page", "{n} pages", n)                          the language's singular or plural for n

The translations are in locale/zh_CN/LC_MESSAGES: workshop.po is edited, and workshop.mo is made
from it (CONTRIBUTING.md). English loads nothing, so it starts as fast as before. This file uses the
standard library only, and no syntax newer than Python 3.8, because `workshop doctor` needs it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # to a type checker it is True; `import typing` would take 5 ms
if TYPE_CHECKING:
    import gettext

__all__ = [
    "LANGUAGES",
    "N_",
    "UnknownLanguageError",
    "_",
    "breaks",
    "catalogue",
    "choose",
    "chosen",
    "n_",
    "pad",
    "wrap",
]

LANGUAGES = {"en": "English", "zh-CN": "简体中文"}
LOCALE = os.path.join(os.path.dirname(__file__), "locale")
VARIABLE = "WORKSHOP_LANG"
# No line may begin with a character of CLOSING, or end with a character of OPENING.
CLOSING = "，。；：？！、）》”’…—·,.;:?!)]}％%"
OPENING = "（《“‘([{"

_catalogue: gettext.GNUTranslations | None = None
_language = ""


class UnknownLanguageError(ValueError):
    """The flag or WORKSHOP_LANG names a language that the workshop does not speak."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no language {name!r}. There are: {', '.join(LANGUAGES)}")


def choose(name: str = "") -> str:
    """Choose the language, from the flag or else from the environment. Returns its name.

    Programs that this one starts, such as the check of an exercise, speak the same language.

    Raises:
        UnknownLanguageError: The flag or WORKSHOP_LANG names no language of `LANGUAGES`.
    """
    global _catalogue, _language
    if wanted := name or os.environ.get(VARIABLE, ""):
        language = known(wanted)
        if not language:
            raise UnknownLanguageError(wanted)
    else:
        language = of_locale()
    if language == "en":
        _catalogue = None
    else:
        import gettext

        _catalogue = catalogue(language)
        # argparse looks up its own words ("usage:") in gettext's global domain, and nowhere else.
        gettext.bindtextdomain("workshop", LOCALE)
        gettext.textdomain("workshop")
        os.environ["LANGUAGE"] = language.replace("-", "_")
    if name:
        os.environ[VARIABLE] = language
    _language = language
    return language


def catalogue(language: str, name: str = "workshop") -> gettext.GNUTranslations:
    """Return a catalogue: "workshop" has what the commands say, "modules" the first paragraph of
    each module."""
    import gettext

    folder = os.path.join(LOCALE, language.replace("-", "_"), "LC_MESSAGES")
    with open(os.path.join(folder, f"{name}.mo"), "rb") as file:
        return gettext.GNUTranslations(file)


def chosen() -> str:
    """Return the name of the language, which is chosen now if it has not been chosen yet."""
    return _language or choose()


def known(name: str) -> str:
    """Return our name for a language or locale: "zh_CN.UTF-8" is "zh-CN". "" if it is unknown."""
    code = name.partition(".")[0].partition("@")[0].replace("_", "-").lower()
    exact = {language.lower(): language for language in LANGUAGES}
    base = {language.partition("-")[0]: language for language in LANGUAGES}
    return exact.get(code) or base.get(code.partition("-")[0], "")


def of_locale() -> str:
    """Return the language of the locale, or English if the workshop does not speak it."""
    variables = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next(filter(None, map(os.environ.get, variables)), "")
    if known(locale) or locale.partition(".")[0] not in ("", "C", "POSIX"):
        names = os.environ.get("LANGUAGE", "").split(":")  # a list; it does not count in locale C
        return next(filter(None, map(known, [*names, locale])), "en")
    return "en"


def _(message: str, /, **values: object) -> str:
    """Return a message in the chosen language, with these values in the places of their names."""
    if not _language:
        choose()
    if _catalogue is not None:
        message = _catalogue.gettext(message)
    return message.format(**values) if values else message


def n_(one: str, many: str, n: float, /, **values: object) -> str:
    """Return the singular or the plural of a message, as `n` needs it. {n} in it becomes `n`."""
    if not _language:
        choose()
    if _catalogue is None:
        message = one if n == 1 else many
    else:
        message = _catalogue.ngettext(one, many, int(n))
    return message.format(n=n, **values)


def N_(message: str) -> str:
    """Mark a constant. Its translation is looked up when it is printed: `_(TITLE)`."""
    return message


# ---- Han characters take two cells of a terminal


def cells(text: str) -> int:
    """Return the number of terminal cells of a text without emoji sequences."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(sign) or sign == "\ufe0f" else 2 if east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def pad(text: str, width: int) -> str:
    """Return a text with spaces after it, so that it takes at least `width` cells."""
    return text + " " * (width - cells(text))


def wrap(text: str, width: int) -> list[str]:
    """Break one paragraph into lines of at most `width` cells.

    A line ends at a space or between two Han characters. Punctuation stays with its text: no line
    begins with ， and none ends with （.
    """
    lines = []
    for place in reversed(breaks(text, width)):
        text, line = text[:place], text[place:]
        lines.append(line.rstrip())
    return [text.rstrip(), *reversed(lines)]


def breaks(text: str, width: int) -> list[int]:
    """Return the places at which a new line of a paragraph begins."""
    found, start, end = [], 0, 0
    for part in parts(text):
        if end > start and cells((text[start:end] + part).rstrip()) > width:
            found.append(end)
            start = end
        end += len(part)
    return found


def parts(text: str) -> list[str]:
    """Split a text at all places where a line may end: words, and single Han characters."""
    found = [""]
    before = " "
    for sign in text:
        wide = cells(sign) == 2 or cells(before) == 2
        may_break = (before == " " and sign != " ") or (wide and sign != " ")
        if may_break and sign not in CLOSING and before not in OPENING:
            found.append("")
        found[-1] += sign
        before = sign
    return found


def take_flag(arguments: list[str]) -> list[str]:
    """Choose the language, and return the arguments without `--lang`. What comes after `--` belongs
    to another program.

    Raises:
        UnknownLanguageError: The language is unknown, or the flag has no value.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours, name = arguments[:end], ""
    for place in reversed(range(len(ours))):
        if ours[place].startswith("--lang="):
            name = ours.pop(place).partition("=")[2]
        elif ours[place] == "--lang":
            name = ours[place + 1] if place + 1 < len(ours) else ""
            if not name:
                raise UnknownLanguageError(name)
            del ours[place : place + 2]
    choose(name)
    return ours + arguments[end:]
