'''Splits a Python file into prose and code for its course page, without losing a byte.

    # A comment on lines of its own.        prose, and a new section
    def feed(data):                         code
        """A docstring."""                  prose, beside its function
        # region name                       a mark: lessons show the lines after it by that name
        return data + b"""not prose"""      code, whatever it looks like
        # endregion

The rules this file keeps:

1. Every line is in exactly one block, in order: the blocks together are the file
   (test_weaving_loses_nothing).
2. Python's grammar (`ast`, `tokenize`) decides which lines are prose, never the look of a line. A
   docstring or comment that shares a line with code is code.
3. A file that is not valid Python (perhaps its author is editing it) is one block of code.
'''

import ast
import enum
import inspect
import io
import re
import tokenize
import warnings
from collections.abc import Iterator, Mapping

import msgspec

__all__ = [
    "Block",
    "LineKind",
    "LineRange",
    "Section",
    "Woven",
    "find_regions",
    "read_docstring",
    "split_lines",
    "weave",
]


class LineKind(enum.Enum):
    """The kind of a line."""

    CODE = "code"
    COMMENT = "comment"
    DOCSTRING = "docstring"
    MARK = "mark"


class Block(msgspec.Struct, frozen=True):
    """Consecutive lines of one kind.

    Args:
        kind: The kind of all these lines.
        first: Number of the first line; a file begins with line 1.
        lines: The lines as in the file, with their line ends.
        text: The text of prose, as Markdown, without quotes, escapes and number signs.
    """

    kind: LineKind
    first: int
    lines: tuple[str, ...]
    text: str = ""


class Section(msgspec.Struct):
    """One row of a page: some prose, and the code that the prose is about.

    Args:
        blocks: The blocks of the section, in the order of the file.
        name: Name of the class or function that begins here, or "".
        title: The words of a comment such as `# ---- The request`, or "".
    """

    blocks: list[Block] = []
    name: str = ""
    title: str = ""

    @property
    def first(self) -> int:
        return self.blocks[0].first

    @property
    def last(self) -> int:
        return self.blocks[-1].first + len(self.blocks[-1].lines) - 1

    @property
    def has_code(self) -> bool:
        code = (block.lines for block in self.blocks if block.kind is LineKind.CODE)
        return any(line.strip() for lines in code for line in lines)

    @property
    def is_empty(self) -> bool:
        return not self.has_code and all(block.kind is LineKind.CODE for block in self.blocks)


class LineRange(msgspec.Struct, frozen=True):
    """The lines of a file from `first` to `last`, including both."""

    first: int
    last: int


class Woven(msgspec.Struct):
    """A Python file, split into sections.

    Args:
        text: The whole text.
        sections: The sections of the file, in order.
        definitions: The lines of classes and functions, with decorators, by qualified name.
        regions: The lines between `# region NAME` and `# endregion`, by name.
        marks: The numbers of the lines that begin or end a region.
        problems: Mistakes in the marks of regions, one string for each mistake.
    """

    text: str
    sections: list[Section] = []
    definitions: dict[str, LineRange] = {}
    regions: dict[str, LineRange] = {}
    marks: set[int] = set()
    problems: list[str] = []


LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")

# Comments for tools are code. A title is `# ---- words`, perhaps with dashes after the words.
DIRECTIVE = re.compile(r"#(?:!|\s*(?:noqa|type:|fmt:|pragma|ruff:|mypy:|-\*-))")
TITLE = re.compile(r"-{3,} (.*?)[ -]*")
MARK = re.compile(r"(?:#|//)\s*(?:region\s+([A-Za-z][\w-]*)|endregion)\s*")

Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
ASSIGNMENT = (ast.Assign, ast.AnnAssign)


def split_lines(text: str) -> list[str]:
    r"""Split a text into lines as Python counts them. Each line keeps its end: only \n, \r\n and \r
    end a line.

    `str.splitlines` would also cut at a form feed, and at U+2028 inside a string.
    """
    return LINE.findall(text)


def weave(text: str) -> Woven:
    """Split a Python file into sections. A file that cannot be parsed is one block of code."""
    lines = split_lines(text)
    plain = [line.rstrip("\r\n") for line in lines]
    if plain:
        plain[0] = plain[0].removeprefix("\ufeff")
    source = "".join(line + "\n" for line in plain)
    woven = Woven(text)
    try:
        with warnings.catch_warnings(action="ignore"):  # a warning such as an invalid escape "\d"
            module = ast.parse(source)
        comments = _comments(source)
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        woven.sections = [Section([Block(LineKind.CODE, 1, tuple(lines))])] if lines else []
        return woven
    starts = _find_definitions(module, woven.definitions)
    docstrings = _docstrings(module, plain, starts)
    find_regions(woven, comments)
    woven.sections = _sections(_blocks(lines, comments, docstrings, starts), starts)
    return woven


def read_docstring(text: str) -> str:
    """Return the module's docstring, or "" if there is none. The rest of the text is not read."""
    tokens = tokenize.generate_tokens(io.StringIO(text.removeprefix("\ufeff")).readline)
    ignored = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE)
    try:
        first = next(token for token in tokens if token.type not in ignored)
        value = ast.literal_eval(first.string) if first.type == tokenize.STRING else ""
    except (SyntaxError, ValueError, tokenize.TokenError):
        return ""
    return inspect.cleandoc(value) if isinstance(value, str) else ""


