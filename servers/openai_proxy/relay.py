"""Relays one exchange: the request goes to the upstream, and its reply comes back piece by piece.

    client                        we                               upstream
    POST /v1/chat/completions  >  the same body                 >  POST /v1/chat/completions
    Authorization: a token        Authorization: our key           Authorization: Bearer sk-…
                                  Accept-Encoding: identity
    data: {"id":…}\\n\\n         <  the piece, as it came          <  data: {"id":…}\\n\\n

The rules this file keeps:

1. Only listed fields are relayed, in both directions. Each connection has its own framing.
2. A piece is sent as soon as it arrives, and the next is read only when the client's kernel has
   accepted it. So a slow reader slows the upstream down, and no buffer grows here (body_relay.py).
3. A parser reads a copy of the stream. It finds the first event, the usage, the end mark, and the
   borders between events: only there may we send a heartbeat.
4. A broken stream never gets a clean end: if the upstream's body is truncated, so is the client's.
   Between two events, we send an error event that says why. Inside an event we send nothing: any
   line end of ours could complete the half event, and the client would read half of its JSON.
5. There are four timeouts, each with a name. Comments do not reset them, because a stalled model
   may still send heartbeats.
6. If an upstream sends a finish_reason, and then neither [DONE] nor the end of the body, its answer
   counts as complete. After the timeout the client gets the end of the body, not an error.
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
from .body_relay import BodyRelay
from .failure import RelayFailed, UpstreamFailure
from .log_record import ExchangeSummary

__all__ = ["RelayedReply", "Timeouts", "UpstreamExchange", "fields_to_api", "fields_to_client"]

T = TypeVar("T")

# The request fields that are relayed. These are left out on purpose: cookies, the client's own key,
# Accept-Encoding (a compressor holds events back), and the fields of one connection (RFC 9110
# §7.6.1).
TO_API = re.compile(
    r"accept|content-type|content-encoding|user-agent|openai-(organization|project|beta)"
    r"|x-client-request-id|idempotency-key|x-stainless-[a-z0-9-]{1,64}"
)
TO_SIMULATOR = re.compile(r"x-fault|x-pace")  # relayed only to an upstream on this machine
TO_CLIENT = re.compile(
    r"x-request-id|request-id|retry-after|retry-after-ms|x-should-retry|allow"
    r"|openai-[a-z0-9-]{1,64}|x-ratelimit-[a-z0-9-]{1,64}"
)

VIA = ("Via", "1.1 streaming-workshop")


def fields_to_api(request: Request, key: Secret | None) -> Headers:
    """Return the fields of the upstream request, without Host and Content-Length."""
    kept = _kept(TO_API, request.headers) + _kept(TO_SIMULATOR, request.headers)
    ours = (("Authorization", f"Bearer {key.reveal()}"),) if key else ()
    return (*kept, *ours, ("Accept-Encoding", "identity"), VIA)


def fields_to_client(response: Response) -> Headers:
    """Return the upstream's fields that the client gets, without Content-Type and framing."""
    kept = _kept(TO_CLIENT, response.headers)
    return (*((name, redact(value)) for name, value in kept), VIA)


def _kept(names: re.Pattern[str], headers: Headers) -> Headers:
    """Return the listed fields, without those of one connection: Connection may name any field."""
    return tuple(
        (name, value) for name, value in end_to_end(headers) if names.fullmatch(name)
    )


class Timeouts(msgspec.Struct, frozen=True):
    """How long we wait for the upstream, in seconds.

    Args:
        connect: Longest time to open a connection: DNS, TCP, proxy and TLS together.
        first_event: Longest time from the request to the first event with data, or to the head of a
            reply that is not an event stream.
        idle: Longest time from one event with data to the next. If the body is not an event stream,
            from one piece to the next.
        total: Longest time for the whole exchange. By default it has no limit.
    """

    connect: float = 10.0
    first_event: float = 300.0
    idle: float = 120.0
    total: float = math.inf


