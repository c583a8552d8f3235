"""One end of a TCP connection: it sends and receives bytes, whatever they mean.

    send_now(b"6\\r\\n")     what the kernel takes at once, without a task switch: 3, 2, 1 or 0
    send_all(b"6\\r\\n")     all of it, waiting while the kernel's buffer is full
    receive_some()         b"6\\r" and then b"\\n": TCP is bytes, not messages; b"" is the end
    receive_now()          what has come, without a wait: b"6\\r", or None for nothing
    send_eof()             a FIN: we have sent everything, and the peer may still send
    aclose()               closes and loses nothing; close() and reset() may lose bytes

Servers and clients use these calls on sockets, inside TLS (tls.py) and in memory (memory.py).
The socket is Python's own, set non-blocking, and trio waits for it. `trio.SocketStream.send_all`
costs four times as much per event, and trio has no way to send without a task switch.
"""

import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

__all__ = ["READ_SIZE", "STALL_SECONDS", "ByteStream", "Connect", "SocketStream", "connect"]

READ_SIZE = SEND_SIZE = 64 << 10

# Limits on `aclose`: seconds of silence after our FIN, seconds in total, and bytes that are
# dropped. The dropped bytes belong to an upload that was refused, whose sender reads our answer
# only at the end.
LINGER_SECONDS = 2.0
LINGER_TOTAL_SECONDS = 30.0
LINGER_SIZE = 64 << 20

# A peer may vanish without FIN or RST: a pulled cable, a lost route. So the kernel breaks the
# connection when sent bytes stay unacknowledged (TCP_USER_TIMEOUT, RFC 5482), and it probes a
# silent peer (keep-alive, RFC 9293 §3.8.4) after a quarter of the stall time, and again after each
# further eighth.
STALL_SECONDS = 120.0
MAX_STALL_SECONDS = 86_400.0  # the kernel counts the seconds between probes in 15 bits

CLOSING: dict[int, Callable[[], None]] = {}
"""Maps a file descriptor to a function that is called before that socket is closed. The poller
(poller.py) needs the call, because its epoll silently forgets a file that is closed."""


class ByteStream(Protocol):
    """One end of a connection. Each kind of stream defines the primitives. The other methods are
    written once, here.

    One task may receive while another sends. Every method raises `trio.BrokenResourceError` if the
    connection is broken, and `trio.ClosedResourceError` after this end was closed.
    """

    __slots__ = ()

    # ---- Primitives

    def send_now(self, data: bytes) -> int:
        """Send as many bytes as can be sent at once. Returns their number, which may be 0."""
        ...

    async def wait_writable(self) -> None:
        """Wait until `send_now` would accept a byte, or would raise an error because the connection
        is broken."""

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        """Return what has arrived, without a task switch: None for nothing, b"" for the end."""
        ...

    async def wait_readable(self) -> None:
        """Wait until `receive_now` would not return None."""

    async def send_eof(self) -> None:
        """End our direction (a FIN). The other direction stays open."""

    def close(self) -> None:
        """Close at once. A task that waits on the stream gets `trio.ClosedResourceError`."""

    def reset(self) -> None:
        """Close with an RST, which no peer can take for the end of the message."""

    def fileno(self) -> int:
        """The socket's file descriptor, for an epoll, or -1 if there is no open socket."""
        ...

    @property
    def truncated(self) -> bool:
        """Whether the end was without close_notify (`TLSStream`). TCP's only end mark is the
        FIN."""
        return False

    @property
    def ended(self) -> bool:
        """Whether the end has already arrived, so that the socket below may never become readable
        again."""
        return False

    # ---- Written once

    async def send_all(self, data: bytes) -> None:
        """Send all of the data. After a cancellation, it is unknown how much was sent."""
        await trio.lowlevel.checkpoint()
        sent = self.send_now(data)
        while sent < len(data):
            await self.wait_writable()
            # A slice of fixed size, because otherwise each call would copy all of the rest.
            sent += self.send_now(data[sent : sent + SEND_SIZE])

    async def receive_some(self, max_bytes: int = READ_SIZE) -> bytes:
        """Wait for bytes. Returns b"" when the peer has finished sending."""
        await trio.lowlevel.checkpoint_if_cancelled()
        data = self.receive_now(max_bytes)
        if data is not None:  # otherwise the other tasks run while this one waits
            await trio.lowlevel.cancel_shielded_checkpoint()
            return data
        while data is None:
            await self.wait_readable()
            data = self.receive_now(max_bytes)
        return data

    async def aclose(self, size: int = LINGER_SIZE) -> None:
        """Send FIN, drop what the peer still sends until its FIN, and close.

        A plain close with unread bytes sends an RST, and an RST discards what the peer has not read
        yet: the end of a long answer, or the 413 to an upload that is still running. So we read the
        rest for as long as it keeps arriving, within limits.

        Args:
            size: Largest number of bytes to read. A peer that sends more gets an RST.
        """
        try:
            with trio.move_on_after(LINGER_SECONDS, shield=True) as waiting:
                begun = trio.current_time()
                await self.send_eof()
                while size > 0 and (data := await self.receive_some()):
                    size -= len(data)
                    now = trio.current_time()
                    waiting.deadline = min(now, begun + LINGER_TOTAL_SECONDS) + LINGER_SECONDS
                    waiting.shield = now < begun + LINGER_SECONDS  # later, a cancellation ends it
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.close()


