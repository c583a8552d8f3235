"""Finds the events and characters that are cut where a chunk ends.

    chunk 1      data: {"text":"你 be e5                    it ends inside a character
    chunk 2      a5 bd"}␊␊ data: {"text"                  it ends inside event 2
    chunk 3      :"!"}␊␊

A program that writes whole events ends each chunk where an event ends. A program that writes blocks
of bytes ends its chunks anywhere, so it can be recognized. The sizes of reads are ignored, because
they depend on TCP and on the reader's speed.
"""

from collections import deque

from protocol.anatomy import ByteSpan

__all__ = ["Borders"]

# Compressed bytes have neither events nor characters. In unlabelled bytes, we cannot see them.
NO_TEXT = frozenset(["coded", "unfinished", "unreadable"])


class Borders:
    """Takes the spans of a body in order, and notes whether a chunk ends inside an event or a
    character.

    Args:
        history: Largest number of chunk sizes kept. The oldest are dropped.

    Attributes:
        sizes: Sizes of the last complete chunks, in bytes of body.
        inside_events: Number of chunks that ended inside an event.
        inside_characters: Number of chunks that ended inside a character of several bytes.
        most_events: Largest number of events that ended in one chunk.
    """

    def __init__(self, history: int) -> None:
        self.sizes: deque[int] = deque(maxlen=history)
        self.inside_events = self.inside_characters = self.most_events = 0
        self._chunk = 0
        self._size = 0
        self._events = 0
        self._in_event = False

    def take(self, span: ByteSpan, first_byte: int, ends_event: bool) -> None:
        """Take the next span.

        Args:
            span: A span of the body.
            first_byte: Its first byte.
            ends_event: Whether its last byte dispatches an event.
        """
        if span.chunk != self._chunk:
            if self._chunk and span.label not in NO_TEXT:
                self.inside_events += self._in_event
                self.inside_characters += is_continuation(first_byte)
            self.end_chunk()
            self._chunk = span.chunk
        self._size += span.end - span.start
        if ends_event:
            self._events += 1
            self.most_events = max(self.most_events, self._events)
        self._in_event = bool(span.event) and span.label != "blank-line"

    @property
    def sizes_are_equal(self) -> bool:
        """Whether there are at least three chunks, and all except the last have the same size."""
        sizes = list(self.sizes)[:-1]
        return len(sizes) >= 2 and sizes.count(sizes[0]) == len(sizes)

    def end_chunk(self) -> None:
        """Note the size of the chunk that has ended."""
        if self._chunk:
            self.sizes.append(self._size)
        self._chunk = self._size = self._events = 0


def is_continuation(byte: int) -> bool:
    """Whether a byte continues a character: UTF8-tail = %x80-BF (RFC 3629 §4)."""
    return byte & 0xC0 == 0x80


# What this file does not do: judge its findings (verdicts.py).
