"""Wrong: a timeout around the wait for the next token cancels the generator, and this ends the
generator."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import trio

from clients.streams.tcp import ByteStream


async def answer(
    stream: ByteStream, tokens: AsyncGenerator[str, None], heartbeat_seconds: float
) -> None:
    try:
        async with aclosing(tokens):
            while True:
                with trio.move_on_after(heartbeat_seconds):
                    token = await anext(tokens)
                    await stream.send_all(b"data: %b\n\n" % token.encode())
                    continue
                await stream.send_all(b": keep-alive\n")
    except (trio.BrokenResourceError, StopAsyncIteration):
        pass
