"""One end of a TCP connection: bytes out, bytes in, nothing about what they mean.

    send_now(b"6\\r\\n")     what leaves at once, without a task switch: 3 bytes, or fewer, or 0
    send_all(b"6\\r\\n")     all of it, waiting while the kernel's buffer is full
    receive_some()         b"6\\r" and then b"\\n": TCP is bytes, not messages; b"" is the end
    receive_now()          what has come, without a wait: b"6\\r", or None for nothing
    send_eof()             "I have said everything": the peer may still talk
    aclose()               a goodbye that loses nothing; close() and reset() lose what they may

Servers and clients stand on these calls, and so do the tests' streams in memory.
The socket is Python's own, set non-blocking, with trio waiting for it: `trio.SocketStream`'s
`send_all` costs four times as much for one event, and has no way to send without a task switch.
"""

import socket
import struct
from collections.abc import Callable
from typing import Protocol

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

__all__ = ["READ_SIZE", "STALL_SECONDS", "ByteStream", "SocketStream", "connect"]

READ_SIZE = SEND_SIZE = 64 << 10

# How long `aclose` waits for more after its FIN: for the next bytes, and in all. And how many bytes
# it drops: those of an upload that was refused, whose sender reads the refusal at its end.
LINGER_SECONDS = 2.0
LINGER_TOTAL_SECONDS = 30.0
LINGER_SIZE = 64 << 20

# A peer may vanish without FIN or RST: a pulled cable, a lost route. Then the kernel gives up what
# is not acknowledged (TCP_USER_TIMEOUT, RFC 5482), or asks a silent peer whether it is still there
# (keep-alive, RFC 9293 §3.8.4): first after a quarter of the stall time, and again after an eighth.
STALL_SECONDS = 120.0
MAX_STALL_SECONDS = 86_400.0  # the kernel counts probes' seconds in 15 bits

CLOSING: dict[int, Callable[[], None]] = {}
"""By file number: what is called before that socket is closed, as `notify_closing` tells trio. It
is for a task that waits on an epoll of its own (poller.py): an epoll forgets a closed file."""


class ByteStream(Protocol):
    """The stream seam: what a connection can do."""

    def send_now(self, data: bytes) -> int: ...
    async def wait_writable(self) -> None: ...
    async def send_all(self, data: bytes) -> None: ...
    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None: ...
    async def wait_readable(self) -> None: ...
    async def receive_some(self, max_bytes: int = READ_SIZE) -> bytes: ...
    async def send_eof(self) -> None: ...
    async def aclose(self) -> None: ...
    def close(self) -> None: ...
    def reset(self) -> None: ...
    def fileno(self) -> int: ...


class SocketStream:
    """A connected TCP socket.

    One task may receive while another sends. All methods raise `trio.BrokenResourceError` when
    the connection is broken and `trio.ClosedResourceError` after it was closed here.

    Args:
        sock: connected; it belongs to the stream from now on.
        stall_seconds: how long the peer may acknowledge nothing, neither bytes nor a probe, before
            the connection is broken. Linux keeps to it; elsewhere the kernel takes its own time.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket, *, stall_seconds: float = STALL_SECONDS) -> None:
        self._sock = sock
        sock.setblocking(False)
        # A token is a small write. Without TCP_NODELAY Nagle's algorithm holds it back until the
        # one before is acknowledged: the 40 ms stutter.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What the kernel has not sent yet waits in the program instead: back-pressure is felt
        # after 16 KiB of unsent bytes, not after megabytes.
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
        """Hand to the kernel what it takes at once. Returns that number of bytes, perhaps 0."""
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._explain(error) from error

    async def send_all(self, data: bytes) -> None:
        """Send all of it. If cancelled, an unknown part has left."""
        await trio.lowlevel.checkpoint()
        sent = self.send_now(data)
        while sent < len(data):
            await self.wait_writable()
            # `send` may take less than it was given: the rest is ours to send again.
            sent += self.send_now(data[sent : sent + SEND_SIZE])

    async def wait_writable(self) -> None:
        """Wait until `send_now` would take something, or find the connection broken."""
        await wait_writable(self._sock)

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        """What has come, without a task switch: None if nothing has, b"" as in `receive_some`."""
        try:
            return self._sock.recv(max_bytes)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._explain(error) from error

    async def wait_readable(self) -> None:
        """Wait until `receive_now` would not give None."""
        await wait_readable(self._sock)

    async def receive_some(self, max_bytes: int = READ_SIZE) -> bytes:
        """Wait for bytes; b"" when the peer has finished sending."""
        await trio.lowlevel.checkpoint_if_cancelled()
        data = self.receive_now(max_bytes)
        if data is not None:  # else the others have their turn while this one waits
            await trio.lowlevel.cancel_shielded_checkpoint()
            return data
        while data is None:
            await self.wait_readable()
            data = self.receive_now(max_bytes)
        return data

    async def send_eof(self) -> None:
        """Half a goodbye: FIN. The other direction stays open."""
        await trio.lowlevel.checkpoint()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._explain(error) from error

    async def aclose(self, size: int = LINGER_SIZE) -> None:
        """Send FIN, read and drop what the peer still sends until its FIN, close.

        A plain close while bytes of the peer lie unread sends RST, and RST throws away what the
        peer has not read yet: the end of a long answer, or the 413 to an upload that is under way.
        So the rest is read, while it keeps coming, for a bounded time.

        Args:
            size: how much is read, in bytes; a peer that sends more gets the RST.
        """
        try:
            with trio.move_on_after(LINGER_SECONDS, shield=True) as waiting:
                begun = trio.current_time()
                await self.send_eof()
                while size > 0 and (data := await self.receive_some()):
                    size -= len(data)
                    now = trio.current_time()
                    waiting.deadline = min(now, begun + LINGER_TOTAL_SECONDS) + LINGER_SECONDS
                    waiting.shield = now < begun + LINGER_SECONDS  # whoever cancels waits no longer
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Close at once. A task that waits on the socket gets `trio.ClosedResourceError`."""
        if self._sock.fileno() >= 0:
            notify_closing(self._sock)  # else the waiter would hang for ever
            if tell := CLOSING.get(self._sock.fileno()):
                tell()
            self._sock.close()

    def reset(self) -> None:
        """Close with an RST, which no peer can take for the end of what was said."""
        if self._sock.fileno() >= 0:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def _explain(self, error: OSError) -> Exception:
        if self._sock.fileno() < 0:
            return trio.ClosedResourceError("this stream was closed")
        return trio.BrokenResourceError(f"the connection is broken: {error}")


async def connect(host: str, port: int, *, stall_seconds: float = STALL_SECONDS) -> SocketStream:
    """Open a connection, trying all addresses of the host (RFC 8305).

    Args:
        stall_seconds: see `SocketStream`.

    Raises:
        OSError: nobody listens there, or there is no such host.
    """
    try:
        opened = await trio.open_tcp_stream(host, port)
    except UnicodeError:  # "a..b": it cannot be encoded as the DNS wants it
        raise OSError(f"not the name of a host: {host!r}") from None
    return SocketStream.adopt(opened, stall_seconds=stall_seconds)
