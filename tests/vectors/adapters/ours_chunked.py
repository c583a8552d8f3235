"""protocol.chunked"""

import json
import sys
from base64 import b64decode, b64encode
from itertools import pairwise

from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError


def read(data: bytes, splits: list[int]) -> dict[str, object]:
    decoder, body, at_end = ChunkedDecoder(), b"", False
    try:
        for start, end in pairwise([0, *splits, len(data)]):
            body += b"".join(decoder.receive_data(data[start:end]))
        at_end = True
        decoder.receive_eof()
    except DecodeError as error:
        return {"ok": False, "at_end": at_end, "error": str(error)}
    trailers = [
        [name.decode("latin-1"), value.decode("latin-1")] for name, value in decoder.trailers
    ]
    leftover = b64encode(decoder.trailing_data).decode()
    return {
        "ok": True,
        "body": b64encode(body).decode(),
        "trailers": trailers,
        "leftover": leftover,
    }


for line in sys.stdin:
    asked = json.loads(line)
    answer = {"id": asked["id"], **read(b64decode(asked["bytes"]), asked["splits"])}
    print(json.dumps(answer), flush=True)
