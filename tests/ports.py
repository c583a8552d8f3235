"""Ports for programs that cannot pick one. Standard library only: the benchmarks use it too."""

import contextlib
import random
import socket


def free_port() -> int:
    """Return a port on which nobody listens now. It is below the range that systems use for port 0
    and for connections, so no socket of another test gets it before it is used."""
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
