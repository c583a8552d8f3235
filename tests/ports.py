"""Ports for programs that cannot pick one. Standard library only: the benchmarks use it too."""

import random
import socket
import sys

_given: dict[int, socket.socket] = {}


def free_port() -> int:
    """Return a port on which nobody listens now, and which nobody else gets before it is used.

    It is below the range that systems use for port 0 and for connections. On Linux, a socket that
    does not listen keeps it until this process ends, so another caller cannot have it, in another
    process either. Without that, two programs that set SO_REUSEPORT, as Caddy and HAProxy do, would
    share it, and neither would notice. A program that sets SO_REUSEADDR, as all servers do, may
    listen on it beside that socket.
    """
    while True:
        port = random.randrange(20000, 32768)
        if port in _given:
            continue
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            sock.close()
            continue
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            sock.close()  # there, it would keep the program out, too
        _given[port] = sock
        return port
