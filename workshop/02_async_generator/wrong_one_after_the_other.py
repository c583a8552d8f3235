"""Wrong: both streams are read, but the second only after the end of the first."""

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
            show(token)
            await trio.sleep(PAUSE)


async def read_both(
    first: AsyncGenerator[str, None], second: AsyncGenerator[str, None], show: Show
) -> None:
    """Read both streams at the same time. Return when both are done."""
    await read(first, show)
    await read(second, show)
