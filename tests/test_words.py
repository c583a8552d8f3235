"""The prose is plain: what a pattern can see of the habits that make a sentence hard to read.

    Who reads slowly waits longer.       >    A slow reader waits longer.
    generous, for people type heads      >    generous, because people type heads
    the API behind the proxy             >    the upstream

Prose is Markdown outside its code, docstrings, and comments. What it quotes (`code`, "words") is
not judged. Each pattern stands beside what to write in its place.
"""

import ast
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from .test_laws import statements

ROOT = Path(__file__).parent.parent


class Habit(NamedTuple):
    pattern: re.Pattern[str]
    plain: str


def habit(pattern: str, plain: str) -> Habit:
    return Habit(re.compile(pattern), plain)


HABITS = {
    "headless": habit(
        r"(?:^|[.:;!?]\s+|\n)(?:Who|Whoever) (?!is\b[^.]*\?|[^.?!]*\?)[a-z]+ |"
        r"\b(?:for|to|of|by|with|from|than) (?:who|whoever|him who|those who) [a-z]+",
        "name the actor: “a client that …”, “readers who …”",
    ),
    "for": habit(
        r"\w, for (?:it|they|he|she|we|you|nobody|there|this|that|people|only|its|else)\b",
        "“because”",
    ),
    "behind": habit(
        r"\b(?:API|server|model|one|program|hop) behind\b(?! (?:a|the) (?:proxy|balancer))|"
        r"\bbehind (?:it|them|us|this proxy)\b",
        "“upstream”",
    ),
    "in front": habit(
        r"\b(?:proxy|hop|balancer|server|client) before (?:it|them|us|the server)\b",
        "“downstream”, “between … and …”",
    ),
    "no": habit(
        r"\b(?:is|are|was|were) no "
        r"(?:event stream|event|number|key|answer|text|JSON|HTTP|UTF-8|URL|more than that)\b",
        "“is not an …”",
    ),
    "clock": habit(
        r"\bclocks?\b[^.\n]{0,40}\b(?:run|runs|ran|running|wind|wound)\b|"
        r"\bwound up\b|\bwinds?\b (?:it|them|the)",
        "“timeout”, “deadline”, “reset”",
    ),
    "strike": habit(r"\b(?:strikes?|struck|striking)\b", "“is injected”, “happens at”"),
    "guilty": habit(r"\bguilty\b", "“faulty”, “the cause”"),
    "goodbye": habit(r"\b[Gg]oodbyes?\b", "“final wait”, “close”, “close_notify”"),
    "beat": habit(r"\bbeats?\b", "“heartbeat”"),
    "dear": habit(r"\b(?:is|are|too|and) dear\b", "“expensive”"),
    "leave": habit(
        r"\b(?:client|reader|peer|browser)s? (?:has|have|had|who|that)? ?"
        r"(?:left|leaves|leave|is gone|goes|went)\b",
        "“disconnected”",
    ),
    "let go": habit(r"\b(?:lets?|letting) (?:\w+ )?go\b", "“releases”, “closes”"),
    "joined": habit(
        r"[.)] (?:[a-z_]+, )*[a-z_]+: [A-Z]", "a line of its own for each argument or attribute"
    ),
    "aside": habit(r"\bso to speak\b|\bas it were\b", "leave it out"),
}

BENT = [  # the habit, a sentence that has it, the same in plain words
    ("joined", "size: Bytes. end: The end.", "size: Bytes.\n    end: The end."),
    ("headless", "Who is in the queue waits.", "Clients in the queue wait."),
    ("headless", "It is for who cannot wait.", "It is for callers that cannot wait."),
    ("for", "It is long, for people type it.", "It is long, because people type it."),
    ("behind", "the API behind says 200", "the upstream says 200"),
    ("in front", "the port of the proxy before it", "the port of the next proxy"),
    ("no", "what is no event stream", "what is not an event stream"),
    ("clock", "when a clock ran down", "when a timeout expired"),
    ("strike", "a fault strikes at event 3", "a fault is injected at event 3"),
    ("guilty", "the guilty hop", "the faulty hop"),
    ("goodbye", "a goodbye of two seconds", "a final wait of two seconds"),
    ("beat", "a beat between events", "a heartbeat between events"),
    ("dear", "it is right, and dear", "it is right, but expensive"),
    ("leave", "the client has left", "the client has disconnected"),
    ("let go", "it lets go of the socket", "it releases the socket"),
    ("aside", "a pool, so to speak", "a pool"),
]

# The module `tokenize` finds the same comments in this tree, and takes ten times as long. Only a
# comment inside an f-string, which Python 3.11 does not allow, is not seen.
STRING_OR_COMMENT = re.compile(
    r"""(?sx) [#][^\n]* | (?P<long>\"{3}|'{3}) (?:\\.|.)*? (?P=long)
    | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' """
)

