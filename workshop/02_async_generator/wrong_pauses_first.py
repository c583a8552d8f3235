"""Wrong: the pause comes first, so each token is shown when it is old."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import trio

PAUSE = 0.02  # seconds

Show = Callable[[str], None]


async def read(stream: AsyncGenerator[str, None], show: Show) -> None:
    """Show each token as it comes, and pause after it. At "STOP", which is not shown, leave."""
    async with aclosing(stream):
        async for token in stream:
            if token == "STOP":
                break
            await trio.sleep(PAUSE)
            show(token)


async def read_both(
    first: AsyncGenerator[str, None], second: AsyncGenerator[str, None], show: Show
) -> None:
    """Read both streams at the same time; return when both are done."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, first, show)
        nursery.start_soon(read, second, show)
