"""protocol.chunked"""

from base64 import b64encode
from typing import Any

from lines import answer_lines, pieces_of

from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError


def read(asked: dict[str, Any]) -> dict[str, Any]:
    decoder, body, at_end = ChunkedDecoder(), b"", False
    try:
        for piece in pieces_of(asked):
            body += b"".join(decoder.receive_data(piece))
        at_end = True
        decoder.receive_eof()
    except DecodeError as error:
        return {"ok": False, "at_end": at_end, "error": str(error)}
    return {
        "ok": True,
        "body": b64encode(body).decode(),
        "trailers": [[text.decode("latin-1") for text in field] for field in decoder.trailers],
        "leftover": b64encode(decoder.trailing_data).decode(),
    }


answer_lines(read)
