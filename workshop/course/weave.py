'''A Python file as a course page: prose on the left, code on the right, and not a byte lost.

    # A comment on lines of its own.        prose, and a new section
    def feed(data):                         code
        """What a docstring says."""        prose, beside the function that it is about
        # region name                       a mark: lessons pull what follows in by that name
        return data + b"""not prose"""      code, whatever it looks like
        # endregion

The rules this file keeps:

1. Every line stands in exactly one block, in order: the blocks joined are the file
   (test_weaving_loses_nothing).
2. What is prose the grammar decides (`ast`, `tokenize`), never how a line looks. A docstring or
   comment that shares a line with code is code.
3. A file that is no Python at the moment, for somebody is just writing it, is one block of code.
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
    "Kind",
    "Section",
    "Span",
    "Woven",
    "find_regions",
    "read_docstring",
    "split_lines",
    "weave",
]


class Kind(enum.Enum):
    """What a line is."""

    CODE = "code"
    COMMENT = "comment"
    DOCSTRING = "docstring"
    MARK = "mark"


class Block(msgspec.Struct, frozen=True):
    """Lines of one kind that follow each other.

    Args:
        kind: of all of them.
        first: the number of the first line; a file begins with line 1.
        lines: with their line ends, as they stand in the file.
        text: what prose says, as Markdown, without quotes, escapes and number signs.
    """

    kind: Kind
    first: int
    lines: tuple[str, ...]
    text: str = ""


class Section(msgspec.Struct):
    """One row of a page: a piece of prose and the code that it is about.

    Args:
        blocks: in the order of the file.
        name: of the class or function that begins here, if one does.
        title: a comment such as `# ---- The request` gives the passage one.
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
        return any(
            block.kind is Kind.CODE and any(map(str.strip, block.lines)) for block in self.blocks
        )

    @property
    def is_empty(self) -> bool:
        return not self.has_code and all(block.kind is Kind.CODE for block in self.blocks)


class Span(msgspec.Struct, frozen=True):
    """The lines first to last of a file, both included."""

    first: int
    last: int


class Woven(msgspec.Struct):
    """A Python file, taken apart.

    Args:
        text: all of it, as it is.
        sections: in order.
        definitions: classes and functions by their qualified names, with their decorators.
        regions: what stands between `# region NAME` and `# endregion`, without these.
        marks: the numbers of the lines that begin or end a region.
        problems: what is wrong with the regions, a line each.
    """

    text: str
    sections: list[Section] = []
    definitions: dict[str, Span] = {}
    regions: dict[str, Span] = {}
    marks: set[int] = set()
    problems: list[str] = []


LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")

# Comments for machines stay in the code. A title is `# ---- words`, perhaps with a rule after it.
DIRECTIVE = re.compile(r"#(?:!|\s*(?:noqa|type:|fmt:|pragma|ruff:|mypy:|-\*-))")
TITLE = re.compile(r"-{3,} (.*?)[ -]*")
MARK = re.compile(r"(?:#|//)\s*(?:region\s+([A-Za-z][\w-]*)|endregion)\s*")

Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
ASSIGNMENT = (ast.Assign, ast.AnnAssign)


def split_lines(text: str) -> list[str]:
    r"""The lines as Python counts them, each with its end: \n, \r\n or \r, and nothing else.

    `str.splitlines` would also cut at a form feed, and at U+2028 inside a string.
    """
    return LINE.findall(text)


def weave(text: str) -> Woven:
    """Take a Python file apart. What does not parse is one block of code."""
    lines = split_lines(text)
    plain = [line.rstrip("\r\n") for line in lines]
    if plain:
        plain[0] = plain[0].removeprefix("\ufeff")
    source = "".join(line + "\n" for line in plain)
    woven = Woven(text)
    try:
        with warnings.catch_warnings(action="ignore"):  # "\d" is the author's to mend
            module = ast.parse(source)
        comments = _comments(source)
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        woven.sections = [Section([Block(Kind.CODE, 1, tuple(lines))])] if lines else []
        return woven
    starts = _find_definitions(module, woven.definitions)
    docstrings = _docstrings(module, plain, starts)
    find_regions(woven, comments)
    woven.sections = _sections(_blocks(lines, comments, docstrings, starts), starts)
    return woven


def read_docstring(text: str) -> str:
    """The module's docstring, without reading further than that."""
    tokens = tokenize.generate_tokens(io.StringIO(text.removeprefix("\ufeff")).readline)
    ignored = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE)
    try:
        first = next(token for token in tokens if token.type not in ignored)
        said = ast.literal_eval(first.string) if first.type == tokenize.STRING else ""
    except (SyntaxError, ValueError, tokenize.TokenError):
        return ""
    return inspect.cleandoc(said) if isinstance(said, str) else ""


def find_regions(woven: Woven, comments: Mapping[int, str]) -> None:
    """Note the regions that comments mark, and what is wrong with them.

    Args:
        comments: those on lines of their own, by line number.
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
            regions.setdefault(name, Span(start + 1, number - 1))
            if number == start + 1:
                problems.append(f"line {start}: region {name} is empty")
        else:
            problems.append(f"line {number}: endregion without a region")
    problems += [f"line {number}: region {name} has no endregion" for name, number in opened]


def _comments(source: str) -> dict[int, str]:
    """The comments that have a line for themselves."""
    return {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
        and not token.line[: token.start[1]].strip(" \t\f")
        and not DIRECTIVE.match(token.string)
    }


def _find_definitions(module: ast.Module, found: dict[str, Span]) -> dict[int, str]:
    """Note all classes and functions. Returns the lines at which a section begins, and its name.

    What is defined inside a function has a name, `routes.home`, and no section.
    """
    starts: dict[int, str] = {}

    def look(parent: ast.AST, prefix: str, inside_function: bool) -> None:
        for node in ast.iter_child_nodes(parent):
            if not isinstance(node, Definition):
                if isinstance(node, ast.stmt):
                    look(node, prefix, inside_function)  # `if TYPE_CHECKING:`
                continue
            name = prefix + node.name
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            new = name not in found  # a property's setter is not
            found.setdefault(name, Span(first, node.end_lineno or first))
            if not inside_function:
                starts[first] = name if new else ""
            look(node, name + ".", inside_function or not isinstance(node, ast.ClassDef))

    look(module, "", False)
    return starts


def _docstrings(
    module: ast.Module, lines: list[str], starts: dict[int, str]
) -> dict[int, tuple[int, str]]:
    """Docstrings that have their lines for themselves: {first line: (last line, text)}.

    A string after an assignment in a module or class documents that: together they are a section.
    """
    found: dict[int, tuple[int, str]] = {}
    for scope in ast.walk(module):
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
            yield Block(Kind.DOCSTRING, first, tuple(lines[first - 1 : last]), text)
            number = last + 1
        elif number in comments and MARK.fullmatch(comments[number]):
            yield Block(Kind.MARK, first, (lines[first - 1],))
            number += 1
        elif number in comments:
            said = []
            while (comment := comments.get(number)) and not MARK.fullmatch(comment):
                said.append(comment[1:].removeprefix(" ").rstrip())
                number += 1
            yield Block(Kind.COMMENT, first, tuple(lines[first - 1 : number - 1]), "\n".join(said))
        else:
            number += 1
            while not (
                number > len(lines)
                or number in starts
                or number in comments
                or number in docstrings
            ):
                number += 1
            yield Block(Kind.CODE, first, tuple(lines[first - 1 : number - 1]))


def _sections(blocks: Iterator[Block], starts: dict[int, str]) -> list[Section]:
    sections = [Section()]
    complete = False  # nothing more may be added to the last one
    for block in blocks:
        title = TITLE.fullmatch(block.text.partition("\n")[0])
        section = sections[-1]
        ends_region = block.kind is Kind.MARK and "endregion" in block.lines[0]
        begins_region = block.kind is Kind.MARK and not ends_region
        before = section.blocks[-1].kind if section.blocks else None
        if section.blocks and (
            complete
            or (section.has_code and block.kind is Kind.COMMENT and before is Kind.CODE)
            or (section.has_code and block.first in starts)
            or (title and block.kind is Kind.COMMENT)
            or (begins_region and not section.is_empty)
        ):
            section = Section()
            sections.append(section)
        if title and block.kind is Kind.COMMENT:
            section.title = title[1]
            block = msgspec.structs.replace(block, text=block.text.partition("\n")[2])
        section.name = section.name or starts.get(block.first, "")
        section.blocks.append(block)
        # A module's docstring stands alone; and what follows a region is not in it.
        complete = ends_region or (block.kind is Kind.DOCSTRING and len(sections) == 1)
    return sections if sections[0].blocks else []
