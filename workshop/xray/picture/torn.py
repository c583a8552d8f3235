"""Finds characters that are split between two reads or two chunks. In UTF-8, most of the world's
characters take 2 to 4 bytes.

    你         e4 bd a0
    a read ends with        e4 bd       "2 of the 3 bytes of 你"
    the next begins with          a0    "the last byte of 你"

A program that decodes each read (or each chunk) separately shows damaged characters here. A program
that keeps the first bytes until the others arrive shows 你 (`codecs.getincrementaldecoder`).
"""

from collections.abc import Callable

__all__ = ["TornCharacters"]

UNKNOWN = "a character"  # its other bytes have not come yet


class TornCharacters:
    """Examines the first and the last bytes of each row of a body.

    Args:
        following: A function that returns the bytes of the body after the row that have already
            arrived, but at most this many.

    Attributes:
        count: Number of characters that were split, but became complete later.
    """

    def __init__(self, following: Callable[[int], bytes]) -> None:
        self.count = 0
        self._following = following
        self._begun = b""  # bytes of a character whose other bytes are in a later row

    @property
    def cut(self) -> str:
        """The character that is split at the end of the last row, or ""."""
        return self._whole(self._begun) if self._begun else ""

    def forget(self) -> None:
        """Forget the last row, because the next bytes do not follow it directly."""
        self._begun = b""

    def row(self, data: bytes) -> str:
        """Take the bytes of a row. Returns a note about the character that it begins or ends."""
        note = ""
        if self._begun:
            missing = _size(self._begun) - len(self._begun)
            begun, self._begun = self._begun + data[:missing], b""
            if _is_beginning(begun):  # a row of one byte from the middle of a character
                character, self._begun = self._whole(begun), begun
                return f"✂ {_bytes(len(data))} of {character}" if character else ""
            if character := _decode(begun):
                self.count += 1
                note = f"✂ the last {_bytes(missing).removeprefix('1 ')} of {character}"
        for size in range(1, min(len(data), 3) + 1):
            tail = data[-size:]
            if _is_beginning(tail) and (character := self._whole(tail)):
                self._begun = tail
                note = f"✂ {size} of the {_size(tail)} bytes of {character}"
        return note

    def _whole(self, beginning: bytes) -> str:
        whole = beginning + self._following(_size(beginning) - len(beginning))
        return UNKNOWN if _is_beginning(whole) else _decode(whole)


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


# UTF-8 (RFC 3629 §4): the first byte says how many follow, each of them from 80 to BF.


def _size(beginning: bytes) -> int:
    """Return the number of bytes in the character."""
    return 2 if beginning[0] < 0xE0 else 3 if beginning[0] < 0xF0 else 4


def _is_beginning(data: bytes) -> bool:
    """Whether these bytes begin a character, so that at least one more byte must follow."""
    is_first = 0xC2 <= data[0] <= 0xF4 and len(data) < _size(data)
    return is_first and all(0x80 <= byte <= 0xBF for byte in data[1:])


def _decode(data: bytes) -> str:
    """Return the one character in these bytes, or ""."""
    try:
        character = data.decode()
    except UnicodeDecodeError:
        return ""
    return character if len(character) == 1 and character.isprintable() else ""


# What this file does not do: find a split between two characters that are shown as one sign (a
# letter and its accent, a family of emoji). Decoders handle such a split correctly.
