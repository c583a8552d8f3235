"""Wrong: it passes on whole lines, so half a line waits for the rest."""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    held = b""
    async for piece in pieces:
        *lines, held = (held + piece).split(b"\n")
        for line in lines:
            await send(b"%x\r\n%b\n\r\n" % (len(line) + 1, line))
    if held:
        await send(b"%x\r\n%b\r\n" % (len(held), held))
    await send(b"0\r\n\r\n")
