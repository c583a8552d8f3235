"""The URL of an exchange in a recording, and its place in the recording.

recorded by a tap   http://10.0.0.7:8000     where the connection goes
its request         POST /v1/responses …     the target
shown               http://10.0.0.7:8000/v1/responses
"""

import re

from .exchange import Exchange

__all__ = ["heading_of", "url_of"]

ORIGIN = re.compile(r"https?://[^/?#]+")


def url_of(exchange: Exchange) -> str:
    """Return the URL that was asked for, with the target of the request, or "" if nothing is known.

    A tap records only the origin, and a capture only the first URL of a connection.
    """
    words = exchange.request.split(b" ", 2)
    target = words[1].decode("latin-1") if len(words) == 3 else ""
    origin = ORIGIN.match(exchange.url)
    return origin[0] + target if origin and target.startswith("/") else exchange.url


def heading_of(exchange: Exchange, number: int, count: int) -> str:
    """Return a description of the place of this response in its recording."""
    return (
        f"response {number} of {count} · connection {exchange.connection}"
        f" · asked {exchange.began / 1000:,.3f} s after the recording began"
    )


# What this file does not do: divide a recording into its exchanges (exchange.py).
