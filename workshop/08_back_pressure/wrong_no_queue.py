"""Wrong: without a queue, the model waits for each write, so it is never ahead of its reader."""

from collections.abc import AsyncIterator, Sequence

import trio

from clients.streams.tcp import ByteStream


async def serve(
    answers: Sequence[AsyncIterator[str]], streams: Sequence[ByteStream], size: int
) -> None:
    async with trio.open_nursery() as nursery:
        for answer, stream in zip(answers, streams, strict=True):
            nursery.start_soon(send, answer, stream)


async def send(answer: AsyncIterator[str], stream: ByteStream) -> None:
    async for token in answer:
        await stream.send_all(token.encode())
