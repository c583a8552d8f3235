"""Wrong: it catches the error, so half an answer looks complete to the client."""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    try:
        async for piece in pieces:
            await send(b"%x\r\n%b\r\n" % (len(piece), piece))
    except ConnectionError as error:
        print(f"the upstream broke: {error}")
    await send(b"0\r\n\r\n")
