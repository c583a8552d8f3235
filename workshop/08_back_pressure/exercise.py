"""Exercise 8: a model may be a little ahead of its reader, and never more than that.

    answers[0]  ->  a queue of `size`  ->  streams[0], a slow reader
    answers[1]  ->  a queue of `size`  ->  streams[1], a fast one

A token is sent as its UTF-8 bytes and nothing else: `token.encode()`.
Use trio. A stream has `await stream.send_all(data)`, which waits while the reader does not read.
"""

from collections.abc import AsyncIterator, Sequence

from clients.streams.tcp import ByteStream


async def serve(
    answers: Sequence[AsyncIterator[str]], streams: Sequence[ByteStream], size: int
) -> None:
    """Send each answer to the stream at the same place, all of it and in order.

    A model is asked for its next token while its reader still reads, but no more than `size` tokens
    may wait for one reader: then its model waits too. No reader waits for another. Returns when all
    is sent.

    Args:
        answers: what the models say, as many as there are streams; each ends.
        streams: where the bytes go; leave them open.
        size: tokens, 1 or more.
    """
    raise NotImplementedError("serve")
