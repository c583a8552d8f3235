"""One exchange, relayed: a request goes on to the API behind, its reply comes back piece by piece.

    client                        we                               the API behind
    POST /v1/chat/completions  >  the same body                 >  POST /v1/chat/completions
    Authorization: a token        Authorization: our key           Authorization: Bearer sk-…
                                  Accept-Encoding: identity
    data: {"id":…}\\n\\n         <  the piece, as it came          <  data: {"id":…}\\n\\n

The rules this file keeps:

1. Only the fields on a list pass, in both directions; the framing is each connection's own.
2. A piece is sent the moment it comes, and the next is read when it has been taken: a slow reader
   slows the API behind, and nothing piles up here.
3. A parser looks at a copy. It sees the first event, the usage and the end mark; and where an event
   ends, for only there may a heartbeat stand.
4. Never a clean end to an unclean stream: what is cut off on one side is cut off on the other,
   after an error event that says why.
5. Four clocks, each with its name. Comments do not wind them: behind heartbeats a stalled API
   looks alive.
"""

import math
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import msgspec
import trio

from clients.errors import (
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    ProxyError,
    RequestError,
    ResponseError,
    TLSError,
)
from clients.http import Response
from protocol.errors import DecodeError
from protocol.openai import ErrorBody, ErrorResponse, encode_data
from protocol.sse import EventStreamParser, ServerSentEvent, encode_event

from ..body import Body
from ..redact import Secret, redact
from ..reply import CutOff, EventStream, Headers, Request, StreamingReply
from .record import Record

__all__ = [
    "Clocks",
    "Exchange",
    "Failure",
    "RelayFailed",
    "RelayedReply",
    "fields_to_api",
    "fields_to_client",
]

# What a request may bring along. Not on the list, on purpose: cookies, the client's own key,
# Accept-Encoding (a compressor holds events back), and all that is between two hops
# (RFC 9110 §7.6.1).
TO_API = re.compile(
    r"accept|content-type|user-agent|openai-(organization|project|beta)"
    r"|x-client-request-id|idempotency-key|x-stainless-[a-z0-9-]{1,64}"
)
TO_CLIENT = re.compile(
    r"x-request-id|request-id|retry-after|retry-after-ms|x-should-retry"
    r"|openai-(version|organization|processing-ms|model)|x-ratelimit-[a-z0-9-]{1,64}"
)

# A line that outgrows this is still relayed, but no longer looked at.
MAX_OBSERVED = 1 << 20

VIA = ("Via", "1.1 streaming-workshop")


def fields_to_api(request: Request, key: Secret | None) -> Headers:
    """The header of the request to the API behind, but for Host and Content-Length."""
    kept = tuple((name, value) for name, value in request.headers if TO_API.fullmatch(name))
    ours = (("Authorization", f"Bearer {key.reveal()}"),) if key else ()
    return (*kept, *ours, ("Accept-Encoding", "identity"), VIA)


def fields_to_client(response: Response) -> Headers:
    """What of its response's header the client gets, but for Content-Type and framing."""
    kept = tuple(
        (name, value)
        for name, value in response.headers
        if TO_CLIENT.fullmatch(name) and value.isascii()
    )
    return (*kept, VIA)


class Clocks(msgspec.Struct, frozen=True):
    """How long the API behind may take, in seconds.

    Args:
        connect: for a connection: DNS, TCP, proxy and TLS together.
        first_event: from the request to the first event with data, or to the head of a reply
            that is no event stream.
        idle: from one event with data, or piece of another body, to the next.
        total: for all of it; by default as long as it likes.
    """

    connect: float = 10.0
    first_event: float = 300.0
    idle: float = 120.0
    total: float = math.inf


class Failure(msgspec.Struct, frozen=True):
    """Why there is no reply from the API behind, or not all of it.

    Args:
        status: of the reply that says so, while there is still one to give.
        code: for programs.
        message: for people.
    """

    status: int
    code: str
    message: str

    @property
    def error(self) -> ErrorBody:
        return ErrorBody(redact(self.message), "upstream_error", None, self.code)

    def event(self, route: str) -> bytes:
        """As an event, in the form of this route's stream."""
        if not route.endswith("/responses"):
            return encode_data(ErrorResponse(self.error))
        data = msgspec.json.encode({"type": "error", "error": self.error}).decode()
        return encode_event(ServerSentEvent("error", data))

    @classmethod
    def of(cls, error: RequestError) -> "Failure":
        """Of a request that failed on the way."""
        status = 504 if isinstance(error, ConnectTimeoutError) else 502
        return cls(status, CODES[type(error)], f"The API behind this proxy: {error}")

    @classmethod
    def late(cls, clock: str, seconds: float) -> "Failure":
        """Of a clock that has run down."""
        message = f"The API behind this proxy was silent for {seconds:g} s ({clock} clock)."
        return cls(504, f"upstream_{clock}_timeout", message)


CODES: dict[type[RequestError], str] = {
    ConnectError: "upstream_unreachable",
    ConnectTimeoutError: "upstream_connect_timeout",
    ProxyError: "upstream_proxy_error",
    TLSError: "upstream_tls_error",
    DisconnectedError: "upstream_disconnected",
    ResponseError: "upstream_bad_response",
}


