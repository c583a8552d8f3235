"""The parts of the picture of a stream: rows of bytes, the borders of reads, and the end.

    Border(read=4, chunk=2, event=2, token=1, torn="你", …)
    Row(199, b"\xa0", chunk=Mark(INSIDE, 2), event=Mark(INSIDE, 2), token=Mark(ENDS, 1), …)

A row holds bytes of one read, one chunk, one event and one token at most. So borders that line up
are between the same two rows, and a border that cuts another layer is inside that layer's bracket.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from protocol.recording import End

__all__ = ["NOWHERE", "Border", "Item", "Mark", "Misfits", "Place", "Row", "Skipped"]


class Place(Enum):
    """Where a row is in a chunk, an event or a token."""

    NONE = "in none"
    BEGINS = "it begins here"
    INSIDE = "it began before and goes on after"
    ENDS = "it ends here"
    WHOLE = "it begins and ends here"
    AROUND = "it began before and goes on after, but these bytes are not part of it"


class Mark(NamedTuple):
    """The place of a row in one layer, with the number of the chunk, event or token. The number is
    0 if the row is in none."""

    place: Place
    number: int


NOWHERE = Mark(Place.NONE, 0)


class Row(NamedTuple):
    """Consecutive bytes with the same place in all layers.

    Args:
        offset: Offset of the first byte in the response.
        parts: The bytes, divided so that each part has one label, and with the style of each part.
        chunk, event, token: The place in these layers.
        note: A note that helps a learner to understand these bytes, or "".
    """

    offset: int
    parts: list[tuple[str, bytes]]
    chunk: Mark = NOWHERE
    event: Mark = NOWHERE
    token: Mark = NOWHERE
    note: str = ""


class Border(NamedTuple):
    """The place where a read begins, or where the response ends.

    Args:
        at: Time in milliseconds since the request was sent.
        gap: Milliseconds since the previous read, or None for the first read.
        offset: Offset of the read's first byte, or the size of the response.
        size: Size of the read in bytes.
        read: Number of the read, from 1, or 0 for the end.
        end: How the response ended, or "".
        chunk, event, token: Number of the chunk, event or token that is cut here, or 0 if none is
            cut.
        torn: Another thing that is cut: a character ("a character" if its other bytes have not
            arrived yet), "the head", or "".
    """

    at: float
    gap: float | None
    offset: int
    size: int
    read: int
    end: End
    chunk: int
    event: int
    token: int
    torn: str


class Skipped(NamedTuple):
    """Reads that were left out, with their number and their size in bytes."""

    reads: int
    size: int


@dataclass
class Misfits:
    """The number of times that borders of different layers did not line up.

    Args:
        reads: Reads that began inside a chunk, an event or the head.
        chunks: Number of chunks that ended inside an event.
        characters: Number of characters that were split between two reads or two chunks.
    """

    reads: int = 0
    chunks: int = 0
    characters: int = 0


Item = Row | Border | Skipped
