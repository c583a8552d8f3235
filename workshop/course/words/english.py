"""The words of the pages in English, by their keys. A name in braces is a value's place."""

from .figures import FIGURES

__all__ = ["WORDS"]

FRAME = {
    "language": "English",
    "title": "Every byte of a streamed answer",
    "skip": "Skip to the text",
    "lessons": "Lessons",
    "menu": "Contents",
    "contents": "Contents",
    "source": "Source",
    "order": "Reading order",
    "questions": "Questions",
    "glossary": "Glossary",
    "chat": "Chat page",
    "places": "Places",
    "neighbours": "Before and after",
    "on-this-page": "On this page",
    "passed": "passed",
    "passed-count": "{number} of {all} exercises passed",
    "minutes": "{number} min",
    "minutes-title": "Time to read, without the exercise",
}

SEARCH = {
    "search.label": "Search lessons and source",
    "search.placeholder": "Search",
    "search.none": "Nothing has all of these words.",
    "search.failed": "The index could not be loaded.",
    "search.count": "{number} results",
    "copy.label": "Copy",
    "copy.done": "Copied",
    "copy.failed": "Not copied",
}

CONTENTS = {
    "contents.lead": (
        "From yield to the pixel. Twelve lessons, each with one idea, a program to run, bytes to "
        "look at and an exercise that checks itself."
    ),
    "contents.start": "Begin with lesson {number}",
    "contents.continue": "Continue with lesson {number}",
    "contents.source": "Read the source",
    "contents.more": "More to read",
    "contents.hint": (
        "A tick appears when workshop check has passed an exercise. Reading a lesson takes the "
        "minutes beside it; the exercise takes longer."
    ),
}

SOURCE = {
    "source.lead": (
        "All files of the project. A Python file is shown with its prose on the left and its code "
        "on the right."
    ),
    "source.top": "At the top",
    "source.folder": "{files} files, {lines} lines",
    "source.lines": "{number} lines",
    "excerpt.line": ", line {number}",
    "excerpt.lines": ", lines {first}–{last}",
    "source.uses": "Uses",
    "source.used-by": "Used by",
    "source.tests": "Tests",
    "source.tested-by": "Tested by",
    "source.read-in": "Read in",
    "source.part-of": "Part of",
    "source.lesson": "lesson {number}",
}

MISSING = {
    "missing.title": "There is no such page",
    "missing.text": (
        "The course has no page at this address. Perhaps its file was moved or renamed."
    ),
    "missing.near": "Pages with a similar name",
    "missing.home": "All lessons",
}

WORDS = FRAME | SEARCH | CONTENTS | SOURCE | MISSING | FIGURES
