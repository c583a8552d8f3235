"""Wrong: a queue without a limit never makes the model wait."""

import math
from collections.abc import AsyncIterator, Sequence

import trio

from clients.streams.tcp import ByteStream


async def serve(
    answers: Sequence[AsyncIterator[str]], streams: Sequence[ByteStream], size: int
) -> None:
    async with trio.open_nursery() as nursery:
        for answer, stream in zip(answers, streams, strict=True):
            to_stream, from_model = trio.open_memory_channel[str](math.inf)
            nursery.start_soon(take, answer, to_stream)
            nursery.start_soon(send, from_model, stream)


async def take(answer: AsyncIterator[str], to_stream: trio.MemorySendChannel[str]) -> None:
    async with to_stream:
        async for token in answer:
            await to_stream.send(token)


async def send(from_model: trio.MemoryReceiveChannel[str], stream: ByteStream) -> None:
    async for token in from_model:
        await stream.send_all(token.encode())
