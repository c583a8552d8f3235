"""Exercise 8: a model may be a little ahead of its reader, but never more than that.

    answers[0]  ->  a queue of `size`  ->  streams[0], a slow reader
    answers[1]  ->  a queue of `size`  ->  streams[1], a fast reader

Send a token as its UTF-8 bytes and nothing else: `token.encode()`.
Use trio. A stream has `await stream.send_all(data)`, which waits while the reader does not read.
"""

from collections.abc import AsyncIterator, Sequence

from clients.streams.tcp import ByteStream


async def serve(
    answers: Sequence[AsyncIterator[str]], streams: Sequence[ByteStream], size: int
) -> None:
    """Send answers[0] to streams[0], answers[1] to streams[1], and so on. Send all tokens, in
    order.

    A model may work ahead of its reader. When `size` tokens wait for that reader, the model waits
    too. No reader waits for another. Return when everything is sent.

    Args:
        answers: One iterator of tokens for each stream. Each of them ends.
        streams: The readers' streams. Leave them open.
        size: Largest number of tokens that may wait for one reader. It is 1 or more.
    """
    raise NotImplementedError("serve")
