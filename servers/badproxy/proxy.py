"""Sends each request to the upstream, and relays the response with faults injected.

    client                       bad proxy                          upstream
    GET /chat/hi            >    upstream.py asks               >   GET /chat/hi
                                 Via: 1.1 badproxy                  Via: 1.1 badproxy
    HTTP/1.1 200 OK         <    the head, perhaps held         <   HTTP/1.1 200 OK
    Via: 1.1 badproxy (…)        or without some fields
    data: {"text":"你"}     <    stages.py, on each piece       <   data: {"text":"你"}

The package's docstring names the rules that this file keeps.
"""

import hashlib
import logging
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress

import trio

import clients.http.client
from clients.http.client import Response
from clients.http.errors import RequestError, ResponseError
from clients.streams.tcp import Connect, connect

from ..http.body import BodyWriter
from ..http.forwarding import end_to_end, status_of, target_of
from ..http.reply import CutOff, Handler, Headers, Reply, Request, StreamingReply
from ..http.routes import Routes
from .catalogue import MAX_HELD, Modes
from .quiet import NoReply, Quiet
from .stages import (
    Compress,
    Gather,
    Lag,
    Rewrite,
    SplitCharacters,
    Stage,
    end_stages,
    run_stages,
)
from .upstream import SilenceError, Upstream

__all__ = ["routes"]

log = logging.getLogger("servers")

# seconds between the two parts of a character, so that the client needs two reads
HALF_SECONDS = 0.01
# largest number of bad proxies in a row; with more, there must be a loop (RFC 9110 §7.6.3)
MAX_HOPS = 10

# Each server of this project sends its own values of these fields.
OWN_FIELDS = {"content-type", "date", "server", "x-content-type-options"}


def routes(to: str, how: Modes, connect: Connect = connect) -> Routes:
    """Return routes that relay every path to this base URL, with these faults injected."""
    return BadProxy(to.rstrip("/"), how, connect)


