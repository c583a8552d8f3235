"""The event stream decoder of the openai SDK."""

from typing import Any

from lines import answer_lines, pieces_of
from openai._streaming import SSEDecoder


def read(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        events = [
            {"event": one.event or "message", "data": one.data, "id": one.id or ""}
            for one in SSEDecoder().iter_bytes(iter(pieces_of(asked)))
        ]
    except UnicodeDecodeError as error:
        return {"error": str(error)}
    return {"events": events}


answer_lines(read)
