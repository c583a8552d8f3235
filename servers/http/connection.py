"""Serves one connection: reads a request, sends the reply, and repeats this until one side closes.

    client                                  server
    GET /chat/hi HTTP/1.1            ->     head.py checks it, h11 reads it, routes.py finds
    Host: localhost                         the handler
                                     <-     HTTP/1.1 200 OK
                                            Transfer-Encoding: chunked
                                     <-     d\\r\\ndata: hello\\n\\n\\r\\n      one write a `yield`
                                     <-     0\\r\\n\\r\\n
    GET /next HTTP/1.1               ->     the same connection (keep-alive)

The rules this file keeps:

1. Bad input gets the right status, and the connection is closed, because after a framing error it
   is unknown where the next request begins.
2. A FIN from the client may be a half-close (`printf … | nc`): the client sends no more, but still
   reads. So the reply continues, and only a write shows whether anybody reads it (watch.py). Before
   the first write, a late FIN means that the client gave up (`gave_up_waiting`).
3. A reply that fails after its head is truncated: without the last chunk, no client takes it for
   complete.
4. Every wait has a limit, and every limit is in `Limits`.
5. Each request gives the other tasks a turn, even if it has nothing to wait for.
"""

import logging
import math
from enum import Enum, auto
from typing import NamedTuple

import h11
import trio

from clients.streams.tcp import ByteStream
from protocol.errors import DecodeError
from protocol.http1 import Coding
from protocol.target import path_of

from .body import Body
from .incoming import Incoming
from .limits import Budget, Limits
from .reply import (
    CutOff,
    Ending,
    Handler,
    Reply,
    ReplyObserver,
    Request,
    StreamingReply,
    close_source,
    send_source,
)
from .reply_head import encode_head, encode_reply
from .request_head import KnownHeads, RequestHead
from .routes import Routes, printable_route
from .watch import Watch, gave_up_waiting

__all__ = ["Connection", "Limits"]

log = logging.getLogger("servers")

FINAL_WAIT_SECONDS = 0.3
"""Longest wait, in seconds, for the client of a truncated body to close first."""

# When the server stops, a request may be on its way on a connection that looks idle. Such a request
# is answered if it arrives before the first check of the timeouts after this time (watch.TICK).
LAST_REQUEST_SECONDS = 0.1


class State(Enum):
    """The state of a connection."""

    READING = auto()  # it waits for a request, or reads one
    HANDLING = auto()  # the request is complete, and its handler runs
    SENDING = auto()  # the reply is being sent
    TRUNCATED = auto()  # the reply ended too early, and only a reset can tell the client


class Prepared(NamedTuple):
    """A reply that is ready to be sent: the encoded head, the framing, and the line for the log."""

    reply: Reply | StreamingReply
    head: bytes
    chunked: bool
    line: str


