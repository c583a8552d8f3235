"""Where in a stream a fault is injected, and what it can do there.

    data: {"n":1}\\n\\n         event 1, bytes 1 to 15
    data: {"n":2}\\n\\n         event 2, bytes 16 to 30: the position `byte 20` is inside it
    data: [DONE]\\n\\n          event 3, and the last

The source of a healthy reply writes into a `FaultyBody`. That body splits the bytes into events,
counts them, and sends each as a chunk of its own. At the requested position, it gives the event to
the fault instead of the client. The source does not notice this: for the source, the client is only
a little slow.
"""

import math
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn, Protocol

import msgspec
import trio

from ...http.body import BodyWriter, Ending
from ...http.reply import CutOff, StreamingReply

__all__ = [
    "FaultInjector",
    "FaultPosition",
    "FaultWatcher",
    "FaultyConnection",
    "Inject",
    "PositionUnit",
    "StreamFault",
    "WholeBody",
]

HOLD_SECONDS = 3600.0
"""Seconds that a silent connection stays open if its client does not disconnect."""


class PositionUnit(Enum):
    """The unit in which a position is counted."""

    EVENT = "event"
    BYTE = "byte"
    SECOND = "second"
    LAST = "last"


class FaultPosition(msgspec.Struct, frozen=True):
    """A position in an answer. A position after the end counts as the last event.

    Args:
        unit: Events and bytes are counted in the event stream, before chunked coding. Seconds are
            counted from the time at which the head was sent.
        number: Events and bytes are counted from 1. Seconds may be any number.
    """

    unit: PositionUnit
    number: float = 0


