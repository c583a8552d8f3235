"""Draws rows and borders: brackets on the left for the layers, and the bytes beside them.

    ├R3───────┼─────┼─────┼──── + 12.3 ms ━━━━ at 65.5 ms, 7 bytes ✂ inside C2 E2 T2 好
    │     144 │     │     ╰     ‹bd›                     ◂ ✂ the last byte of 好
    │     145 │     ╰           "}␊␊                     ◂ blank line: event 2 ends
    │     149 ╰                 ␍␊                       ◂ chunk 2 ends

A line shows, from left to right: the read, the offset of the line's first byte, the brackets of
chunk, event and token, the bytes, and a note if there is room. Later bytes are lower on the screen.
Each new read begins with a horizontal line. Where this line crosses a bracket (┼), it cuts that
chunk, event or token.

The rules this file keeps:

1. No line is wider than the screen. On a narrow screen the numbers are left out first, then the
   offsets. The brackets stay.
2. Colours only repeat the meaning of a letter or a mark. C, E and T are the layers, and ✂ is a cut.
3. If the output is not a terminal, no line has an escape sequence. With NO_COLOR, no line has a
   colour.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import log10
from textwrap import wrap
from typing import NamedTuple

from rich.cells import get_character_cell_size, set_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from .picture import Border, Item, Mark, Place, Row, Skipped
from .visible import MIN_WIDTH, Alphabet, Line

__all__ = ["Pen"]

STYLES = {
    "read": "bold",
    "chunk": "yellow",
    "event": "cyan",
    "token": "bold green",
    "head": "magenta",
    "json": "dim",
    "data": "bold",
    "coded": "none",
    "comment": "magenta",
    "bad": "bold red underline",
    "unlabelled": "none",
    "hex-text": "dim",
    "offset": "dim",
    "note": "dim",
    "cut": "bold red",
    "gap": "bold",
    "bad-end": "bold",
}
COLOUR_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.STANDARD,
}

NOTE_COLUMN = 40  # notes begin this many cells after the bytes begin
NOTE_WIDTH = 36  # on a narrow screen, notes begin this many cells before its edge
BAR = 4  # length of a gap's bar: this number of cells for each power of ten in its milliseconds
LONGEST_BAR = 4 * BAR  # ten seconds

ENDS = {
    "fin": "closed (FIN)",
    "reset": "reset (RST)",
    "truncated": "truncated: TLS without close_notify",
    "silent": "silent: nobody waited any longer",
    "": "still open",
}


class Marks(NamedTuple):
    """The characters for brackets and borders, each one cell wide, and the text between two
    words."""

    begins: str
    inside: str
    ends: str
    whole: str
    around: str
    read: str
    last: str
    line: str
    cross: str
    gap: str
    cut: str
    dot: str = " · "


UTF8 = Marks("╭", "│", "╰", "╶", "┊", "├", "╰", "─", "┼", "━", "✂")
ASCII = Marks("/", "|", "\\", "-", ":", "+", "\\", "-", "+", "=", "X", " - ")


class Layout(NamedTuple):
    """The width of each column, in cells.

    Args:
        offset: Cells of the read's bracket and the offset; 1 without offsets.
        track: Cells of the bracket of one layer; 1 without numbers.
        text: Cells of the bytes, and of a note beside them.
    """

    offset: int
    track: int
    text: int


class Pen:
    """Draws items as lines of text.

    Args:
        console: Where the lines will be printed: its width, its colours and its encoding.
        hex: Whether to show the bytes in hex too.
    """

    def __init__(self, console: Console, *, hex: bool = False) -> None:
        ascii_only = console.options.ascii_only
        self._console = console
        self._hex = hex
        self._alphabet = Alphabet(ascii_only)
        self._marks = ASCII if ascii_only else UTF8
        self._inks = _inks(console)
        self._max_number = self._max_offset = 1  # the columns have room for smaller numbers
        self._layout = Layout(1, 1, 1)
        self._width = 0

    def lines(self, items: Iterable[Item]) -> Iterator[str]:
        """Draw items for the present width of the screen."""
        width = self._console.width
        for item in items:
            match item:
                case Row():
                    numbers = (item.chunk.number, item.event.number, item.token.number)
                    self._measure(width, item.offset, max(numbers))
                    yield from self._row(item)
                case Border():
                    self._measure(width, item.offset)
                    yield self._border(item)
                case Skipped():
                    yield self._skipped(item)

    @property
    def text_column(self) -> int:
        """Number of the cell, from 0, where the bytes begin in the last line that was drawn."""
        offset, track, _ = self._layout
        return offset + 3 * track + (track == 1)

    def legend(self) -> str:
        """One line that explains the letters and marks."""
        words = ["R read", "C chunk", "E event", "T token"]
        styles = ["read", "chunk", "event", "token"]
        inked = [self._ink(style, word) for style, word in zip(styles, words, strict=True)]
        cross, cut = f"{self._marks.cross} cut by a read", f"{self._marks.cut} torn"
        for more in ([cross, cut], [cut], []):
            if len("  ".join([*words, *more])) <= self._console.width:
                return "  ".join([*inked, *(self._ink("cut", text) for text in more)])
        return ""

    def totals(self, words: Iterable[str]) -> list[str]:
        """Return short sentences one after the other, in as many lines as they need."""
        joined = self._marks.dot.join(word.replace(" ", "\xa0") for word in words)
        lines = wrap(joined, max(self._console.width, MIN_WIDTH))
        return [line.strip(self._marks.dot).replace("\xa0", " ") for line in lines]

    def status(self, words: Sequence[str], held: bytes) -> str:
        """The last line of a terminal.

        Args:
            words: The words to show.
            held: Bytes that wait for their labels. The last ones are shown, as many as fit.
        """
        width = self._console.width - 1  # a full line would move the screen up
        text = self._marks.dot.join(words) + (": " if held else "")
        room = width - _cells(text)
        if held and room > MIN_WIDTH:
            text += self._alphabet.ending(held, room)
        return self._ink("note", set_cell_size(text, min(_cells(text), max(width, 0))))

    def _measure(self, width: int, offset: int, number: int = 0) -> None:
        """Choose the columns, which grow with the numbers in them."""
        if width != self._width or offset >= self._max_offset or number >= self._max_number:
            self._width = width
            self._max_offset = max(self._max_offset, 10 ** len(str(offset)))
            self._max_number = max(self._max_number, 10 ** len(str(number)))
            digits, offset_digits = (len(str(n)) - 1 for n in (self._max_number, self._max_offset))
            self._layout = _layout(width, digits, offset_digits, self._hex)

    # ---- Rows

    def _row(self, row: Row) -> Iterator[str]:
        layout = self._layout
        if self._hex:
            lines = list(self._alphabet.hex_lines(row.parts, _bytes_in_hex(layout.text)))
        else:
            lines = list(self._alphabet.lines(row.parts, layout.text))
        offset, note, last = row.offset, row.note, len(lines) - 1
        for number, line in enumerate(lines):
            drawn = [self._ink("read", self._marks.inside)]
            if layout.offset > 1:
                drawn.append(self._ink("offset", f"{offset:>{layout.offset - 2}} "))
            for letter, mark in (("C", row.chunk), ("E", row.event), ("T", row.token)):
                drawn.append(self._track(letter, mark, number == 0, number == last))
            if layout.track == 1:
                drawn.append(" ")
            drawn += [self._ink(style, text) for style, text in line.parts]
            shown = self._note(note, line)
            if shown:
                drawn.append(shown)
                note = ""
            offset += line.size
            yield "".join(drawn)

    def _track(self, letter: str, mark: Mark, is_first: bool, is_last: bool) -> str:
        marks, place = self._marks, mark.place
        if place is Place.NONE:
            return " " * self._layout.track
        begins = is_first and place in (Place.BEGINS, Place.WHOLE)
        ends = is_last and place in (Place.ENDS, Place.WHOLE)
        if place is Place.AROUND:
            sign = marks.around
        elif begins:
            sign = marks.whole if ends else marks.begins
        else:
            sign = marks.ends if ends else marks.inside
        if begins and self._layout.track > 1:
            sign += f"{letter}{mark.number}"
        return self._ink(LAYERS[letter], sign.ljust(self._layout.track))

    def _note(self, note: str, line: Line) -> str:
        """Return the note and the space before it, if the line has room. For a cut, return at least
        its mark."""
        layout, mark = self._layout, self._alphabet.note
        for text in (note, note[:1] if note.startswith("✂") else ""):
            if not text:
                continue
            text = text.replace("✂", self._marks.cut)
            if self._alphabet.ascii_only:
                text = text.encode("ascii", "backslashreplace").decode()
            start = max(line.cells + 1, min(NOTE_COLUMN, layout.text - NOTE_WIDTH))
            if start + len(mark) + _cells(text) <= layout.text:
                style = "cut" if note.startswith("✂") else "note"
                return " " * (start - line.cells) + self._ink(style, mark + text)
        return ""

    # ---- Borders

    def _border(self, border: Border) -> str:
        layout, marks = self._layout, self._marks
        corner = marks.last if border.end or not border.read else marks.read
        if border.read == 1:
            corner = marks.begins
        name = f"{corner}R{border.read}" if border.read else f"{corner}end"
        drawn = [self._ink("read", name[: layout.offset].ljust(layout.offset, marks.line))]
        for number in (border.chunk, border.event, border.token):
            sign, rest = (marks.cross if number else marks.line), marks.line * (layout.track - 1)
            drawn.append(self._ink("cut" if number else "offset", sign) + self._ink("offset", rest))
        room = self._width - layout.offset - 3 * layout.track
        chosen = self._facts(border, room)
        for style, text in chosen:
            bar = text.rstrip(marks.line) if style == "gap" else text
            drawn.append(self._ink(style, f" {bar}") + self._ink("offset", text[len(bar) :]))
            room -= 1 + _cells(text)
        if room > 1:
            drawn.append(self._ink("offset", " " + marks.line * (room - 1)))
        return "".join(drawn)

    def _facts(self, border: Border, room: int) -> list[tuple[str, str]]:
        """Return the facts that fit. They are chosen by importance, but returned in reading
        order."""
        gap = border.at if border.gap is None else border.gap
        cut = "".join(
            f" {letter}{number}"
            for letter, number in (("C", border.chunk), ("E", border.event), ("T", border.token))
            if number
        )
        torn = self._alphabet.beginning(border.torn.encode(), 20)
        cuts = f"{cut} {torn}".strip()
        inside = f"{self._marks.cut} inside {cuts}" if cuts else ""
        short = f"{self._marks.cut} {torn}".rstrip() if cuts else ""
        longest = LONGEST_BAR if room > 50 else room // 5
        bar = self._marks.gap * min(_bar(gap), longest)
        size = f"{border.size:,} {'byte' if border.size == 1 else 'bytes'}" if border.read else ""
        # (order of reading, style, the texts to try)
        wanted = [
            (0, "gap", [f"{gap:+,.1f} ms".rjust(11 if room > 20 else 0)]),
            (4, "gap", [ENDS[border.end], border.end] if not border.read else []),
            (5, "cut", [inside, short]),
            (2, "offset", [size if room > 30 else "", f"{border.size:,} B" if size else ""]),
            (1, "gap", [bar.ljust(longest, self._marks.line), bar]),
            (3, "offset", [f"at {border.at:,.1f} ms"]),
        ]
        chosen = []
        for order, style, texts in wanted:
            for text in texts:
                if text and 1 + _cells(text) <= room:
                    chosen.append((order, style, text))
                    room -= 1 + _cells(text)
                    break
        return [(style, text) for _, style, text in sorted(chosen)]

    def _skipped(self, skipped: Skipped) -> str:
        words = f"{skipped.reads:,} reads not shown: {skipped.size:,} bytes"
        line = f"{self._marks.around} {words}"
        return self._ink("cut", set_cell_size(line, min(_cells(line), self._width or 80)))

    def _ink(self, style: str, text: str) -> str:
        before, after = self._inks.get(style, PLAIN)
        return f"{before}{text}{after}" if text else ""


LAYERS = {"C": "chunk", "E": "event", "T": "token"}
PLAIN = ("", "")


def _inks(console: Console) -> dict[str, tuple[str, str]]:
    """Return the escape sequences before and after a text of each style, or none if this is not a
    terminal."""
    system = COLOUR_SYSTEMS.get(console.color_system or "")
    if system is None:
        return {}
    inks = {}
    for name, definition in STYLES.items():
        style = Style.parse(definition)
        before, _, after = (
            (style.without_color if console.no_color else style)
            .render("\0", color_system=system)
            .partition("\0")
        )
        inks[name] = (before, after)
    return inks


def _layout(width: int, digits: int, offset_digits: int, hex: bool) -> Layout:
    """Choose the columns: the first choice that leaves enough cells for the bytes."""
    roomy = (3 + max(offset_digits, 5), 3 + max(digits, 2))
    close = (3 + max(offset_digits, 3), 3 + digits)
    for (offset, track), needed in (
        (roomy, width * 11 // 20),
        (close, 14),
        ((close[0], 1), 8),
        ((1, 1), 0),
    ):
        text = width - offset - 3 * track - (track == 1)
        if text >= needed:
            break
    return Layout(offset, track, max(text, MIN_WIDTH))


def _bytes_in_hex(cells: int) -> int:
    """Return how many bytes a line has in hex: `e4 bd a0  你` takes four cells for each byte."""
    count = max((cells - 1) // 4, 1)
    step = 8 if count >= 8 else 4 if count >= 4 else 1
    return count - count % step


def _cells(text: str) -> int:
    """Return the number of cells that a text takes. (rich's own function keeps thousands of
    texts.)"""
    return len(text) if text.isascii() else sum(map(get_character_cell_size, text))


def _bar(gap: float) -> int:
    return round(BAR * log10(1 + max(gap, 0)))


# What this file does not do: decide what is shown, and when (workshop/xray/picture/view.py).
