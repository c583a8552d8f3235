"""Wrong: without a heartbeat the server of a silent model never notices a disconnect."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import trio

from clients.streams.tcp import ByteStream


async def answer(
    stream: ByteStream, tokens: AsyncGenerator[str, None], heartbeat_seconds: float
) -> None:
    try:
        async with aclosing(tokens):
            async for token in tokens:
                await stream.send_all(b"data: %b\n\n" % token.encode())
    except trio.BrokenResourceError:
        pass
