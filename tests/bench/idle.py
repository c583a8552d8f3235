"""The cost of an idle keep-alive connection: resident memory of the server, measured from outside.

A server process answers one request on each of 2,000 connections, which then stay open. The growth
of its resident set (`VmRSS`), divided by 2,000, is the cost of one connection. A hundred
connections open and close first, so that one-time allocations are not counted.
"""

import socket
import subprocess
import sys
from pathlib import Path

CONNECTIONS = 2_000
LIMIT_KIB = 10
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def measure(connections: int = CONNECTIONS) -> str:
    """One line that says what a connection costs, or why it could not be measured."""
    if not Path("/proc/self/status").exists():
        return "not measured: this system has no /proc"
    command = [sys.executable, "-m", "servers.chat", "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline().rstrip(b"/\n").rpartition(b":")[2])
            for client in [_client(port) for _ in range(100)]:
                client.close()
            _client(port).close()
            before = _resident_kib(server.pid)
            clients = [_client(port) for _ in range(connections)]
            each = (_resident_kib(server.pid) - before) / connections
            for client in clients:
                client.close()
        finally:
            server.terminate()
    verdict = "ok" if each <= LIMIT_KIB else "MISSED"
    return f"{each:.1f} KiB each, at {connections:,}; ≤ {LIMIT_KIB} KiB {verdict}"


def _client(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(REQUEST)
    while not client.recv(4096).endswith(b"}"):
        pass
    return client


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
