"""What no chat page shows: the bytes of an answer, as they were sent, while they are sent.

    POST /v1/chat/completions HTTP/1.1         a request that asks for it
    X-Wire: 1

    HTTP/1.1 200 OK                            is answered as ever; its reply is recorded, and
    X-Wire: /wire/req_5f…                      says where

    GET /wire/req_5f… HTTP/1.1                 replays the recording from its start, and follows it

    event: sent
    data: {"sends":2,"chunks":1,…,"at":412.3,"bytes":"MTkN…","spans":[["CRLF",303,305,1,0,0],…]}

    event: done
    data: {"sends":7,"chunks":5,…,"at":613.9,"how":"done",…}

The rules this file keeps:

1. The answer pays for a note of the time and the bytes, and only if its request has asked. What
   the bytes are (protocol/anatomy.py) is found out when somebody looks, at the reader's expense,
   some of them at a time: a large write keeps nobody waiting.
2. A slow reader of a recording, or one that has left, slows nobody.
3. A recording holds a conversation. It stays in memory, for a bounded time; a recording, and how
   many there are, have limits; who has not its id, which nobody can guess, cannot read it.
4. What a limit took away is told: `missing`.
5. Who could not read a recording makes none: it would push another out.
"""

import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable
from copy import copy

import msgspec
import trio

from clients.streams.tcp import SEND_SIZE
from protocol.anatomy import ByteSpan, ResponseAnatomy
from protocol.sse import ServerSentEvent, encode_event

from .body import Outlet
from .reply import Ending, EventStream, Handler, Last, Reply, Request, StreamingReply

__all__ = ["Done", "Missing", "Recording", "Recordings", "Sent", "Totals"]

DESCRIBED_AT_ONCE = 8 << 10
"""Bytes whose anatomy a reader finds out in one turn, in some milliseconds."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What there has been of everything, with this event.

    Args:
        sends: how many.
        chunks, events, tokens: how many, of those that were recorded.
        size, body, text: bytes in all, of the body without its framing, of its text.
    """

    sends: int
    chunks: int
    events: int
    tokens: int
    size: int
    body: int
    text: int


class Sent(Totals, frozen=True, kw_only=True):
    """The data of a `sent` event: one write, as far as the kernel took it.

    Args:
        at: milliseconds since the request was there.
        offset: of its first byte in the response.
        bytes: in base64.
        spans: what is known by now, see `ByteSpan`; of a torn line's bytes, when its end has come.
    """

    at: float
    offset: int
    bytes: bytes
    spans: list[ByteSpan]


class Missing(msgspec.Struct, frozen=True):
    """The data of a `missing` event: the recording was longer than its limit.

    Args:
        sends: how many writes are missing between the event before and the next.
        bytes: theirs.
    """

    sends: int
    bytes: int


class Done(Totals, frozen=True, kw_only=True):
    """The data of the `done` event, the last: the reply has ended.

    Args:
        at: milliseconds since the request was there.
        how: the words of an `Ending`.
        error: why a client that has waited for the end could not read all of it, or "".
        spans: names for all that had none yet.
    """

    at: float
    how: str
    error: str
    spans: list[ByteSpan]


