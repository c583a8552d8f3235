"""Recordings: the bytes of a reply, write by write, which can be read while the reply is being
sent.

    POST /v1/chat/completions HTTP/1.1         a request that asks for a recording
    X-Wire: 1

    HTTP/1.1 200 OK                            the usual reply; it names the path of its recording
    X-Wire: /wire/req_5f…

    GET /wire/req_5f… HTTP/1.1                 replays the recording from its start, and follows it

    event: sent
    data: {"sends":2,"chunks":1,…,"at":412.3,"bytes":"MTkN…","spans":[["CRLF",303,305,1,0,0],…]}

    event: done
    data: {"sends":7,"chunks":5,…,"at":613.9,"how":"done",…}

The rules this file keeps:

1. A reply is recorded only if its request has asked for it. Recording a write costs no more than a
   note of its time and bytes. The bytes are described (protocol/anatomy.py) for each reader of the
   recording, in that reader's task, a few KB at a time: no other task waits for long.
2. A slow reader of a recording, or one that has disconnected, does not slow down anybody else.
3. A recording contains a conversation. A recording is kept in memory only, for a limited time. Its
   size and the number of recordings are limited. A recording can be read only by its unguessable
   id.
4. If a recording reaches a limit, the end of the reply is not recorded. A `missing` event then
   tells the reader how much is missing.
5. A client that may not read recordings does not create one: it would evict someone else's.
"""

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec
import trio

from clients.streams.tcp import SEND_SIZE
from protocol.anatomy import ByteSpan, ResponseAnatomy
from protocol.sse import ServerSentEvent, encode_event

from .body import Outlet
from .reply import Ending, EventStream, Handler, Headers, Last, Reply, Request, StreamingReply

__all__ = ["Missing", "RecordingStore", "ReplyDone", "ReplyRecording", "Sent", "Totals"]

DESCRIBED_AT_ONCE = 8 << 10
"""Number of bytes described in one turn. It takes some milliseconds."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of the reply so far, this event included.

    Args:
        sends: Number of writes.
        chunks, events, tokens: Number of each in the recorded bytes.
        size, body, text: Size of the response, of its body without framing, and of its text, in
            bytes.
    """

    sends: int
    chunks: int
    events: int
    tokens: int
    size: int
    body: int
    text: int


class Sent(Totals, frozen=True, kw_only=True):
    """The data of a `sent` event: the bytes that the kernel accepted in one write.

    Args:
        at: Time of the write, in milliseconds since the request was complete.
        offset: Position of the write's first byte in the response.
        bytes: The bytes of the write; in JSON they are base64.
        spans: The spans (see `ByteSpan`) that became known with this write. The spans of a line
            that is split between writes become known when its end is written.
    """

    at: float
    offset: int
    bytes: bytes
    spans: list[ByteSpan]


class Missing(msgspec.Struct, frozen=True):
    """The data of a `missing` event: a limit kept the end of the reply out.

    Args:
        sends: Number of writes that were not recorded.
        bytes: Total size of these writes, in bytes.
    """

    sends: int
    bytes: int


class ReplyDone(Totals, frozen=True, kw_only=True):
    """The data of the last event, `done`: the reply has ended.

    Args:
        at: Time of the end, in milliseconds since the request was complete.
        how: How the reply ended, in the words of an `Ending`.
        error: The reason why a client that has waited for the end cannot read the whole response,
            or "".
        spans: The spans of all bytes that were not described before.
    """

    at: float
    how: str
    error: str
    spans: list[ByteSpan]


class ReplyRecording:
    """The writes of one reply: a `ReplyObserver` that keeps them.

    Args:
        method: Method of the request.
        began: The time at which the request was complete.
        max_sends: Largest number of writes kept. The rest of the reply is not recorded, because the
            beginning is what explains it: the head, and the first token.
        max_size: Largest size of the bytes that are kept.

    Attributes:
        ended: The time at which the reply ended; None while it is being sent.
    """

    def __init__(
        self,
        method: str = "GET",
        began: float | None = None,
        *,
        max_sends: int = 40_000,
        max_size: int = 8 << 20,
    ) -> None:
        self._began = trio.current_time() if began is None else began
        self.ended: float | None = self._began  # until `wrap`: it may never be sent
        self._method = method
        self._max_sends = max_sends
        self._max_size = max_size
        self._writes: list[tuple[float, bytes]] = []  # the time and the bytes of each
        self._size = 0  # size of these bytes
        self._unrecorded = Missing(0, 0)  # the unrecorded end of the reply, if a limit was reached
        self._how = Ending.DONE
        self._news = trio.lowlevel.ParkingLot()

    def wrap(self, outlet: Outlet) -> Outlet:
        """Return an outlet that records the reply's bytes and passes them on to the connection."""
        self.ended = None
        return RecordingOutlet(outlet, self)

    def note(self, data: bytes, time: float | None = None) -> None:
        """Record bytes that the kernel has accepted in one write.

        Args:
            time: When the write began; None: now.
        """
        time = trio.current_time() if time is None else time
        has_room = len(self._writes) < self._max_sends and self._size + len(data) <= self._max_size
        if has_room and not self._unrecorded.sends:
            self._writes.append((time, data))
            self._size += len(data)
            self._news.unpark_all()
        else:
            sends, size = self._unrecorded.sends, self._unrecorded.bytes
            self._unrecorded = Missing(sends + 1, size + len(data))

    def half_closed(self) -> None:
        """Nothing is recorded: the client may still read."""

    def end(self, how: Ending) -> None:
        """Record how the reply ended."""
        self.ended = trio.current_time()
        self._how = how
        self._news.unpark_all()

    async def replay(self) -> AsyncGenerator[bytes | Last, None]:
        """Yield the events of `GET /wire/{id}`: first those that exist, then each new one until the
        last."""
        anatomy = ResponseAnatomy(self._method)
        number = size = 0  # of the writes that were described
        while True:
            if number < len(self._writes):
                time, data = self._writes[number]
                spans: list[ByteSpan] = []
                for place in range(0, len(data), DESCRIBED_AT_ONCE):
                    spans += anatomy.receive_data(data[place : place + DESCRIBED_AT_ONCE])
                    await trio.lowlevel.checkpoint()  # the other tasks have a turn
                number, start, size = number + 1, size, size + len(data)
                totals = _totals(anatomy, number, size)
                sent = Sent(at=self._since(time), offset=start, bytes=data, spans=spans, **totals)
                yield _event("sent", sent)
            elif self.ended is not None:
                if self._unrecorded.sends:
                    yield _event("missing", self._unrecorded)
                yield Last(_event("done", self._describe_end(anatomy, self.ended)))
                return
            else:
                await self._news.park()

    def _describe_end(self, anatomy: ResponseAnatomy, time: float) -> ReplyDone:
        error = anatomy.error  # the error in the bytes that were sent
        spans = anatomy.receive_eof()
        missing = self._unrecorded
        # A client that disconnected did not want the rest, so a missing rest is not an error.
        if self._how is not Ending.DISCONNECTED and not missing.sends:
            error = anatomy.error
        sends, size = len(self._writes) + missing.sends, self._size + missing.bytes
        totals = _totals(anatomy, sends, size)
        at = self._since(time)
        return ReplyDone(at=at, how=self._how.value, error=error, spans=spans, **totals)

    def _since(self, time: float) -> float:
        return round((time - self._began) * 1000, 3)


