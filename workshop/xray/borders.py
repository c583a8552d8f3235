"""The borders of chunks and reads, and what they cut: events and characters.

    chunk 1      data: {"text":"你 be e5                    it ends inside a character
    chunk 2      a5 bd"}␊␊ data: {"text"                  it ends inside event 2
    chunk 3      :"!"}␊␊

A program that writes events ends each chunk where an event ends. A program that writes blocks of
bytes ends them anywhere, and so it can be recognized.
"""

from collections import deque

from protocol.anatomy import ByteSpan

__all__ = ["Borders"]

# Labels of bytes that are not part of a body's text. Compressed bytes have no events or characters.
NOT_BODY = frozenset(
    ["head", "chunk-size", "chunk-ext", "CRLF", "last-chunk", "trailer", "after-end"]
)
NO_TEXT = frozenset(["coded", "unfinished", "unreadable"])


class Borders:
    """Takes the spans of a body in order, and notes what lies at the borders.

    Args:
        history: Number of chunk sizes kept; the oldest are dropped.

    Attributes:
        sizes: Sizes of the last complete chunks, in bytes of body.
        inside_events: Number of chunks that ended inside an event.
        inside_characters: Number of chunks that ended inside a character of several bytes.
        most_events: Largest number of events that ended in one chunk.
        reads_inside_characters: Number of reads that ended inside a character.
    """

    def __init__(self, history: int) -> None:
        self.sizes: deque[int] = deque(maxlen=history)
        self.inside_events = self.inside_characters = self.most_events = 0
        self.reads_inside_characters = 0
        self._chunk = 0
        self._size = 0
        self._events = 0
        self._open = False  # the last byte was inside an event

    def take(self, span: ByteSpan, data: bytes, ends_event: bool) -> None:
        """Take the next span.

        Args:
            data: The bytes of the span.
            ends_event: The span's last byte dispatches an event.
        """
        if span.label in NOT_BODY:
            return
        if span.chunk != self._chunk:
            if self._chunk and span.label not in NO_TEXT:
                self.inside_events += self._open
                self.inside_characters += is_continuation(data[0])
            self.end_chunk()
            self._chunk = span.chunk
        self._size += len(data)
        self._events += ends_event
        self._open = bool(span.event) and not ends_event and span.label != "blank-line"

    def end_chunk(self) -> None:
        """Note the size of the chunk that has ended."""
        if self._chunk:
            self.sizes.append(self._size)
        self.most_events = max(self.most_events, self._events)
        self._size = self._events = 0


def is_continuation(byte: int) -> bool:
    """Whether a byte continues a character: UTF8-tail = %x80-BF (RFC 3629 §4)."""
    return byte & 0xC0 == 0x80


# What this file does not do: judge what it found (verdicts.py).
