"""Wrong: it keeps an id as soon as its line arrives, before the event is complete."""

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
    last_event_id, retry = "", 3000
    while True:
        try:
            response = await ask(last_event_id)
            if response.status == 204:
                return
            data = None
            async for line in response.lines:
                field, _, value = line.partition(": ")
                if line == "":
                    if data is not None:
                        yield data
                    data = None
                elif field == "id":
                    last_event_id = value
                elif field == "data":
                    data = value
                elif field == "retry":
                    retry = int(value)
        except ConnectionError:
            pass
        await trio.sleep(retry / 1000)