class Recording:
    """The sends of one reply: the `Recorder` of a reply that is to be watched.

    Args:
        method: of the request.
        began: when it was there.
        max_sends: how many are kept. For each that comes, the oldest is forgotten if it was
            described. Where none was, the rest of the reply is not recorded: to go on after a gap,
            the sender would have to find out what is in it.
        max_size: of what is kept, in bytes.

    Attributes:
        ended: when the reply had ended; None while it runs.
    """

    def __init__(
        self,
        method: str = "GET",
        began: float | None = None,
        *,
        max_sends: int = 20_000,
        max_size: int = 4 << 20,
    ) -> None:
        self._began = trio.current_time() if began is None else began
        self.ended: float | None = self._began  # it has not begun, and perhaps never will
        self._max_sends = max_sends
        self._max_size = max_size
        self._anatomy = ResponseAnatomy(method)
        self._size = 0  # of what is kept
        self._notes: deque[tuple[float, bytes]] = deque()  # when and what: nobody has looked yet
        self._events: deque[tuple[bytes, int]] = deque()  # described, and where each send ends
        self._forgotten = 0  # sends, all before those in `_events`
        self._start = 0  # where the oldest kept send begins
        self._described = 0  # the bytes that the anatomy has seen
        self._start_of_note = 0  # where the oldest note begins
        self._spans: list[ByteSpan] = []  # of the oldest note, as far as it was seen
        self._unrecorded = Missing(0, 0)  # at the end
        self._how = Ending.DONE
        self._last = b""
        self._news = trio.lowlevel.ParkingLot()

    def through(self, outlet: Outlet) -> Outlet:
        """What takes the reply's bytes in the place of its connection."""
        self.ended = None
        return RecordedOutlet(outlet, self)

    def note(self, data: bytes) -> None:
        """The kernel has taken these bytes."""
        if not self._unrecorded.sends and self._make_room(len(data)):
            self._notes.append((trio.current_time(), data))
            self._size += len(data)
            self._news.unpark_all()
        else:
            sends, size = self._unrecorded.sends, self._unrecorded.bytes
            self._unrecorded = Missing(sends + 1, size + len(data))

    def end(self, how: Ending) -> None:
        """The reply has ended."""
        self.ended = trio.current_time()
        self._how = how
        self._news.unpark_all()

    async def replay(self) -> AsyncGenerator[bytes | Last, None]:
        """The events of `GET /wire/{id}`: all there are, then each as it comes, to the last."""
        number = place = 0  # of the send to come
        while True:
            index = number - self._forgotten
            if 0 <= index < len(self._events):
                number += 1
                event, place = self._events[index]
                yield event
            elif self._notes and not self._events:
                await self._describe()
            elif index < 0:
                yield _event("missing", Missing(-index, self._start - place))
                number, place = self._forgotten, self._start
            elif self._notes:
                await self._describe()
            elif self.ended is not None:
                if self._unrecorded.sends:
                    yield _event("missing", self._unrecorded)
                yield Last(self._describe_end(self.ended))
                return
            else:
                await self._news.park()

    async def _describe(self) -> None:
        """Say what some bytes of the oldest note are, and give the others their turn.

        Whichever reader comes next goes on where this one has stopped.
        """
        time, data = self._notes[0]
        start = self._start_of_note
        piece = data[self._described - start :][:DESCRIBED_AT_ONCE]
        self._spans += self._anatomy.receive_data(piece)
        self._described += len(piece)
        if self._described == start + len(data):
            self._notes.popleft()
            totals = self._totals(self._forgotten + len(self._events) + 1)
            sent = Sent(at=self._since(time), offset=start, bytes=data, spans=self._spans, **totals)
            event = _event("sent", sent)
            self._size -= len(data)
            self._spans, self._start_of_note = [], self._described
            self._events.append((event, self._described))
            self._size += len(event)
            self._make_room(0)
        await trio.lowlevel.checkpoint()

    def _make_room(self, size: int) -> bool:
        """Whether so many bytes more would be within the limits, now that what was described is
        forgotten as far as needed."""
        sends = len(self._notes) + (size > 0)
        while (
            self._size + size > self._max_size or sends + len(self._events) > self._max_sends
        ) and self._events:
            forgotten, self._start = self._events.popleft()
            self._size -= len(forgotten)
            self._forgotten += 1
        return self._size + size <= self._max_size and sends <= self._max_sends

    def _describe_end(self, time: float) -> bytes:
        if not self._last:
            error = self._anatomy.error  # of bytes that were sent
            at, spans = self._since(time), self._anatomy.receive_eof()
            # A client that has disconnected did not want what is missing.
            if self._how is not Ending.DISCONNECTED and not self._unrecorded.sends:
                error = self._anatomy.error
            sends = self._forgotten + len(self._events) + self._unrecorded.sends
            totals = self._totals(sends)
            totals["size"] += self._unrecorded.bytes
            done = Done(at=at, how=self._how.value, error=error, spans=spans, **totals)
            self._last = _event("done", done)
        return self._last

    def _totals(self, sends: int) -> dict[str, int]:
        anatomy = self._anatomy
        return {
            "sends": sends,
            "chunks": anatomy.chunks,
            "events": anatomy.events,
            "tokens": anatomy.tokens,
            "size": self._described,
            "body": anatomy.body_size,
            "text": anatomy.text_size,
        }

    def _since(self, time: float) -> float:
        return round((time - self._began) * 1000, 3)


