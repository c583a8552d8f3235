"""Lesson 3: the learner types the answer into a netcat, and the lesson is the client.

A typed line ends in LF; `-C` makes it CR LF in some netcats. These tests try what the README says
about each of them.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ..conftest import ROOT, limited
from ..terminal import Screen, terminal
from .peers import free_port, need

LESSON = [sys.executable, "workshop/03_http_chunked", "--client", "--port"]

# name: the program, its package, the line to type
LISTENERS = {
    "ours": ("python3", "python3", f"{sys.executable} -m workshop nc -l -C {{}}"),
    "openbsd": ("nc.openbsd", "netcat-openbsd", "nc.openbsd -l -C {}"),
    "traditional": ("nc.traditional", "netcat-traditional", "nc.traditional -l -C -p {}"),
    "ncat": ("ncat", "ncat", "ncat -l -C {}"),
    "busybox": ("busybox", "busybox", "busybox nc -l -p {}"),
}
HEAD = b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"


@contextmanager
def typing(name: str) -> Iterator[tuple[Screen, Screen]]:
    """The terminal of a netcat, and the output of the lesson at the other end."""
    program, package, line = LISTENERS[name]
    need(program, package)
    port = free_port()
    with terminal(*line.format(port).split()) as (model, netcat):
        while True:  # until it listens
            with (
                subprocess.Popen(
                    [*LESSON, str(port)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
                ) as lesson,
                limited(lesson),
            ):
                assert lesson.stdout is not None
                client = Screen(lesson.stdout.fileno())
                if client.until("\n").startswith("we send"):
                    # The request is on the model's screen before anything is typed.
                    model.until("Connection: close")
                    yield model, client
                    netcat.kill()
                    return


@pytest.mark.parametrize("netcat", ["ours", "openbsd", "traditional", "ncat"])
def test_each_chunk_is_there_when_it_is_typed(netcat: str) -> None:
    with typing(netcat) as (model, client):
        model.press(HEAD)
        client.until("There is no Content-Length")
        for typed, shown in [("6\n你好\n", "chunk-data 你好"), ("1\n!\n", "chunk-data !")]:
            model.press(typed.encode())
            client.until(shown)
        model.press(b"0\n\n")
        client.until("without its framing: 7 bytes, 3 characters\n  你好!\n")


def test_a_size_in_characters() -> None:
    """In the second try, the size of 你好 is given as 2. B stops, and names the wrong byte."""
    with typing("ours") as (model, client):
        model.press(HEAD + "2\n你好\n".encode())
        client.until(
            "the stream broke off: expected CRLF after the chunk-data, not b'\\xa0' (at byte 5)"
        )


def test_no_last_chunk() -> None:
    """In the third try, ^C is pressed in place of the 0. The answer is incomplete."""
    with typing("ours") as (model, client):
        model.press(HEAD + "6\n你好\n".encode())
        client.until("chunk-data 你好")
        model.press(b"\x03")
        client.until("the stream broke off: ")


def test_a_netcat_without_c() -> None:
    """As the README says of BusyBox: take ours there."""
    with typing("busybox") as (model, client):
        model.press(HEAD)
        client.until("a line that ends in LF alone: HTTP lines end in CR LF")
        client.until("Was it typed? Enter must send CR LF:  workshop nc -l -C ")


def test_nobody_listens() -> None:
    """Exit code 1, and the command that starts a listener."""
    port = free_port()
    done = subprocess.run([*LESSON, str(port)], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.decode() == (
        f"no server listens on port {port}. In another terminal:  workshop nc -l -C {port}\n"
    )
