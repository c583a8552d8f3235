"""Wrong: it decodes each piece alone, so it loses a character that is cut between two pieces."""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    async for piece in pieces:
        data = piece.decode(errors="replace").encode()
        await send(b"%x\r\n%b\r\n" % (len(data), data))
    await send(b"0\r\n\r\n")