class Connection:
    """Serves one client.

    Args:
        stream: The connection to the client; `serve` closes it.
        routes: The object that finds the handler of each request.
        watch: Checks the timeouts of this connection, and notices when the client disconnects.
        limits: Bytes and seconds that this connection may use.
        bodies: Bytes that the request bodies of all connections together may hold.
        heads: The heads that the connections of this server have read.
    """

    __slots__ = (
        "_body",
        "_cause",
        "_incoming",
        "_keep_alive",
        "_limits",
        "_observer",
        "_routes",
        "_scope",
        "_state",
        "_stream",
        "_timeout_reply",
        "_watch",
    )

    def __init__(
        self,
        stream: ByteStream,
        routes: Routes,
        watch: Watch,
        limits: Limits | None = None,
        bodies: Budget | None = None,
        heads: KnownHeads | None = None,
    ) -> None:
        self._stream = stream
        self._routes = routes
        self._watch = watch
        self._limits = limits or Limits()
        self._incoming = Incoming(
            stream,
            self._limits,
            bodies or Budget(self._limits.max_body_size),
            heads or KnownHeads(),
        )
        self._state = State.READING
        self._keep_alive = True  # another request may follow
        self._body: Body | None = None  # the body of the reply that is being sent
        self._observer: ReplyObserver | None = None
        self._cause = Ending.STOPPED  # of a cancellation, unless another cause is known
        self._scope = trio.CancelScope()
        self._timeout_reply = b""  # the reply to a client that has missed the deadline

    async def serve(self) -> None:
        """Answer requests until the connection ends. No client can make this method raise."""
        self._watch.connections.add(self)
        fileno = self._stream.fileno()
        all_sent = False
        try:
            with self._scope:
                while self._keep_alive:
                    await self._serve_request(fileno)
                all_sent = True
            if self._timeout_reply:
                self._stream.send_now(self._timeout_reply)
                all_sent = True
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has disconnected
        finally:
            self._watch.connections.discard(self)
            self._watch.remove_stream(fileno)
            if self._state is State.TRUNCATED:
                self._stream.reset()  # a FIN would say that the reply is complete
            elif all_sent:
                await self._stream.aclose()
            else:
                self._stream.close()

    def finish(self) -> None:
        """Let the current reply end, then close. The server calls this when it stops."""
        self._keep_alive = False
        if self._state is State.READING and self._incoming.idle:
            self._incoming.set_deadline(LAST_REQUEST_SECONDS)

    def abort(self) -> None:
        """Close now, whatever the connection is doing."""
        self._scope.cancel()

    def client_disconnected(self) -> None:
        """Cancel the handler, because nobody reads its reply. Called by the watch."""
        self._cancel(Ending.DISCONNECTED)

    def _cancel(self, cause: Ending) -> None:
        self._cause = cause
        if self._body is not None:
            self._body.cause = cause
        self._scope.cancel()

    @property
    def _head_only(self) -> bool:
        """Whether the request is a HEAD: its response has no body (RFC 9110 §9.3.2)."""
        return self._incoming.start_line.startswith(b"HEAD ")

    def fin_is_disconnect(self, requested_at: float) -> bool:
        """Whether a client that has sent a FIN has disconnected. Called by the watch.

        Args:
            requested_at: The time at which the client's request was complete.
        """
        if self._observer:
            self._observer.half_closed()
        waits = self._state is State.HANDLING and self._keep_alive
        return self._limits.fin_is_disconnect or (waits and gave_up_waiting(requested_at))

    def check_timeouts(self, now: float) -> None:
        """Cancel what takes too long, and send the heartbeat if it is due. Called by the watch."""
        if now >= self._incoming.deadline:
            if message := self._incoming.deadline_message:
                self._timeout_reply = self._encode_refusal(408, message)
            self._scope.cancel()
        elif self._body is not None:
            if self._body.stalled_for(now) >= self._limits.stall_seconds:
                self._cancel(Ending.STALLED)
            try:
                self._body.send_heartbeat(now, self._limits.heartbeat_seconds)
            except trio.BrokenResourceError:
                self._cancel(Ending.DISCONNECTED)

    async def _serve_request(self, fileno: int) -> None:
        try:
            # The request is released when `_prepare` returns. The request is larger than everything
            # else that is kept for a stream, and the stream may continue for minutes.
            prepared = await self._prepare(fileno)
            if prepared is not None:
                sending, prepared = self._send_reply(*prepared), None  # nor is the reply kept
                await sending
        finally:
            self._incoming.give_back()
            self._watch.end_stream(fileno)

    async def _prepare(self, fileno: int) -> Prepared | None:
        """Read a request and call its handler. Returns None if there is no reply left to send."""
        self._state = State.READING
        try:
            wait = self._limits.idle_seconds if self._keep_alive else LAST_REQUEST_SECONDS
            head = await self._incoming.read_head(wait)
            if head is None:
                self._keep_alive = False
                return None
            request, handler = await self._read_request(head)
        except h11.RemoteProtocolError as error:
            reason = error.reason if isinstance(error, DecodeError) else str(error)
            log.info("%d %s", error.error_status_hint, reason.partition("\n")[0])
            await self._send_error(error.error_status_hint, reason)
            return None
        self._state = State.HANDLING
        self._watch.add_stream(fileno, self, request.arrived)
        line = f"{request.method} {printable_route(request)}"
        reply: Reply | StreamingReply | None = None
        try:
            reply = handler if isinstance(handler, Reply) else await handler(request)
            chunked = False
            if isinstance(reply, StreamingReply):
                chunked = not (head.is_http10 or reply.until_close)
                self._keep_alive &= chunked  # without chunks, the body ends with the connection
            reply_head = encode_head(reply, chunked=chunked, close=not self._keep_alive)
        except trio.Cancelled:
            log.info("%s no reply, %s", line, self._cause.value)
            raise
        except Exception:
            log.exception("500 %s: the handler failed", line)
            if isinstance(reply, StreamingReply):
                await reply.aclose()  # the reply's head cannot be sent, so its source is never read
            await self._send_error(500, "The server's log says why.")
            return None
        self._incoming.give_back()
        return Prepared(reply, reply_head, chunked, f"{reply.status} {line}")

    async def _send_error(self, status: int, message: str) -> None:
        """Send an error, and close. A client that does not read the error gets no extra time."""
        self._keep_alive = False
        self._incoming.set_deadline(self._limits.stall_seconds)
        await self._stream.send_all(self._encode_refusal(status, message))

    async def _read_request(self, head: RequestHead) -> tuple[Request, Handler | Reply]:
        """Return the complete request and its handler, or the reply if it has no handler."""
        self._keep_alive &= head.keeps_alive
        path, query, host = head.target.path, head.target.query, head.target.host
        handler, params = self._routes.find(head.method, path)
        body = b""
        if head.framing.coding is not Coding.NONE:
            if isinstance(handler, Reply):
                self._keep_alive = False  # the body stays unread: the next request is not found
            else:
                body = await self._incoming.read_body(head)
        self._incoming.deadline, now = math.inf, trio.current_time()
        request = Request(
            head.method, path, query, head.headers, body, params, head.raw_target, host, now
        )
        return request, handler

    async def _send_reply(
        self, reply: Reply | StreamingReply, head: bytes, chunked: bool, line: str
    ) -> None:
        """Send the head, and the body in the framing that the head has announced."""
        head_only = self._head_only
        self._observer = observer = reply.observer
        outlet = observer.wrap(self._stream) if observer else self._stream
        if isinstance(reply, StreamingReply):
            # The head is sent before the first piece exists, so the client gets it at once.
            source, whole, head = reply.source, b"", reply.edit_head(head)
            body = Body(outlet, chunked=chunked, heartbeat=reply.heartbeat)
        else:
            source, whole, body = None, reply.body, Body(outlet, chunked=chunked)
        self._state = State.SENDING
        self._body = body
        ending = None
        del reply  # a stream may continue for minutes: it keeps neither its reply nor its head
        try:
            if not body.begin(head if head_only else head + whole):
                await body.flush()
            del head
            if source and not head_only:
                await send_source(source, body)
            ending = Ending.DONE
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            ending = Ending.DISCONNECTED
            raise
        except CutOff as cut:
            ending, self._keep_alive = Ending.RESET if cut.reset else Ending.CUT_OFF, False
            if cut.final_wait:
                await self._wait_for_close()
            body.ended = True
        except Exception:
            log.exception("%s: failed after its head, so it is cut off", line)
            ending = Ending.FAILED
            self._keep_alive = False
            await self._wait_for_close()
        finally:
            ending = ending or body.ending
            if observer:
                observer.end(ending)
            self._body = self._observer = None
            # Only a chunked body is seen to be truncated if it ends with a FIN.
            unended = source and not head_only and not (chunked or body.ended)
            if ending is Ending.RESET or unended:
                self._state = State.TRUNCATED
            if source:
                await close_source(source)
            if head_only:
                log.info("%s head only", line)
            elif source:
                log.info("%s %d pieces, %d bytes, %s", line, body.pieces, body.size, ending.value)
            else:
                unless_done = "" if ending is Ending.DONE else f", {ending.value}"
                log.info("%s %d bytes%s", line, len(whole), unless_done)

    async def _wait_for_close(self) -> None:
        """Give the client of a truncated body a moment to close first. A browser that sees the
        connection end inside a body drops what it has not shown: the event with the error."""
        with trio.move_on_after(FINAL_WAIT_SECONDS):
            await self._stream.receive_some()

    def _encode_refusal(self, status: int, message: str) -> bytes:
        """Encode a response that no handler has made, in the form that the application chose."""
        refusal = self._routes.refuse(path_of(self._incoming.start_line), status, message)
        return encode_head(refusal, close=True) if self._head_only else encode_reply(refusal)


# What this file does not do: read while it streams a reply (a pipelined request waits its turn),
# TLS, HTTP/2, or upgrades.
