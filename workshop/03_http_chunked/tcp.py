"""Lesson 3, first part: TCP carries bytes, not messages.

    send "TCP"  send " has"  send " no" …       what a program does: eight sends
    54 43 50 20 68 61 73 20 6e 6f …             what goes over the wire: 32 bytes
    recv "TCP has no"  recv …                   what the other program gets: any pieces

The border between two sends is not on the wire, so a receiver cannot see it. Run this with
`python workshop/03_http_chunked/tcp.py`; then read in the lesson what really marks the borders.
"""

import io
import signal
import socket
import sys
from collections.abc import Iterator

TOKENS = ("TCP", " has", " no", " messages", ":", " 你", "好", " 🌊")
SIZE = sum(len(token.encode()) for token in TOKENS)


def connected() -> tuple[socket.socket, socket.socket]:
    """Return both ends of one TCP connection, through the kernel."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = socket.create_connection(listener.getsockname())
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # sends do not wait for others
        return sender, listener.accept()[0]


def in_turns() -> Iterator[bytes]:
    """Receive after each send. Then each read returns the bytes of one send. On your own machine
    this nearly always happens, so it looks like a rule."""
    sender, receiver = connected()
    with sender, receiver:
        for token in TOKENS:
            sender.sendall(token.encode())
            yield receiver.recv(65536)


def afterwards(size: int) -> Iterator[bytes]:
    """Receive after all sends, at most `size` bytes at a time, like a receiver that was busy."""
    sender, receiver = connected()
    with sender, receiver:
        for token in TOKENS:
            sender.sendall(token.encode())
        received = 0
        while received < SIZE:
            piece = receiver.recv(size)
            received += len(piece)
            yield piece


def show(reader: str, pieces: Iterator[bytes]) -> None:
    texts = [piece.decode("utf-8", "backslashreplace") for piece in pieces]
    print(f"{reader:28} {len(texts)} receives  {' | '.join(texts)}")


def main() -> int:
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # no traceback when `| head` closes the pipe
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a screen without 你 gets \\u4f60
    print(f"{len(TOKENS)} sends, {SIZE} bytes")
    show("a receiver that keeps up", in_turns())
    show("one that was busy", afterwards(65536))
    show("one that takes 11 at a time", afterwards(11))
    return 0


if __name__ == "__main__":
    sys.exit(main())
