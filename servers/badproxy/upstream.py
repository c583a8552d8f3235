"""The upstream's response, as a faulty hop reads it: too late, in large pieces, or a second time.

    idle=S        raises SilenceError when nothing has come for S seconds
    coalesce=MS   after a first piece, waits MS milliseconds, and returns what has come by then
    replay=N      returns N events, and then the pieces of a second response, from its beginning

The rules this file keeps:

1. Bytes that arrived before an error or an end are returned first.
2. Only the head of the first response is used. A retry sends the same request again. Some hops do
   this even if it is not safe to repeat the request, although RFC 9110 §9.2.2 forbids it.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import trio

from clients.http.client import Response
from clients.http.errors import RequestError

from .catalogue import MAX_HELD, Modes
from .stages import BLANK_LINE

__all__ = ["Ask", "SilenceError", "Upstream"]

log = logging.getLogger("servers")

Ask = Callable[[], AbstractAsyncContextManager[Response]]
"""A function that sends the request, and opens its response. For `replay` it is called twice."""


class SilenceError(RequestError):
    """The upstream was silent for longer than `idle` allows."""


class Upstream:
    """One request to the upstream, and its response.

    Args:
        ask: The function that sends the request.
        how: The faults to inject. This class knows `idle`, `coalesce` and `replay`.
    """

    def __init__(self, ask: Ask, how: Modes) -> None:
        self._ask = ask
        self._how = how
        self._connection = AsyncExitStack()
        self._response: Response | None = None  # None until the request has been sent (again)
        self._events_left = how.replay  # events until the retry; 0 for no retry
        self._last_bytes = b""  # the last two bytes, which may be the beginning of a blank line
        # an error that arrived after bytes; the bytes are returned first
        self._error: RequestError | None = None

    async def begin(self) -> Response:
        """Send the request. Returns when the head of its response has arrived.

        Raises:
            RequestError: There is no response. The error is a `SilenceError` if the response did
                not arrive in time.
        """
        await self._connection.aclose()
        with trio.move_on_after(self._how.idle):
            self._response = await self._connection.enter_async_context(self._ask())
            return self._response
        raise self._silence()

    async def receive(self) -> bytes:
        """Wait for the next piece of the body. Returns b"" at the end of the body.

        Raises:
            RequestError: The body is broken or truncated. The error is a `SilenceError` if nothing
                arrived in time.
        """
        if self._error:
            raise self._error
        gathered = await self._receive()
        if not gathered or not self._how.coalesce:
            return gathered
        with trio.move_on_after(self._how.coalesce):
            try:
                while len(gathered) < MAX_HELD and (piece := await self._receive()):
                    gathered += piece
            except RequestError as error:
                self._error = error
        return gathered

    async def aclose(self) -> None:
        """Close the connection to the upstream."""
        await self._connection.aclose()

    async def _receive(self) -> bytes:
        response = self._response or await self.begin()
        with trio.move_on_after(self._how.idle):
            return self._until_retry(await anext(response, b""))
        raise self._silence()

    def _until_retry(self, piece: bytes) -> bytes:
        """Count the events in this piece. Returns the part of the piece before the retry."""
        if not self._events_left:
            return piece
        seen = len(self._last_bytes)
        for blank_line in BLANK_LINE.finditer(self._last_bytes + piece):
            if blank_line.end() <= seen:
                continue  # the event before
            self._events_left -= 1
            if not self._events_left:
                log.info("asks the upstream again after %d events", self._how.replay)
                self._response = None
                return piece[: blank_line.end() - seen]
        self._last_bytes = (self._last_bytes + piece)[-2:]
        return piece

    def _silence(self) -> SilenceError:
        return SilenceError(f"The upstream was silent for {self._how.idle:g} s.")


# What this file does not do: relay. proxy.py sends what is received here.
