"""sseclient-py: its client reads any iterator of bytes."""

from typing import Any

import sseclient
from lines import answer_lines, pieces_of


def read(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        events = [
            {"event": one.event, "data": one.data, "id": one.id or ""}
            for one in sseclient.SSEClient(iter(pieces_of(asked))).events()
        ]
    except UnicodeDecodeError as error:
        return {"error": str(error)}
    return {"events": events}


answer_lines(read)
