"""Wrong: the pause comes first, so each token is shown late."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import trio

PAUSE = 0.02  # seconds

Show = Callable[[str], None]


async def read(stream: AsyncGenerator[str, None], show: Show) -> None:
    """Show each token as it arrives, and pause after it. Stop at "STOP", which is not shown."""
    async with aclosing(stream):
        async for token in stream:
            if token == "STOP":
                break
            await trio.sleep(PAUSE)
            show(token)


async def read_both(
    first: AsyncGenerator[str, None], second: AsyncGenerator[str, None], show: Show
) -> None:
    """Read both streams at the same time. Return when both are done."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, first, show)
        nursery.start_soon(read, second, show)
