"""Exercise 5: read the stream of an LLM API, down to the text.

    data: {"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}\\n
    \\n
    data: [DONE]\\n
    \\n

Here every event is one `data: ` line and a blank line, lines end in LF, and a line that begins with
a colon is a heartbeat. The chunked coding is already removed. The body arrives in pieces that may
end anywhere, even inside 你. Use only the standard library.
"""

from collections.abc import AsyncIterator


class APIError(Exception):
    """The server sent `{"error":{"message":…}}`. The argument is that message."""


class CutOffError(Exception):
    """The pieces ended without a `[DONE]` and without a `finish_reason`."""


async def deltas(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield each text, `choices[0].delta.content`, as soon as its event has arrived. Some events
    have no text: the first one (with a role), those with thinking, the last one (with a
    `finish_reason`), and the one with the usage, whose `choices` are empty. After `[DONE]`, do not
    ask for more pieces.

    Raises:
        APIError, CutOffError: The stream ends as these classes describe. The text before the error
            is yielded first.
    """
    raise NotImplementedError("deltas")
    yield ""
