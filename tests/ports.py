"""Ports for programs that cannot pick one. Standard library only: the benchmarks use it too."""

import contextlib
import random
import socket


def free_port() -> int:
    """One that nobody listens on now. It is below those that systems give out for port 0 and for
    connections, so none of the many sockets of other tests is given it before it is used."""
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
