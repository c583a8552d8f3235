"""httpx-sse: the lines are decoded as its EventSource does."""

import json
import sys
from base64 import b64decode
from itertools import pairwise

import httpx

sys.path.pop(0)  # this file has the package's name
from httpx_sse import EventSource

for line in sys.stdin:
    asked = json.loads(line)
    data = b64decode(asked["bytes"])
    places = [0, *asked["splits"], len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    headers = {"content-type": "text/event-stream"}
    response = httpx.Response(200, headers=headers, content=iter(pieces))
    events = [
        {"event": one.event, "data": one.data, "id": one.id}
        for one in EventSource(response).iter_sse()
    ]
    print(json.dumps({"id": asked["id"], "events": events}), flush=True)
