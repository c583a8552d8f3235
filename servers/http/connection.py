"""One connection's life: read a request, send its reply, and again, until a side says close.

    client                                  server
    GET /chat/hi HTTP/1.1            ->     head.py checks it, h11 reads it, routes.py finds
    Host: localhost                         the handler
                                     <-     HTTP/1.1 200 OK
                                            Transfer-Encoding: chunked
                                     <-     d\\r\\ndata: hello\\n\\n\\r\\n      one write a `yield`
                                     <-     0\\r\\n\\r\\n
    GET /next HTTP/1.1               ->     the same connection (keep-alive)

The rules this file keeps:

1. Bad input gets the right status, and the connection is closed: after a framing error nobody
   knows where the next request begins.
2. A FIN from the client may be half a goodbye (`printf … | nc`): the reply goes on. Only a write
   tells whether anybody reads (watch.py), or before the first one its lateness (`gave_up`).
3. A reply that fails after its head is cut off without the last chunk, so that no client takes
   it for whole.
4. Every wait has a limit, and every limit its place in `Limits`.
5. Each request takes a turn of its own, also one for which nothing has to be waited.
"""

import logging
import math
from typing import NamedTuple

import h11
import trio

from clients.streams.tcp import ByteStream
from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.http1 import (
    Coding,
    body_decoder,
    expects_continue,
    keeps_alive,
    read_request,
    request_framing,
)
from protocol.target import path_of, read_target

from .body import Body
from .limits import Budget, Limits
from .reply import CutOff, Ending, Handler, Reply, Request, StreamingReply
from .reply_head import encode_head, encode_reply
from .routes import Routes
from .watch import Watch, gave_up

__all__ = ["Connection", "Limits"]

log = logging.getLogger("servers")

GOODBYE_SECONDS = 0.3

# When the server stops, a request may be on its way on a connection that looks idle. It is answered
# if it comes before the first look at the clocks after this time (watch.TICK).
LAST_REQUEST_SECONDS = 0.1


class Prepared(NamedTuple):
    """A reply that is ready to leave: its head, itself, and its line for the log."""

    head: bytes
    reply: Reply | StreamingReply
    line: str


