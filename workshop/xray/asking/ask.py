"""Sends one request, and records every read of the response with its time.

    client  0.4 ms     GET /chat/hello HTTP/1.1␍␊Host: localhost:8000␍␊ …
    server  2.9 ms     HTTP/1.1 200 OK␍␊Content-Type: text/event-stream␍␊ …
    server  503.1 ms   25␍␊event: thinking␊id: 0-1␊ …
    server  3204.8 ms  0␍␊␍␊
    server  3205.0 ms  fin

The request is sent by this project's client, and this file reads from the client's connection. So
the bytes are recorded inside TLS, each with the time of its read, and nothing is decoded twice.

The rules this file keeps:

1. Every byte is recorded, even if the response is not valid HTTP. Only a connection that cannot be
   opened is an error.
2. Keys are masked before a read is given to anyone.
3. The caller's `watch` is called with each read immediately. `watch` must be quick, because the
   next read waits until it returns.
"""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

import clients.http.client
from clients.http.errors import ConnectTimeoutError, DisconnectedError, ResponseError
from clients.http.exchange import Headers
from clients.streams.tcp import STALL_SECONDS, ByteStream, Connect, connect
from clients.tap import WireObserver
from protocol.anatomy import ByteSpan
from protocol.recording import End, RecordedRead

from ..meter.measure import Meter
from ..recordings.masking import Masker

__all__ = ["MAX_SECONDS", "SILENCE", "Asking", "StoppedError", "Watch", "ask"]

SILENCE = 75.0
"""Seconds of silence after which x-ray gives up. This is a little more than 60 s, the timeout of
many hops."""

MAX_SECONDS = 600.0
CONNECT_SECONDS = 30.0  # to open a connection: DNS, TCP, proxy and TLS together
# longest wait for the FIN after a complete response, because the request asked for a close
END_SECONDS = 0.25
# the same wait, if the answer has reported its end but the response is not complete
FINISHED_SECONDS = 10.0
# when MAX_SECONDS are over, a silence of this length is reported as the end "silent"
QUIET_SECONDS = 5.0

# On systems that have this option, the kernel breaks a connection whose peer no longer acknowledges
# data.
KERNEL_TELLS = hasattr(socket, "TCP_USER_TIMEOUT")

Watch = Callable[[RecordedRead, list[ByteSpan]], None]


class StoppedError(Exception):
    """The caller stopped the request before it was sent."""


@dataclass(frozen=True)
class Asking:
    """A request, and where to send it.

    Args:
        method: The method in capitals.
        url: The URL, without a name and password.
        headers: All headers but Host, Connection and Content-Length.
        body: The body of the request.
        ca_file: A file of certificates (PEM) to trust in place of the system's.
        connect: The function that opens the connection. For `--via`, this function ignores the host
            of the URL.
        secrets: Keys in the request. They are masked wherever they appear.
    """

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""
    ca_file: str | None = None
    connect: Connect = connect
    secrets: tuple[str, ...] = field(default=(), repr=False)


async def ask(
    asking: Asking,
    watch: Watch,
    *,
    silence: float = SILENCE,
    max_seconds: float = MAX_SECONDS,
    stop: trio.CancelScope | None = None,
) -> Meter:
    """Send a request, and read its response to the end, or until x-ray gives up.

    Args:
        asking: The request.
        watch: Called with each read, and with the spans that it labels.
        silence: Seconds without a byte after which x-ray gives up. It then records the end
            "silent".
        max_seconds: Seconds after which x-ray stops reading. If bytes were still arriving, no end
            is recorded.
        stop: A scope that the caller may cancel, as for Ctrl-C. The response so far is measured.

    The measurements of all reads and of the end.

    Raises:
        ValueError: The URL, a header or the file cannot be used.
        ConnectError: The connection could not be opened. StoppedError: The caller stopped x-ray
            before the request was sent.
    """
    waiting = stop or trio.CancelScope()
    began = trio.current_time()
    waiting.deadline = began + min(CONNECT_SECONDS, max_seconds)

    def moved(at: float, is_finished: bool) -> None:
        patience = min(silence, FINISHED_SECONDS) if is_finished else silence
        waiting.deadline = min(at + patience, began + max_seconds)

    # If the peer has vanished, the kernel reports this before x-ray gives up (`SocketStream`). The
    # kernel checks this only when it sends a probe, and the probes are an eighth of the timeout
    # apart, in whole seconds.
    stall_seconds = min(STALL_SECONDS, max(1.0, 0.7 * silence))
    sure_seconds = 1.25 * stall_seconds + 1
    recorder = Recorder(asking, watch, moved)
    with waiting:
        try:
            async with clients.http.client.request(
                asking.method,
                asking.url,
                asking.headers,
                asking.body,
                ca_file=asking.ca_file,
                observer=recorder,
                stall_seconds=stall_seconds,
                connect=asking.connect,
            ) as response:
                await _read_rest(response.stream, recorder)
        except DisconnectedError as error:  # before the head was complete
            if recorder.closed:
                recorder.end("fin")
            else:
                recorder.end_broken(error)
        except ResponseError:  # the head is malformed; the meter has seen the same bytes
            if recorder.closed:
                recorder.end("fin")
    if waiting.cancelled_caught:
        now = trio.current_time()
        if recorder.sent_at is None:
            if now < waiting.deadline:
                raise StoppedError
            host = clients.http.client.URLParts.parse(asking.url).authority
            raise ConnectTimeoutError(f"no connection to {host} in {now - began:.0f} s")
        quiet = now - recorder.last
        if quiet >= min(silence, QUIET_SECONDS):
            is_known = KERNEL_TELLS and quiet >= sure_seconds
            recorder.end("silent", acknowledged=True if is_known else None)
    return recorder.meter


