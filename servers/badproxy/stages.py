"""Faults in a body: each is a class with two methods, which take bytes and return pieces.

    stages = [Gather(4), Compress(sync=True)]
    run_stages(stages, b"data: hi")       two pieces of gzip, for b"data" and b": hi"
    end_stages(stages)                    what they still hold, and the end of the gzip format

A stage gets the body without its framing, in pieces whose borders have no meaning.
"""

import re
import zlib
from collections.abc import Sequence

from .catalogue import MAX_HELD

__all__ = [
    "BLANK_LINE",
    "Compress",
    "Gather",
    "Lag",
    "Rewrite",
    "SplitCharacters",
    "Stage",
    "end_stages",
    "run_stages",
]

BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")
"""Matches the end of an event (WHATWG HTML §9.2.6), beginning with the end of its last line."""


class Gather:
    """`buffer` and `rechunk`: send only full pieces, until the end of the body."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = bytearray()

    def receive_data(self, data: bytes) -> list[bytes]:
        self._held += data
        full = len(self._held) // self._size * self._size
        pieces = [bytes(self._held[at : at + self._size]) for at in range(0, full, self._size)]
        del self._held[:full]
        return pieces

    def receive_eof(self) -> list[bytes]:
        return [bytes(self._held)] if self._held else []


class Lag:
    """`lag`: hold the last events until the next one comes.

    A relay that reads up to a separator sees the end of an event when the next event begins, if it
    looks for the separator before the data, not after it.
    """

    def __init__(self, events: int) -> None:
        self._events = events
        self._held = bytearray()
        self._searched = 0  # number of held bytes in which all ends of events are known
        self._ends: list[int] = []  # offsets at which the held events end

    def receive_data(self, data: bytes) -> list[bytes]:
        self._held += data
        for blank_line in BLANK_LINE.finditer(self._held, self._searched):
            self._searched = blank_line.end()
            self._ends.append(self._searched)
        # A blank line may have begun in the last two bytes.
        self._searched = max(self._searched, len(self._held) - 2)
        known = len(self._ends) - self._events
        release = self._ends[known - 1] if known > 0 else 0
        if len(self._held) > MAX_HELD:
            release = len(self._held)
        if not release:
            return []
        piece = bytes(self._held[:release])
        del self._held[:release]
        self._searched -= release
        self._ends = [end - release for end in self._ends if end > release]
        return [piece]

    def receive_eof(self) -> list[bytes]:
        return [bytes(self._held)] if self._held else []


class Rewrite:
    """`rewrite`: count the tokens in passing, and put the events together wrongly.

    A real gateway did this: if it found the usage among the events of one read, it removed `data: `
    from all of these events, and added it again only to the event with the usage. So the other
    events lost their `data: `, and so did `[DONE]`. To a client, these are fields with unknown
    names, which it ignores. This class also drops `event:` lines, as other gateways do. A stream of
    Chat Completions without usage passes unchanged.
    """

    EVENT_LINE = re.compile(rb"^event:[^\r\n]*(?:\r\n|\n|\r)", re.MULTILINE)
    USAGE = re.compile(rb'"usage": ?\{')

    def __init__(self) -> None:
        self._found = False

    def receive_data(self, data: bytes) -> list[bytes]:
        data = self.EVENT_LINE.sub(b"", data)
        self._found = self._found or self.USAGE.search(data) is not None
        if self._found:
            lines = data.split(b"\n")
            data = b"\n".join(
                line if self.USAGE.search(line) else line.removeprefix(b"data: ") for line in lines
            )
        return [data] if data else []

    def receive_eof(self) -> list[bytes]:
        return []


class SplitCharacters:
    """`split-utf8`: split each piece in two, inside its first character of several bytes."""

    # Between the first byte of a character and its second (RFC 3629 §4).
    INSIDE = re.compile(rb"(?<=[\xc2-\xf4])(?=[\x80-\xbf])")

    def receive_data(self, data: bytes) -> list[bytes]:
        return self.INSIDE.split(data, maxsplit=1)

    def receive_eof(self) -> list[bytes]:
        return []


# region flush
class Compress:
    """`gzip` and `gzip-nosync`: the difference is one call.

    A compressor waits for more input, because more input compresses better. A sync flush makes it
    write out what it has: the reader can decode everything up to here (an empty block, RFC 1951
    §3.2.4).
    """

    def __init__(self, sync: bool) -> None:
        self._sync = sync
        self._compressor = zlib.compressobj(wbits=31)  # 31: gzip format (RFC 1952)

    def receive_data(self, data: bytes) -> list[bytes]:
        compressed = self._compressor.compress(data)
        if self._sync:
            compressed += self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return [compressed] if compressed else []

    def receive_eof(self) -> list[bytes]:
        return [self._compressor.flush()]
# endregion


Stage = Gather | Lag | Rewrite | SplitCharacters | Compress


def run_stages(stages: Sequence[Stage], data: bytes) -> list[bytes]:
    """Pass these bytes through all stages. Returns what the last one sends."""
    pieces = [data]
    for stage in stages:
        pieces = [out for piece in pieces for out in stage.receive_data(piece)]
    return pieces


def end_stages(stages: Sequence[Stage]) -> list[bytes]:
    """End all stages in turn. Returns what the last one sends."""
    return [
        piece
        for number, stage in enumerate(stages, 1)
        for held in stage.receive_eof()
        for piece in run_stages(stages[number:], held)
    ]


# What this file does not do: read or write. proxy.py sends what the last stage returns.
