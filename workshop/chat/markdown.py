"""Markdown that is still growing: how to know which part is final, and how to show it.

    "# One\\n\\nTwo, thr"      >  the block "# One\\n\\n" is final; the tail "Two, thr" may grow
    "```py\\nx = 1\\n\\ny"     >  nothing is final: a blank line in a fence does not end a block

A final block is drawn once. The tail is redrawn while it grows, so it must stay short. Otherwise
the work for an answer of n tokens would grow with n², which makes chat programs stutter.
"""

import re

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown
from rich.segment import Segment

__all__ = ["Blocks", "Lines", "escape"]

# Characters that control a terminal: C0 except tab and newline, DEL, and C1 (ECMA-48). A model's
# text must not move the cursor, rename the window or reach the clipboard.
CONTROLS = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)}
CONTROLS |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
# LRO and RLO force one direction on all text after them, so an address could be shown backwards.
# The other direction marks are kept, because some scripts need them (UAX #9).
CONTROLS |= dict.fromkeys((0x202D, 0x202E), 0xFFFD)

# A fence may be in a list item. A fence in a block quote ends with the quote, at a blank line.
FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}(?!.*`)|~{3,})")

# HTML and images are shown as text, because rich would drop HTML and move images.
PARSER = MarkdownIt("commonmark", {"html": False})
# Link definitions, `[1]: https://…`, are shown as text too: models use them to list their sources,
# and the link itself may be in a block that was drawn earlier.
PARSER.enable(["strikethrough", "table"]).disable(["image", "reference"])


def escape(text: str) -> str:
    """Return the text with a visible sign in place of each control character, such as ␛ for ESC."""
    return text.replace("\r\n", "\n").translate(CONTROLS)


class Blocks:
    """Splits growing Markdown into blocks.

    A block ends at a blank line outside a fence if the next line is not indented: an indented line
    may belong to a list item. So a loose list is cut between its items, and each item keeps its own
    number.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []  # complete lines of the current block
        self._rest: list[str] = []  # pieces of the last, incomplete line
        self._fence = ""  # the mark of the open fence
        self._opening = ""  # the first line of the open fence
        self._after_blank = False

    @property
    def tail(self) -> str:
        """The text that is not final."""
        return "".join([*self._lines, *self._rest])

    def tail_end(self, lines: int, width: int) -> str:
        """Return the end of the tail that fits on the screen. The end of an open fence is still
        code."""
        size = lines * width
        end = "".join([*self._lines[-lines:], *self._rest[-size:]])[-size:]
        return self._opening + end if self._fence and len(self._lines) > lines else end

    def feed(self, text: str) -> list[str]:
        """Add text. Returns the blocks that have become final."""
        final: list[str] = []
        first, *others = text.split("\n")
        self._add(first, final)
        for piece in others:
            self._end_line()
            self._add(piece, final)
        return final

    def _add(self, piece: str, final: list[str]) -> None:
        """Add a piece of a line. The first piece shows whether a block has ended before it."""
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
    """Rendered Markdown without the blank lines around it.

    Args:
        text: Markdown.
        last: Largest number of lines to show, counted from the end, or None for all.
    """

    def __init__(self, text: str, last: int | None = None) -> None:
        # A link shows its address, because a model may give it a misleading name.
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


# What this file does not do: make a link of `[text][1]`, whose address is on another line.
