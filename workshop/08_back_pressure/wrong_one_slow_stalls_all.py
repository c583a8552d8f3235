"""Wrong: one loop serves all readers, so a reader that does not read holds up the others."""

from collections.abc import AsyncIterator, Sequence

from clients.streams.tcp import ByteStream


async def serve(
    answers: Sequence[AsyncIterator[str]], streams: Sequence[ByteStream], size: int
) -> None:
    running = list(zip(answers, streams, strict=True))
    while running:
        for answer, stream in list(running):
            try:
                token = await anext(answer)
            except StopAsyncIteration:
                running.remove((answer, stream))
            else:
                await stream.send_all(token.encode())