class Connection:
    """Serves one client.

    Args:
        stream: the connection; it is closed in the end.
        routes: who answers what.
        watch: keeps this connection's clocks and tells when the client has gone.
        limits: see there.
        bodies: what all connections may hold of requests; by default what this one may.
    """

    def __init__(
        self,
        stream: ByteStream,
        routes: Routes,
        watch: Watch,
        limits: Limits | None = None,
        bodies: Budget | None = None,
    ) -> None:
        self._stream = stream
        self._routes = routes
        self._watch = watch
        self._limits = limits or Limits()
        self._bodies = bodies or Budget(self._limits.max_body_size)
        self._held = 0  # bytes of it, by the request under way
        self._unread = b""  # what came with this request and belongs to the next
        self._idle = True  # between two requests
        self._closing = False  # no further request
        self._body: Body | None = None  # of the streaming reply under way
        self._scope = trio.CancelScope()
        self._deadline = math.inf
        self._deadline_message = ""  # what the client is told when it passes; "" for nothing
        self._timed_out = False
        self._start_line = b""  # of the request under way, as much of it as has come
        self._incomplete = False  # a body that ends with the connection was not sent whole

    async def serve(self) -> None:
        """Answer requests until the connection is done. Never raises for what a peer does."""
        self._watch.connections.add(self)
        said_all = False
        try:
            with self._scope:
                while not self._closing:
                    await self._serve_request()
                said_all = True
            if self._timed_out and self._deadline_message:
                self._stream.send_now(self._encode_refusal(408, self._deadline_message))
                said_all = True
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has gone: nobody is left to tell
        finally:
            self._watch.connections.discard(self)
            if self._incomplete:
                self._stream.reset()  # a FIN would say that it was complete
            elif said_all:
                await self._stream.aclose()
            else:
                self._stream.close()

    def finish(self) -> None:
        """Let the reply under way end, then close: for a server that stops."""
        self._closing = True
        if self._idle:
            self._set_deadline(LAST_REQUEST_SECONDS)

    def abort(self) -> None:
        """Close now, whatever is under way."""
        self._scope.cancel()

    def client_has_left(self) -> None:
        """Called by the watch: stop the handler, nobody listens."""
        self._cancel(Ending.DISCONNECTED)

    def _cancel(self, ending: Ending) -> None:
        if self._body is not None:
            self._body.cause = ending
        self._scope.cancel()

    @property
    def _head_only(self) -> bool:
        """No response to HEAD has a body (RFC 9110 §9.3.2)."""
        return self._start_line.startswith(b"HEAD ")

    def fin_is_leaving(self, asked: float) -> bool:
        """Called by the watch when a client that asked then has sent a FIN: has it left?"""
        waits = self._body is None and not self._closing
        return self._limits.fin_is_leaving or (waits and gave_up(asked))

    def check_clocks(self, now: float) -> None:
        """Called by the watch: stop what takes too long, send the heartbeat that is due."""
        if now >= self._deadline:
            self._timed_out = True
            self._scope.cancel()
        elif self._body is not None:
            if self._body.stalled_for(now) >= self._limits.stall_seconds:
                self._cancel(Ending.STALLED)
            try:
                self._body.beat(now, self._limits.heartbeat_seconds)
            except trio.BrokenResourceError:
                self._cancel(Ending.DISCONNECTED)

    def _set_deadline(self, seconds: float, message: str = "") -> None:
        self._deadline = trio.current_time() + seconds
        self._deadline_message = message

    async def _serve_request(self) -> None:
        fileno = self._stream.fileno()
        try:
            # What was received is forgotten when this returns: a stream may outlive its request,
            # which is larger than all else that is kept for it, by minutes.
            prepared = await self._prepare(fileno)
            if prepared is not None:
                await self._send_reply(*prepared)
        finally:
            self._give_back()
            self._watch.remove_stream(fileno)

    async def _prepare(self, fileno: int) -> Prepared | None:
        """Read a request and ask its handler; None if that is where it ended."""
        try:
            head = await self._read_head()
            if head is None:
                self._closing = True
                return None
            request, handler = await self._read_request(head)
        except h11.RemoteProtocolError as error:
            reason = error.reason if isinstance(error, DecodeError) else str(error)
            log.info("%d %s", error.error_status_hint, reason.partition("\n")[0])
            await self._send_error(error.error_status_hint, reason)
            return None
        self._watch.add_stream(fileno, self)
        line = f"{request.method} {_printable(_pattern(request))}"
        reply: Reply | StreamingReply | None = None
        try:
            reply = handler if isinstance(handler, Reply) else await handler(request)
            reply_head = self._encode_head(head.is_http10, reply)
        except Exception:
            log.exception("500 %s: the handler failed", line)
            if isinstance(reply, StreamingReply):
                await reply.aclose()  # its head cannot be written, so nobody asks for the rest
            await self._send_error(500, "The server's log says why.")
            return None
        self._give_back()
        return Prepared(reply_head, reply, f"{reply.status} {line}")

    async def _send_error(self, status: int, message: str) -> None:
        """Say what is wrong, within the time of a stalled reader, and close."""
        self._closing = True
        self._set_deadline(self._limits.stall_seconds)
        await self._stream.send_all(self._encode_refusal(status, message))

    async def _read_head(self) -> Head | None:
        """The next request's head, or None when the client has no more."""
        reader = HeadReader()
        self._idle = True
        self._start_line = b""
        self._set_deadline(LAST_REQUEST_SECONDS if self._closing else self._limits.idle_seconds)
        data, self._unread = self._unread, b""
        if data:  # a pipelined request, for which nothing is waited: the others have their turn
            await trio.lowlevel.checkpoint()
        while True:
            if data:
                try:
                    head = reader.receive_data(data)
                finally:
                    self._start_line = reader.start_line
                if self._idle and (head or reader.started):
                    self._idle = False
                    message = "The request's head did not end in time."
                    self._set_deadline(self._limits.head_seconds, message)
                if head:
                    self._unread = reader.trailing_data
                    return head
            data = await self._stream.receive_some()
            if not data:
                reader.receive_eof()
                return None

    async def _read_request(self, head: Head) -> tuple[Request, Handler | Reply]:
        """The whole request, and who answers it."""
        target = read_target(head)
        framing = request_framing(head)
        _, message = read_request(head)
        self._closing |= not keeps_alive(head)
        method = message.method.decode("ascii")
        handler, params = self._routes.find(method, target.path)
        body = b""
        if not isinstance(handler, Reply):
            body = await self._read_body(head)
        elif framing.coding is not Coding.NONE:
            self._closing = True  # its body stays unread, so what follows it cannot be found
        self._set_deadline(math.inf)
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in message.headers)
        path, query, host = target.path, target.query, target.host
        raw = message.target.decode("ascii")
        return Request(method, path, query, headers, body, params, raw, host), handler

    async def _read_body(self, head: Head) -> bytes:
        framing = request_framing(head)
        limit = self._limits.max_body_size
        if framing.length > limit:
            raise _too_large(limit)
        decoder = body_decoder(framing, max_chunk_size=limit)
        body = bytearray()
        self._hold(body, decoder.receive_data(self._unread))
        if expects_continue(head) and not self._unread and not decoder.complete:
            # "Send me the body": the client waits for this before it does (RFC 9110 §10.1.1).
            await self._stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        last = trio.current_time() + self._limits.body_total_seconds
        while not decoder.complete:
            message = "The request's body did not come in time."
            self._set_deadline(self._limits.body_seconds, message)
            self._deadline = min(self._deadline, last)
            data = await self._stream.receive_some()
            if not data:
                decoder.receive_eof()
            self._hold(body, decoder.receive_data(data))
        self._unread = decoder.trailing_data
        return bytes(body)

    def _hold(self, body: bytearray, pieces: list[bytes]) -> None:
        """Add to a body what is within its limit, and within the budget of all."""
        size = sum(map(len, pieces))
        if len(body) + size > self._limits.max_body_size:
            raise _too_large(self._limits.max_body_size)
        if not self._bodies.take(size):
            message = "this server holds as many request bodies as it can: try again later"
            raise DecodeError(message, len(body), (), 503)
        self._held += size
        body += b"".join(pieces)

    def _give_back(self) -> None:
        self._bodies.give_back(self._held)
        self._held = 0

    def _encode_head(self, is_http10: bool, reply: Reply | StreamingReply) -> bytes:
        streams = isinstance(reply, StreamingReply)
        # Without chunks the body ends with the connection.
        until_close = isinstance(reply, StreamingReply) and (is_http10 or reply.until_close)
        self._closing |= until_close
        return encode_head(reply, chunked=streams and not until_close, close=self._closing)

    async def _send_reply(self, head: bytes, reply: Reply | StreamingReply, line: str) -> None:
        """Send the head, and the body in the form that the head has promised."""
        head_only = self._head_only
        chunked = b"\r\nTransfer-Encoding: chunked\r\n" in head
        heartbeat = reply.heartbeat if isinstance(reply, StreamingReply) else b""
        recorder = reply.recorder
        outlet = recorder.through(self._stream) if recorder else self._stream
        self._body = body = Body(outlet, chunked=chunked, heartbeat=heartbeat)
        ending = None
        try:
            if isinstance(reply, Reply):
                await body.begin(head if head_only else head + reply.body)
            else:
                # The head leaves before there is a first piece: the client knows at once.
                await body.begin(reply.edit_head(head))
                if not head_only:
                    await reply.send_to(body)
            ending = Ending.DONE
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            ending = Ending.DISCONNECTED
            raise
        except CutOff as cut:
            ending = Ending.RESET if cut.reset else Ending.CUT_OFF
            self._closing = True
            if cut.goodbye:
                await self._wait_for_goodbye()
            body.ended = True
        except Exception:
            log.exception("%s: failed after its head, so it is cut off", line)
            ending = Ending.FAILED
            self._closing = True
            await self._wait_for_goodbye()
        finally:
            ending = ending or body.ending
            if recorder:
                recorder.end(ending)
            if isinstance(reply, StreamingReply):
                await reply.aclose()
            self._body = None
            streams = isinstance(reply, StreamingReply) and not head_only
            self._incomplete = ending is Ending.RESET or (streams and not (chunked or body.ended))
            if head_only:
                log.info("%s head only", line)
            elif isinstance(reply, Reply):
                unless_done = "" if ending is Ending.DONE else f", {ending.value}"
                log.info("%s %d bytes%s", line, len(reply.body), unless_done)
            else:
                log.info("%s %d pieces, %d bytes, %s", line, body.pieces, body.size, ending.value)

    async def _wait_for_goodbye(self) -> None:
        """Give the client of a body that is cut off a moment to leave first: a browser that sees
        an end inside a body throws away what it has not shown: the error event that says why."""
        with trio.move_on_after(GOODBYE_SECONDS):
            await self._stream.receive_some()

    def _encode_refusal(self, status: int, message: str) -> bytes:
        """A response where no handler has made one, in the form of the application."""
        refusal = self._routes.refuse(path_of(self._start_line), status, message)
        return encode_head(refusal, close=True) if self._head_only else encode_reply(refusal)


def _too_large(limit: int) -> DecodeError:
    return DecodeError(f"a request body over {limit} bytes", limit, (), 413)


def _pattern(request: Request) -> str:
    """The route that was asked. What stands for its `{name}` is not for the log: it may be a
    prompt, or the id by which a recording can be read."""
    path = request.path
    for name, value in request.params.items():  # at the end of the path, if there is one
        path = f"{path.removesuffix(value)}{{{name}}}"
    return path


def _printable(text: str) -> str:
    """A peer's text for a log line: nothing in it can end the line or steer a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


# What this file does not do: read while it streams a reply (a pipelined request waits its turn),
# TLS, HTTP/2, or upgrades.
