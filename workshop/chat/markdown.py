"""Markdown that is not finished: which part of it will not change any more, and how it looks.

    "# One\\n\\nTwo, thr"      >  the block "# One\\n\\n" is final; the tail "Two, thr" may grow
    "```py\\nx = 1\\n\\ny"     >  nothing is: a blank line in a fence ends no block

A final block is drawn once. The tail is drawn again and again while it grows, so it must stay
short, or an answer of n tokens would cost n² of work: that is what makes chat programs stutter.
"""

import re

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown
from rich.segment import Segment

__all__ = ["Blocks", "Lines", "escape"]

# What a terminal obeys: C0 without tab and newline, DEL, and C1 (ECMA-48). A model's words must
# not move the cursor, rename the window or reach the clipboard.
CONTROLS = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)}
CONTROLS |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
# LRO and RLO write all that follows in one direction: an address would be read backwards. The other
# marks of direction belong to the scripts that need them (UAX #9).
CONTROLS |= dict.fromkeys((0x202D, 0x202E), 0xFFFD)

# A fence may stand in a list item. One in a quotation ends with it, and no blank line is in there.
FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}(?!.*`)|~{3,})")

# HTML is shown as text: rich would leave it out. So are pictures, which it would move about.
PARSER = MarkdownIt("commonmark", {"html": False})
# So are the lines that say where a link leads, `[1]: https://…`: models write their sources so, and
# what such a line defines may stand in a block that has been drawn long ago.
PARSER.enable(["strikethrough", "table"]).disable(["image", "reference"])


def escape(text: str) -> str:
    """The same text with control characters to be seen in place of obeyed: ␛ for ESC."""
    return text.replace("\r\n", "\n").translate(CONTROLS)


class Blocks:
    """Cuts growing Markdown into blocks.

    A block ends at a blank line outside a fence, when a line follows that is not indented: an
    indented one may belong to an item of a list. (A loose list is so cut between its items: each
    has its own number in it.)
    """

    def __init__(self) -> None:
        self._lines: list[str] = []  # whole ones, of the block under way
        self._rest: list[str] = []  # the pieces of the last line, not yet whole
        self._fence = ""  # how the open one began
        self._opening = ""  # its line
        self._after_blank = False

    @property
    def tail(self) -> str:
        """What is not final."""
        return "".join([*self._lines, *self._rest])

    def tail_end(self, lines: int, width: int) -> str:
        """The end of the tail, for so many lines of a screen; of an open fence, still code."""
        size = lines * width
        end = "".join([*self._lines[-lines:], *self._rest[-size:]])[-size:]
        return self._opening + end if self._fence and len(self._lines) > lines else end

    def feed(self, text: str) -> list[str]:
        """Take more text. Returns the blocks that are final now."""
        final: list[str] = []
        first, *others = text.split("\n")
        self._add(first, final)
        for piece in others:
            self._end_line()
            self._add(piece, final)
        return final

    def _add(self, piece: str, final: list[str]) -> None:
        """A piece of a line; the first of it tells whether a block has ended before."""
        if self._after_blank and not self._rest and piece[:1].strip():
            final.append("".join(self._lines))
            self._lines = []
            self._after_blank = False
        if piece:
            self._rest.append(piece)

    def _end_line(self) -> None:
        line = "".join(self._rest)
        self._rest = []
        self._lines.append(line + "\n")
        if self._fence:
            mark = line.strip()
            if mark.startswith(self._fence) and not mark.strip(self._fence[0]):
                self._fence = self._opening = ""
        elif opening := FENCE.match(line):
            self._fence, self._opening = opening[1], line + "\n"
        self._after_blank = not self._fence and not line.strip()


class Lines:
    """Rendered Markdown without the blank lines around it, or the end of it.

    Args:
        text: Markdown.
        last: so many lines at most, for a screen that is not higher; None for all.
    """

    def __init__(self, text: str, last: int | None = None) -> None:
        # A link shows where it leads: what a model calls it is no proof.
        self._markdown = Markdown("", hyperlinks=False, code_theme="ansi_dark")
        self._markdown.parsed = PARSER.parse(text)
        self._last = last

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._markdown, options, pad=False)
        while lines and _is_blank(lines[0]):
            del lines[0]
        while lines and _is_blank(lines[-1]):
            del lines[-1]
        for line in lines if self._last is None else lines[-self._last :]:
            yield from line
            yield Segment.line()


def _is_blank(line: list[Segment]) -> bool:
    return not "".join(segment.text for segment in line).strip()


# What this file does not do: make a link of `[text][1]`, whose address another line has.
