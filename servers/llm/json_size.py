"""The size of a JSON text once it is parsed. Memory depends on the number of values, not of bytes.

    {"messages":[{"role":"user","content":"2 MB of text"}]}     4 values, parsed in 2 ms
    {"input":[{},{},{},…                                        10 MB: 3.5 million values, 400 MB

Parsing is one call of a C function. While it runs, no stream is served. Each value becomes an
object of about fifty bytes. So the values of a large body are counted first, in small parts, and a
body with too many is refused. A value follows each `[`, `{` and `,` that is not in a string (RFC
8259 §4, §5). The count may be too high, as in `[]`, but never too low.

What this file does not do: check that the text is JSON. The parser does.
"""

import re

from protocol.openai.common import InvalidRequest

from .turns import Work

__all__ = ["MAX_VALUES", "check_size"]

MAX_VALUES = 50_000
"""Largest number of values, including nested ones. Parsing this many takes 5 ms and a few
megabytes. A thousand messages have 3,000 values."""

PART = 64 << 10  # bytes examined at a time
VALUE_COSTS = 8  # work per value, in the unit of turns.py
PART_COSTS = 1024

STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)  # up to the end of string or part


async def check_size(body: bytes, work: Work, most: int = MAX_VALUES) -> None:
    """Refuse a body with too many values.

    Args:
        most: Largest number of values accepted.

    Raises:
        InvalidRequest: The body has more values than `most`.
    """
    values = place = 0
    in_string = False
    while place < len(body):
        end = min(place + PART, len(body))
        cost = VALUE_COSTS
        if in_string:
            found = STRING.match(body, place, end)
            stop = found.end() if found else place
            in_string = body[stop : stop + 1] != b'"'
            cost += (stop - place) * PART_COSTS // PART
            place = max(stop + (not in_string), place + 1)  # a lone \\ ends the part, so skip it
        else:
            quote = body.find(b'"', place, end)
            in_string = quote >= 0
            stop = quote if in_string else end
            more = sum(body.count(mark, place, stop) for mark in (b"[", b"{", b","))
            cost += more * VALUE_COSTS + (stop - place) * PART_COSTS // PART
            values += more
            place = stop + in_string
        if values > most:
            raise InvalidRequest(f"The body has more than {most} JSON values.")
        await work.spend(cost)
