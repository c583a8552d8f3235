"""Python files split into prose and code: no byte is lost, and the grammar decides."""

import ast
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workshop.course.colours import highlight
from workshop.course.tree import ROOT, Tree
from workshop.course.weave import (
    Block,
    LineKind,
    LineRange,
    Woven,
    read_docstring,
    split_lines,
    weave,
)

TREE = Tree()
PYTHON = [name for name in TREE.names if name.endswith(".py")]


def joined(woven: Woven) -> str:
    return "".join(
        line for section in woven.sections for block in section.blocks for line in block.lines
    )


def code_alone(woven: Woven) -> str:
    """The file with a blank line for each comment, and `...` for each docstring."""
    lines = []
    for section in woven.sections:
        for block in section.blocks:
            if block.kind is LineKind.CODE:
                lines += [line.rstrip("\r\n") for line in block.lines]
            elif block.kind is LineKind.DOCSTRING:
                margin = block.lines[0][: -len(block.lines[0].lstrip())]
                lines += [f"{margin}...", *[""] * (len(block.lines) - 1)]
            else:
                lines += [""] * len(block.lines)
    return "\n".join(lines).removeprefix("\ufeff") + "\n"


def parsed(source: str) -> ast.Module:
    with warnings.catch_warnings(action="ignore"):  # an unknown escape is only a warning
        return ast.parse(source)


def is_text(node: object) -> bool:
    """Whether this is a statement that is only a string, or `...` in its place."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and (isinstance(node.value.value, str) or node.value.value is ...)
    )


def mean_the_same(one: ast.Module, other: ast.Module) -> bool:
    """Whether two trees are equal, apart from statements that are only a string or `...`."""
    pairs: list[tuple[Any, Any]] = [(one, other)]
    for left, right in pairs:
        if type(left) is not type(right):
            return False
        if isinstance(left, ast.AST):
            if not (is_text(left) and is_text(right)):
                pairs += ((getattr(left, name), getattr(right, name)) for name in left._fields)
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            pairs += zip(left, right, strict=True)
        elif left != right:
            return False
    return True


def check(text: str) -> None:
    """Rule 1; rule 2: the code alone has the file's meaning; and each line has its number."""
    woven = weave(text)
    assert joined(woven) == text
    number = 1
    for section in woven.sections:
        for block in section.blocks:
            assert block.first == number
            number += len(block.lines)
    plain = "".join(line.rstrip("\r\n") + "\n" for line in split_lines(text))
    try:
        whole = parsed(plain.removeprefix("\ufeff"))
    except (SyntaxError, ValueError):
        kinds = {block.kind for section in woven.sections for block in section.blocks}
        assert kinds <= {LineKind.CODE}
    else:
        assert mean_the_same(parsed(code_alone(woven)), whole)


def test_weaving_loses_nothing() -> None:
    """This holds for all modules of the project; a quarter of them are checked for rule 2, too."""
    assert len(PYTHON) > 100
    for number, name in enumerate(PYTHON):
        text = (ROOT / name).read_bytes().decode()
        if number % 4:
            assert joined(weave(text)) == text
        else:
            check(text)


NASTY = [
    "x = 'a # no comment'",
    '"""a string with # in it\n# and a line that looks like a comment\n"""',
    'b"""bytes\n# not prose\n"""',
    'r"""raw \\d"""',
    'f"""{x} # {1}"""',
    '"""one""" "two"',
    "'''nested \"\"\" quotes'''",
    '"""tail"""; y = 1',
    '"""tail"""  # said',
    '("""in brackets""")',
    '(\n"""in brackets"""\n)',
    '"""it goes on""" \\\n    "here"',
    "# a comment",
    "    # an indented comment",
    "\t# after a tab",
    "\f# after a form feed",
    "# ---- A title",
    "#no space",
    "#",
    "# noqa: F401",
    "#!/usr/bin/env python3",
    "# region here",
    "# endregion",
    "@property\ndef f(self):",
    "@decorate(  # why\n    1,\n)\nclass A:",
    "def f():",
    'def g(): """on the line"""',
    'class B: "too"',
    "    pass",
    '    """a docstring"""',
    "    '''a docstring\n\n    of three lines\n    '''",
    "    x: int = 1",
    "async def h(): ...",
    "if True:",
    "else:",
    "x = [\n    # inside\n    1,  # beside\n]",
    "x = 1 + \\\n    2",
    "x = '\u2028'",
    "x = 你好",
    "",
    "   ",
    "\x00",
    "\ufeff",
    "(",
]


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.sampled_from(NASTY), max_size=9),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_weaving_nasty_files(lines: list[str], end: str, last: bool) -> None:
    """Strings that look like comments, docstrings that look like code, any line end."""
    text = end.join(lines).replace("\n", end)
    check(text + end if last else text)


