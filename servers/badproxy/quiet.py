"""A connection that goes quiet: neither bytes nor an end, and perhaps not even acknowledgments.

    client                                 deaf               blackhole
    data: {"text":"好"}            <
    (a keep-alive probe of TCP)    >       acknowledged       dropped
    (and again, and again)         >       acknowledged       dropped
                                           still waits        ETIMEDOUT: the client knows

A program can stop writing, but its kernel still acknowledges the client's bytes and FIN. A host
that has lost its power does not. To look like such a host, a socket filter (Linux, socket(7)) tells
the kernel to drop all packets that arrive for this socket. tcpdump uses such filters too; this one
has a single instruction. A client that neither probes nor has a timeout of its own waits for ever.
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
"""Longest time, in seconds, for which a quiet connection is held open if its client does not close
it."""

SO_ATTACH_FILTER = 26  # Linux, asm-generic/socket.h; Python does not name it
RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K: keep 0 bytes of a packet


class Quiet:
    """A `ReplyObserver` that knows the connection on which a reply is sent.

    Args:
        vanishes: Whether to drop the packets that arrive, too.
    """

    def __init__(self, vanishes: bool) -> None:
        self._vanishes = vanishes
        self._fileno = -1  # of its socket; a connection in memory has none

    def wrap(self, outlet: Outlet) -> Outlet:
        """Called before the head is sent. The outlet stays as it is."""
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
    """The reply of a hop that goes quiet before it has a head to send: it has no bytes.

    Args:
        vanishes: See `Quiet`.
        deadline: Latest time at which the connection is closed, by trio's clock.
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
    """Let the kernel drop every packet that arrives for this socket, and send no probes of its own.

    Raises:
        OSError: The kernel cannot do this.
    """
    program = ctypes.create_string_buffer(RETURN_NOTHING)
    with socket.socket(fileno=socket.dup(fileno)) as sock:
        # Unanswered probes, and bytes without an acknowledgment, would end in an RST.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
        program_of_one = struct.pack("HP", 1, ctypes.addressof(program))
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program_of_one)


# What this file does not do: take back bytes that the client has already got, or stop the kernel
# from sending again what was never acknowledged.
