"""What a JSON text will become, before it is read: not its bytes cost, but its values.

    {"messages":[{"role":"user","content":"2 MB of text"}]}     4 values, read in 2 ms
    {"input":[{},{},{},…                                        10 MB: 3.5 million values, 400 MB

Reading is one call of a C function, in which no stream moves, and each value becomes an object of
some fifty bytes. So the values of a large body are counted first, piece by piece, and too many are
refused. A value follows each `[`, `{` and `,` that is not in a string (RFC 8259 §4, §5): one may be
counted that is not there, as in `[]`, and none is forgotten.

What this file does not do: find out whether it is JSON at all. Whoever reads it does.
"""

import re

from protocol.openai.common import InvalidRequest

from .turns import Work

__all__ = ["MAX_VALUES", "check_size"]

MAX_VALUES = 50_000
"""Objects, arrays, and what is in them: 5 ms and a few megabytes. A thousand messages: 3,000."""

PIECE = 64 << 10  # bytes looked at in one go
VALUE_COSTS = 8  # characters, in turns
PIECE_COSTS = 1024

STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)  # up to its end, or the piece's


async def check_size(body: bytes, work: Work, most: int = MAX_VALUES) -> None:
    """Refuse a body of too many values.

    Raises:
        InvalidRequest: it has more than `most`.
    """
    values = place = 0
    in_string = False
    while place < len(body):
        end = min(place + PIECE, len(body))
        cost = VALUE_COSTS
        if in_string:
            found = STRING.match(body, place, end)
            stop = found.end() if found else place
            in_string = body[stop : stop + 1] != b'"'
            cost += (stop - place) * PIECE_COSTS // PIECE
            place = max(stop + (not in_string), place + 1)  # a lone \\ ends the piece: go on
        else:
            quote = body.find(b'"', place, end)
            in_string = quote >= 0
            stop = quote if in_string else end
            more = sum(body.count(mark, place, stop) for mark in (b"[", b"{", b","))
            cost += more * VALUE_COSTS + (stop - place) * PIECE_COSTS // PIECE
            values += more
            place = stop + in_string
        if values > most:
            raise InvalidRequest(f"The body has more than {most} JSON values.")
        await work.spend(cost)
