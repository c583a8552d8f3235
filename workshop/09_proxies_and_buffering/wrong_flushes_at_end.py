"""Wrong: it buffers, so the client gets nothing before the end."""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    body = b"".join([piece async for piece in pieces])
    await send(b"%x\r\n%b\r\n" % (len(body), body))
    await send(b"0\r\n\r\n")