def find_regions(woven: Woven, comments: Mapping[int, str]) -> None:
    """Find the regions that comments mark, and find mistakes in these marks.

    Args:
        woven: The object to which the regions, the marks and the problems are added.
        comments: The comments on lines of their own, by line number.
    """
    regions, problems = woven.regions, woven.problems
    opened: list[tuple[str, int]] = []
    for number, comment in comments.items():
        mark = MARK.fullmatch(comment)
        if mark is None:
            continue
        woven.marks.add(number)
        if name := mark[1]:
            if name in regions or name in dict(opened):
                problems.append(f"line {number}: another region {name}")
            opened.append((name, number))
        elif opened:
            name, start = opened.pop()
            regions.setdefault(name, LineRange(start + 1, number - 1))
            if number == start + 1:
                problems.append(f"line {start}: region {name} is empty")
        else:
            problems.append(f"line {number}: endregion without a region")
    problems += [f"line {number}: region {name} has no endregion" for name, number in opened]


def _comments(source: str) -> dict[int, str]:
    """The comments on lines of their own, by line number."""
    return {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
        and not token.line[: token.start[1]].strip(" \t\f")
        and not DIRECTIVE.match(token.string)
    }


def _statements(parent: ast.AST) -> Iterator[ast.AST]:
    """The statements, exception handlers and cases directly in a node. Expressions, which are most
    of a tree, are skipped, because they contain no statement."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        yield from getattr(parent, name, ())


def _find_definitions(module: ast.Module, found: dict[str, LineRange]) -> dict[int, str]:
    """Find all classes and functions. Returns the lines at which a section begins, with its name.

    A definition inside a function has a name, such as `routes.home`, but no section of its own.
    """
    starts: dict[int, str] = {}

    def look(parent: ast.AST, prefix: str, inside_function: bool) -> None:
        for node in _statements(parent):
            if not isinstance(node, Definition):
                look(node, prefix, inside_function)  # `if TYPE_CHECKING:`
                continue
            name = prefix + node.name
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            new = name not in found  # False for a property's setter
            found.setdefault(name, LineRange(first, node.end_lineno or first))
            if not inside_function:
                starts[first] = name if new else ""
            look(node, name + ".", inside_function or not isinstance(node, ast.ClassDef))

    look(module, "", False)
    return starts


def _docstrings(
    module: ast.Module, lines: list[str], starts: dict[int, str]
) -> dict[int, tuple[int, str]]:
    """Find the docstrings on lines of their own. Returns {first line: (last line, text)}.

    In a module or class, a string after an assignment documents the assigned name. Both together
    are a section.
    """
    found: dict[int, tuple[int, str]] = {}
    scopes: list[ast.AST] = [module]
    for scope in scopes:
        scopes += _statements(scope)
        if not isinstance(scope, Scope):
            continue
        body = [None, *scope.body, None]
        for before, node, after in zip(body, body[1:], body[2:], strict=False):
            if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                continue
            text, last = node.value.value, node.end_lineno or node.lineno
            attribute = isinstance(before, ASSIGNMENT) and not isinstance(
                scope, (ast.FunctionDef, ast.AsyncFunctionDef)
            )
            head, tail = lines[node.lineno - 1].encode(), lines[last - 1].encode()
            if (
                isinstance(text, str)
                and (before is None or attribute)
                and not head[: node.col_offset].strip()
                and not tail[node.end_col_offset :].strip()
            ):
                found[node.lineno] = last, inspect.cleandoc(text)
                for neighbour in (before, after) if before else ():
                    if neighbour and not isinstance(neighbour, Definition):
                        starts.setdefault(neighbour.lineno, "")
    return found


def _blocks(
    lines: list[str],
    comments: dict[int, str],
    docstrings: dict[int, tuple[int, str]],
    starts: dict[int, str],
) -> Iterator[Block]:
    number = 1
    while number <= len(lines):
        first = number
        if number in docstrings:
            last, text = docstrings[number]
            yield Block(LineKind.DOCSTRING, first, tuple(lines[first - 1 : last]), text)
            number = last + 1
        elif number in comments and MARK.fullmatch(comments[number]):
            yield Block(LineKind.MARK, first, (lines[first - 1],))
            number += 1
        elif number in comments:
            words = []
            while (comment := comments.get(number)) and not MARK.fullmatch(comment):
                words.append(comment[1:].removeprefix(" ").rstrip())
                number += 1
            text = "\n".join(words)
            yield Block(LineKind.COMMENT, first, tuple(lines[first - 1 : number - 1]), text)
        else:
            number += 1
            while not (
                number > len(lines)
                or number in starts
                or number in comments
                or number in docstrings
            ):
                number += 1
            yield Block(LineKind.CODE, first, tuple(lines[first - 1 : number - 1]))


def _sections(blocks: Iterator[Block], starts: dict[int, str]) -> list[Section]:
    sections = [Section()]
    complete = False  # no more blocks may be added to the last section
    for block in blocks:
        title = TITLE.fullmatch(block.text.partition("\n")[0])
        section = sections[-1]
        ends_region = block.kind is LineKind.MARK and "endregion" in block.lines[0]
        begins_region = block.kind is LineKind.MARK and not ends_region
        before = section.blocks[-1].kind if section.blocks else None
        if section.blocks and (
            complete
            or (section.has_code and block.kind is LineKind.COMMENT and before is LineKind.CODE)
            or (section.has_code and block.first in starts)
            or (title and block.kind is LineKind.COMMENT)
            or (begins_region and not section.is_empty)
        ):
            section = Section()
            sections.append(section)
        if title and block.kind is LineKind.COMMENT:
            section.title = title[1]
            block = msgspec.structs.replace(block, text=block.text.partition("\n")[2])
        section.name = section.name or starts.get(block.first, "")
        section.blocks.append(block)
        # A module's docstring is a section of its own, and a section ends where a region ends.
        complete = ends_region or (block.kind is LineKind.DOCSTRING and len(sections) == 1)
    return sections if sections[0].blocks else []
