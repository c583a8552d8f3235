"""Parses a copy of an event stream while it is relayed, in bounded memory.

    data: {"type":"image","b64":"iVBORw0KGgo…5 MB…","usage":{"output_tokens":3}}

    the parser gets     data: {"type":"image","b64":"iVBORw0KGgo…and the last 16 KiB of the line

A relay passes on lines and events of any size. So its observer must neither fail on a long event
nor keep all of it in memory. The rules this file keeps:

1. The parser gets the whole of each event of up to MAX_EVENT bytes.
2. If a line exceeds this limit, the parser gets only its beginning, where the event's type is, and
   its end, where the usage is.
3. If the event is already too long when a line begins, the parser gets nothing of that line. It
   gets each blank line, so it still finds the end of each event.
"""

from protocol.sse import LINE_END, EventStreamParser, ServerSentEvent

__all__ = ["MAX_EVENT", "EventObserver"]

MAX_EVENT = 128 << 10  # bytes of an event that are always kept; at most twice as many are
TAIL = 16 << 10  # bytes from the end of a long line that are kept in addition


class EventObserver:
    """Reads the events of one stream.

    Attributes:
        is_cutting: Whether the current event is too long, so that a part of it is dropped.
    """

    def __init__(self) -> None:
        limit = 2 * (MAX_EVENT + TAIL)  # this limit is never reached: we keep less of an event
        self._parser = EventStreamParser(max_line_size=limit, max_event_size=limit)
        # Number of bytes that the parser got since the last event border. Borders are checked once
        # a read, so the number may be too high. Above MAX_EVENT we count line by line.
        self._size = 0
        self._by_line = False
        self._in_line = False  # the last line has not ended
        self._tail = b""  # the end of the current line, if the parser did not get all of it
        self._after_cr = False  # a LF as the next byte belongs to this CR
        self.is_cutting = False

    @property
    def at_event_border(self) -> bool:
        """Whether our own event or comment may be sent now, which is not so between CR and LF."""
        return self._parser.at_event_border and not self._tail and not self._after_cr

    def receive_data(self, data: bytes) -> list[ServerSentEvent]:
        """Parse bytes that may be split anywhere. Returns the events that end in these bytes."""
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if data.endswith(b"\r"):
            # The parser gets LF in place of a CR at the end, because after a CR it could not know
            # whether an event has ended. For b"\r\r" it gets two LFs, because CR LF would be one
            # line end.
            kept = data.rstrip(b"\r")
            data = kept + b"\n" * (len(data) - len(kept))
            self._after_cr = True
        if not self._by_line and self._size + len(data) > MAX_EVENT:
            self._by_line, self._size = True, 0
        if self._by_line:
            return self._take_lines(data)
        # The usual case, which is as fast as the parser alone: nothing in these bytes can be too
        # long.
        events = self._parser.receive_data(data)
        self._size = 0 if self._parser.at_event_border else self._size + len(data)
        self._in_line = not data.endswith(b"\n") if data else self._in_line
        return events

    def _take_lines(self, data: bytes) -> list[ServerSentEvent]:
        """Parse line by line, because the event may be too long (test_by_line_is_the_same)."""
        events: list[ServerSentEvent] = []
        start = 0
        for match in LINE_END.finditer(data):
            self._take(data[start : match.start()])
            events += self._end_line()
            start = match.end()
        self._take(data[start:])
        return events

    def _take(self, part: bytes) -> None:
        """Give this part of a line to the parser as long as the event is within the limit. After
        that, keep only the line's end."""
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
        rest, self._tail = self._tail, b""
        if rest and not self._in_line:
            return []
        self._in_line = False
        events = self._parser.receive_data(rest + b"\n")
        if self._parser.at_event_border:
            self._size, self._by_line, self.is_cutting = 0, False, False
        return events


# What this file does not do: change what is relayed (body_relay.py), or count
# events (log_record.py).
