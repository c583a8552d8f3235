"""Exercise 9: a hop that streams. This one works whenever somebody tries it with a short answer.

    the server behind      b"data: 你"    b"\\xe5\\xa5"    b"\\xbd\\n\\n"    …and its end, or none
    the client             6\\r\\n…          2\\r\\n…         5\\r\\n…         0\\r\\n\\r\\n

Make it pass on each piece when it comes, byte for byte, and tell the client the truth about the
end. Use the standard library alone.
"""

from collections.abc import AsyncIterator, Awaitable, Callable


async def relay(pieces: AsyncIterator[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    """Pass a body on, in the chunked coding (RFC 9112 §7.1).

    Args:
        pieces: the body as it comes from the server behind, cut anywhere, and never empty. Where
            that server is cut off, it raises ConnectionError.
        send: sends bytes to the client.
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
