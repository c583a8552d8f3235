"""Lesson 7: a FIN is not a disconnect. A failed write proves one, and so does an RST.

A reader may disconnect at any moment: it closes a tab, loses its network, or presses Ctrl-C. What
the server's kernel receives depends on how the client closed:

    close()        FIN     the same bytes as "I have sent everything, and go on reading"
    shutdown(WR)   FIN     which is what `printf … | nc` means
    reset          RST     unmistakable; a close with unread bytes sends one too

So a FIN proves nothing. The first write after a close succeeds, because the server's kernel does
not know of the close yet. The client's kernel answers with an RST, and only the second write fails.
A model that thinks for a minute writes nothing for a minute. Without a heartbeat, it would continue
although nobody reads. This is why servers send heartbeats.

Run this file; then read it, and `servers/http/watch.py`, which asks the kernel about all
connections at once.
"""

import argparse
import select
import socket
import struct
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
try:
    import trio

    from servers.http.command import show_log
    from servers.http.connection import Limits
    from servers.http.reply import EventStream, Last, Request
    from servers.http.routes import Routes
    from servers.http.server import Server, listen
    from workshop.runner import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

# --- 1. What the server gets from its kernel ------------------------------------------------


def half_close(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def close(client: socket.socket) -> None:
    client.close()


def reset(client: socket.socket) -> None:
    # Linger for 0 seconds: close with an RST in place of a FIN.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


WAYS_TO_CLOSE: dict[str, Callable[[socket.socket], None]] = {
    "shutdown(WR), reads on": half_close,
    "close()": close,
    "RST": reset,
}


def server_calls(close_client: Callable[[socket.socket], None]) -> list[str]:
    """Close a client. Returns the results of the server's next `recv`, `send` and `send`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        server.settimeout(5)
        close_client(client)
        results = [result(lambda: server.recv(100)), result(lambda: server.send(b"token 1"))]
        if close_client is close:
            # The client's kernel answers that write with an RST. A poll for no event at all returns
            # when the RST has arrived: servers/http/watch.py does the same for thousands of
            # connections.
            poll = select.poll()
            poll.register(server, 0)
            poll.poll(5000)
        return [*results, result(lambda: server.send(b"token 2"))]


def result(call: Callable[[], bytes | int]) -> str:
    try:
        returned = call()
    except OSError as error:
        return type(error).__name__
    return f"{returned} bytes" if isinstance(returned, int) else repr(returned)


def kernel() -> None:
    print("1. Three ways to close a connection. What does the server get?")
    print(f"   {'the client did':26}{'recv':24}{'send token 1':18}send token 2")
    for name, close_client in WAYS_TO_CLOSE.items():
        received, first, second = server_calls(close_client)
        print(f"   {name:26}{received:24}{first:18}{second}")


# --- 2. When one of our servers stops its model ---------------------------------------------


class Thinking:
    """A model that thinks for ever.

    Attributes:
        begun: Set when the server has asked for the first token.
        stopped: Set when the server has stopped the model.
    """

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.stopped = trio.Event()

    async def handler(self, request: Request) -> EventStream:
        return EventStream(self.tokens())

    async def tokens(self) -> AsyncGenerator[bytes | Last, None]:
        try:
            self.begun.set()
            await trio.sleep_forever()
            yield b""
        finally:
            self.stopped.set()


async def disconnect_in_silence(
    close_client: Callable[[socket.socket], None], heartbeat_seconds: float, wait_seconds: float
) -> float | None:
    """Ask a model that sends nothing, and disconnect.

    Returns:
        Seconds until the model was stopped, or None if it still thinks after `wait_seconds`.
    """
    model = Thinking()
    limits = Limits(heartbeat_seconds=heartbeat_seconds)
    server = Server(Routes({"GET /": model.handler}), limits=limits)
    sockets = listen("127.0.0.1", 0)
    stopped_after = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, sockets)
        with socket.create_connection(sockets[0].getsockname()) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await model.begun.wait()
            client.recv(4096)  # the head; no body follows
            began = trio.current_time()
            close_client(client)
            with trio.move_on_after(wait_seconds):
                await model.stopped.wait()
                stopped_after = trio.current_time() - began
        server.abort()
    return stopped_after


async def silence(wait_seconds: float) -> None:
    print("\n2. A model thinks in silence, and its reader disconnects. When does the model stop?")
    cases = [
        ("close(), no heartbeat", close, 3600.0),
        ("close(), a heartbeat each 0.5 s", close, 0.5),
        ("RST, no heartbeat", reset, 3600.0),
    ]
    for name, close_client, heartbeat in cases:
        seconds = await disconnect_in_silence(close_client, heartbeat, wait_seconds)
        if seconds is None:
            outcome = f"after {wait_seconds:g} s it is still thinking"
        else:
            outcome = f"stopped after {1000 * seconds:.0f} ms"
        print(f"   {name:34}{outcome}", flush=True)


async def show(wait_seconds: float) -> None:
    kernel()
    await silence(wait_seconds)


def main() -> int:
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="07_leaving", description=about)
    parser.add_argument("--fast", action="store_true", help="wait 2 s for a silent model, not 5")
    options = parser.parse_args()
    show_log(quiet=True)
    return lesson.run(show, 2.0 if options.fast else 5.0)


if __name__ == "__main__":
    sys.exit(main())