class BadProxy(Routes):
    """A route table with one handler for every method and path."""

    def __init__(self, to: str, how: Modes, connect: Connect) -> None:
        super().__init__({})
        self._to, self._how, self._connect = to, how, connect

    def find(self, method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        if path == "*":
            return super().find(method, path)
        # The path may contain a prompt. Because the path is a parameter of the route, the log shows
        # "/{path}" in its place.
        return self._pass_on, {"path": path[1:]}

    async def _pass_on(self, request: Request) -> Reply | StreamingReply:
        hops = sum(value.count("badproxy") for name, value in request.headers if name == "via")
        if hops >= MAX_HOPS:
            return Reply(f"508 Loop Detected\n\n{hops} bad proxies in a row\n", 508)
        how, began = self._how, trio.current_time()
        try:
            with trio.move_on_at(began + min(how.total, how.quiet)):
                return await self._reply(request, began)
        except SilenceError as error:
            return _timed_out(str(error))
        except RequestError as error:
            return Reply(f"502 Bad Gateway\n\n{error}\n", 502)
        if how.quiet <= how.total:
            return NoReply(how.vanishes, began + how.total)
        return _timed_out(f"The response took longer than {how.total:g} s.")

    async def _reply(self, request: Request, began: float) -> Reply | StreamingReply:
        async with AsyncExitStack() as connection:
            upstream = Upstream(lambda: self._ask(request), self._how)
            await connection.enter_async_context(aclosing(upstream))
            response = await upstream.begin()
            headers = self._headers(response)
            status, reason = status_of(response.head)
            if status in (204, 304):  # such a response has no body
                empty = Reply(b"", status, headers=headers)
                empty.reason = reason
                return empty
            reply = FaultyReply(request, response, headers, self._how, upstream, began)
            if self._how.measure and request.method != "HEAD":
                await reply.measure()
            elif self._how.hold_head:
                await reply.receive_first()
            connection.pop_all()  # the reply closes it
            return reply

    @asynccontextmanager
    async def _ask(self, request: Request) -> AsyncGenerator[Response, None]:
        url = self._to + target_of(request)
        fields = (*end_to_end(request.headers), ("Via", "1.1 badproxy"))
        async with clients.http.client.request(
            request.method, url, fields, request.body, connect=self._connect
        ) as response:
            yield response

    def _headers(self, response: Response) -> Headers:
        """Return the header fields for the client: without those that a mode drops, and with our
        Via."""
        dropped = {"x-accel-buffering"} if self._how.strip_accel else set()
        dropped |= {"cache-control"} if self._how.strip_no_transform else set()
        dropped |= OWN_FIELDS
        kept = (field for field in end_to_end(response.headers) if field[0] not in dropped)
        version = "1.0" if response.head.is_http10 else "1.1"
        return (*kept, ("Via", f"{version} badproxy ({self._how.text.replace(',', ' ')})"))


class FaultyReply(StreamingReply):
    """Relays the upstream's response, with faults injected.

    Args:
        request: The client's request.
        response: The upstream's response, after its head.
        headers: The header fields for the client.
        how: The faults to inject.
        upstream: The source of the body. It is closed at the end.
        began: Time at which the request was complete, by trio's clock.
    """

    def __init__(
        self,
        request: Request,
        response: Response,
        headers: Headers,
        how: Modes,
        upstream: Upstream,
        began: float,
    ) -> None:
        self._how = how
        self._upstream = upstream
        self._began = began
        self._bytes_left = how.truncate  # number of bytes of body before we close
        self._ready: list[bytes] = []  # pieces to send first
        self._measured = False  # send nothing after these pieces
        kind = dict(end_to_end(response.headers)).get("content-type", "application/octet-stream")
        self._stages = _stages(how, request.method, kind)
        if how.gzip and _may_compress(request, headers):
            self._stages.append(Compress(how.sync))
            headers += (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
        status, self.reason = status_of(response.head)
        super().__init__(self, status, kind, headers)
        if how.http10:
            self.until_close = True
            self.edit_head = lambda head: head.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        if how.quiet < math.inf:
            self.observer = self._quiet = Quiet(how.vanishes)

    async def receive_first(self) -> None:
        """For `hold-head`: wait for the first piece before the head is sent."""
        if piece := await self._upstream.receive():
            self._ready = run_stages(self._stages, piece)

    async def measure(self) -> None:
        """For `measure`: wait for the whole body, and then send the head with the body's length.

        Raises:
            RequestError: The upstream did not send the whole body, or the body is too large.
        """
        size = 0
        while piece := await self._upstream.receive():
            size += len(piece)
            if size > MAX_HELD:
                raise ResponseError(f"a body over {MAX_HELD} bytes")
            self._ready += run_stages(self._stages, piece)
        self._ready += end_stages(self._stages)
        self._measured = True
        body = b"".join(self._ready)
        self._ready = [body]
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        self.headers += (("Content-Length", str(len(body))), ("ETag", etag))
        self.until_close = True  # not in chunks

    async def send_to(self, body: BodyWriter) -> None:
        """Send the body and its end. If the body is truncated, no end is sent."""
        with trio.move_on_at(self._began + self._how.total):
            with trio.move_on_at(self._began + self._how.quiet):
                await self._send_whole(body)
                return
            await self._stay_quiet()
        raise CutOff

    async def _send_whole(self, body: BodyWriter) -> None:
        await self._send(body, self._ready)
        whole = self._measured or await self._pass_pieces(body)
        if not self._measured:
            await self._send(body, end_stages(self._stages))
        if not whole and not self._how.http10:
            raise CutOff
        await body.end()

    async def _pass_pieces(self, body: BodyWriter) -> bool:
        """Pass on the pieces. Returns whether the upstream sent the whole body."""
        try:
            while piece := await self._upstream.receive():
                await self._send(body, run_stages(self._stages, piece))
        except SilenceError as error:
            log.info("closed: %s", error)
            return False
        except RequestError as error:
            log.info("the upstream failed: %s", error)
            return False
        return True

    async def _send(self, body: BodyWriter, pieces: Sequence[bytes]) -> None:
        for number, piece in enumerate(pieces):
            if number and self._how.split_utf8:
                await trio.sleep(HALF_SECONDS)
            if len(piece) >= self._bytes_left:
                await body.send(piece[: int(self._bytes_left)])
                raise CutOff
            self._bytes_left -= len(piece)
            await body.send(piece)

    async def _stay_quiet(self) -> None:
        """For `deaf` and `blackhole`: from now on, send neither bytes nor an end."""
        if not self._how.vanishes:
            with suppress(RequestError):
                while await self._upstream.receive():
                    pass
        await self._quiet.stay()

    async def aclose(self) -> None:
        await self._upstream.aclose()


def _stages(how: Modes, method: str, kind: str) -> list[Stage]:
    """Return the faults in the body of a response of this type to a request with this method."""
    media_type = kind.partition(";")[0].strip().lower()
    is_held = how.only_type not in ("", media_type) or how.only_method not in ("", method)
    stages: list[Stage] = []
    if how.rewrite:
        stages.append(Rewrite())
    if how.lag:
        stages.append(Lag(how.lag))
    if is_held:
        stages.append(Gather(MAX_HELD))
    if how.gather:
        stages.append(Gather(how.gather))
    if how.split_utf8:
        stages.append(SplitCharacters())
    return stages


def _may_compress(request: Request, headers: Headers) -> bool:
    """Whether the client accepts gzip (RFC 9110 §12.5.3), and the response does not say
    no-transform (RFC 9111 §5.2.2.6)."""
    members = (request.header("accept-encoding") or "").lower().replace(" ", "").split(",")
    codings = [member.partition(";") for member in members]
    accepted = any(name == "gzip" and weight.strip("0.") != "q=" for name, _, weight in codings)
    return accepted and not any(
        name == "content-encoding" or (name == "cache-control" and "no-transform" in value.lower())
        for name, value in headers
    )


def _timed_out(why: str) -> Reply:
    return Reply(f"504 Gateway Timeout\n\n{why}\n", 504)


# What this file does not do: pass on trailers or upgrades, or a request's body before it is
# complete.
