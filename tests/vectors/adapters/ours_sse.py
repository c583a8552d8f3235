"""protocol.sse"""

import json
import sys
from base64 import b64decode

from protocol.sse import EventStreamParser

for line in sys.stdin:
    asked = json.loads(line)
    parser = EventStreamParser(asked["last_event_id"])
    data, start, events = b64decode(asked["bytes"]), 0, []
    for end in (*asked["splits"], len(data)):
        events += parser.receive_data(data[start:end])
        start = end
    parser.receive_eof()
    told = [{"event": one.event, "data": one.data, "id": one.id} for one in events]
    answer = {
        "id": asked["id"],
        "events": told,
        "last_event_id": parser.last_event_id,
        "reconnect_ms": parser.reconnection_time,
    }
    print(json.dumps(answer), flush=True)
