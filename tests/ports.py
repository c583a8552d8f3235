"""Ports for programs that cannot pick one. Standard library only: the benchmarks use it too."""

import socket


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
