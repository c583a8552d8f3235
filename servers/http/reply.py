"""What a handler gets and what it gives back.

    async def greet(request: Request) -> Reply:
        return Reply("hello\\n")

    async def count(request: Request) -> StreamingReply:
        async def numbers() -> AsyncGenerator[bytes, None]:
            for number in range(10):
                yield f"{number}\\n".encode()
                await trio.sleep(1)

        return StreamingReply(numbers())

Each `yield` is one write. The generator is asked for the next piece only when the one before has
been taken by the kernel, so a slow reader slows its own generator and nobody else's; and when the
client leaves, the generator is closed where it stands: its `finally` runs at once.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import ClassVar, Protocol

import msgspec

from .body import Body, Ending, Outlet

__all__ = [
    "CutOff",
    "Ending",
    "EventStream",
    "Handler",
    "Last",
    "Recorder",
    "Reply",
    "Request",
    "Source",
    "StreamingReply",
]

Headers = tuple[tuple[str, str], ...]


class Request(msgspec.Struct, frozen=True):
    """One request, whole.

    Args:
        method: in capitals, as sent.
        path: percent-decoded, without the query.
        query: what follows the first "?", raw.
        headers: (name in lower case, value), in order.
        body: all of it, decoded from its framing.
        params: what the `{name}` of the route's pattern stands for.
        target: the request-target as it was sent: for a proxy, which passes it on unchanged.
        host: the host that is asked, in lower case and without a port (protocol/target.py); access
            is decided by it and not by the header.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    params: dict[str, str] = {}
    target: str = ""
    host: str = ""

    def header(self, name: str) -> str | None:
        """The first value of a header (lower-case name), or None."""
        return next((value for key, value in self.headers if key == name), None)


class Recorder(Protocol):
    """Watches a reply leave: see `Recordings` in recordings.py."""

    def through(self, outlet: Outlet) -> Outlet:
        """What takes the reply's bytes in the place of this outlet, and passes them on."""

    def end(self, how: Ending) -> None:
        """The reply has ended, in this way."""


class Reply:
    """A reply whose length is known when it begins.

    Args:
        body: text (sent as UTF-8) or bytes.
        status: RFC 9110 §15.
        content_type: of the body.
        headers: more of them. Framing, Date and Connection are the connection's to write.
    """

    recorder: Recorder | None = None

    reason: str | None = None
    """The reason-phrase; None for the one that is registered with the status."""

    def __init__(
        self,
        body: str | bytes = b"",
        status: int = 200,
        content_type: str = "text/plain; charset=utf-8",
        headers: Headers = (),
    ) -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self.status = status
        self.content_type = content_type
        self.headers = headers


class Last(msgspec.Struct, frozen=True):
    """A piece after which nothing comes: it leaves in one write with the end of the body."""

    piece: bytes


class CutOff(Exception):
    """Raised by a source that ends the connection inside its body, on purpose.

    Args:
        reset: with an RST; else with a FIN.
        goodbye: the client may leave first. A browser that sees the connection end inside a body
            throws away what it has not yet shown: the error event that says why.
    """

    def __init__(self, *, reset: bool = False, goodbye: bool = False) -> None:
        super().__init__(Ending.CUT_OFF.value)
        self.reset = reset
        self.goodbye = goodbye


Pieces = AsyncGenerator[bytes | Last, None]


class Source(Protocol):
    """What fills a body, if it is not a generator. If it has an `aclose`, that is called in the
    end, as of a generator."""

    async def send_to(self, body: Body) -> None:
        """Send all of it, and the end."""


class StreamingReply:
    """A reply that begins before it is known how it ends.

    Args:
        source: a generator that yields what to send, piece by piece, perhaps a `Last` at the end;
            or a Source. An exception in it cuts the body off: the client sees that it is not
            complete.
        status: RFC 9110 §15; it cannot be changed once the first piece is there.
        content_type: of the body.
        headers: more of them.
    """

    # Sent when nothing else was for a while, or b"" for nothing. It keeps proxies from closing a
    # silent connection, and it is the probe that finds out that the client has left.
    heartbeat: ClassVar[bytes] = b""

    recorder: Recorder | None = None

    reason: str | None = None
    """The reason-phrase; None for the one that is registered with the status."""

    def __init__(
        self,
        source: Pieces | Source,
        status: int = 200,
        content_type: str = "text/plain; charset=utf-8",
        headers: Headers = (),
    ) -> None:
        self.source = source
        self.status = status
        self.content_type = content_type
        self.headers = headers
        # What is sent in place of the right head: for those who test clients with a wrong one.
        self.edit_head: Callable[[bytes], bytes] = bytes
        self.until_close = False  # no chunks: the body ends with the connection, as in HTTP/1.0

    async def send_to(self, body: Body) -> None:
        """Send all of it, and the end."""
        if not isinstance(self.source, AsyncGenerator):
            await self.source.send_to(body)
            return
        async with aclosing(self.source) as pieces:
            async for piece in pieces:
                if isinstance(piece, Last):
                    await body.end(piece.piece)
                    return
                await body.send(piece)
        await body.end()

    async def aclose(self) -> None:
        """Called in the end, however much was sent: nothing at all, if the client has left."""
        if (close := getattr(self.source, "aclose", None)) is not None:
            await close()


class EventStream(StreamingReply):
    """A reply of Server-Sent Events (WHATWG HTML §9.2).

    Args:
        source: yields bytes of whole events, from `encode_event` or `encode_comment`.
        headers: more of them.
    """

    heartbeat = b": keep-alive\n"

    # No cache may hold an answer back and no proxy may compress it, because a compressor waits for
    # more. (HAProxy 2.6 obeys no-transform; nginx 1.22 does not, but flushes each event where it
    # may not buffer.) The second field tells nginx not to buffer.
    HEADERS: ClassVar[Headers] = (
        ("Cache-Control", "no-cache, no-transform"),
        ("X-Accel-Buffering", "no"),
    )

    def __init__(self, source: Pieces | Source, headers: Headers = ()) -> None:
        super().__init__(
            source, content_type="text/event-stream; charset=utf-8", headers=self.HEADERS + headers
        )


Handler = Callable[[Request], Awaitable[Reply | StreamingReply]]
