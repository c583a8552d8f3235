"""Wrong: it always waits 3 seconds, whatever the `retry` line says."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import trio


@dataclass
class Response:
    """The response to one request."""

    status: int
    lines: AsyncGenerator[str, None]


Ask = Callable[[str], Awaitable[Response]]


async def read(ask: Ask) -> AsyncGenerator[str, None]:
    """Yield the data of each event once, as soon as it is complete, until the server sends 204."""
    last_event_id = ""
    while True:
        try:
            response = await ask(last_event_id)
            if response.status == 204:
                return
            event_id, data = last_event_id, None
            async for line in response.lines:
                field, _, value = line.partition(": ")
                if line == "":
                    last_event_id = event_id
                    if data is not None:
                        yield data
                    data = None
                elif field == "id":
                    event_id = value
                elif field == "data":
                    data = value
        except ConnectionError:
            pass
        await trio.sleep(3)
