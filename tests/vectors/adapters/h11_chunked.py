"""h11: a chunked body in a response."""

import json
import sys
from base64 import b64decode, b64encode
from itertools import pairwise

import h11

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(data: bytes, splits: list[int]) -> dict[str, object]:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(HEAD)
    connection.next_event()
    body, places = b"", [0, *splits, len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    for piece in (*filter(None, pieces), b""):
        try:
            connection.receive_data(piece)
            while isinstance(event := connection.next_event(), h11.Data):
                body += bytes(event.data)
        except h11.RemoteProtocolError as error:
            return {"ok": False, "at_end": not piece, "error": str(error)}
        if isinstance(event, h11.EndOfMessage):
            return {"ok": True, "body": b64encode(body).decode()}
    return {"ok": False, "at_end": True}


for line in sys.stdin:
    asked = json.loads(line)
    answer = {"id": asked["id"], **read(b64decode(asked["bytes"]), asked["splits"])}
    print(json.dumps(answer), flush=True)