class UpstreamExchange:
    """One request to the upstream and its reply, from the first byte to the last.

    Args:
        sending: A context manager that sends the request when it is entered, and holds the
            connection.
        poller: The poller that calls us when bytes of the reply arrive.
        timeouts: How long we wait for the upstream.
        summary: The record that is filled in during the exchange.
        finished: A function called once, at the end, with the summary.
    """

    def __init__(
        self,
        sending: AbstractAsyncContextManager[Response],
        poller: Poller,
        timeouts: Timeouts,
        summary: ExchangeSummary,
        finished: Callable[[ExchangeSummary], None] | None = None,
    ) -> None:
        self.summary = summary
        self._sending = sending
        self._poller = poller
        self._timeouts = timeouts
        self._began = trio.current_time()
        self._finished = finished
        self._stack = AsyncExitStack()
        self._disconnected_at: float | None = None  # when the server noticed the disconnect

    async def begin(self) -> Response:
        """Send the request, and wait for the head of the response.

        Raises:
            RelayFailed: There is no response, or it did not arrive in time.
        """
        response = await self._within_timeout(self._stack.enter_async_context(self._sending))
        self.summary.status = response.status
        return response

    async def read(self, response: Response, limit: int) -> tuple[bytes, bool]:
        """Read the body of an error, or the part that arrives within the idle timeout. A part is
        enough: the status and the start of the message matter most.

        Args:
            limit: Largest size of the body, in bytes. The rest is dropped.

        Returns:
            The body, and whether it is complete.
        """
        body = bytearray()
        try:
            with trio.move_on_at(self._next_timeout(trio.current_time())[0]):
                while len(body) <= limit and (piece := await response.receive_some()):
                    body += piece
        except RequestError:
            pass
        except BaseException:
            self._disconnected_at = trio.current_time()
            raise
        return bytes(body[:limit]), response.complete and len(body) <= limit

    async def relay(
        self, response: Response, body: BodyWriter, is_events: bool, route: str
    ) -> None:
        """Relay the body and its end. If the upstream fails, say why and end the reply early.

        Raises:
            CutOff: The reply is incomplete, and the client must be able to see it.
        """
        summary = self.summary
        relay = BodyRelay(response, body, summary, is_events=is_events, now=trio.current_time())
        try:
            is_done = await self._relay_all(relay)
            if not is_done and summary.answered and relay.at_event_border:
                await body.end()
                is_done = True
            if is_done:
                summary.ending = "done" if summary.whole or not is_events else "no end mark"
                return
            failure = self._timed_out(relay.last_data_at)
        except RequestError as error:
            failure = UpstreamFailure.of(error)
        except BaseException:
            self._disconnected_at = trio.current_time()
            raise
        summary.ending = failure.code
        if not is_events:
            raise CutOff(reset=True)
        if relay.at_event_border:
            await body.send(failure.event(route))
        raise CutOff(final_wait=True)

    async def aclose(self) -> None:
        """Close the upstream connection, or keep it for reuse if the response was read whole."""
        await self._stack.aclose()
        if self._disconnected_at is not None:
            self.summary.closed_after = trio.current_time() - self._disconnected_at
        finished, self._finished = self._finished, None
        if finished is not None:
            finished(self.summary)

    async def _relay_all(self, relay: BodyRelay) -> bool:
        """Relay until the end of the body. Returns False after a timeout."""
        try:
            while True:
                if relay.relay_now(trio.current_time()) and not await self._wait_for_data(relay):
                    return False
                if not await relay.relay_rest():
                    return True
        finally:
            relay.observe_rest()

    async def _wait_for_data(self, relay: BodyRelay) -> bool:
        """Let the poller call `relay_now`, until it returns False or a timeout expires."""
        while True:
            # Each event moves the deadline, but we check it again only when it expires. The first
            # event may make the deadline earlier, but never earlier than `look`.
            look = trio.current_time() + self._timeouts.idle
            with trio.move_on_at(min(look, self._next_timeout(relay.last_data_at)[0])):
                await self._poller.poll(relay.stream, relay.relay_now)
                return True
            if self._next_timeout(relay.last_data_at)[0] <= trio.current_time():
                return False

    async def _within_timeout(self, waiting: Awaitable[T]) -> T:
        """Await `waiting`, at most until the next timeout."""
        try:
            with trio.move_on_at(self._next_timeout()[0]):
                return await waiting
            failure = self._timed_out()
        except RequestError as error:
            failure = UpstreamFailure.of(error)
        except BaseException:
            self._disconnected_at = trio.current_time()
            raise
        raise RelayFailed(failure)

    def _next_timeout(self, last_data_at: float | None = None) -> tuple[float, str, float]:
        """Return the timeout that expires next: its deadline, its name, and its length in seconds.

        Args:
            last_data_at: Time at which the last data arrived (`BodyRelay.last_data_at`), or None.
        """
        timeouts = self._timeouts
        running = (self._began + timeouts.first_event, "first_event", timeouts.first_event)
        if last_data_at is not None:
            running = (last_data_at + timeouts.idle, "idle", timeouts.idle)
        return min(running, (self._began + timeouts.total, "total", timeouts.total))

    def _timed_out(self, last_data_at: float | None = None) -> UpstreamFailure:
        _, name, seconds = self._next_timeout(last_data_at)
        return UpstreamFailure.timed_out(name, seconds)


class RelayedReply(StreamingReply):
    """Relays the upstream's reply as it arrives.

    Args:
        exchange: The exchange to which this reply belongs.
        response: The upstream's response, after its head.
        path: Path of the client's request.
    """

    def __init__(self, exchange: UpstreamExchange, response: Response, path: str) -> None:
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
        """Relay the body and its end."""
        try:
            await self._exchange.relay(self._response, body, self._is_events, self._path)
        except trio.Cancelled:
            if body.ending is not Ending.DISCONNECTED:
                self._exchange.summary.ending = body.ending.value
            raise

    async def aclose(self) -> None:
        """Release the upstream connection, whether or not the body is complete."""
        await self._exchange.aclose()


# What this file does not do: choose the upstream or its key (handlers.py), or change a body.
