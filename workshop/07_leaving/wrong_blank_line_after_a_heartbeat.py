"""Wrong: the heartbeat ends with a blank line, as an event does."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import trio

from clients.streams.tcp import ByteStream


async def answer(
    stream: ByteStream, tokens: AsyncGenerator[str, None], heartbeat_seconds: float
) -> None:
    last_write = trio.current_time()
    turn = trio.Lock()  # one write at a time: no heartbeat inside an event

    async def send(data: bytes) -> None:
        nonlocal last_write
        async with turn:
            await stream.send_all(data)
            last_write = trio.current_time()

    async def heartbeat() -> None:
        while True:
            await trio.sleep_until(last_write + heartbeat_seconds)
            if trio.current_time() >= last_write + heartbeat_seconds:
                await send(b": keep-alive\n\n")

    try:
        async with aclosing(tokens), trio.open_nursery() as nursery:
            nursery.start_soon(heartbeat)
            async for token in tokens:
                await send(b"data: %b\n\n" % token.encode())
            nursery.cancel_scope.cancel()
    except* trio.BrokenResourceError:
        pass  # the reader has disconnected
