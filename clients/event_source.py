"""A client that keeps an event stream open, and asks again after a break: WHATWG's EventSource.

    GET /news HTTP/1.1                          connecting
    Accept: text/event-stream
    Cache-Control: no-cache

    HTTP/1.1 200 OK                             open
    Content-Type: text/event-stream

    retry: 500\\n                                the reconnection time is now 500 ms
    id: 7\\ndata: hello\\n\\n                       an event; the last event ID is now "7"
    id: 8\\ndata: hal                            the connection breaks: half an event is dropped

    GET /news HTTP/1.1                          connecting again, 500 ms later
    Last-Event-ID: 7

    HTTP/1.1 204 No Content                     closed: the server has no more events

    async with open_event_source("http://localhost:8004/news") as source:
        async for event in source:
            print(event.id, event.data)

The rules this file keeps (WHATWG HTML §9.2.3; the decisions are in reconnection.py):

1. The caller gets each event once, in order, and as soon as its blank line has arrived.
2. When a connection breaks, half an event is dropped: `Last-Event-ID` names the last event that was
   dispatched.
3. A cancelled wait loses nothing: the next wait continues where the cancelled one stopped.
4. Every wait has a timeout, if the caller gives one.
"""

import math
import re
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import h11
import trio

from protocol.errors import DecodeError
from protocol.sse import EventStreamParser, ServerSentEvent

from .http.client import request
from .http.errors import RequestError
from .http.exchange import Headers, Response
from .reconnection import EventSourceError, ReadyState, Reconnection
from .streams.tcp import Connect, connect

__all__ = [
    "EventSource",
    "EventSourceError",
    "EventSourceObserver",
    "ReadyState",
    "Reconnection",
    "open_event_source",
]


LINE = re.compile(rb"[^\r\n]+[\r\n]?|[\r\n]")  # a part of a line, or its end


class EventSourceObserver:
    """The base class of observers. A method is called for each thing that happens; a subclass
    overrides the methods it needs."""

    def opened(self, response: Response) -> None:
        """A connection is open: the head of an event stream has arrived."""

    def comment(self, text: str) -> None:
        """A comment line has arrived, such as a heartbeat. The text does not include the colon."""

    def broke(self, why: str, seconds: float) -> None:
        """The connection broke, or could not be made. The next request is sent after this number of
        seconds."""


@asynccontextmanager
async def open_event_source(
    url: str,
    *,
    method: str = "GET",
    headers: Headers = (),
    body: bytes = b"",
    last_event_id: str = "",
    reconnection: Reconnection | None = None,
    read_seconds: float = math.inf,
    observer: EventSourceObserver | None = None,
    ca_file: str | None = None,
    connect: Connect = connect,
) -> AsyncGenerator["EventSource", None]:
    """Open an event source, which connects when its first event is asked for. Leaving the block
    closes the source.

    Args:
        url, method, headers, body, last_event_id: See `Reconnection`.
        reconnection: A `Reconnection` to use in place of one that is made from these five
            arguments.
        read_seconds: Seconds without a byte after which the connection counts as broken.
        observer: An object whose methods are called. Comments are parsed only if there is an
            observer.
        ca_file: A file of certificates (PEM) to trust in place of the system's.
        connect: The function that opens a connection, by default over TCP.

    Raises:
        ValueError: The URL cannot be used.
    """
    decides = reconnection or Reconnection(url, method, headers, body, last_event_id)
    source = EventSource(decides, read_seconds, observer, ca_file, connect)
    try:
        yield source
    finally:
        await source.aclose()


