"""The request that a handler gets, and the replies that it may return.

    async def greet(request: Request) -> Reply:
        return Reply("hello\\n")

    async def count(request: Request) -> StreamingReply:
        async def numbers() -> AsyncGenerator[bytes, None]:
            for number in range(10):
                yield f"{number}\\n".encode()
                await trio.sleep(1)

        return StreamingReply(numbers())

Each `yield` is one write. The generator is asked for the next piece only when the kernel has
accepted the last one. So a slow reader slows down its own generator and no other. When the client
disconnects, the generator is closed at its current `yield` or `await`: so its `finally` runs at
once.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import ClassVar, Protocol, Self

import msgspec

from .body import BodyWriter, Ending, Outlet

__all__ = [
    "CutOff",
    "Ending",
    "EventStream",
    "Handler",
    "Last",
    "Pieces",
    "Reply",
    "ReplyObserver",
    "Request",
    "Source",
    "StreamingReply",
    "close_source",
    "send_source",
]

Headers = tuple[tuple[str, str], ...]


class Request(msgspec.Struct, frozen=True, dict=True):
    """One complete request.

    Args:
        method: The method as it was sent, in capitals.
        path: The path without the query, percent-decoded.
        query: The text after the first "?", not decoded.
        headers: The fields in the order received, each as (name in lower case, value).
        body: The whole body, without its framing.
        params: The part of the path that `{name}` in the route's pattern matches, by that name.
        target: The request-target as it was sent. A proxy passes it on unchanged.
        host: The host that the request names, in lower case and without a port
            (protocol/target.py). Access control uses this, not the Host field.
        arrived: When the request was complete, by trio's clock.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    params: dict[str, str] = {}
    target: str = ""
    host: str = ""
    arrived: float = 0.0

    def header(self, name: str) -> str | None:
        """The first value of a header (lower-case name), or None."""
        return dict(reversed(self.headers)).get(name)  # if a field is repeated, the first counts

    def __post_init__(self) -> None:
        # A request's headers are looked up a dozen times. So the same dict is built only once, and
        # its `get` takes the method's place in this request (test_header_equals_its_method).
        self.__dict__["header"] = dict(reversed(self.headers)).get


class ReplyObserver(Protocol):
    """An observer of a reply's bytes as they are sent, such as `ReplyRecording` (recordings.py)."""

    def wrap(self, outlet: Outlet) -> Outlet:
        """Return an outlet that passes the reply's bytes on to the given one."""

    def half_closed(self) -> None:
        """Called when the client sends a FIN while the reply is sent, where the kernel tells."""

    def end(self, how: Ending) -> None:
        """Called when the reply has ended."""


class Copied:
    """An object that can be copied in a fifth of the time of `copy.copy`."""

    def copied(self) -> Self:
        """Return a shallow copy. A handler may return the same reply to every request, so a wrapper
        changes a copy of it."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new


class Reply(Copied):
    """A reply whose length is known when it begins.

    Args:
        body: The body: text, which is sent as UTF-8, or bytes.
        status: The status code (RFC 9110 §15).
        content_type: The media type of the body.
        headers: Further fields. The server adds Date, Connection and the framing.
    """

    observer: ReplyObserver | None = None

    reason: str | None = None
    """The reason-phrase, or None to use the one that is registered for the status."""

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
    """The last piece of a body, which is sent in one write with the end of the body."""

    piece: bytes


class CutOff(Exception):
    """Raised by a source to end the connection inside its body on purpose.

    Args:
        reset: Whether to end the connection with an RST instead of a FIN.
        final_wait: Whether to give the client a moment to close first. A browser that sees the
            connection end inside a body drops what it has not shown yet, such as the event with the
            error.
    """

    def __init__(self, *, reset: bool = False, final_wait: bool = False) -> None:
        super().__init__(Ending.CUT_OFF.value)
        self.reset = reset
        self.final_wait = final_wait


Pieces = AsyncGenerator[bytes | Last, None]


class Source(Protocol):
    """An object that sends a body, and can be used in place of a generator.

    If it has a method `aclose`, that is called when the reply has ended, as with a generator.
    """

    def send_to(self, body: BodyWriter) -> Awaitable[None]:
        """Send the whole body and its end."""
        ...


class StreamingReply(Copied):
    """A reply whose sending begins before all of it exists.

    Args:
        source: A `Source`, or a generator that yields the pieces to send, perhaps with a `Last` at
            the end. If the source raises an exception, the body is truncated, and the client sees
            that it is incomplete.
        status: The status code (RFC 9110 §15). An error after the head was sent cannot change the
            status.
        content_type: The media type of the body.
        headers: Further fields.
    """

    # The bytes to send after a silence, or b"" for nothing. These bytes keep proxies from closing a
    # silent connection, and the write shows whether the client is still connected.
    heartbeat: ClassVar[bytes] = b""

    # A function that changes the encoded head, to test clients with a wrong head.
    edit_head: Callable[[bytes], bytes] = bytes

    until_close = False  # if true, there are no chunks: the body ends with the connection

    observer: ReplyObserver | None = None

    reason: str | None = None
    """The reason-phrase, or None to use the one that is registered for the status."""

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

    def send_to(self, body: BodyWriter) -> Awaitable[None]:
        """Send the whole body and its end."""
        return send_source(self.source, body)

    async def aclose(self) -> None:
        """Called when the reply has ended, even if nothing of it was sent."""
        await close_source(self.source)


# These two are functions, and not coroutines where they can be none: each coroutine that waits for
# the end of a stream takes 200 bytes.


def send_source(source: Pieces | Source, body: BodyWriter) -> Awaitable[None]:
    """Send the whole body of a source, and its end."""
    return _send_all(source, body) if isinstance(source, AsyncGenerator) else source.send_to(body)


async def _send_all(source: Pieces, body: BodyWriter) -> None:
    async with aclosing(source) as pieces:
        async for piece in pieces:
            if isinstance(piece, Last):
                await body.end(piece.piece)
                return
            await body.send(piece)
    await body.end()


async def close_source(source: Pieces | Source) -> None:
    """Call the source's `aclose`, if it has one."""
    if (close := getattr(source, "aclose", None)) is not None:
        await close()


class EventStream(StreamingReply):
    """A reply of Server-Sent Events (WHATWG HTML §9.2).

    Args:
        source: A generator that yields whole events, from `encode_event` or `encode_comment`.
        headers: Further fields.
    """

    heartbeat = b": keep-alive\n"

    # Caches must not hold back an answer, and proxies must not compress it, because a compressor
    # waits for more bytes. (HAProxy 2.6 obeys no-transform. nginx 1.22 does not, but flushes each
    # event if it may not buffer.) The second field tells nginx not to buffer.
    HEADERS: ClassVar[Headers] = (
        ("Cache-Control", "no-cache, no-transform"),
        ("X-Accel-Buffering", "no"),
    )

    def __init__(self, source: Pieces | Source, headers: Headers = ()) -> None:
        super().__init__(
            source, content_type="text/event-stream; charset=utf-8", headers=self.HEADERS + headers
        )


Handler = Callable[[Request], Awaitable[Reply | StreamingReply]]
