"""Wrong: when the pieces end, it treats the answer as complete."""

import json
from collections.abc import AsyncIterator


class APIError(Exception):
    """The server sent `{"error":{"message":…}}`. The argument is that message."""


class CutOffError(Exception):
    """The pieces ended without a `[DONE]` and without a `finish_reason`."""


async def deltas(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield each text, `choices[0].delta.content`, as soon as its event has arrived."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")  # whole lines, and the beginning of one
        for line in lines:
            if not line.startswith(b"data: "):
                continue  # a blank line, or a heartbeat
            data = line.decode().removeprefix("data: ")  # a whole line has whole characters
            if data == "[DONE]":
                return
            chunk = json.loads(data)
            if "error" in chunk:
                raise APIError(chunk["error"]["message"])
            for choice in chunk["choices"]:
                if text := choice["delta"].get("content"):
                    yield text
