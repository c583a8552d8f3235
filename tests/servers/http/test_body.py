"""The sending side of a body: when other tasks get a turn, and two ways to send the same."""

import gc
from collections.abc import AsyncGenerator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from servers.http.body import Body
from servers.http.reply import Request, StreamingReply
from servers.http.routes import Routes

from ...streams import MemoryStream, memory_pair, receive_until
from ..driving import connected, get

PIECES = [b"a", b"", b"hello", b"x" * 300, b"end"]


class Turns(trio.abc.Instrument):
    """Counts how often this task has given the others a turn."""

    def __init__(self) -> None:
        self.count = 0
        self._task = trio.lowlevel.current_task()

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        self.count += task is self._task


async def test_one_turn_for_the_head_and_the_first_piece() -> None:
    """The bytes are sent first, then the others get their turn."""
    stream, _ = memory_pair()
    body = Body(stream, chunked=True)
    turns = Turns()
    trio.lowlevel.add_instrument(turns)
    assert body.begin(b"head")
    assert (stream.writes, turns.count) == ([b"head"], 0)
    await body.send(b"piece")
    assert (stream.writes[1:], turns.count) == ([b"5\r\npiece\r\n"], 1)
    await body.end()
    assert (stream.writes[2:], turns.count) == ([b"0\r\n\r\n"], 1)


async def read(client: MemoryStream, received: list[bytes]) -> None:
    received.append(await receive_until(client, b"\r\n0\r\n\r\n"))


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
async def test_send_now_sends_the_same_bytes(size: int) -> None:
    """`send_now` and `send_many_now`, with `flush` for a slow reader, send the same as `send`."""
    received: list[bytes] = []
    pieces = list(filter(None, PIECES))
    for way in ("send", "send_now", "send_many_now"):
        server, client = memory_pair(size)
        body = Body(server, chunked=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, client, received)
            for piece in pieces if way != "send_many_now" else ():
                if way == "send":
                    await body.send(piece)
                elif not body.send_now(piece, 0.0):
                    await body.flush()
            if way == "send_many_now" and not body.send_many_now(pieces, 0.0):
                await body.flush()
            await body.end()
        assert (body.pieces, body.size) == (4, sum(map(len, PIECES)))
    assert received[0] == received[1] == received[2]


async def test_a_request_is_released_while_its_reply_streams() -> None:
    async def handler(request: Request) -> StreamingReply:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"first"
            await trio.sleep_forever()

        return StreamingReply(pieces())

    async with connected(Routes({"GET /forgotten": handler})) as memory:
        await memory.client.send_all(get("/forgotten"))
        await receive_until(memory.client, b"first\r\n")
        await wait_all_tasks_blocked()
        gc.collect()
        held = [each for each in gc.get_objects() if type(each) is Request]
        assert [each.path for each in held if each.path == "/forgotten"] == []
        memory.client.reset()