class FaultyConnection:
    """The connection that a fault gets, after the head and some events have been sent.

    Args:
        body: The real body.
        start: Time at which the head was sent, by trio's clock.

    Attributes:
        number: Number of the event that the fault is injected into, from 1.
        began: Number of the first event with the fault. It differs from `number` only for a lasting
            fault.
        cut: Number of bytes of that event before the position, or None if the position is not a
            byte.
    """

    def __init__(self, body: BodyWriter, start: float) -> None:
        self.number = 0
        self.began = 0
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
        """End the body as if it were complete."""
        await self._body.end()
        raise EndedEarly

    async def end_raw(self, data: bytes) -> None:
        """Send bytes that contain the end of the body, as they are."""
        await self._body.send_raw(data, ends=True)

    async def silence(self) -> NoReturn:
        """Send nothing more. The connection stays open until the client disconnects."""
        self._body.heartbeat = b""
        await trio.sleep(HOLD_SECONDS)
        raise CutOff

    async def chunk_then_close(self, data: bytes) -> NoReturn:
        """Send a chunk, give the client time to read it, and close without the last chunk."""
        await self.chunk(data)
        raise CutOff(final_wait=True)

    def half(self, event: bytes) -> bytes:
        """Return the event up to the requested byte position, or otherwise its first half."""
        return event[: len(event) // 2 if self.cut is None else self.cut]


Inject = Callable[[FaultyConnection, bytes], Awaitable[None]]
"""A function that injects a fault into an event. Bytes of the event that it does not send are
lost."""


class StreamFault(msgspec.Struct, frozen=True):
    """How a fault is injected into a stream.

    Args:
        inject: The function called with the event at the position.
        lasting: Whether `inject` is called for each later event, too.
        cuts: Whether `inject` itself sends `half` of its event. For other faults, the bytes before
            the position are sent first.
        at_once: Whether the fault needs no event, so that a position in seconds is exact even when
            the model is silent.
    """

    inject: Inject
    lasting: bool = False
    cuts: bool = False
    at_once: bool = False


class EndedEarly(CutOff):
    """The body has ended before its source, which must stop."""


class FaultWatcher(Protocol):
    """Is told when a fault happens."""

    def note_fault(self, before: int) -> None:
        """The fault is injected now, after this number of events."""

    def note_last(self) -> None:
        """The last event of the answer is sent now."""


@dataclass(slots=True)
class FaultInjector:
    """The source of a reply with a fault in it.

    Args:
        reply: The healthy reply.
        fault: The fault to inject.
        position: Position at which to inject the fault, or None for before the first byte of the
            reply.
        watcher: An object that is told when the fault happens, or None.
        hold_seconds: Seconds from the fault on after which the connection is reset.
        pause_seconds: Seconds between the fault and the rest of the answer.
    """

    reply: StreamingReply
    fault: StreamFault
    position: FaultPosition | None
    watcher: FaultWatcher | None = None
    hold_seconds: float = math.inf
    pause_seconds: float = 0.0

    async def send_to(self, body: BodyWriter) -> None:
        """Send the part of the answer that the fault leaves."""
        connection = FaultyConnection(body, trio.current_time())
        with trio.CancelScope() as held:
            try:
                await self._send_to(body, connection, held)
            except EndedEarly:
                pass
        if held.cancelled_caught:
            raise CutOff(reset=True)

    async def _send_to(
        self, body: BodyWriter, connection: FaultyConnection, held: trio.CancelScope
    ) -> None:
        async def inject(connection: FaultyConnection, event: bytes) -> None:
            if held.deadline == math.inf:  # a lasting fault is injected into many events
                held.deadline = trio.current_time() + self.hold_seconds
                if self.watcher:
                    self.watcher.note_fault(max(connection.number - 1, 0))
            await self.fault.inject(connection, event)
            if self.pause_seconds:
                await trio.sleep(self.pause_seconds)

        if self.position is None:
            await inject(connection, b"")
            return
        timed = self.fault.at_once and self.position.unit is PositionUnit.SECOND
        deadline = connection.start + self.position.number if timed else math.inf
        fault = msgspec.structs.replace(self.fault, inject=inject)
        finish = self.watcher.note_last if self.watcher else None
        faulty = FaultyBody(body, connection, fault, self.position, finish)
        with trio.move_on_at(deadline) as scope:
            await self.reply.send_to(faulty)
        if scope.cancelled_caught:
            await inject(connection, b"")

    async def aclose(self) -> None:
        """Close the healthy reply, too."""
        await self.reply.aclose()


class FaultyBody:
    """The body that the source of the healthy reply writes into.

    Attributes:
        pieces, size: Number of events and of bytes that the source has sent so far.
        heartbeat, heartbeats: No heartbeat is sent from here, because the client's body sends its
            own.
    """

    heartbeat = b""
    heartbeats = 0

    def __init__(
        self,
        body: BodyWriter,
        connection: FaultyConnection,
        fault: StreamFault,
        position: FaultPosition,
        finish: Callable[[], None] | None = None,
    ) -> None:
        self.pieces = 0
        self.size = 0
        self._body = body
        self._connection = connection
        self._fault = fault
        self._position = position
        self._finish = finish  # called before the last event is sent
        self._waiting = b""
        self._injected = False

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

    def send_many_now(self, pieces: Sequence[bytes], now: float) -> bool:
        return self.send_now(b"".join(pieces), now)

    async def flush(self) -> None:
        piece, self._waiting = self._waiting, b""
        await self.send(piece)

    async def end(self, piece: bytes = b"") -> None:
        *events, last = split_events(piece) or [b""]
        for event in events:
            await self._take(event)
        if self._finish:
            self._finish()
        if self._injected and not self._fault.lasting:
            await self._body.end(last)  # [DONE] and the last chunk are sent in one write
            return
        await self._take(last, is_last=True)
        if not self._body.ended:
            await self._body.end()

    async def _take(self, event: bytes, is_last: bool = False) -> None:
        """Pass an event on to the client, or at the position of the fault, to the fault."""
        self.pieces += 1
        self._connection.number = self.pieces
        if self._injected:
            send = self._fault.inject if self._fault.lasting else FaultyConnection.chunk
            await send(self._connection, event)
        elif is_last or self._is_at_position(event):
            self._injected = True
            self._connection.began = self.pieces
            await self._inject(event)
        else:
            await self._connection.chunk(event)
        self.size += len(event)

    def _is_at_position(self, event: bytes) -> bool:
        match self._position.unit:
            case PositionUnit.EVENT:
                return self.pieces >= self._position.number
            case PositionUnit.BYTE:
                return self.size + len(event) >= self._position.number
            case PositionUnit.SECOND:
                return trio.current_time() - self._connection.start >= self._position.number
            case PositionUnit.LAST:
                return False

    async def _inject(self, event: bytes) -> None:
        if self._position.unit is PositionUnit.BYTE:
            cut = int(self._position.number) - 1 - self.size
            if self._fault.cuts:
                self._connection.cut = cut
            else:
                await self._connection.chunk(event[:cut])
                event = event[cut:]
        await self._fault.inject(self._connection, event)


@dataclass(slots=True)
class WholeBody:
    """The source of a body that is already complete."""

    whole: bytes

    async def send_to(self, body: BodyWriter) -> None:
        """Send the whole body and its end in one write."""
        await body.end(self.whole)


EVENT = re.compile(rb".+?(?:\n\n|\Z)", re.DOTALL)


def split_events(piece: bytes) -> list[bytes]:
    """Split after each blank line. (Our writers end lines with LF and send whole events.)"""
    return EVENT.findall(piece)