class EventSource:
    """Iterate over its events. See `open_event_source`.

    Attributes:
        last_event_id: The id of the last event that the caller has received. A later client that
            begins with this id gets the events that follow.
    """

    def __init__(
        self,
        reconnection: Reconnection,
        read_seconds: float,
        observer: EventSourceObserver | None,
        ca_file: str | None,
        connect: Connect,
    ) -> None:
        self.last_event_id = reconnection.last_event_id
        self._decides = reconnection
        self._read_seconds = read_seconds
        self._observer = observer or EventSourceObserver()
        self._observes_lines = observer is not None
        self._ca_file = ca_file
        self._connect = connect
        self._connection = AsyncExitStack()
        self._response: Response | None = None
        self._parser = EventStreamParser()
        self._arrived: deque[ServerSentEvent | str] = deque()  # events, and texts of comments
        self._ending: EventSourceError | None = None  # raised after the last event
        self._wait_until = -math.inf
        self._lines = bytearray()  # the bytes of a line whose end has not arrived
        self._lines_start = 0  # the offset of these bytes in the event stream

    @property
    def state(self) -> ReadyState:
        """Connecting, open or closed."""
        return self._decides.state

    def __aiter__(self) -> "EventSource":
        return self

    async def __anext__(self) -> ServerSentEvent:
        """Wait for the next event, on as many connections as are needed.

        Raises:
            EventSourceError: The stream has ended for good, but not with a 204.
        """
        await trio.lowlevel.checkpoint()
        while True:
            while self._arrived:
                came = self._arrived.popleft()
                if isinstance(came, ServerSentEvent):
                    self.last_event_id = came.id or ""
                    return came
                self._observer.comment(came)
            if self.state is ReadyState.CLOSED:
                raise self._ending or StopAsyncIteration
            try:
                if self._response is None:
                    await trio.sleep_until(self._wait_until)
                    await self._open()
                else:
                    await self._receive(self._response)
            except RequestError as error:
                await self._break(str(error))
            except EventSourceError as error:
                self._ending = error
                await self._close_connection()

    async def _open(self) -> None:
        """Send one request. The result is a response, another address, or the end."""
        method, url, headers, body = self._decides.next_request()
        asking = request(method, url, headers, body, ca_file=self._ca_file, connect=self._connect)
        with trio.move_on_after(self._read_seconds) as waiting:
            try:
                response = await self._connection.enter_async_context(asking)
            except h11.LocalProtocolError as error:  # a header of the caller, such as "a\nb"
                raise self._decides.fail(str(error)) from error
        if waiting.cancelled_caught:
            await self._break(f"no response in {self._read_seconds:g} s")
            return
        location, kind = response.header("location"), response.header("content-type")
        if not self._decides.receive_head(response.status, location, kind):
            await self._close_connection()
            return
        self._response = response
        self._lines.clear()
        self._lines_start = 0
        observe = self._observe if self._observes_lines else None
        self._parser = EventStreamParser(self._decides.last_event_id, observer=observe)
        self._observer.opened(response)

    async def _receive(self, response: Response) -> None:
        """Wait for one read, which brings events, a part of one, or the end."""
        with trio.move_on_after(self._read_seconds) as waiting:
            piece = await response.receive_some()
        if waiting.cancelled_caught:
            await self._break(f"nothing came for {self._read_seconds:g} s")
            return
        if not piece:
            await self._break("the server ended the response")
            return
        # If comments are wanted too, the parser gets one line at a time, so that events and
        # comments stay in order.
        parts = LINE.findall(piece) if self._observes_lines else [piece]
        try:
            for part in parts:
                self._lines += part if self._observes_lines else b""
                self._arrived.extend(self._parser.receive_data(part))
        except DecodeError as error:  # an event over its limit would come again if we asked again
            self._arrived.extend(one for one in error.decoded if isinstance(one, ServerSentEvent))
            raise self._decides.fail(str(error)) from error
        finally:
            self._decides.last_event_id = self._parser.last_event_id
            if self._parser.reconnection_time is not None:
                self._decides.seconds = self._parser.reconnection_time / 1000

    def _observe(self, label: str, start: int, end: int) -> None:
        """The observer of the parser: it is called for every element, in order."""
        if label == "comment":
            line = self._lines[start - self._lines_start : end - self._lines_start]
            self._arrived.append(line[1:].decode("utf-8", "replace"))
        elif label == "end-of-line":
            del self._lines[: end - self._lines_start]
            self._lines_start = end

    async def restart(self) -> None:
        """Break the connection on purpose. The next wait makes a new one, as after any break."""
        if self.state is not ReadyState.CLOSED:
            await self._break("restarted")

    async def _break(self, why: str) -> None:
        """Set the time of the next request, and close the connection."""
        seconds = self._decides.receive_break(why)
        self._wait_until = trio.current_time() + seconds
        self._observer.broke(why, seconds)
        await self._close_connection()

    async def _close_connection(self) -> None:
        connection, self._connection = self._connection, AsyncExitStack()
        self._response = None
        await connection.aclose()

    async def aclose(self) -> None:
        """Close the connection for good. Events that have arrived can still be read."""
        self._decides.state = ReadyState.CLOSED
        await self._close_connection()


# What this file does not do: share a connection between sources, or keep cookies.