class SocketStream(ByteStream):
    """A connected TCP socket.

    Args:
        sock: The connected socket. The stream owns it from now on.
        stall_seconds: Seconds after which the kernel breaks the connection if the peer acknowledges
            neither bytes nor probes. Only Linux obeys this option. Other kernels use their own
            time.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket, *, stall_seconds: float = STALL_SECONDS) -> None:
        self._sock = sock
        sock.setblocking(False)
        # A token is a small write. Without TCP_NODELAY, Nagle's algorithm holds it back until the
        # previous write is acknowledged, which can take 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # TCP_NOTSENT_LOWAT limits the unsent bytes in the kernel: the program feels back pressure
        # after 16 KiB of them, not after megabytes.
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 16 << 10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            seconds = min(max(stall_seconds, 1.0), MAX_STALL_SECONDS)
            for option, value in (
                (socket.TCP_USER_TIMEOUT, round(1000 * seconds)),
                (socket.TCP_KEEPIDLE, max(1, int(seconds / 4))),
                (socket.TCP_KEEPINTVL, max(1, int(seconds / 8))),
            ):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)

    @classmethod
    def adopt(
        cls, opened: trio.SocketStream, *, stall_seconds: float = STALL_SECONDS
    ) -> "SocketStream":
        """Take the socket out of a stream that trio has opened."""
        sock = socket.socket(fileno=opened.socket.detach())
        return cls(sock, stall_seconds=stall_seconds)

    def fileno(self) -> int:
        return self._sock.fileno()

    def send_now(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._explain(error) from error

    # Not `async def`: `wait_writable` and `wait_readable` return trio's own coroutine, so a wait
    # creates no second one.

    def wait_writable(self) -> Coroutine[Any, Any, None]:
        return wait_writable(self._sock)  # noqa: ASYNC105

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        try:
            return self._sock.recv(max_bytes)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._explain(error) from error

    def wait_readable(self) -> Coroutine[Any, Any, None]:
        return wait_readable(self._sock)  # noqa: ASYNC105

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._explain(error) from error

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            notify_closing(self._sock)  # otherwise a waiting task would hang for ever
            if tell := CLOSING.get(self._sock.fileno()):
                tell()
            self._sock.close()

    def reset(self) -> None:
        if self._sock.fileno() >= 0:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def _explain(self, error: OSError) -> Exception:
        if self._sock.fileno() < 0:
            return trio.ClosedResourceError("this stream was closed")
        return trio.BrokenResourceError(f"the connection is broken: {error}")


class Connect(Protocol):
    """A function that opens a connection: `connect`, or one that returns a stream in memory, for
    tests."""

    async def __call__(self, host: str, port: int, *, stall_seconds: float) -> ByteStream: ...


async def connect(host: str, port: int, *, stall_seconds: float = STALL_SECONDS) -> SocketStream:
    """Open a connection, trying all addresses of the host (RFC 8305).

    Args:
        host, port: The host's name or address, and the port number.
        stall_seconds: See `SocketStream`.

    Raises:
        OSError: Nobody listens there, or there is no such host.
    """
    try:
        opened = await trio.open_tcp_stream(host, port)
    except UnicodeError:  # "a..b": the DNS cannot encode it
        raise OSError(f"not the name of a host: {host!r}") from None
    return SocketStream.adopt(opened, stall_seconds=stall_seconds)
