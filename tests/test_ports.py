"""The ports that tests give to programs."""

import errno
import os
import socket
import sys

import pytest

from .ports import free_port


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a socket keep a port")
def test_a_port_is_kept_for_one_program() -> None:
    port = free_port()
    with (
        socket.socket() as other,
        pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)),
    ):
        other.bind(("127.0.0.1", port))  # as another caller of `free_port` would
    socket.create_server(("127.0.0.1", port)).close()  # it sets SO_REUSEADDR


def test_a_port_is_given_once() -> None:
    ports = [free_port() for _ in range(300)]
    assert len(set(ports)) == len(ports)
