"""Exercise 2: read two streams at once, and close each as soon as you leave it.

A reader shows each token the moment it comes, takes `PAUSE` seconds to look at it, and leaves at
the token "STOP". While it waits or looks, the other reader must go on. Use trio.
Check: `workshop check 2`.
"""

from collections.abc import AsyncGenerator, Callable

PAUSE = 0.02  # seconds

Show = Callable[[str], None]


async def read(stream: AsyncGenerator[str, None], show: Show) -> None:
    """Show each token as it comes, and pause after it. At "STOP", which is not shown, leave.

    When this returns, the stream is closed.
    """
    raise NotImplementedError("read")


async def read_both(
    first: AsyncGenerator[str, None], second: AsyncGenerator[str, None], show: Show
) -> None:
    """Read both streams at the same time; return when both are done."""
    raise NotImplementedError("read_both")
