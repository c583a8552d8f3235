"""Exercise 9: a hop that streams. The given code seems to work if you try it with a short answer.

    the upstream           b"data: 你"    b"\\xe5\\xa5"    b"\\xbd\\n\\n"   …the end, or an error
    the client             6\\r\\n…          2\\r\\n…         5\\r\\n…         0\\r\\n\\r\\n

Change it so that it passes on each piece when it arrives, byte for byte. The client must get a last
chunk only if the body is complete. Use only the standard library.
"""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    """Pass a body on, in the chunked coding (RFC 9112 §7.1).

    Args:
        pieces: The body as it arrives from the upstream, cut anywhere. No piece is empty. The
            iterator raises ConnectionError if the upstream's connection breaks.
        send: A function that sends bytes to the client.
    """
    body = ""
    try:
        async for piece in pieces:
            body += piece.decode(errors="replace")
    except ConnectionError:
        pass
    data = body.encode()
    await send(b"%x\r\n%b\r\n" % (len(data), data))
    await send(b"0\r\n\r\n")
