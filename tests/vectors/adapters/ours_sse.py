"""protocol.sse"""

from typing import Any

from lines import answer_lines, pieces_of

from protocol.sse import EventStreamParser


def read(asked: dict[str, Any]) -> dict[str, Any]:
    parser = EventStreamParser(asked["last_event_id"])
    events = [event for piece in pieces_of(asked) for event in parser.receive_data(piece)]
    parser.receive_eof()
    return {
        "events": [{"event": one.event, "data": one.data, "id": one.id} for one in events],
        "last_event_id": parser.last_event_id,
        "reconnect_ms": parser.reconnection_time,
    }


answer_lines(read)