class RecordedOutlet:
    """Passes bytes on to a connection, and notes those that were taken: a large write in parts,
    because a reader will have to encode a note in one turn."""

    def __init__(self, outlet: Outlet, recording: Recording) -> None:
        self._outlet = outlet
        self._recording = recording
        self.wait_writable = outlet.wait_writable

    def send_now(self, data: bytes) -> int:
        sent = self._outlet.send_now(data[:SEND_SIZE])
        if sent:
            self._recording.note(data[:sent])
        return sent


class Recordings:
    """The recordings of a server.

    Args:
        may_read: whether a recording of the reply to this request could be read by its client.
        max_recordings: how many are kept at a time. The oldest that has ended makes room for a
            new one; while all run, a reply is not recorded.
        max_seconds: how long one is kept after its reply has ended.
        max_sends, max_size: of each, see `Recording`.
    """

    def __init__(
        self,
        may_read: Callable[[Request], bool] = lambda request: True,
        *,
        max_recordings: int = 16,
        max_seconds: float = 600.0,
        max_sends: int = 20_000,
        max_size: int = 4 << 20,
    ) -> None:
        self._may_read = may_read
        self._max_recordings = max_recordings
        self._max_seconds = max_seconds
        self._max_sends = max_sends
        self._max_size = max_size
        self._recordings: dict[str, Recording] = {}

    def recorded(self, handler: Handler) -> Handler:
        """The same handler, whose reply to a request with `X-Wire: 1` is recorded."""

        async def handle(request: Request) -> Reply | StreamingReply:
            if request.header("x-wire") != "1" or not self._may_read(request):
                return await handler(request)
            began = trio.current_time()
            reply = copy(await handler(request))
            if self._make_room():
                id = dict(reply.headers).get("x-request-id") or f"req_{secrets.token_hex(12)}"
                reply.headers += (("X-Wire", f"/wire/{id}"),)
                reply.recorder = self._recordings[id] = Recording(
                    request.method, began, max_sends=self._max_sends, max_size=self._max_size
                )
            return reply

        return handle

    async def replay(self, request: Request) -> Reply | StreamingReply:
        """The handler of `GET /wire/{id}`."""
        recording = self._recordings.get(request.params["id"])
        if recording is None:
            text = "There is no such recording: it was never made, or is forgotten by now."
            return Reply(f"404 Not Found\n\n{text}\n", 404)
        return EventStream(recording.replay())

    async def run(self) -> None:
        """Forget what is too old, until cancelled."""
        while True:
            await trio.sleep(self._max_seconds / 10)
            oldest = trio.current_time() - self._max_seconds
            for id, recording in list(self._recordings.items()):
                if recording.ended is not None and recording.ended <= oldest:
                    del self._recordings[id]

    def _make_room(self) -> bool:
        """Whether one more may be made."""
        if len(self._recordings) < self._max_recordings:
            return True
        ended = (id for id, recording in self._recordings.items() if recording.ended is not None)
        oldest = next(ended, None)
        if oldest is None:
            return False
        del self._recordings[oldest]
        return True


def _event(name: str, data: msgspec.Struct) -> bytes:
    return encode_event(ServerSentEvent(name, msgspec.json.encode(data).decode()))


# What this file does not do: record what a client sends, or the replies that the connection
# writes by itself (404, 413, 500).
