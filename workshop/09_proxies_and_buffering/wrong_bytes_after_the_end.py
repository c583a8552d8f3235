"""Wrong: it writes one line end too many after the last chunk."""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    """Pass a body on, in the chunked coding (RFC 9112 §7.1)."""
    async for piece in pieces:
        await send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await send(b"0\r\n\r\n\r\n")
