"""The cost of writing one event to TLS: our own stream compared with trio's.

    ours               `TLSStream.send_now`, over a `SocketStream`
    trio.SSLStream     `send_all`, over a `trio.SocketStream`

Both hand one record to a TCP socket of this machine. The other end is emptied between batches,
which is not timed, because a full buffer would make the next write wait.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Awaitable, Callable

import trio

from clients.streams.tcp import SocketStream
from clients.streams.tls import TLSStream

__all__ = ["OURS", "TRIO", "seconds_per_write"]

OURS, TRIO = "ours", "trio.SSLStream"
EVENT = b"data: " + b"x" * 242 + b"\n\n"
BATCH = 50  # 14 KB of records: less than any socket's buffer


async def _timed(far: socket.socket, write: Callable[[], Awaitable[None]], count: int) -> float:
    took = 0.0
    for _ in range(count // BATCH):
        start = time.perf_counter()
        await write()
        took += time.perf_counter() - start
        with contextlib.suppress(BlockingIOError):
            while far.recv(1 << 20):
                pass
    return took / (count // BATCH * BATCH)


async def _measure(name: str, server: ssl.SSLContext, client: ssl.SSLContext, count: int) -> float:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far = listener.accept()[0]
    sink = TLSStream(SocketStream(far), server, server_side=True)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sink.handshake)
            if name == OURS:
                hand = TLSStream(SocketStream(near), client, server_hostname="localhost")
                await hand.handshake()

                async def write() -> None:
                    for _ in range(BATCH):
                        hand.send_now(EVENT)
            else:
                lower = trio.SocketStream(trio.socket.from_stdlib_socket(near))
                theirs = trio.SSLStream(lower, client, server_hostname="localhost")
                await theirs.do_handshake()

                async def write() -> None:
                    for _ in range(BATCH):
                        await theirs.send_all(EVENT)

        return await _timed(far, write, count)
    finally:
        near.close()
        far.close()


def seconds_per_write(
    name: str, server: ssl.SSLContext, client: ssl.SSLContext, count: int
) -> float:
    """Seconds that one write of an event takes.

    Args:
        name: The stream to measure: OURS or TRIO.
        server, client: The TLS settings of the two ends. The client trusts the server as localhost.
        count: Number of writes.
    """
    return trio.run(_measure, name, server, client, count)