@settings(max_examples=100, deadline=None)
@example("'\\:'")  # an escape that Python warns of
@given(st.text(alphabet="#\"'\\ \n\r\fbf()x:=@é", max_size=40))
def test_weaving_any_text(text: str) -> None:
    check(text)


def test_lines_are_those_of_python() -> None:
    """A form feed and U+2028 do not end a line; CRLF, LF and CR do."""
    lines = ["a\fb\n", "'\u2028\x85'\r\n", "\r", "c"]
    assert split_lines("".join(lines)) == lines
    section = weave("x = '\u2028'\n\f# said\n").sections[1]
    assert section.blocks == [Block(LineKind.COMMENT, 2, ("\f# said\n",), "said")]


SAMPLE = '''\
"""The module."""

import re

# About the limit,
# in two lines.
LIMIT = 1
"""What it limits."""

NAME = b"""not prose"""


# ---- The machine
class Machine:
    """It runs."""

    # region start
    @property
    def start(self) -> None:
        """Begin.

        Args:
            none: at all.
        """
        # First.
        re.x()

        def inner() -> None: ...

    # endregion

    @start.setter
    def start(self) -> None:
        if self:
            # Inside.
            return
'''


def test_sections() -> None:
    """A section begins with a comment, a class or function, a region, or a documented name."""
    woven = weave(SAMPLE)
    found = [
        (
            section.first,
            section.name,
            section.title,
            [block.text for block in section.blocks if block.text],
        )
        for section in woven.sections
        if not section.is_empty
    ]
    assert found == [
        (1, "", "", ["The module."]),
        (2, "", "", []),
        (5, "", "", ["About the limit,\nin two lines.", "What it limits."]),
        (10, "", "", []),
        (13, "Machine", "The machine", ["It runs."]),
        (17, "Machine.start", "", ["Begin.\n\nArgs:\n    none: at all.", "First."]),
        (31, "", "", []),
        (35, "", "", ["Inside."]),
    ]
    assert woven.regions == {"start": LineRange(18, 29)}
    assert woven.marks == {17, 30}
    assert woven.definitions == {
        "Machine": LineRange(14, 36),
        "Machine.start": LineRange(18, 28),
        "Machine.start.inner": LineRange(28, 28),
    }
    assert woven.problems == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("# region a\nx = 1\n", ["line 1: region a has no endregion"]),
        ("x = 1\n# endregion\n", ["line 2: endregion without a region"]),
        ("# region a\n# endregion\n", ["line 1: region a is empty"]),
        (
            "# region a\nx = 1\n# endregion\n# region a\ny = 1\n# endregion\n",
            ["line 4: another region a"],
        ),
        ("# region a\n# region b\nx = 1\n# endregion\n# endregion\n", []),
        ("x = '''\n# region a\n'''\n# region of memory\n", []),
        ("x = [  # region a\n]\n", []),
    ],
)
def test_regions(text: str, problems: list[str]) -> None:
    """Only comments on lines of their own mark regions."""
    assert weave(text).problems == problems


def test_a_file_that_cannot_be_parsed_is_code() -> None:
    (section,) = weave("# said\ndef f(:\n").sections
    assert [block.kind for block in section.blocks] == [LineKind.CODE]
    assert weave("").sections == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('# x\n\nr"""a\\d"""\n', "a\\d"),
        ('"""a\\\\r\n\n    b"""', "a\\r\n\nb"),
        ("import x\n'''no'''\n", ""),
        ("b'no'", ""),
        ("", ""),
        ("'open", ""),
        ("(", ""),
    ],
)
def test_docstring_of_a_module(text: str, said: str) -> None:
    assert read_docstring(text) == said


def test_docstrings_are_those_of_python() -> None:
    for name in PYTHON[::3]:
        said = ast.get_docstring(ast.parse((ROOT / name).read_text(encoding="utf-8")))
        assert read_docstring(TREE.text(name)) == (said or "")


@pytest.mark.parametrize("name", [n for n in TREE.names if not n.startswith("tests/")][::9])
def test_highlighting_keeps_the_number_of_lines(name: str) -> None:
    language = Path(name).suffix.removeprefix(".")
    for text in (TREE.text(name), "\n\n  x\n\n", "x", ""):
        assert len(highlight(text, language)) == len(split_lines(text))


def test_code_is_escaped() -> None:
    hostile = "<script>alert('&')</script>"
    for language in ("python", "html", "console", "no such language"):
        assert "<script" not in "".join(highlight(hostile, language))
