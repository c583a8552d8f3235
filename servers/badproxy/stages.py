"""Faults in a body. Each is a class with two methods, which take bytes and return pieces.

    stages = [Gather(4), Compress(sync=True)]
    run_stages(stages, b"data: hi")       two pieces of gzip, for b"data" and b": hi"
    end_stages(stages)                    what they still hold, and the end of the gzip format

A stage gets the body without its framing, cut anywhere into pieces.
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
    """For `buffer` and `rechunk`: send only full blocks, except at the end of the body."""

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
    """For `lag`: hold the last events until the next event arrives.

    Some relays look for the separator at the beginning of an event, not at its end. Such a relay
    knows that an event is complete only when the next one begins.
    """

    def __init__(self, events: int) -> None:
        self._events = events
        self._held = bytearray()
        self._searched = 0  # number of held bytes that were already searched for the ends of events
        self._ends: list[int] = []  # offsets at which the held events end

    def receive_data(self, data: bytes) -> list[bytes]:
        self._held += data
        for blank_line in BLANK_LINE.finditer(self._held, self._searched):
            self._searched = blank_line.end()
            self._ends.append(self._searched)
        # The last two bytes may be the beginning of a blank line.
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
    """For `rewrite`: count the tokens of the events, and then write the events in a wrong form.

    A real gateway did this. If one of the events in a read had the usage, the gateway removed
    `data: ` from all of these events, and added it again only to the event with the usage. So the
    other events, and `[DONE]`, lost their `data: `. A client sees such lines as fields with unknown
    names, and ignores them. This class also drops `event:` lines, as other gateways do. A stream of
    Chat Completions without usage is not changed.
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
    """For `split-utf8`: split each piece in two, inside its first character of several bytes."""

    # Matches the place between the first and the second byte of a character (RFC 3629 §4).
    INSIDE = re.compile(rb"(?<=[\xc2-\xf4])(?=[\x80-\xbf])")

    def receive_data(self, data: bytes) -> list[bytes]:
        return self.INSIDE.split(data, maxsplit=1)

    def receive_eof(self) -> list[bytes]:
        return []


# region flush
class Compress:
    """For `gzip` and `gzip-nosync`, which differ only in one call.

    A compressor waits for more input, because more input compresses better. A sync flush makes the
    compressor write everything that it holds, followed by an empty block (RFC 1951 §3.2.4). Then
    the reader can decode all bytes so far.
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
    """Pass these bytes through all stages. Returns the pieces that the last stage sends."""
    pieces = [data]
    for stage in stages:
        pieces = [out for piece in pieces for out in stage.receive_data(piece)]
    return pieces


def end_stages(stages: Sequence[Stage]) -> list[bytes]:
    """End all stages in turn. Returns the pieces that the last stage sends."""
    return [
        piece
        for number, stage in enumerate(stages, 1)
        for held in stage.receive_eof()
        for piece in run_stages(stages[number:], held)
    ]


# What this file does not do: read or write. proxy.py sends what the last stage returns.
