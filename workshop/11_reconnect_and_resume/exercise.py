"""Exercise 11: a client that loses its connection, and does not lose a word.

    async for token in read(ask):
        print(token, end="")

    id: k3f9-1          the id of the event that is being read
    retry: 2000         from now on, wait 2,000 milliseconds before you ask again
    data: He            the data of this event
                        a blank line: only now the event is complete, and its id is valid
    : keep-alive        a comment

Call `await ask("k3f9-1")` to send a request with `Last-Event-ID: k3f9-1`, or `ask("")` to send one
without that field. The result is the `Response`. When its lines end or break off, or when `ask`
itself raises, wait. Then ask for the events after the last complete one. A response with status 204
means: do not ask again. As long as there was no `retry` line, wait 3 seconds. Every event here has
one data line. Use `trio.sleep` and the standard library.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass


@dataclass
class Response:
    """The response to one request.

    Attributes:
        status: The status of the response: 200, or 204 without any lines.
        lines: An iterator over the lines of the event stream, without their line ends, each as soon
            as it is complete. The iterator ends with the body, and raises ConnectionError when the
            connection is lost.
    """

    status: int
    lines: AsyncGenerator[str, None]


Ask = Callable[[str], Awaitable[Response]]
"""A function that sends a request, and raises ConnectionError if the server does not answer."""


async def read(ask: Ask) -> AsyncGenerator[str, None]:
    """Yield the data of each event once, as soon as it is complete, until the server sends 204."""
    raise NotImplementedError("read")
    yield ""
