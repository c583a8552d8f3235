"""The memory of a server on this machine, and connections whose buffers are small.

    /proc/net/tcp      …:2328 … 0A … 81234        a socket that listens on port 9000 (0x2328)
    /proc/512/fd/7  -> socket:[81234]             process 512 owns it
    /proc/512/status   VmRSS: 48212 kB

The rules this file keeps:

1. Nothing is guessed: without /proc, or if the process belongs to another user, the answer is None.
"""

import socket
from contextlib import suppress
from pathlib import Path

import trio

from clients.streams.tcp import SocketStream

__all__ = ["connect_narrow", "resident"]

LISTENS = "0A"  # state of a listening socket in /proc/net/tcp
SMALL_SEGMENT = 536  # bytes of a TCP segment: the kernel's send buffer follows its size
SMALL_BUFFER = 4096


def resident(port: int) -> int | None:
    """Return the resident memory of the processes that listen on a port, in bytes; None if it
    cannot be seen."""
    wanted = {f"socket:[{inode}]" for inode in _listeners(port)}
    found = [size for pid in Path("/proc").glob("[0-9]*") if (size := _size(pid, wanted))]
    return sum(found) or None


def _listeners(port: int) -> set[str]:
    """The inodes of the sockets that listen there."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes


def _size(process: Path, sockets: set[str]) -> int:
    """Resident memory of a process that has one of these sockets, in bytes; else 0."""
    with suppress(OSError):
        for file in (process / "fd").iterdir():
            with suppress(OSError):
                if str(file.readlink()) in sockets:
                    status = (process / "status").read_text("ascii", "replace")
                    return int(status.partition("VmRSS:")[2].split()[0]) << 10
    return 0


async def connect_narrow(host: str, port: int, *, stall_seconds: float) -> SocketStream:
    """Open a connection on which only about 100 KB can be in transit, and not megabytes, because
    its segments and our receive buffer are small.

    Args:
        host, port, stall_seconds: As for `clients.streams.tcp.connect`.

    Raises:
        OSError: Nobody listens there.
    """
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    error = OSError(f"no address for {host!r}")
    for family, kind, protocol, _, address in found:
        sock = trio.socket.socket(family, kind, protocol)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        try:
            await sock.connect(address)
        except OSError as refused:
            sock.close()
            error = refused
            continue
        return SocketStream.adopt(trio.SocketStream(sock), stall_seconds=stall_seconds)
    raise error
