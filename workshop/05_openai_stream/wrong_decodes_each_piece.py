"""Wrong: each piece is decoded alone, so a character cut between two pieces is lost."""

import json
from collections.abc import AsyncIterator


class APIError(Exception):
    """The server sent `{"error":{"message":…}}`. The argument is that message."""


class CutOffError(Exception):
    """The pieces ended without a `[DONE]` and without a `finish_reason`."""


async def deltas(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield each text, `choices[0].delta.content`, as soon as its event has arrived."""
    rest = ""
    finished = False
    async for piece in pieces:
        *lines, rest = (rest + piece.decode(errors="replace")).split("\n")
        for line in lines:
            if not line.startswith("data: "):
                continue  # a blank line, or a heartbeat
            data = line.removeprefix("data: ")
            if data == "[DONE]":
                return
            chunk = json.loads(data)
            if "error" in chunk:
                raise APIError(chunk["error"]["message"])
            for choice in chunk["choices"]:
                finished = finished or choice["finish_reason"] is not None
                if text := choice["delta"].get("content"):
                    yield text
    if not finished:
        raise CutOffError("neither [DONE] nor a finish_reason")
