"""sseclient-py: its client reads any iterator of bytes."""

import json
import sys
from base64 import b64decode
from itertools import pairwise

import sseclient

for line in sys.stdin:
    asked = json.loads(line)
    data = b64decode(asked["bytes"])
    pieces = [data[start:end] for start, end in pairwise([0, *asked["splits"], len(data)])]
    try:
        events = [
            {"event": one.event, "data": one.data, "id": one.id or ""}
            for one in sseclient.SSEClient(iter(pieces)).events()
        ]
        answer = {"id": asked["id"], "events": events}
    except UnicodeDecodeError as error:
        answer = {"id": asked["id"], "error": str(error)}
    print(json.dumps(answer), flush=True)
