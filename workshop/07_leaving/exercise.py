"""Exercise 7: stop when the reader has gone, and not before.

    token          data: token, and a blank line
    silence        : keep-alive, and one newline, after `heartbeat_seconds` without any byte;
                   never inside an event, however slowly the reader reads
    FIN            nothing: it may still read
    a failed write the reader has gone: the model is closed

Use trio. `stream.send_all` raises trio.BrokenResourceError when the reader has gone.
"""

from collections.abc import AsyncGenerator

from clients.streams.tcp import ByteStream


async def answer(
    stream: ByteStream, tokens: AsyncGenerator[str, None], heartbeat_seconds: float
) -> None:
    """Send each token as an event as soon as it is there, and heartbeats into the silence between.

    Returns when the tokens have ended or the reader has gone; `tokens` is closed then. It raises
    nothing for what a reader does. Leave the stream open.
    """
    raise NotImplementedError("answer")