def _totals(anatomy: ResponseAnatomy, sends: int, size: int) -> dict[str, int]:
    return {
        "sends": sends,
        "chunks": anatomy.chunks,
        "events": anatomy.events,
        "tokens": anatomy.tokens,
        "size": size,
        "body": anatomy.body_size,
        "text": anatomy.text_size,
    }


class RecordingOutlet:
    """Passes bytes on to a connection, and records those that the kernel accepted.

    A large write is split before it is recorded: `GET /wire/{id}` encodes each recorded write in
    one step, and a long step would delay all other streams.
    """

    def __init__(self, outlet: Outlet, recording: ReplyRecording) -> None:
        self._outlet = outlet
        self._recording = recording
        self.wait_writable = outlet.wait_writable

    def send_now(self, data: bytes) -> int:
        # Before the write: another task of the machine may run after it, perhaps the reader.
        time = trio.current_time()
        sent = self._outlet.send_now(data[:SEND_SIZE])
        if sent:
            self._recording.note(data[:sent], time)
        return sent


class RecordingStore:
    """The recordings of a server.

    Args:
        may_read: A function that returns whether the sender of a request may read recordings.
        max_recordings: Largest number of recordings kept. A new recording evicts the oldest one
            whose reply has ended. If no reply has ended, the new reply is not recorded.
        max_seconds: Time that a recording is kept after its reply has ended, in seconds.
        judge: The path of a route that judges what a page has read of a reply, or "". A recorded
            reply names it in X-Wire-Verdict.
        max_sends, max_size: Limits of each recording: see `ReplyRecording`.
    """

    def __init__(
        self,
        may_read: Callable[[Request], bool] = lambda request: True,
        *,
        judge: str = "",
        max_recordings: int = 16,
        max_seconds: float = 600.0,
        max_sends: int = 40_000,
        max_size: int = 8 << 20,
    ) -> None:
        self._may_read = may_read
        self._judge: Headers = (("X-Wire-Verdict", judge),) if judge else ()
        self._max_recordings = max_recordings
        self._max_seconds = max_seconds
        self._max_sends = max_sends
        self._max_size = max_size
        self._recordings: dict[str, ReplyRecording] = {}

    def recorded(self, handler: Handler) -> Handler:
        """Return the same handler, whose reply to a request with `X-Wire: 1` is recorded."""

        def handle(request: Request) -> Awaitable[Reply | StreamingReply]:
            recorded = request.header("x-wire") == "1" and self._may_read(request)
            return record(request) if recorded else handler(request)

        async def record(request: Request) -> Reply | StreamingReply:
            began = request.arrived
            reply = (await handler(request)).copied()
            if self._make_room():
                id = dict(reply.headers).get("x-request-id") or f"req_{secrets.token_hex(12)}"
                reply.headers += (("X-Wire", f"/wire/{id}"), *self._judge)
                reply.observer = self._recordings[id] = ReplyRecording(
                    request.method, began, max_sends=self._max_sends, max_size=self._max_size
                )
            return reply

        return handle

    async def replay(self, request: Request) -> Reply | StreamingReply:
        """The handler of `GET /wire/{id}`."""
        recording = self._recordings.get(request.params["id"])
        if recording is None:
            text = "There is no such recording: it was never made, or it has been evicted."
            return Reply(f"404 Not Found\n\n{text}\n", 404)
        return EventStream(recording.replay())

    async def run(self) -> None:
        """Evict recordings that are too old, until cancelled."""
        while True:
            await trio.sleep(self._max_seconds / 10)
            oldest = trio.current_time() - self._max_seconds
            for id, recording in list(self._recordings.items()):
                if recording.ended is not None and recording.ended <= oldest:
                    del self._recordings[id]

    def _make_room(self) -> bool:
        """Evict a recording if needed. Returns whether there is room for a new recording."""
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
