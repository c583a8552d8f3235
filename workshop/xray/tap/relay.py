"""A tap on one connection. It relays bytes as they arrive, and then tells an observer about them.

    client                     tap                                  server
    POST /v1/… (Host: tap)  >  the Host line is replaced         >  POST /v1/… (Host: server)
                            <  one read, one write               <  HTTP/1.1 200 OK …
                            <  RST                               <  RST
    FIN                     >  FIN; the other direction goes on  >  FIN

The rules this file keeps:

1. Each read is written at once, in one write if the kernel accepts all of it. The tap does not read
   more from one side until the other side has accepted the earlier bytes. So a slow client slows
   only its own connection to the server.
2. The observer is called after the write. Its methods never wait.
3. Both sides of the tap end in the same way: FIN as FIN, RST as RST. If a peer has vanished, the
   other side gets an RST. The same happens if TLS ends without close_notify inside a message,
   because plain TCP has no other signal for a truncated message.
4. Bytes that arrived before an RST are not lost. The RST is relayed only when the client's kernel
   has acknowledged these bytes, or after FLUSH_SECONDS.
"""

import contextlib
import errno
import select
import struct
import sys
from collections.abc import Sequence
from typing import Protocol

import trio

from clients.streams.tcp import SEND_SIZE, ByteStream
from protocol.head import Head
from protocol.recording import End

from ..meter.framing import Part, RequestSplitter, ResponseSplitter

__all__ = ["Relay", "RelayObserver", "method_of"]

FLUSH_SECONDS = 2.0
FLUSH_STEP = 0.005  # seconds between two checks of the kernel's queue, which has no event for this


class RelayObserver(Protocol):
    """Is told what a relay has done. `at` is the time of the read on trio's clock, in seconds."""

    def sent(self, at: float, parts: list[Part]) -> None:
        """These parts of requests have been written to the server."""

    def received(self, at: float, parts: list[Part]) -> None:
        """These parts of responses arrived in one read, and have been written to the client."""

    def waited(self, seconds: float) -> None:
        """For this time, the relay did not read from the server, because the client did not accept
        the earlier bytes."""

    def client_ended(self, at: float, end: End) -> None:
        """The client has sent FIN or RST, or a write to the client has failed."""

    def server_ended(self, at: float, end: End) -> None:
        """The server has sent FIN or RST, its TLS was truncated, or it has vanished ("silent")."""


