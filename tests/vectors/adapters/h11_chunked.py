"""h11: a chunked body in a response."""

from base64 import b64encode
from typing import Any

import h11
from lines import answer_lines, pieces_of

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(asked: dict[str, Any]) -> dict[str, Any]:
    connection, body = h11.Connection(h11.CLIENT), b""
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.receive_data(HEAD)
    connection.next_event()
    for piece in (*filter(None, pieces_of(asked)), b""):
        try:
            connection.receive_data(piece)
            while isinstance(event := connection.next_event(), h11.Data):
                body += bytes(event.data)
        except h11.RemoteProtocolError as error:
            return {"ok": False, "at_end": not piece, "error": str(error)}
        if isinstance(event, h11.EndOfMessage):
            return {"ok": True, "body": b64encode(body).decode()}
    return {"ok": False, "at_end": True}


answer_lines(read)
