"""Exercise 7: stop when the reader has disconnected, and not before.

    what happens       what to do
    a token comes      send `data: token` and a blank line
    silence            send `: keep-alive` and one newline, after `heartbeat_seconds` without any
                       byte; never inside an event, even if the reader reads slowly
    a FIN comes        nothing: the reader may still read
    a write fails      close the model: the reader has disconnected

Use trio. `stream.send_all` raises trio.BrokenResourceError when the reader has disconnected.
"""

from collections.abc import AsyncGenerator

from clients.streams.tcp import ByteStream


async def answer(
    stream: ByteStream, tokens: AsyncGenerator[str, None], heartbeat_seconds: float
) -> None:
    """Send each token as an event when the model has made it, and send heartbeats while it is
    silent.

    Return when the tokens have ended or the reader has disconnected. Close `tokens` before you
    return, but leave `stream` open. A disconnect does not raise an exception.
    """
    raise NotImplementedError("answer")