class RelayFailed(Exception):
    """There is no reply from the API behind."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Exchange:
    """One request to the API behind, from its first byte to the last byte of its reply.

    Args:
        asking: sends it, and holds its connection.
        clocks: how long it may take.
        record: what it comes to.
        finished: called once, when it is over.
    """

    def __init__(
        self,
        asking: AbstractAsyncContextManager[Response],
        clocks: Clocks,
        record: Record,
        finished: "Callable[[Exchange], None] | None" = None,
    ) -> None:
        self.record = record
        self.ending = "client gone"
        self._finished = finished
        self._asking = asking
        self._open = AsyncExitStack()
        self._clocks = clocks
        self._end = trio.current_time() + clocks.total
        self._scope = trio.CancelScope()
        self._wind("first_event", clocks.first_event)

    async def begin(self) -> Response:
        """Send the request, and wait for the head of the response.

        Raises:
            RelayFailed: there is none.
        """
        try:
            with self._watched():
                return await self._open.enter_async_context(self._asking)
            failure = self._late()
        except RequestError as error:
            failure = Failure.of(error)
        self.ending = failure.code
        raise RelayFailed(failure)

    async def relay(self, response: Response, body: Body, is_events: bool, route: str) -> None:
        """Pass the body on, and the end; or say why there is none, and cut it off.

        Raises:
            CutOff: the client must not take what it has for the whole.
        """
        parser = EventStreamParser(max_line_size=MAX_OBSERVED, max_event_size=MAX_OBSERVED)
        try:
            with self._watched():
                await self._pass_on(response, body, parser if is_events else None)
                self.ending = "done" if self.record.whole or not is_events else "no end mark"
                return
            failure = self._late()
        except RequestError as error:
            failure = Failure.of(error)
        self.ending = failure.code
        if not is_events:
            raise CutOff(reset=True)
        # An event that is not whole is ended, or its line would swallow ours.
        border = b"" if parser.at_event_border else b"\n\n"
        await body.send(border + failure.event(route))
        raise CutOff(goodbye=True)

    async def read(self, response: Response, limit: int) -> bytes:
        """The whole body of a response, of so many bytes at most.

        Raises:
            RelayFailed: it does not come.
        """
        try:
            with self._watched():
                return await response.read(limit)
            failure = self._late()
        except RequestError as error:
            failure = Failure.of(error)
        self.ending = failure.code
        raise RelayFailed(failure)

    async def aclose(self) -> None:
        """Let the connection go: closed, unless the response was read whole."""
        await self._open.aclose()
        finished, self._finished = self._finished, None
        if finished is not None:
            finished(self)

    async def _pass_on(
        self, response: Response, body: Body, parser: EventStreamParser | None
    ) -> None:
        if parser is None:
            self._wind("idle", self._clocks.idle)
        body.heartbeat = EventStream.heartbeat if parser is not None else b""
        while piece := await response.receive_some():
            now = trio.current_time()
            if response.complete:
                await body.end(piece)
            elif not body.send_now(piece, now):
                # A slow client is not the API's fault: no clock runs.
                self._scope.deadline = math.inf
                await body.flush()
                now = trio.current_time()
                self._scope.deadline = self._until
            if parser is None or self._observe(parser, piece, now):
                self._wind("idle", self._clocks.idle)
            if parser is not None:
                body.heartbeat = EventStream.heartbeat if parser.at_event_border else b""
        if not body.ended:
            await body.end()

    def _observe(self, parser: EventStreamParser, piece: bytes, now: float) -> bool:
        """Whether there was an event with data in it."""
        try:
            events = parser.receive_data(piece)
        except DecodeError:  # a line of a megabyte: it is relayed, and no longer looked at
            return True
        for event in events:
            self.record.see(event, now)
        return bool(events)

    def _wind(self, clock: str, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._until = trio.current_time() + seconds
        if self._end < self._until:
            self._clock, self._seconds, self._until = "total", self._clocks.total, self._end
        self._scope.deadline = self._until

    def _watched(self) -> trio.CancelScope:
        self._scope = trio.CancelScope(deadline=self._until)
        return self._scope

    def _late(self) -> Failure:
        return Failure.late(self._clock, self._seconds)


class RelayedReply(StreamingReply):
    """A reply of the API behind, relayed as it comes.

    Args:
        exchange: whose reply it is.
        response: its head has come.
        path: of the request.
    """

    def __init__(self, exchange: Exchange, response: Response, path: str) -> None:
        kind = response.header("content-type") or "application/octet-stream"
        self._is_events = kind.lower().startswith("text/event-stream")
        headers = fields_to_client(response) + (EventStream.HEADERS if self._is_events else ())
        super().__init__(self, response.status, kind, headers)
        self._exchange = exchange
        self._response = response
        self._path = path

    async def send_to(self, body: Body) -> None:
        """Send all of it, and the end."""
        await self._exchange.relay(self._response, body, self._is_events, self._path)

    async def aclose(self) -> None:
        """Let go of the API behind, however far it came."""
        await self._exchange.aclose()


# What this file does not do: find the API behind, or know a key: handlers.py. Change a byte of a
# body.
