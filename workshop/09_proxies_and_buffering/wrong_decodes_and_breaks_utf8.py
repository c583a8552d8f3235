"""It makes text of each piece: a character that is cut between two of them is lost in both."""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    async for piece in pieces:
        data = piece.decode(errors="replace").encode()
        await send(b"%x\r\n%b\r\n" % (len(data), data))
    await send(b"0\r\n\r\n")
