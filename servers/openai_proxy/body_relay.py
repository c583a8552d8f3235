"""Relays one body: each piece goes to the client at once, and a parser reads a copy.

    upstream              here                                              the client
    a chunk, a record  >  data: {"id":…}\\n\\n                             >    a chunk
                          an event: its time, its usage, the end mark

The poller (`clients/streams/poller.py`) calls `relay_now` when bytes have arrived. It is a plain
function that never waits: if the client's kernel accepts an event at once, relaying it costs no
task switch. `relay_rest` does what has to wait for a slow reader, or for the end of the body.

The parser reads its copy later: BATCH pieces, one after the other. Then its code and its data are
in the processor's cache, so that an event costs less (test_later_is_the_same).
"""

import trio

from clients.http.exchange import Response
from clients.streams.tcp import ByteStream
from protocol.sse import BOM

from ..http.body import BodyWriter
from ..http.reply import EventStream
from .log_record import ExchangeSummary
from .observer import EventObserver

__all__ = ["BodyRelay"]

BATCH = 16  # number of pieces that are parsed together
SMALL = 1 << 10  # a piece of this size, in bytes, or a larger one does not wait for others


class BodyRelay:
    """Sends the body of the upstream's response as the body of our reply.

    Args:
        response: The upstream's response, after its head.
        body: The body of the reply to the client; the head of the reply has been sent.
        summary: The record in which the bytes and events are counted.
        is_events: Whether the body is an event stream.
        now: The current time by trio's clock, in seconds.
    """

    def __init__(
        self,
        response: Response,
        body: BodyWriter,
        summary: ExchangeSummary,
        *,
        is_events: bool,
        now: float,
    ) -> None:
        self._last_data_at: float | None = None if is_events else now
        self._response = response
        self._body = body
        self._summary = summary
        self._observer = EventObserver() if is_events else None
        self._unread: list[tuple[bytes, float]] = []  # pieces for the observer, and their times
        self._last_piece = b""  # the piece to send with the end of the body
        self._client_is_full = False  # the client's kernel has not accepted everything
        self._bom = b""  # the stream's first bytes: perhaps a BOM, which must not be relayed
        if is_events:
            body.heartbeat = EventStream.heartbeat

    @property
    def stream(self) -> ByteStream:
        """The connection to the upstream."""
        return self._response.stream

    @property
    def last_data_at(self) -> float | None:
        """The time at which the last event with data arrived, or None before the first.

        If the body is not an event stream, each piece counts as an event. Comments do not count,
        because a stalled model may still send heartbeats.
        """
        self.observe_rest()
        return self._last_data_at

    @property
    def at_event_border(self) -> bool:
        """Whether the client has received only whole events, so that an event of ours may
        follow."""
        self.observe_rest()
        return self._observer is not None and self._observer.at_event_border

    def relay_now(self, now: float) -> bool:
        """Relay what has arrived, without waiting.

        Returns:
            Whether to wait for more. If not, await `relay_rest` first.

        Raises:
            RequestError: The upstream has failed.
            trio.BrokenResourceError: The client has disconnected.
        """
        response, body = self._response, self._body
        piece = response.receive_now()
        if piece is None:
            return True
        if body.heartbeats and not self._summary.size:
            piece = self._without_bom(piece)
        is_settled = response.settled
        if is_settled and response.complete:
            self._last_piece = piece
        elif piece:
            self._client_is_full = not body.send_now(piece, now)
        self._observe(piece, now)
        return not (self._client_is_full or is_settled)

    async def relay_rest(self) -> bool:
        """Do what `relay_now` could not do. Returns False after the end of the body."""
        if self._response.complete:
            await self._body.end(self._last_piece)
            return False
        if self._client_is_full:
            await self._body.flush()
            self._client_is_full = False
            if self.last_data_at is not None:
                self._last_data_at = trio.current_time()  # the upstream did not cause this wait
        return True

    def observe_rest(self) -> None:
        """Parse the pieces that were relayed and not parsed yet. Call it after the last piece."""
        observer, body = self._observer, self._body
        if observer is None or not self._unread:
            return
        for piece, now in self._unread:
            events = observer.receive_data(piece)
            for event in events:
                self._summary.count(event, now)
            if events or observer.is_cutting:  # a long event counts even while it arrives
                self._last_data_at = now
        self._unread.clear()
        body.heartbeat = EventStream.heartbeat if observer.at_event_border else b""

    def _observe(self, piece: bytes, now: float) -> None:
        self._summary.size += len(piece)
        if self._observer is None:
            self._last_data_at = now
            return
        self._unread.append((piece, now))
        if piece.endswith(b"\n\n") and len(piece) < SMALL and len(self._unread) < BATCH:
            self._body.heartbeat = EventStream.heartbeat  # whatever came before, an event ends here
        else:
            self.observe_rest()

    def _without_bom(self, piece: bytes) -> bytes:
        """Remove a BOM at the start of the stream. A heartbeat was sent before it, so the client
        would read the BOM as part of a field's name (WHATWG HTML §9.2.5)."""
        piece = self._bom + piece
        if BOM.startswith(piece) and not self._response.settled:
            self._bom = b"" if piece == BOM else piece
            return b""
        self._bom = b""
        return piece.removeprefix(BOM)


# What this file does not do: change the body, except for a BOM, or wait for the upstream within the
# timeouts (relay.py).
