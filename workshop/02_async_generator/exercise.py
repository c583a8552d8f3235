"""Exercise 2: read two streams at the same time, and close each as soon as its reader stops.

A reader shows each token when it arrives, pauses for `PAUSE` seconds, and stops at the token
"STOP". While one reader waits or pauses, the other must continue. Use trio. Check:
`workshop check 2`.
"""

from collections.abc import AsyncGenerator, Callable

PAUSE = 0.02  # seconds

Show = Callable[[str], None]


async def read(stream: AsyncGenerator[str, None], show: Show) -> None:
    """Show each token as it arrives, and pause after it. Stop at "STOP", which is not shown.

    When this returns, the stream is closed.
    """
    raise NotImplementedError("read")


async def read_both(
    first: AsyncGenerator[str, None], second: AsyncGenerator[str, None], show: Show
) -> None:
    """Read both streams at the same time. Return when both are done."""
    raise NotImplementedError("read_both")