class Relay:
    """Relays one connection.

    Args:
        client: The connection from the client. The relay owns both from now on.
        server: The connection to the server.
        observer: Is told what happens.
        host, names: The value for the `Host` of each request, and the names that are replaced
            (`RequestSplitter`).
    """

    def __init__(
        self,
        client: ByteStream,
        server: ByteStream,
        observer: RelayObserver,
        host: str | None,
        names: Sequence[str] | None = None,
    ) -> None:
        self._client = client
        self._server = server
        self._observer = observer
        self._requests = RequestSplitter(host, names)
        self._responses = ResponseSplitter()
        self._server_is_broken = False  # a write to the client has failed
        self._half_closed = trio.CancelScope()  # the client has sent FIN, but the server has not

    async def run(self) -> None:
        """Relay until both directions have ended, or one connection is broken."""
        whole = False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._relay_requests)
                nursery.start_soon(self._relay_responses)
            whole = True
        finally:
            # A FIN here could make a truncated response look complete.
            if whole or self._responses.between_messages:
                self._client.close()
                self._server.close()
            else:
                self._client.reset()
                self._server.reset()

    # ---- Requests

    async def _relay_requests(self) -> None:
        client, server = self._client, self._server
        try:
            while data := await client.receive_some():
                if not await self._send_request(data):
                    return
        except trio.ClosedResourceError:
            return  # the other task has ended this connection
        except trio.BrokenResourceError:
            server.reset()
            self._observer.client_ended(trio.current_time(), "reset")
            return
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            for part in self._requests.receive_eof():
                await _send(server, part.data)
            await server.send_eof()
        self._observer.client_ended(trio.current_time(), "fin")
        with self._half_closed:
            await _wait_broken(client)
            server.reset()
            self._observer.client_ended(trio.current_time(), "reset")

    async def _send_request(self, data: bytes) -> bool:
        """Send the bytes of one read to the server. Returns whether the server accepts more."""
        parts = self._requests.receive_data(data)
        self._responses.methods += [method_of(part.head) for part in parts if part.head]
        now = trio.current_time()
        try:
            data = b"".join([part.data for part in parts])
            sent = self._server.send_now(data) if data else 0
            self._observer.sent(now, parts)
            await _send(self._server, data, sent)
        except trio.BrokenResourceError:
            # The server may have sent an answer before it broke the connection. The other task
            # reads this answer, and then the end.
            self._server_is_broken = True
            return False
        return True

    # ---- Responses

    async def _relay_responses(self) -> None:
        try:
            await self._relay_until_end()
        finally:
            self._half_closed.cancel()

    async def _relay_until_end(self) -> None:
        server = self._server
        try:
            while data := await server.receive_some():
                if not await self._send_response(data):
                    return
            end: End = "truncated" if server.truncated else "fin"
            if self._server_is_broken:  # the failed write has used up the kernel's error
                end = "reset"
        except trio.ClosedResourceError:
            return
        except trio.BrokenResourceError as error:
            end = "silent" if has_vanished(error) else "reset"
        now = trio.current_time()
        ends_whole = end == "fin" or (end == "truncated" and self._responses.between_messages)
        last = self._responses.receive_eof() if ends_whole else []
        self._observer.received(now, last)
        self._observer.server_ended(now, end)
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            if ends_whole:
                await self._client.send_eof()
                return
            await _flush(self._client)
        self._client.reset()
        server.reset()

    async def _send_response(self, data: bytes) -> bool:
        """Send the bytes of one read to the client. Returns whether the client accepts more."""
        now = trio.current_time()
        try:
            sent = self._client.send_now(data)
            self._observer.received(now, self._responses.receive_data(data))
            if self._responses.switched:
                self._requests.stop("the protocol was switched")
            if sent < len(data):
                await _send(self._client, data, sent)
                self._observer.waited(trio.current_time() - now)
        except trio.BrokenResourceError:
            self._server.reset()
            self._client.reset()
            self._observer.client_ended(trio.current_time(), "reset")
            return False
        return True


def method_of(head: Head) -> str:
    """Return the method of a request."""
    return head.start_line.partition(b" ")[0].decode()


def has_vanished(error: trio.BrokenResourceError) -> bool:
    """Whether the connection is broken because its peer has acknowledged nothing for too long."""
    return getattr(error.__cause__, "errno", None) == errno.ETIMEDOUT


async def _send(stream: ByteStream, data: bytes, sent: int = 0) -> None:
    """Send the bytes after the first `sent` ones. This waits while the kernel's buffer is full."""
    while sent < len(data):
        await stream.wait_writable()
        sent += stream.send_now(data[sent : sent + SEND_SIZE])


async def _wait_broken(stream: ByteStream) -> None:
    """Wait for an RST from a peer that has already sent FIN.

    After a FIN, a socket is always readable, so waiting for readable bytes does not show an RST. An
    epoll for which no event was requested shows the RST, because it always reports errors
    (epoll_ctl(2), EPOLLERR). On systems without epoll, the next write fails instead.
    """
    if stream.fileno() < 0 or not hasattr(select, "epoll"):
        await trio.sleep_forever()
    with select.epoll() as epoll:
        epoll.register(stream.fileno(), 0)
        await trio.lowlevel.wait_readable(epoll.fileno())


async def _flush(stream: ByteStream) -> None:
    """Wait until the peer's kernel has acknowledged all bytes, for FLUSH_SECONDS at most.

    Only Linux tells how many bytes are not acknowledged. On other systems, this does not wait.
    """
    for _ in range(round(FLUSH_SECONDS / FLUSH_STEP)):
        if not _unacknowledged(stream.fileno()):
            return
        await trio.sleep(FLUSH_STEP)


def _unacknowledged(fileno: int) -> int:
    """Return the number of sent bytes that the peer has not acknowledged (SIOCOUTQ, tcp(7))."""
    if fileno < 0 or sys.platform != "linux":
        return 0
    import fcntl
    import termios

    try:
        return int(struct.unpack("i", fcntl.ioctl(fileno, termios.TIOCOUTQ, bytes(4)))[0])
    except OSError:
        return 0


# What this file does not do: connect, count, measure, or understand a body.
