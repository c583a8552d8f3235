"""One exchange, relayed: a request goes on to the API behind, its reply comes back piece by piece.

    client                        we                               the API behind
    POST /v1/chat/completions  >  the same body                 >  POST /v1/chat/completions
    Authorization: a token        Authorization: our key           Authorization: Bearer sk-…
                                  Accept-Encoding: identity
    data: {"id":…}\\n\\n         <  the piece, as it came          <  data: {"id":…}\\n\\n

The rules this file keeps:

1. Only the fields on a list pass, in both directions; the framing is each connection's own.
2. A piece is sent the moment it comes, and the next is read when it has been taken: a slow reader
   slows the API behind, and nothing piles up here (body_relay.py).
3. A parser looks at a copy. It sees the first event, the usage and the end mark; and where an event
   ends, for only there may a heartbeat stand.
4. Never a clean end to an unclean stream: if the upstream's body is cut off, so is the client's.
   Between two events an error event says why. Inside one nothing can be said: any line end of
   ours could complete the half event, and the client would read half of its JSON.
5. Four clocks, each with its name. Comments do not wind them: behind heartbeats a stalled API
   looks alive.
"""

import math
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

import msgspec
import trio

from clients.http.client import Response
from clients.http.errors import RequestError
from clients.streams.poller import Poller

from ..http.body import BodyWriter, Ending
from ..http.forwarding import end_to_end, status_of
from ..http.redact import Secret, redact
from ..http.reply import CutOff, EventStream, Headers, Request, StreamingReply
from .body_relay import Passage
from .failure import Failure, RelayFailed
from .log_record import Record

__all__ = ["Clocks", "Exchange", "RelayedReply", "fields_to_api", "fields_to_client"]

T = TypeVar("T")

# What a request may bring along. Not on the list, on purpose: cookies, the client's own key,
# Accept-Encoding (a compressor holds events back), and all that is between two hops
# (RFC 9110 §7.6.1).
TO_API = re.compile(
    r"accept|content-type|content-encoding|user-agent|openai-(organization|project|beta)"
    r"|x-client-request-id|idempotency-key|x-stainless-[a-z0-9-]{1,64}"
)
TO_SIMULATOR = re.compile(r"x-fault|x-pace")  # for an upstream on this machine
TO_CLIENT = re.compile(
    r"x-request-id|request-id|retry-after|retry-after-ms|x-should-retry|allow"
    r"|openai-[a-z0-9-]{1,64}|x-ratelimit-[a-z0-9-]{1,64}"
)

VIA = ("Via", "1.1 streaming-workshop")


def fields_to_api(request: Request, key: Secret | None) -> Headers:
    """The header of the request to the API behind, but for Host and Content-Length."""
    kept = _kept(TO_API, request.headers) + _kept(TO_SIMULATOR, request.headers)
    ours = (("Authorization", f"Bearer {key.reveal()}"),) if key else ()
    return (*kept, *ours, ("Accept-Encoding", "identity"), VIA)


def fields_to_client(response: Response) -> Headers:
    """What of its response's header the client gets, but for Content-Type and framing."""
    kept = _kept(TO_CLIENT, response.headers)
    return (*((name, redact(value)) for name, value in kept), VIA)


def _kept(names: re.Pattern[str], headers: Headers) -> Headers:
    """Those on the list, if they are not between two hops: Connection may name any field."""
    return tuple(
        (name, value) for name, value in end_to_end(headers) if names.fullmatch(name)
    )


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


