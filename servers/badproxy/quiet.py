"""A connection that goes quiet: it sends neither bytes nor an end, and possibly no acknowledgments.

    client                                 deaf               blackhole
    data: {"text":"好"}            <
    (a keep-alive probe of TCP)    >       acknowledged       dropped
    (and again, and again)         >       acknowledged       dropped
                                           still waits        ETIMEDOUT: the client knows

If a program stops writing, its kernel still acknowledges the client's bytes and FIN. A host without
power does not. To behave like such a host, a socket filter (Linux, socket(7)) makes the kernel drop
all packets that arrive for this socket. tcpdump uses such filters, too; the filter here has a
single instruction. A client without keep-alive probes and without a timeout waits for ever.
"""

import ctypes
import logging
import socket
import struct

import trio

from ..http.body import BodyWriter, Ending, Outlet
from ..http.reply import CutOff, StreamingReply

__all__ = ["HOLD_SECONDS", "NoReply", "Quiet", "drop_packets"]

log = logging.getLogger("servers")

HOLD_SECONDS = 3600.0
"""Longest time in seconds that a quiet connection stays open if the client does not close it."""

SO_ATTACH_FILTER = 26  # from Linux's asm-generic/socket.h, because Python has no name for it
RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K: keep 0 bytes of a packet


class Quiet:
    """A `ReplyObserver` that knows the connection on which a reply is sent.

    vanishes: Whether to drop arriving packets, too.
    """

    def __init__(self, vanishes: bool) -> None:
        self._vanishes = vanishes
        self._fileno = -1  # number of the socket; a connection in memory has none

    def wrap(self, outlet: Outlet) -> Outlet:
        """Called before the head is sent. It returns the outlet unchanged."""
        self._fileno = outlet.fileno() if hasattr(outlet, "fileno") else -1
        return outlet

    def half_closed(self) -> None:
        """Nothing changes: the client may still read."""

    def end(self, how: Ending) -> None:
        """Called when the reply has ended."""

    async def stay(self) -> None:
        """Neither send nor close, for `HOLD_SECONDS`."""
        if self._vanishes and self._fileno >= 0:
            try:
                drop_packets(self._fileno)
            except OSError as error:
                log.info("the kernel still acknowledges: %s", error.strerror)
        await trio.sleep(HOLD_SECONDS)


class NoReply(StreamingReply):
    """The reply of a hop that goes quiet before it has a head to send. This reply has no bytes.

    Args:
        vanishes: See `Quiet`.
        deadline: Time on trio's clock at which the connection is closed if the client has not
            closed it.
    """

    def __init__(self, vanishes: bool, deadline: float) -> None:
        super().__init__(self)
        self.edit_head = lambda head: b""
        self.observer = self._quiet = Quiet(vanishes)
        self._deadline = deadline

    async def send_to(self, body: BodyWriter) -> None:
        """Send nothing, and close without an end."""
        with trio.move_on_at(self._deadline):
            await self._quiet.stay()
        raise CutOff

    async def aclose(self) -> None:
        """Nothing is open."""


def drop_packets(fileno: int) -> None:
    """Make the kernel drop every packet that arrives for this socket, and send no probes.

    Raises:
        OSError: The kernel cannot do this.
    """
    program = ctypes.create_string_buffer(RETURN_NOTHING)
    with socket.socket(fileno=socket.dup(fileno)) as sock:
        # If its probes or bytes were not acknowledged, the kernel would send an RST in the end.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
        program_of_one = struct.pack("HP", 1, ctypes.addressof(program))
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program_of_one)


# What this file does not do: take back bytes that the client already has, or stop the kernel from
# repeating bytes that were never acknowledged.
