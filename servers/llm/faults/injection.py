"""Where a fault strikes a stream, and what it can do there.

    data: {"n":1}\\n\\n         event 1, bytes 1 to 15
    data: {"n":2}\\n\\n         event 2, bytes 16 to 30: the place `byte 20` is inside it
    data: [DONE]\\n\\n          event 3, and the last

The source of a healthy reply writes into a `DisturbedBody`. That cuts what it gets into events,
counts them, and passes them on, each a chunk of its own; at its place it hands the event over to
the fault in place of the client. The source notices nothing: to it, the body is that of a reader
who is a little slow.
"""

import math
import re
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NoReturn

import msgspec
import trio

from ...http.body import BodyWriter, Ending
from ...http.reply import CutOff, StreamingReply

__all__ = ["Disturbance", "OnePiece", "Place", "Strike", "Unit", "Way", "Wire"]

HOLD_SECONDS = 3600.0
"""How long a silent connection stays open, if its client does not leave."""


class Unit(Enum):
    """What a place is counted in."""

    EVENT = "event"
    BYTE = "byte"
    SECOND = "second"
    LAST = "last"


class Place(msgspec.Struct, frozen=True):
    """Where in an answer. Behind its end means: at its last event.

    Args:
        unit: events and bytes of the event stream, before chunks are made of it; seconds since
            the head has left.
        number: counted from 1; of seconds, any.
    """

    unit: Unit
    number: float = 0


class Wire:
    """What a fault has in its hands: the connection, with the head sent and some events.

    Args:
        body: the real one.
        start: when the head left.

    Attributes:
        number: of the event that is struck, from 1.
        cut: how much of it stands before the place, in bytes; None if the place is not a byte.
    """

    def __init__(self, body: BodyWriter, start: float) -> None:
        self.number = 0
        self.cut: int | None = None
        self.start = start
        self._body = body

    async def chunk(self, data: bytes) -> None:
        """Send these bytes as a chunk, in one write."""
        await self._body.send(data)

    async def raw(self, data: bytes) -> None:
        """Send these bytes as they are, in one write."""
        await self._body.send_raw(data)

    async def end(self) -> NoReturn:
        """End the body as if all had been said."""
        await self._body.end()
        raise EnoughSaid

    async def end_raw(self, data: bytes) -> None:
        """Send the end of the body, and more, by hand."""
        await self._body.send_raw(data, ends=True)

    async def silence(self) -> NoReturn:
        """Send nothing more, with the connection open, until the client leaves."""
        self._body.heartbeat = b""
        await trio.sleep(HOLD_SECONDS)
        raise CutOff

    async def last_words(self, data: bytes) -> NoReturn:
        """Send a chunk, let it be read, and close without the last chunk."""
        await self.chunk(data)
        raise CutOff(final_wait=True)

    def half(self, event: bytes) -> bytes:
        """An event up to the byte that was asked for, else its first half."""
        return event[: len(event) // 2 if self.cut is None else self.cut]


Strike = Callable[[Wire, bytes], Awaitable[None]]
"""What a fault does with the event at its place. What it does not send is lost."""


class Way(msgspec.Struct, frozen=True):
    """How a fault strikes.

    Args:
        strike: called at the place.
        lasting: it is called for each event from there on.
        cuts: it asks for `half` of its event. Of the events of the others, the bytes that stand
            before the place are sent.
        at_once: it needs no event to strike, so a time is kept to in a silence, too.
    """

    strike: Strike
    lasting: bool = False
    cuts: bool = False
    at_once: bool = False


class EnoughSaid(CutOff):
    """The body has ended before its source, which is to stop."""


class Disturbance:
    """The source of a disturbed reply.

    Args:
        reply: the healthy one.
        way: what happens to it.
        place: and where; None for before anything of it.
    """

    def __init__(self, reply: StreamingReply, way: Way, place: Place | None) -> None:
        self._reply = reply
        self._way = way
        self._place = place

    async def send_to(self, body: BodyWriter) -> None:
        """Send what is left of the answer."""
        wire = Wire(body, trio.current_time())
        try:
            if self._place is None:
                await self._way.strike(wire, b"")
                return
            timed = self._way.at_once and self._place.unit is Unit.SECOND
            deadline = wire.start + self._place.number if timed else math.inf
            with trio.move_on_at(deadline) as scope:
                await self._reply.send_to(DisturbedBody(body, wire, self._way, self._place))
            if scope.cancelled_caught:
                await self._way.strike(wire, b"")
        except EnoughSaid:
            pass

    async def aclose(self) -> None:
        """The healthy reply has ended with this one."""
        await self._reply.aclose()


class DisturbedBody:
    """The body that the source of the healthy reply writes to.

    Attributes:
        pieces, size: what the source has sent so far, in events and in bytes.
        heartbeat, heartbeats: the connection sends none here: the client's body sends its own.
    """

    heartbeat = b""
    heartbeats = 0

    def __init__(self, body: BodyWriter, wire: Wire, way: Way, place: Place) -> None:
        self.pieces = 0
        self.size = 0
        self._body = body
        self._wire = wire
        self._way = way
        self._place = place
        self._waiting = b""
        self._struck = False

    @property
    def ended(self) -> bool:
        return self._body.ended

    @property
    def ending(self) -> Ending:
        return self._body.ending

    async def send_raw(self, data: bytes, *, ends: bool = False) -> None:
        await self._body.send_raw(data, ends=ends)

    async def send(self, piece: bytes) -> None:
        for event in split_events(piece):
            await self._take(event)

    def send_now(self, piece: bytes, now: float) -> bool:
        self._waiting += piece
        return False

    async def flush(self) -> None:
        piece, self._waiting = self._waiting, b""
        await self.send(piece)

    async def end(self, piece: bytes = b"") -> None:
        *events, last = split_events(piece) or [b""]
        for event in events:
            await self._take(event)
        if self._struck and not self._way.lasting:
            await self._body.end(last)  # the end marker and the last chunk leave in one write
            return
        await self._take(last, is_last=True)
        if not self._body.ended:
            await self._body.end()

    async def _take(self, event: bytes, is_last: bool = False) -> None:
        """Pass an event on to the client or, at the place, to the fault."""
        self.pieces += 1
        self._wire.number = self.pieces
        if self._struck:
            send = self._way.strike if self._way.lasting else Wire.chunk
            await send(self._wire, event)
        elif is_last or self._is_at_place(event):
            self._struck = True
            await self._strike(event)
        else:
            await self._wire.chunk(event)
        self.size += len(event)

    def _is_at_place(self, event: bytes) -> bool:
        match self._place.unit:
            case Unit.EVENT:
                return self.pieces >= self._place.number
            case Unit.BYTE:
                return self.size + len(event) >= self._place.number
            case Unit.SECOND:
                return trio.current_time() - self._wire.start >= self._place.number
            case Unit.LAST:
                return False

    async def _strike(self, event: bytes) -> None:
        if self._place.unit is Unit.BYTE:
            cut = int(self._place.number) - 1 - self.size
            if self._way.cuts:
                self._wire.cut = cut
            else:
                await self._wire.chunk(event[:cut])
                event = event[cut:]
        await self._way.strike(self._wire, event)


class OnePiece:
    """The source of a body that is all there."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def send_to(self, body: BodyWriter) -> None:
        """Send all of it, and the end."""
        await body.end(self._body)


EVENT = re.compile(rb".+?(?:\n\n|\Z)", re.DOTALL)


def split_events(piece: bytes) -> list[bytes]:
    """A piece cut behind each blank line: whole events, as they are written here."""
    return EVENT.findall(piece)
