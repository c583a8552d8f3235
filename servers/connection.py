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
"""

import logging
import math
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

import h11
import msgspec
import trio

from clients.stream import ByteStream
from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.http1 import (
    Coding,
    body_decoder,
    encode_response_head,
    expects_continue,
    keeps_alive,
    read_request,
    request_framing,
)

from .body import Body
from .reply import LEFT, CutOff, Handler, Reply, Request, StreamingReply
from .routes import Routes, decode_path
from .watch import Watch, gave_up

__all__ = ["SERVER", "Connection", "Limits", "encode_error"]

log = logging.getLogger("servers")

GOODBYE_SECONDS = 0.3

# When the server stops, a request may be on its way on a connection that looks idle. It is answered
# if it comes before the first look at the clocks after this time (watch.TICK).
LAST_REQUEST_SECONDS = 0.1

SERVER = "streaming-workshop"
"""The `Server` field (RFC 9110 §10.2.4): how a lesson knows that a port is already served."""


class Limits(msgspec.Struct, frozen=True):
    """What one connection may take: bytes, fields and seconds.

    Args:
        head_seconds: from a head's first byte to its last. Generous, for people type heads.
        idle_seconds: waiting for a head's first byte.
        body_seconds: between two reads of a request's body.
        body_total_seconds: for all of it.
        stall_seconds: how long a reader may take nothing of a reply.
        heartbeat_seconds: of silence in an event stream before a comment is sent.
        max_body_size: of a request, in bytes.
        fin_is_leaving: a client that sends FIN has left (rule 2 is for those who type).
    """

    head_seconds: float = 60.0
    idle_seconds: float = 75.0
    body_seconds: float = 30.0
    body_total_seconds: float = 300.0
    stall_seconds: float = 120.0
    heartbeat_seconds: float = 15.0
    max_body_size: int = 10 << 20
    fin_is_leaving: bool = False


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
    """

    def __init__(
        self, stream: ByteStream, routes: Routes, watch: Watch, limits: Limits | None = None
    ) -> None:
        self._stream = stream
        self._routes = routes
        self._watch = watch
        self._limits = limits or Limits()
        self._unread = b""  # what came with this request and belongs to the next
        self._idle = True  # between two requests
        self._closing = False  # no further request
        self._body: Body | None = None  # of the streaming reply under way
        self._scope = trio.CancelScope()
        self._deadline = math.inf
        self._deadline_message = ""  # what the client is told when it passes; "" for nothing
        self._timed_out = False
        self._head_only = False  # the request was HEAD: no response to it has a body
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
                self._stream.send_now(self._encode_error(408, self._deadline_message))
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
        self._scope.cancel()

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
                self._scope.cancel()
            try:
                self._body.beat(now, self._limits.heartbeat_seconds)
            except trio.BrokenResourceError:
                self._scope.cancel()

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
        line = f"{request.method} {_printable(request.path)}"
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
        return Prepared(reply_head, reply, f"{reply.status} {line}")

    async def _send_error(self, status: int, message: str) -> None:
        """Say what is wrong, within the time of a stalled reader, and close."""
        self._closing = True
        self._set_deadline(self._limits.stall_seconds)
        await self._stream.send_all(self._encode_error(status, message))

    async def _read_head(self) -> Head | None:
        """The next request's head, or None when the client has no more."""
        reader = HeadReader()
        self._idle = True
        self._head_only = False
        self._set_deadline(LAST_REQUEST_SECONDS if self._closing else self._limits.idle_seconds)
        data, self._unread = self._unread, b""
        while True:
            if data:
                head = reader.receive_data(data)
                if self._idle and (head or reader.started):
                    self._idle = False
                    message = "The request's head did not end in time."
                    self._set_deadline(self._limits.head_seconds, message)
                if head:
                    self._unread = reader.trailing_data
                    self._head_only = head.start_line.startswith(b"HEAD ")
                    return head
            data = await self._stream.receive_some()
            if not data:
                reader.receive_eof()
                return None

    async def _read_request(self, head: Head) -> tuple[Request, Handler | Reply]:
        """The whole request, and who answers it."""
        framing = request_framing(head)
        _, message = read_request(head)
        self._closing |= not keeps_alive(head)
        method = message.method.decode("ascii")
        target = message.target.decode("ascii")
        path, query = decode_path(target)
        handler, params = self._routes.find(method, path)
        body = b""
        if not isinstance(handler, Reply):
            body = await self._read_body(head)
        elif framing.coding is not Coding.NONE:
            self._closing = True  # its body stays unread, so what follows it cannot be found
        self._set_deadline(math.inf)
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in message.headers)
        return Request(method, path, query, headers, body, params, target), handler

    async def _read_body(self, head: Head) -> bytes:
        framing = request_framing(head)
        limit = self._limits.max_body_size
        too_large = DecodeError(f"a request body over {limit} bytes", limit, (), 413)
        if framing.length > limit:
            raise too_large
        decoder = body_decoder(framing, max_chunk_size=limit)
        body = bytearray(b"".join(decoder.receive_data(self._unread)))
        if expects_continue(head) and not self._unread and not decoder.complete:
            # "Send me the body": the client waits for this before it does (RFC 9110 §10.1.1).
            await self._stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        last = trio.current_time() + self._limits.body_total_seconds
        while not decoder.complete and len(body) <= limit:
            message = "The request's body did not come in time."
            self._set_deadline(self._limits.body_seconds, message)
            self._deadline = min(self._deadline, last)
            data = await self._stream.receive_some()
            if not data:
                decoder.receive_eof()
            body += b"".join(decoder.receive_data(data))
        if len(body) > limit:
            raise too_large
        self._unread = decoder.trailing_data
        return bytes(body)

    def _encode_head(self, is_http10: bool, reply: Reply | StreamingReply) -> bytes:
        fields = _own_fields()
        if reply.status != 204:
            fields.append(("Content-Type", reply.content_type))
            if isinstance(reply, Reply):
                fields.append(("Content-Length", str(len(reply.body))))
        fields += reply.headers
        if isinstance(reply, StreamingReply):
            if is_http10 or reply.until_close:
                self._closing = True  # no chunks: the body ends with the connection
            else:
                fields.append(("Transfer-Encoding", "chunked"))
        if self._closing:
            fields.append(("Connection", "close"))
        return encode_response_head(reply.status, fields, reply.reason)

    async def _send_reply(self, head: bytes, reply: Reply | StreamingReply, line: str) -> None:
        """Send the head, and the body in the form that the head has promised."""
        head_only = self._head_only
        chunked = b"\r\nTransfer-Encoding: chunked\r\n" in head
        heartbeat = reply.heartbeat if isinstance(reply, StreamingReply) else b""
        recorder = reply.recorder
        outlet = recorder.through(self._stream) if recorder else self._stream
        self._body = body = Body(outlet, chunked=chunked, heartbeat=heartbeat)
        ending, reset = LEFT, False
        try:
            if isinstance(reply, Reply):
                await body.begin(head if head_only else head + reply.body)
            else:
                # The head leaves before there is a first piece: the client knows at once.
                await body.begin(reply.edit_head(head))
                if not head_only:
                    await reply.send_to(body)
            ending = "done"
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise
        except CutOff as cut:
            ending, reset, self._closing = str(cut), cut.reset, True
            if cut.goodbye:
                await self._wait_for_goodbye()
            body.ended = True
        except Exception:
            log.exception("%s: failed after its head, so it is cut off", line)
            ending = "cut off"
            self._closing = True
            await self._wait_for_goodbye()
        finally:
            if recorder:
                recorder.end("reset" if reset else ending)
            if isinstance(reply, StreamingReply):
                await reply.aclose()
            self._body = None
            streams = isinstance(reply, StreamingReply) and not head_only
            self._incomplete = reset or (streams and not (chunked or body.ended))
            if head_only:
                log.info("%s head only", line)
            elif isinstance(reply, Reply):
                log.info("%s %d bytes", line, len(reply.body))
            else:
                log.info("%s %d pieces, %d bytes, %s", line, body.pieces, body.size, ending)

    async def _wait_for_goodbye(self) -> None:
        """Give the client of a body that is cut off a moment to leave first: a browser that sees
        an end inside a body throws away what it has not shown: the error event that says why."""
        with trio.move_on_after(GOODBYE_SECONDS):
            await self._stream.receive_some()

    def _encode_error(self, status: int, message: str) -> bytes:
        response = encode_error(status, message)
        return response[: response.index(b"\r\n\r\n") + 4] if self._head_only else response


def _printable(text: str) -> str:
    """A peer's text for a log line: nothing in it can end the line or steer a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _own_fields() -> list[tuple[str, str]]:
    return [
        ("Date", _date(int(time.time()))),
        ("Server", SERVER),
        # A browser that guesses the type of a text waits for 1 KB of it first.
        ("X-Content-Type-Options", "nosniff"),
    ]


@lru_cache(maxsize=1)  # it changes once a second
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def encode_error(status: int, message: str) -> bytes:
    """A whole response where no request was read."""
    body = f"{status} {HTTPStatus(status).phrase}\n\n{message.rstrip()}\n".encode()
    fields = [
        *_own_fields(),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    return encode_response_head(status, fields) + body


# What this file does not do: read while it streams a reply (a pipelined request waits its turn),
# TLS, HTTP/2, or upgrades.
