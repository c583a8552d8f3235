"""Exercise 11: the client that loses its connection and not a word.

    async for token in read(ask):
        print(token, end="")

    id: k3f9-1          from this line on, the id is k3f9-1 …
    retry: 2000         from now on, wait 2,000 milliseconds before you ask again
    data: He            … and the event that it belongs to is complete at the blank line, not before

    : keep-alive        a comment

`await ask("k3f9-1")` sends a request with `Last-Event-ID: k3f9-1` (`""`: without one) and returns
the `Response`. When its lines end, or break off, wait and ask for what follows the last event that
was complete; so too when `ask` itself raises. A response of status 204 means: ask no more. Until a
`retry` line comes, wait 3 seconds. Every event here has one data line.
Use `trio.sleep` and the standard library.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass


@dataclass
class Response:
    """What came back.

    Attributes:
        status: 200, or 204 without any lines.
        lines: each line of the event stream as soon as it has come whole, without its line end.
            They end when the body has, and raise ConnectionError when the connection is lost.
    """

    status: int
    lines: AsyncGenerator[str, None]


Ask = Callable[[str], Awaitable[Response]]
"""It raises ConnectionError when nobody answers."""


async def read(ask: Ask) -> AsyncGenerator[str, None]:
    """Yield the data of each event once, as soon as it is complete, until the server says 204."""
    raise NotImplementedError("read")
    yield ""
