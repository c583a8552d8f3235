r"""A surprise in ten seconds, with the standard library only: `python3 -m workshop aha`.

A small server gives the same answer in three ways. The client prints every byte that its `recv()`
returns as soon as the byte arrives, with the time since the request. A chunk, letter by letter:

    6\r\n          chunk-size: how many bytes follow, in hexadecimal
    你好\r\n        chunk-data: two characters, six bytes of UTF-8, and the end of the chunk
    0\r\n\r\n       the last chunk: size zero, then an empty line: the answer is complete

Read on from top to bottom: the model, the server, a hop, the client, and what you see.
"""

import argparse
import io
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from .language import N_, _, cells, pad

ANSWER = ("你好", ", ", "世界", " 🌍", " hello")
LOOPBACK = "127.0.0.1"
READ_SIZE = 65536
Pace = Callable[[str], None]  # called before each token is made, in place of a computation


# --- the model ------------------------------------------------------------------------------
#
# A generator makes a token only when somebody asks for the next one (lesson 1).


def tokens(pace: Pace) -> Iterator[bytes]:
    for token in ANSWER:
        pace(token)
        yield token.encode()


# --- the server -----------------------------------------------------------------------------
#
# HTTP/1.1 can mark the end of a body in two ways. The choice decides when the body can be sent.

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"


def serve(client: socket.socket, pace: Pace) -> None:
    with client.makefile("rb") as request:
        request_line = request.readline()
        while request.readline() not in (b"\r\n", b""):
            pass  # header fields, until the empty line that ends the head
    if request_line.startswith(b"GET /content-length "):
        # The length is in front of the body, so the body must be finished first.
        body = b"".join(tokens(pace))
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    else:
        # Each chunk has its own length, so each token is sent as soon as it is made.
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for token in tokens(pace):
            client.sendall(b"%x\r\n%s\r\n" % (len(token), token))
        client.sendall(b"0\r\n\r\n")


# --- a hop ----------------------------------------------------------------------------------
#
# There is always a hop between server and reader: a proxy, a compressor, a pipe. This hop collects
# 8 KiB before it passes anything on. `grep` does the same if its output is a pipe, and so does a
# reverse proxy that buffers. The hop loses nothing and changes nothing. It only waits.


