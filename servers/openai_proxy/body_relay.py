"""One body on its way through: what has come goes on at once, and a copy is looked at.

    the API behind        here                                              the client
    a chunk, a record  >  data: {"id":…}\\n\\n                             >    a chunk
                          an event: its time, its usage, the end mark

`take` is called when something has come. It is a plain function, and nothing in it waits: an event
that the client's kernel takes at once is through without a task switch
(`clients/streams/poller.py`). What needs a wait, a slow reader or the end of the body, is left to
`go_on`.
"""

import trio

from clients.http.exchange import Response
from clients.streams.tcp import ByteStream
from protocol.sse import BOM

from ..http.body import BodyWriter
from ..http.reply import EventStream
from .log_record import Record
from .observer import Observer

__all__ = ["Passage"]


class Passage:
    """Takes the pieces of one response to the body of one reply.

    Args:
        response: of the API behind; its head has come.
        body: of the reply to the client; its head has left.
        record: what is seen is noted there.
        is_events: the body is an event stream.
        now: the time by trio's clock.

    Attributes:
        heard: when the API last said something that counts: an event with data, or any piece of
            another body; None before. Comments do not count: behind them a stalled API looks alive.
    """

    def __init__(
        self, response: Response, body: BodyWriter, record: Record, *, is_events: bool, now: float
    ) -> None:
        self.heard: float | None = None if is_events else now
        self._response = response
        self._body = body
        self._record = record
        self._observer = Observer() if is_events else None
        self._last = b""  # the piece that leaves with the end of the body
        self._full = False  # the client's kernel has not taken all
        self._bom = b""  # of an event stream, while it may be a BOM that must not go on
        if is_events:
            body.heartbeat = EventStream.heartbeat

    @property
    def stream(self) -> ByteStream:
        """Where the pieces come from."""
        return self._response.stream

    @property
    def at_event_border(self) -> bool:
        """The client has whole events, so that one of ours may follow."""
        return self._observer is not None and self._observer.at_event_border

    def take(self, now: float) -> bool:
        """Pass on what has come.

        Returns:
            Whether to wait for more. If not, `go_on` must be awaited first.

        Raises:
            RequestError: the API behind has failed.
            trio.BrokenResourceError: the client has gone.
        """
        response, body = self._response, self._body
        piece = response.receive_now()
        if piece is None:
            return True
        if body.heartbeats and not self._record.size:
            piece = self._without_bom(piece)
        if response.complete:
            self._last = piece
        elif piece:
            self._full = not body.send_now(piece, now)
        self._look_at(piece, now)
        return not (self._full or response.settled)

    async def go_on(self) -> bool:
        """Do what `take` has left. Returns False when the body has been ended."""
        if self._response.complete:
            await self._body.end(self._last)
            return False
        if self._full:
            await self._body.flush()
            self._full = False
            if self.heard is not None:
                self.heard = trio.current_time()  # a slow client is not the API's fault
        return True

    def _look_at(self, piece: bytes, now: float) -> None:
        self._record.size += len(piece)
        observer = self._observer
        if observer is None:
            self.heard = now
            return
        events = observer.receive_data(piece)
        for event in events:
            self._record.see(event, now)
        if events or observer.is_cutting:  # a long event counts while it comes
            self.heard = now
        self._body.heartbeat = EventStream.heartbeat if observer.at_event_border else b""

    def _without_bom(self, piece: bytes) -> bytes:
        """A heartbeat went first, so a BOM would no longer be the first of the stream: the client
        would take it for part of a field's name (WHATWG HTML §9.2.5)."""
        piece = self._bom + piece
        if BOM.startswith(piece) and not self._response.settled:
            self._bom = b"" if piece == BOM else piece
            return b""
        self._bom = b""
        return piece.removeprefix(BOM)


# What this file does not do: change a byte of a body, but for that BOM; wait for the API behind, or
# know for how long (relay.py).
