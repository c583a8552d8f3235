"""Lesson 7: leaving. A FIN does not say that the reader has gone: a write finds out, or an RST.

A reader may leave at any moment: a tab is closed, a phone loses its network, somebody presses
Ctrl-C. What the server's kernel hears of that depends on how it was done:

    close()        FIN     the same bytes as "I have said everything, and go on reading"
    shutdown(WR)   FIN     which is what `printf … | nc` means
    reset          RST     unmistakable: a close with unread bytes is one too

So a FIN proves nothing. The first write after a close succeeds, for nobody has told the kernel yet;
it draws an RST from the other side, and only the second write fails. A model that thinks for a
minute writes nothing for a minute: it would compute for nobody. Hence the heartbeat.

Run this file; then read it, and `servers/http/watch.py`, which asks the kernel for all streams at
once.
"""

import argparse
import select
import socket
import struct
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs in a clone
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

# --- 1. What the kernel says ----------------------------------------------------------------


def half_close(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def close(client: socket.socket) -> None:
    client.close()


def reset(client: socket.socket) -> None:
    # Linger for 0 seconds: no FIN, an RST.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


GOODBYES: dict[str, Callable[[socket.socket], None]] = {
    "shutdown(WR), reads on": half_close,
    "close()": close,
    "RST": reset,
}


def what_the_kernel_says(goodbye: Callable[[socket.socket], None]) -> list[str]:
    """What `recv`, a first `send` and a second `send` give the server after this goodbye."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        server.settimeout(5)
        goodbye(client)
        said = [told(lambda: server.recv(100)), told(lambda: server.send(b"token 1"))]
        if goodbye is close:
            # The answer to that write is an RST, on its way. A poll for no event at all returns
            # when the connection is broken: servers/http/watch.py does the same for thousands.
            poll = select.poll()
            poll.register(server, 0)
            poll.poll(5000)
        return [*said, told(lambda: server.send(b"token 2"))]


def told(call: Callable[[], bytes | int]) -> str:
    try:
        result = call()
    except OSError as error:
        return type(error).__name__
    return f"{result} bytes" if isinstance(result, int) else repr(result)


def kernel() -> None:
    print("1. The client says goodbye. What does its server get?")
    print(f"   {'the client did':26}{'recv':24}{'send token 1':18}send token 2")
    for name, goodbye in GOODBYES.items():
        received, first, second = what_the_kernel_says(goodbye)
        print(f"   {name:26}{received:24}{first:18}{second}")


# --- 2. What a server of ours makes of it ---------------------------------------------------


class Thinking:
    """A model that thinks for ever, and says when it was stopped."""

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


async def leave_a_silent_model(
    goodbye: Callable[[socket.socket], None], heartbeat_seconds: float, patience: float
) -> float | None:
    """Ask a model that says nothing, and leave.

    Returns:
        After how many seconds it was stopped; None if it still thought after `patience`.
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
            client.recv(4096)  # the head; nothing else will come
            began = trio.current_time()
            goodbye(client)
            with trio.move_on_after(patience):
                await model.stopped.wait()
                stopped_after = trio.current_time() - began
        server.abort()
    return stopped_after


async def silence(patience: float) -> None:
    print("\n2. A model thinks in silence, and its reader leaves. When does it stop?")
    cases = [
        ("close(), no heartbeat", close, 3600.0),
        ("close(), a heartbeat each 0.5 s", close, 0.5),
        ("RST, no heartbeat", reset, 3600.0),
    ]
    for name, goodbye, heartbeat in cases:
        seconds = await leave_a_silent_model(goodbye, heartbeat, patience)
        if seconds is None:
            told = f"after {patience:g} s it is still thinking"
        else:
            told = f"stopped after {1000 * seconds:.0f} ms"
        print(f"   {name:34}{told}", flush=True)


async def show(patience: float) -> None:
    kernel()
    await silence(patience)


def main() -> int:
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="07_leaving", description=about)
    parser.add_argument("--fast", action="store_true", help="wait 2 s for a silent model, not 5")
    options = parser.parse_args()
    show_log(quiet=True)
    return lesson.run(show, 2.0 if options.fast else 5.0)


if __name__ == "__main__":
    sys.exit(main())
