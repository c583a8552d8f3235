"""Bytes as a readable text that shows every byte and can be turned back into the bytes.

    b"data: \\xe4\\xbd\\xa0\\r\\n"     data: 你␍␊
    b"\\xe4\\xbd"                   ‹e4 bd›        two of the three bytes of 你
    b"a\\0\\tb "                    a␀␉b␠
    "👨\\u200d👩 ‹".encode()        👨‹e2 80 8d›👩 ‹e2 80 b9›

Backslash escapes are not suitable. JSON is full of backslashes, so a reader could not tell which of
them are part of the data.

The rules this file keeps:

1. Each byte is shown once, and each text stands for exactly one sequence of bytes. A picture such
   as ␊ stands for a control character, ‹hex› for the bytes with these values, and every other
   character for its UTF-8 bytes.
2. Nothing in the data controls the terminal, and nothing is invisible. A control character is shown
   as its picture (U+2400 and the following). All other invisible characters are shown in hex.
3. A line is never wider than the screen. Width is counted in cells: 你 and 🌊 take two each.
4. On a screen without UTF-8, only ASCII is shown unchanged, and hex is shown between < and >.
5. Compressed bytes have the style "coded" and are all shown in hex, because letters among them have
   no meaning.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.cells import cell_len

__all__ = ["Alphabet", "Line"]

Part = tuple[str, str]  # the name of a style, and a text

MIN_WIDTH = 4  # cells of one byte in hex: ‹e4›
CODED = "coded"
SPACE = "␠"  # a space at the beginning or end of a line, which would be invisible

CONTROLS = {chr(code): chr(0x2400 + code) for code in range(0x20)} | {"\x7f": "␡"}

# Characters that have a meaning in our own text. In the data, they are shown in hex.
RESERVED = frozenset([*map(chr, range(0x2400, 0x2427)), "‹", "◂"])

# Variation selectors and skin colours change the character before them, and terminals disagree
# about the width of the two together. (A joiner is not printable, so it is shown in hex anyway.)
MODIFIERS = frozenset([*map(chr, range(0xFE00, 0xFE10)), *map(chr, range(0x1F3FB, 0x1F400))])

MAX_SIGNS = 20_000
"""Largest number of characters whose text and width are cached. The limit is needed because the
peer chooses the characters."""


class Line(NamedTuple):
    """The content of one line of the screen.

    Args:
        parts: Texts with the names of their styles.
        size: Number of bytes that are shown.
        cells: Number of cells that the texts take.
    """

    parts: list[Part]
    size: int
    cells: int


class Alphabet:
    """Turns bytes into lines.

    Args:
        ascii_only: Whether the screen shows only ASCII.

    Attributes:
        note: The mark before our own words on a line. The text that stands for data never contains
            this mark.
    """

    def __init__(self, ascii_only: bool = False) -> None:
        self.ascii_only = ascii_only
        self.note = "<- " if ascii_only else "◂ "
        self._brackets = "<>" if ascii_only else "‹›"
        self._signs: dict[str, tuple[str, int]] = {}

    def lines(self, data: Sequence[tuple[str, bytes]], width: int) -> Iterator[Line]:
        """Show bytes as text.

        Args:
            data: The bytes, divided into parts with one style each. A character that is split
                between two parts is shown in hex.
            width: Number of cells in a line, but at least MIN_WIDTH.
        """
        # A space at the end of an ASCII line becomes <20>, three cells more.
        width = max(width - 3 * self.ascii_only, MIN_WIDTH)
        line = _Growing(width, self._brackets)
        for style, piece in data:
            text = _decode(piece)
            is_coded = style == CODED
            if (
                not is_coded
                and text.isascii()
                and text.isprintable()
                and not (self.ascii_only and "<" in text)
            ):
                # Most of a stream is plain ASCII, which can be cut by its length, without a loop
                # over its characters.
                while text:
                    if line.cells >= width:
                        yield self._finish(line)
                        line = _Growing(width, self._brackets)
                    some = text[: width - line.cells]
                    line.add(style, some, len(some), len(some))
                    text = text[len(some) :]
                continue
            for character in text:
                shown, cells = ("", 0) if is_coded else self._sign(character)
                if line.cells + cells > width:
                    yield self._finish(line)
                    line = _Growing(width, self._brackets)
                # A mark of width 0 belongs to the character before it.
                if shown and (cells or line.ends_in_text):
                    line.add(style, shown, len(_encode(character)), cells)
                    continue
                for byte in _encode(character):
                    if line.cells + (3 if line.ends_in_hex else 4) > width:
                        yield self._finish(line)
                        line = _Growing(width, self._brackets)
                    line.add_hex(style, byte)
        if line.size:
            yield self._finish(line)

    def hex_lines(self, data: Sequence[tuple[str, bytes]], count: int) -> Iterator[Line]:
        """Show bytes in hex, `count` of them on a line, and their text to the right."""
        pairs = [(style, byte) for style, piece in data for byte in piece]
        for start in range(0, len(pairs), count):
            some = pairs[start : start + count]
            parts = [(style, f"{byte:02x} ") for style, byte in some]
            text, cells = "", 0
            for character in _decode(bytes(byte for _, byte in some)):
                shown, width = self._sign(character)
                text += shown if width else "." if self.ascii_only else "·"
                cells += width or 1
            parts.append(("hex-text", "   " * (count - len(some)) + " " + text))
            yield Line(parts, len(some), 3 * count + 1 + cells)

    def beginning(self, data: bytes, width: int) -> str:
        """Return the first bytes as one line of text."""
        for line in self.lines([("", data[: 4 * max(width, MIN_WIDTH)])], width):
            return "".join(text for _, text in line.parts)
        return ""

    def ending(self, data: bytes, width: int) -> str:
        """Return the last bytes as one line of text."""
        *_, line = self.lines([("", data[-width:])], width)
        return "".join(text for _, text in line.parts)

    def _sign(self, character: str) -> tuple[str, int]:
        """Return the text for a character and its width in cells. The text is "" if the character
        must be shown in hex."""
        sign = self._signs.get(character)
        if sign is None:
            sign = self._make_sign(character)
            if len(self._signs) < MAX_SIGNS:
                self._signs[character] = sign
        return sign

    def _make_sign(self, character: str) -> tuple[str, int]:
        if self.ascii_only:
            is_plain = character.isascii() and character.isprintable() and character != "<"
            return (character, 1) if is_plain else ("", 0)
        if character in CONTROLS:
            return CONTROLS[character], 1
        if not character.isprintable() or character in RESERVED or character in MODIFIERS:
            return "", 0
        return character, cell_len(character)

    def _finish(self, line: "_Growing") -> Line:
        line.close()
        style, text = line.parts[-1]
        if text.endswith(" "):
            line.parts[-1] = (style, text[:-1] + ("<20>" if self.ascii_only else SPACE))
            line.cells += 3 * self.ascii_only
        style, text = line.parts[0]
        if text.startswith(" ") and not self.ascii_only:
            line.parts[0] = (style, SPACE + text[1:])
        return Line(line.parts, line.size, line.cells)


@dataclass
class _Growing:
    """A line that is not full yet. `cells` already includes the bracket that will close the hex."""

    width: int
    brackets: str
    parts: list[Part] = field(default_factory=list)
    size: int = 0
    cells: int = 0
    ends_in_hex: bool = False

    @property
    def ends_in_text(self) -> bool:
        return bool(self.parts) and not self.ends_in_hex

    def add(self, style: str, text: str, size: int, cells: int) -> None:
        self.close()
        self._append(style, text)
        self.size += size
        self.cells += cells

    def add_hex(self, style: str, byte: int) -> None:
        self._append(style, (" " if self.ends_in_hex else self.brackets[0]) + f"{byte:02x}")
        self.size += 1
        self.cells += 3 if self.ends_in_hex else 4
        self.ends_in_hex = True

    def close(self) -> None:
        if self.ends_in_hex:
            self._append(self.parts[-1][0], self.brackets[1])
            self.ends_in_hex = False

    def _append(self, style: str, text: str) -> None:
        if self.parts and self.parts[-1][0] == style:
            text = self.parts.pop()[1] + text
        self.parts.append((style, text))


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encode(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


# What this file does not do: reorder or shape text that runs from right to left. A terminal that
# shapes such text may show the end of a line in another place.
