"""A complete reply, compressed with gzip for a client that accepts it (RFC 9110 §8.4.1.3, §12.5.3).

    Accept-Encoding: gzip, br;q=0.8   ->   Content-Encoding: gzip
                                           Vary: Accept-Encoding

Only a reply whose whole body is known is compressed. A compressor holds bytes back until it has
enough of them, so a stream that passes through it without a flush arrives late or in bursts: this
is one of the faults that this project shows. A streaming reply never comes here.
"""

import gzip
import re
from functools import lru_cache

from .reply import Reply, Request

__all__ = ["accepts_gzip", "compressed"]

MIN_SIZE = 200
"""Bodies below this size, in bytes, are sent as they are: gzip itself adds about 20 bytes."""

# RFC 9110 §12.4.2: qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
REFUSED = re.compile(r"q=0(?:\.0{0,3})?")


def compressed(reply: Reply, request: Request) -> Reply:
    """Return the same reply, compressed if the request accepts gzip and the body is large enough.
    In both cases `Vary` tells caches that the reply depends on the request's Accept-Encoding."""
    headers = (*reply.headers, ("Vary", "Accept-Encoding"))
    body = reply.body
    if len(body) >= MIN_SIZE and accepts_gzip(request.header("accept-encoding") or ""):
        body = _gzip(body)
        headers += (("Content-Encoding", "gzip"),)
    return Reply(body, reply.status, reply.content_type, headers)


def accepts_gzip(field: str) -> bool:
    """Whether an Accept-Encoding field names gzip, or "*", with a weight other than 0."""
    accepted: dict[str, bool] = {}
    for item in field.lower().split(","):
        name, _, weight = (part.strip() for part in item.partition(";"))
        accepted[name] = not REFUSED.fullmatch(weight.replace(" ", ""))
    return accepted.get("gzip", accepted.get("*", False))


@lru_cache(maxsize=128)
def _gzip(body: bytes) -> bytes:
    """Compress a body. Equal bodies give equal bytes, because gzip's head gets no time."""
    return gzip.compress(body, 9, mtime=0)