def relay(client: socket.socket, server_port: int) -> None:
    with socket.create_connection((LOOPBACK, server_port)) as server:
        server.sendall(client.recv(READ_SIZE))
        with client.makefile("wb", buffering=8192) as to_client:  # the whole fault is this line
            while piece := server.recv(READ_SIZE):
                to_client.write(piece)  # one more repairs it: to_client.flush()


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Call `talk` in a thread with one client of a free loopback port. Yields the port."""

    def accept_one() -> None:
        try:
            with listener.accept()[0] as client:
                talk(client)
        except OSError:
            pass  # the client disconnected in the middle of the answer (Ctrl-C)

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=accept_one, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


# --- the client -----------------------------------------------------------------------------


def ask(port: int, target: str) -> Iterator[bytes]:
    """Send one GET. Yields the bytes of each `recv()`, until the server closes."""
    with socket.create_connection((LOOPBACK, port), timeout=30) as server:
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        server.sendall(request.encode())
        while piece := server.recv(READ_SIZE):
            yield piece


def show(target: str, hop: bool, pace: Pace) -> tuple[float, float]:
    """Ask once, and print what is made and what arrives. Returns the times of the first and last
    byte."""
    start = time.perf_counter()
    response, first, last = b"", 0.0, 0.0
    words = _("made"), _("came")

    def made(token: str) -> None:
        pace(token)
        seconds = time.perf_counter() - start
        say(tint("dim", f"  +{seconds:.2f} s  {words[0]}  {token.strip()}"))

    with ExitStack() as running:
        port = running.enter_context(listening(partial(serve, pace=made)))
        if hop:
            port = running.enter_context(listening(partial(relay, server_port=port)))
        for piece in ask(port, target):
            seconds = time.perf_counter() - start
            lines = paint(response + piece, seen=len(response))
            say(f"  +{seconds:.2f} s  {words[1]}  " + f"\n{'':17}".join(lines))
            response += piece
            if response.partition(b"\r\n\r\n")[2]:  # a part of the body has arrived
                first, last = first or seconds, seconds
    return first, last


# --- what you see ---------------------------------------------------------------------------

COLOURS = {"head": "36", "chunk-size": "1;33", "chunk-data": "1;32", "CRLF": "35", "dim": "2"}
CHUNK_SIZE = re.compile(rb"([0-9a-f]+)(\r\n)")


def rows(response: bytes) -> Iterator[list[tuple[str, bytes]]]:
    """Yield rows of (layer, bytes), one for each line. The rows cover every byte of the response so
    far."""
    top, empty_line, body = response.partition(b"\r\n\r\n")
    *lines, unfinished = (top + empty_line).split(b"\r\n")
    for line in lines:
        yield [("head", line), ("CRLF", b"\r\n")]
    yield [("head", unfinished)]
    while b"chunked" in top and (size := CHUNK_SIZE.match(body)):
        end = size.end() + int(size[1], 16)
        data, crlf, body = body[size.end() : end], body[end : end + 2], body[end + 2 :]
        yield [("chunk-size", size[1]), ("CRLF", size[2]), ("chunk-data", data), ("CRLF", crlf)]
    yield [("chunk-data", body)]


def paint(response: bytes, seen: int) -> list[str]:
    """Return the bytes after the first `seen` as lines for the screen, with CR LF as ␍␊."""
    lines, offset = [], 0
    for row in rows(response):
        lines.append("")
        for layer, data in row:
            text = data[max(0, seen - offset) :].decode(errors="backslashreplace")
            lines[-1] += tint(layer, text.replace("\r", "␍").replace("\n", "␊"))
            offset += len(data)
    return [line for line in lines if line]


def tint(layer: str, text: str) -> str:
    colour = text and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"\x1b[{COLOURS[layer]}m{text}\x1b[0m" if colour else text


def right(text: str, width: int) -> str:
    """Return a text with spaces before it, so that it takes this many cells."""
    return " " * (width - cells(text)) + text


def say(line: str) -> None:
    print(line + "\n", end="", flush=True)  # one write a line: two threads print


RESPONSES = (
    (
        "/content-length",
        False,
        "Content-Length",
        N_("the length comes first, so the text must wait"),
    ),
    ("/chunked", False, "chunked", N_("every token is sent as soon as it is made")),
    ("/chunked", True, N_("chunked, through a hop"), N_("the same server, with a hop between")),
)

PUNCH_LINE = N_(
    r"""
In 3 the server did nothing wrong. It sent the same bytes at the same times as in 2; the hop held
them back. You cannot see that in the server. You can see it in the bytes. In two terminals:

  A  workshop
  B  curl -N http://localhost:8000/
     printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | nc localhost 8000

The first time, use this line for A:
     python3 -m venv .venv && .venv/bin/pip install -c .ci/locked.txt -e . && .venv/bin/workshop
To see what this machine has, and how to call its netcat: python3 -m workshop doctor"""
)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="workshop aha", description=_("One answer, three ways."))
    parser.add_argument("--fast", action="store_true", help=_("a few milliseconds a token"))
    token_gap, pause = (0.004, 0.0) if parser.parse_args(argv).fast else (0.4, 1.0)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a screen without 你 gets \u4f60
    try:
        title = _(
            "The same {n} tokens in three ways: when is each made, when does it come?",
            n=len(ANSWER),
        )
        say(title)
        layers = " · ".join(tint(layer, layer) for layer in COLOURS if layer != "dim")
        say(_("Layers: {layers}", layers=layers))
        first, last = _("first text"), _("last text")
        table = f"\n{'':30}{right(first, 10)} {right(last, 10)}"
        for number, (target, hop, name, why) in enumerate(RESPONSES, 1):
            time.sleep(pause)
            say("\n" + _("{number}  {name}: {why}", number=number, name=_(name), why=_(why)) + "\n")
            at = show(target, hop, pace=lambda token: time.sleep(token_gap))
            table += f"\n  {number}  {pad(_(name), 25)}{at[0]:8.2f} s {at[1]:8.2f} s"
        say(table + "\n" + _(PUNCH_LINE))
    except KeyboardInterrupt:
        print()
        return 130
    except BrokenPipeError:  # `workshop aha | head`: the reader closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0