class Exchange:
    """One request to the API behind, from its first byte to the last byte of its reply.

    Args:
        asking: sends it, and holds its connection.
        arrivals: tells when something of its reply has come.
        clocks: how long it may take.
        record: what it comes to.
        finished: called once, when it is over.
    """

    def __init__(
        self,
        asking: AbstractAsyncContextManager[Response],
        arrivals: Poller,
        clocks: Clocks,
        record: Record,
        finished: Callable[[Record], None] | None = None,
    ) -> None:
        self.record = record
        self._asking = asking
        self._arrivals = arrivals
        self._clocks = clocks
        self._began = trio.current_time()
        self._finished = finished
        self._open = AsyncExitStack()
        self._left: float | None = None  # when it was known that the client has

    async def begin(self) -> Response:
        """Send the request, and wait for the head of the response.

        Raises:
            RelayFailed: there is none.
        """
        response = await self._in_time(self._open.enter_async_context(self._asking))
        self.record.status = response.status
        return response

    async def read(self, response: Response, limit: int) -> tuple[bytes, bool]:
        """The body of a response, as far as it comes within the idle clock.

        It is for an error, whose status and first words are worth more than its last byte.

        Args:
            limit: in bytes.

        Returns:
            The body, and whether that is all of it.
        """
        body = bytearray()
        try:
            with trio.move_on_at(self._clock(trio.current_time())[0]):
                while len(body) <= limit and (piece := await response.receive_some()):
                    body += piece
        except RequestError:
            pass
        except BaseException:
            self._left = trio.current_time()
            raise
        return bytes(body[:limit]), response.complete and len(body) <= limit

    async def relay(
        self, response: Response, body: BodyWriter, is_events: bool, route: str
    ) -> None:
        """Pass the body on, and the end; or say why there is none, and cut it off.

        Raises:
            CutOff: the client must not take what it has for the whole.
        """
        record = self.record
        passage = Passage(response, body, record, is_events=is_events, now=trio.current_time())
        try:
            if await self._carry(passage):
                record.ending = "done" if record.whole or not is_events else "no end mark"
                return
            failure = self._late(passage.heard)
        except RequestError as error:
            failure = Failure.of(error)
        except BaseException:
            self._left = trio.current_time()
            raise
        record.ending = failure.code
        if not is_events:
            raise CutOff(reset=True)
        if passage.at_event_border:
            await body.send(failure.event(route))
        raise CutOff(final_wait=True)

    async def aclose(self) -> None:
        """Let the connection go: closed, unless the response was read whole."""
        await self._open.aclose()
        if self._left is not None:
            self.record.closed_after = trio.current_time() - self._left
        finished, self._finished = self._finished, None
        if finished is not None:
            finished(self.record)

    async def _carry(self, passage: Passage) -> bool:
        """Take all of it through. Returns False if a clock ran down before the end."""
        while True:
            if passage.take(trio.current_time()) and not await self._more_came(passage):
                return False
            if not await passage.go_on():
                return True

    async def _more_came(self, passage: Passage) -> bool:
        """Let `take` take what comes, while that is all there is to do."""
        while True:
            # An event moves the deadline: it is looked at again when it expires, not for each
            # event. The first event may move it nearer, by no more than the idle clock.
            look = trio.current_time() + self._clocks.idle
            with trio.move_on_at(min(look, self._clock(passage.heard)[0])):
                await self._arrivals.poll(passage.stream, passage.take)
                return True
            if self._clock(passage.heard)[0] <= trio.current_time():
                return False

    async def _in_time(self, waiting: Awaitable[T]) -> T:
        """What comes of this, unless the first clock runs down before."""
        try:
            with trio.move_on_at(self._clock()[0]):
                return await waiting
            failure = self._late()
        except RequestError as error:
            failure = Failure.of(error)
        except BaseException:
            self._left = trio.current_time()
            raise
        raise RelayFailed(failure)

    def _clock(self, heard: float | None = None) -> tuple[float, str, float]:
        """The clock that runs down next: when, its name, its seconds.

        Args:
            heard: when the API last said something that counts; None if it has not.
        """
        clocks = self._clocks
        running = (self._began + clocks.first_event, "first_event", clocks.first_event)
        if heard is not None:
            running = (heard + clocks.idle, "idle", clocks.idle)
        return min(running, (self._began + clocks.total, "total", clocks.total))

    def _late(self, heard: float | None = None) -> Failure:
        _, name, seconds = self._clock(heard)
        return Failure.late(name, seconds)


class RelayedReply(StreamingReply):
    """A reply of the API behind, relayed as it comes.

    Args:
        exchange: whose reply it is.
        response: its head has come.
        path: of the request.
    """

    def __init__(self, exchange: Exchange, response: Response, path: str) -> None:
        kind = redact(response.header("content-type") or "")
        if not kind.isascii() or not kind:
            kind = "application/octet-stream"
        self._is_events = kind.lower().startswith("text/event-stream")
        headers = fields_to_client(response) + (EventStream.HEADERS if self._is_events else ())
        status, reason = status_of(response.head)
        self.reason = reason and redact(reason)
        super().__init__(self, status, kind, headers)
        self._exchange = exchange
        self._response = response
        self._path = path

    async def send_to(self, body: BodyWriter) -> None:
        """Send all of it, and the end."""
        try:
            await self._exchange.relay(self._response, body, self._is_events, self._path)
        except trio.Cancelled:
            if body.ending is not Ending.DISCONNECTED:
                self._exchange.record.ending = body.ending.value
            raise

    async def aclose(self) -> None:
        """Let go of the API behind, however far it came."""
        await self._exchange.aclose()


# What this file does not do: find the API behind, or know a key: handlers.py. Change a byte of a
# body.
