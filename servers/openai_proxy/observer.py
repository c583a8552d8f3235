"""A copy of an event stream, looked at while it passes: its events, in a memory of fixed size.

    data: {"type":"image","b64":"iVBORw0KGgo…5 MB…","usage":{"output_tokens":3}}

    the parser gets     data: {"type":"image","b64":"iVBORw0KGgo…and the last 16 KiB of the line

A relay passes on lines and events of any size, so what looks at them must not give up at a size,
and must not keep them either. The rules this file keeps:

1. The parser gets each event up to MAX_EVENT bytes whole.
2. Of a line that outgrows it, it gets the beginning, where an event's type stands, and the end,
   where the usage does.
3. A line that begins when the event is already too long becomes an empty comment. No line is lost,
   so where an event ends is known as before.
"""

from protocol.sse import LINE_END, EventStreamParser, ServerSentEvent

__all__ = ["MAX_EVENT", "Observer"]

MAX_EVENT = 128 << 10  # bytes of an event that are kept in any case; twice as many at most
TAIL = 16 << 10  # bytes of the end of a long line, kept beside them


class Observer:
    """Reads the events of one stream.

    Attributes:
        is_cutting: the event under way is longer than is kept of it.
    """

    def __init__(self) -> None:
        limit = 2 * (MAX_EVENT + TAIL)  # never reached: less than that is kept of an event
        self._parser = EventStreamParser(max_line_size=limit, max_event_size=limit)
        # Bytes that the parser got since it stood between two events. As far as it was looked at
        # only behind each read it may be too many, so from MAX_EVENT on it is counted by line.
        self._size = 0
        self._by_line = False
        self._in_line = False  # the last bytes are of a line that has not ended
        self._tail = b""  # the end of a line under way, if not all of it was given to the parser
        self._after_cr = False  # a LF that comes now belongs to it
        self.is_cutting = False

    @property
    def at_event_border(self) -> bool:
        """An event or a comment of ours may be sent here. Not between CR and LF."""
        return self._parser.at_event_border and not self._tail and not self._after_cr

    def receive_data(self, data: bytes) -> list[ServerSentEvent]:
        """The events that these bytes end. They may be cut anywhere."""
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if data.endswith(b"\r"):
            # The parser gets LF: after a CR it could not say whether it stands between two events.
            # For b"\r\r" it gets two, because CR LF would be one line end.
            kept = data.rstrip(b"\r")
            data = kept + b"\n" * (len(data) - len(kept))
            self._after_cr = True
        if not self._by_line and self._size + len(data) > MAX_EVENT:
            self._by_line, self._size = True, 0
        if self._by_line:
            return self._take_lines(data)
        # The usual case, and as fast as the parser is: whatever is in these bytes, it is not long.
        events = self._parser.receive_data(data)
        self._size = 0 if self._parser.at_event_border else self._size + len(data)
        self._in_line = not data.endswith(b"\n") if data else self._in_line
        return events

    def _take_lines(self, data: bytes) -> list[ServerSentEvent]:
        """The same for bytes that may be too many (test_by_line_is_the_same)."""
        events: list[ServerSentEvent] = []
        start = 0
        for match in LINE_END.finditer(data):
            self._take(data[start : match.start()])
            events += self._end_line()
            start = match.end()
        self._take(data[start:])
        return events

    def _take(self, part: bytes) -> None:
        """A part of a line: to the parser as far as there is room, then only its end is kept."""
        room = 0 if self._tail else MAX_EVENT - self._size
        kept, rest = part[:room], part[room:]
        if kept:
            self._parser.receive_data(kept)
            self._size += len(kept)
            self._in_line = True
        if rest:
            self.is_cutting = True
            self._tail = (self._tail + rest)[-TAIL:]

    def _end_line(self) -> list[ServerSentEvent]:
        rest = self._tail if self._in_line or not self._tail else b":"
        self._in_line, self._tail = False, b""
        events = self._parser.receive_data(rest + b"\n")
        if self._parser.at_event_border:
            self._size, self._by_line, self.is_cutting = 0, False, False
        return events


# What this file does not do: change what is relayed (body_relay.py), or keep what it has seen
# (log_record.py).