async def _read_rest(stream: ByteStream, recorder: "Recorder") -> None:
    """Read to the end of the response, and also to the FIN if it follows at once."""
    try:
        while not recorder.meter.complete:
            if not await stream.receive_some():
                recorder.end("truncated" if stream.truncated else "fin")
                return
        with trio.move_on_after(END_SECONDS):
            while await stream.receive_some():
                pass
            recorder.end("fin")
    except trio.BrokenResourceError as error:
        recorder.end_broken(error)


class Recorder(WireObserver):
    """Records one connection, and measures the response.

    Args:
        asking: The request.
        watch: Called with each read, and with the spans that it labels.
        moved: Called after each read and write with its time, in trio's seconds, and with whether
            the answer says that it is finished.

    Attributes:
        sent_at: Time at which the last byte of the request was sent, in milliseconds of the
            recording, or None if no byte was sent.
        last: Time of the last byte in either direction, in trio's seconds.
        closed: The server has sent its end.
    """

    def __init__(self, asking: Asking, watch: Watch, moved: Callable[[float, bool], None]) -> None:
        self.sent_at: float | None = None
        self.last = self._began = trio.current_time()
        self.closed = False
        self._asking = asking
        self._watch = watch
        self._moved = moved
        masker = Masker(asking.secrets)
        self._mask = masker.mask
        self._url = masker.mask_url(asking.url)
        self._request = b""
        self._meter: Meter | None = None
        self._ended = False

    @property
    def meter(self) -> Meter:
        """The measurements of the response. The whole request is sent before they begin."""
        if self._meter is None:
            self._meter = Meter(
                url=self._url,
                method=self._asking.method,
                request=self._request,
                began=self.sent_at or 0.0,
            )
        return self._meter

    def sent(self, layer: str, data: bytes) -> None:
        if layer == "http":
            masked = self._mask("client", data)
            url = "" if self._request else self._url
            self.sent_at = self._now()
            self._watch(RecordedRead(self.sent_at, "client", masked, url=url), [])
            self._request += masked
            self._moved(self.last, False)

    def received(self, layer: str, data: bytes) -> None:
        if layer == "http" and data:
            at, masked = self._now(), self._mask("server", data)
            self._watch(RecordedRead(at, "server", masked), self.meter.receive_data(at, masked))
            self._moved(self.last, self.meter.answer.complete)
        elif layer == "http":
            self.closed = True

    def end_broken(self, error: BaseException) -> None:
        """Record why a connection is broken: by an RST, or because its peer has vanished."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__
        if cause is not None and cause.errno == errno.ETIMEDOUT:
            self.end("silent", acknowledged=False)  # no RST arrived: the kernel has given up
        else:
            self.end("reset")

    def end(self, how: End, acknowledged: bool | None = None) -> None:
        """Record how the server's direction ended. Only the first end counts.

        Args:
            how: The end.
            acknowledged: In a silence, whether the peer's kernel still answers; None if unknown.
        """
        if not self._ended:
            self._ended = True
            at = round((trio.current_time() - self._began) * 1000, 3)
            spans = self.meter.receive_end(at, how, acknowledged=acknowledged)
            self._watch(RecordedRead(at, "server", end=how), spans)

    def _now(self) -> float:
        """The time in milliseconds since the recording began."""
        self.last = trio.current_time()
        return round((self.last - self._began) * 1000, 3)


# What this file does not do: show or save the reads (command.py), or ask twice (probe.py).
