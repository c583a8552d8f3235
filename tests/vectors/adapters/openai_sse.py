"""The event stream decoder of the openai SDK."""

import json
import sys
from base64 import b64decode
from itertools import pairwise

from openai._streaming import SSEDecoder

for line in sys.stdin:
    asked = json.loads(line)
    data = b64decode(asked["bytes"])
    places = [0, *asked["splits"], len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    try:
        events = [
            {"event": one.event or "message", "data": one.data, "id": one.id or ""}
            for one in SSEDecoder().iter_bytes(iter(pieces))
        ]
        answer = {"id": asked["id"], "events": events}
    except UnicodeDecodeError as error:
        answer = {"id": asked["id"], "error": str(error)}
    print(json.dumps(answer), flush=True)
