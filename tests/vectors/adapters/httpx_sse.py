"""httpx-sse: the lines are decoded as its EventSource does."""

import sys
from typing import Any

import httpx
from lines import answer_lines, pieces_of

sys.path.pop(0)  # this file has the package's name
from httpx_sse import EventSource


def read(asked: dict[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "text/event-stream"}
    response = httpx.Response(200, headers=headers, content=iter(pieces_of(asked)))
    events = EventSource(response).iter_sse()
    return {"events": [{"event": one.event, "data": one.data, "id": one.id} for one in events]}


answer_lines(read)
