"""Where the work of one request goes, in bytecodes: a count that no other program disturbs.

    python -m tests.bench.request_split           requests of the bench, over TCP, in one process

    room            whole  streamed       bytecodes for an answer of 8 tokens without pauses
    trio              …        …          its event loop: two turns, one of them the client's
    servers/http      …        …          heads, routes, replies
    …

One bytecode may do much, such as reading JSON, and the work of the kernel is not counted. So
compare the counts of one room before and after a change.
"""

import argparse
import socket
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import CodeType, FrameType
from typing import Any

import trio

from servers import chat
from servers.http.server import Server, listen
from servers.llm.pace import Pace

from .peers import Setting

__all__ = ["ROOMS", "count"]

# Part of a file's path, and its room. The first part that fits counts.
ROOMS = {
    "/trio/": "trio",
    "servers/http/": "servers/http",
    "servers/llm/verdict/": "servers/llm/verdict",
    "servers/llm/": "servers/llm",
    "protocol/": "protocol",
    "clients/streams/": "clients/streams",
    "": "other libraries",
}
WARM = 3


async def count(stream: bool, requests: int) -> Counter[str]:
    """Return the bytecodes that one request takes in each room, on average."""
    counted: Counter[CodeType] = Counter()
    setting = Setting(0, 0, 8, stream)
    server, sockets = Server(chat.routes(Pace(0, 0))), listen("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, sockets)
        with socket.create_connection(sockets[0].getsockname()) as client:
            client.setblocking(False)
            for _ in range(WARM):
                await _ask(client, setting)
            sys.settrace(partial(_trace, counted))
            try:
                for _ in range(requests):
                    await _ask(client, setting)
            finally:
                sys.settrace(None)
        server.abort()
    rooms: Counter[str] = Counter()
    for code, number in counted.items():
        if code.co_filename != __file__:
            part = next(part for part in ROOMS if part in code.co_filename)
            rooms[ROOMS[part]] += number
    return Counter({room: round(number / requests) for room, number in rooms.items()})


async def _ask(client: socket.socket, setting: Setting) -> None:
    client.send(setting.request)
    end = b"0\r\n\r\n" if setting.stream else b"}"
    received = b""
    while not received.endswith(end):
        # This wait takes one turn of trio's loop, which is counted, too.
        await trio.lowlevel.wait_readable(client)
        received += client.recv(65536)


def _trace(
    counted: Counter[CodeType], frame: FrameType, event: str, value: Any
) -> Callable[..., Any]:
    frame.f_trace_opcodes, frame.f_trace_lines = True, False
    if event == "opcode":
        counted[frame.f_code] += 1
    return partial(_trace, counted)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.request_split")
    parser.add_argument("--requests", type=int, default=100)
    requests = parser.parse_args().requests
    whole, streamed = (trio.run(count, stream, requests) for stream in (False, True))
    print(f"{'room':22}{'whole':>8}{'streamed':>10}")
    for room in dict.fromkeys(ROOMS.values()):
        print(f"{room:22}{whole[room]:8,}{streamed[room]:10,}")
    print(f"{'together':22}{whole.total():8,}{streamed.total():10,}")


if __name__ == "__main__":
    main()