ALLOWED: dict[tuple[str, str], str] = {}
"""(file, sentence): the reason why it may stay."""


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of each paragraph, without what it quotes."""
    text = path.read_text(encoding="utf-8")
    readers = {".md": markdown, ".py": python, ".js": javascript}
    for line, block in readers[path.suffix](text):
        for paragraph in re.finditer(r"(?:[^\n]+\n?)+", block):
            if not paragraph[0].startswith("    "):  # a sample
                yield line + block.count("\n", 0, paragraph.start()), unquoted(paragraph[0])


def markdown(text: str) -> Iterator[tuple[int, str]]:
    """A page without its fences, whose lines are empty."""
    fence = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
    yield 1, fence.sub(lambda code: "\n" * code[0].count("\n"), text)


def javascript(source: str) -> Iterator[tuple[int, str]]:
    lines = (line.strip() for line in source.splitlines())
    yield 1, "\n".join(line[2:] if line.startswith("//") else "" for line in lines)


def python(source: str) -> Iterator[tuple[int, str]]:
    yield from docstrings(source)
    yield from comments(source)


def unquoted(text: str) -> str:
    text = re.sub(
        r"`[^`]*`|\"[^\"\n]*\"|“[^”]*”|\[([^\]]*)\]\([^)]*\)", lambda m: m[1] or "…", text
    )
    return re.sub(r"\s*\n\s*", " ", text.strip())


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    for node in statements(source):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            value = node.value.value
            if isinstance(value, str):
                lines = value.split("\n")
                indent = min((indent_of(line) for line in lines[1:] if line.strip()), default=0)
                yield node.lineno, "\n".join([lines[0], *(line[indent:] for line in lines[1:])])


def indent_of(line: str) -> int:
    return len(line) - len(line.lstrip())


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Comments on lines that follow each other are one."""
    begin, last, words = 0, -1, list[str]()
    for token in STRING_OR_COMMENT.finditer(source):
        if token[0].startswith("#"):
            line = source.count("\n", 0, token.start()) + 1
            if line != last + 1 and words:
                yield begin, "\n".join(words)
                words = []
            begin = begin if words else line
            words.append(token[0].lstrip("# ").rstrip())
            last = line
    if words:
        yield begin, "\n".join(words)


def files() -> list[str]:
    names = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "*.md", "*.py", "*.js"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [name for name in names if not name.endswith(("zh-CN.md", "tests/test_words.py"))]


def faults(name: str) -> list[str]:
    found = []
    for line, text in prose(ROOT / name):
        for sentence in re.split(r"(?<=[.!?]) ", text):
            for kind, (pattern, plain) in HABITS.items():
                if pattern.search(sentence) and (name, sentence) not in ALLOWED:
                    found.append(f"{name}:{line}: {kind}: {sentence}  >  {plain}")
    return found


def test_the_prose_is_plain() -> None:
    assert [line for name in files() for line in faults(name)] == []


def test_every_exception_is_needed() -> None:
    """Its file has the sentence still."""
    stale = [
        (name, sentence)
        for name, sentence in ALLOWED
        if sentence not in " ".join(text for _, text in prose(ROOT / name))
    ]
    assert stale == []


@pytest.mark.parametrize(("kind", "bent", "plain"), BENT)
def test_a_habit_is_seen(kind: str, bent: str, plain: str) -> None:
    assert HABITS[kind].pattern.search(bent)
    assert not any(habit.pattern.search(plain) for habit in HABITS.values())


def test_what_is_read(tmp_path: Path) -> None:
    """Docstrings and comments, paragraph by paragraph; neither code nor quotations."""
    path = tmp_path / "x.py"
    path.write_text(
        '"""One.\n\n    a sample\n\nTwo,\nstill two.\n"""\n\n'
        'X = "# no prose"  # three\n\n# four\n# and `code`\n'
        "Y = '''\n# no \\''' prose\n''', b\"\"\"\n# nor \"this\"\"\"\n"
    )
    assert list(prose(path)) == [
        (1, "One."),
        (5, "Two, still two."),
        (9, "three"),
        (11, "four and …"),
    ]


def drawn(seed: int, count: int = 60) -> list[str]:
    """Sentences of the product, to be read without their place: at most 3 of 60 need a second
    reading."""
    sentences = [
        f"{name}:{line}: {sentence}"
        for name in files()
        if not name.startswith("tests/")
        for line, text in prose(ROOT / name)
        for sentence in re.split(r"(?<=[.!?]) ", text)
        if len(sentence.split()) > 5 and sentence.endswith(".") and "|" not in sentence
    ]
    return random.Random(seed).sample(sentences, count)


if __name__ == "__main__":
    # python -m tests.test_words [PART OF A NAME]…     what patterns find in these files
    # python -m tests.test_words --draw SEED           60 sentences to read with fresh eyes
    if sys.argv[1:2] == ["--draw"]:
        print(*drawn(int(sys.argv[2])), sep="\n")
    else:
        for name in files():
            if all(part in name for part in sys.argv[1:]) and (found := faults(name)):
                print(*found, sep="\n")
