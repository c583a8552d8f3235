"""Solution 9: it keeps nothing, changes nothing, and does not catch the error."""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    """Pass a body on, in the chunked coding (RFC 9112 §7.1)."""
    async for piece in pieces:
        await send(b"%x\r\n%b\r\n" % (len(piece), piece))
    # Not in a `finally`: if the upstream breaks, the client must not get a last chunk.
    await send(b"0\r\n\r\n")
