"""Exercise 5: read the stream of an LLM API, down to the text.

    data: {"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}\\n
    \\n
    data: [DONE]\\n
    \\n

Here every event is one `data: ` line and a blank line, lines end in LF, and a line that begins with
a colon is a heartbeat. The body comes freed of its chunks, in pieces that end anywhere, also inside
你. Use the standard library alone.
"""

from collections.abc import AsyncIterator


class APIError(Exception):
    """The server gave up: `{"error":{"message":…}}`. The message is the argument."""


class CutOffError(Exception):
    """The pieces ended, and there was neither a `[DONE]` nor a `finish_reason`."""


async def deltas(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield each piece of text, `choices[0].delta.content`, as soon as its event has come.

    Some events have no text: the first (a role), thinking, the last (a `finish_reason`), and one
    with the usage, whose `choices` is empty. After `[DONE]` ask for no more pieces.

    Raises:
        APIError, CutOffError: see there; what came before has been yielded.
    """
    raise NotImplementedError("deltas")
    yield ""
