"""A peer that vanishes: its machine receives nothing and sends nothing any more, not even an ACK.

    vanish(client)      as after a pulled cable, a lost route, a laptop that was shut

A packet filter of one instruction makes the kernel drop all packets that arrive for one socket
(socket(7), SO_ATTACH_FILTER). It needs no privileges and affects no other connection. The socket
must stay open and send nothing, because a vanished peer sends neither FIN nor RST.
"""

import ctypes
import os
import socket
import struct
import sys

import pytest

from clients.streams.tcp import ByteStream

__all__ = ["needs_vanishing", "vanish"]

SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python's `socket` does not name it
RETURN_CONSTANT = 0x06  # BPF_RET | BPF_K (linux/bpf_common.h): how many bytes of a packet to keep

needs_vanishing = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(socket, "TCP_USER_TIMEOUT"),
    reason="no packet filter on a socket, or no TCP_USER_TIMEOUT: Linux has both",
)


def vanish(stream: ByteStream) -> None:
    """Drop all packets that arrive at this end of a connection from now on."""
    keep_nothing = ctypes.create_string_buffer(struct.pack("HBBI", RETURN_CONSTANT, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(keep_nothing))
    with socket.socket(fileno=os.dup(stream.fileno())) as sock:  # a second number of it
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
