"""A real server under attack: each request of hostile.py gets its status and a close, and then
nothing of it is left."""

import re

import pytest
import trio
import trio.testing

from clients.streams.tcp import SocketStream
from servers.http.connection import Limits
from servers.http.reply import Reply
from servers.http.routes import Routes

from ...streams import SAFETY, receive_all
from ..driving import CLOSE, echo, get, open_files, replying, running, text, until
from .hostile import ATTACKS, CHUNKED, MAX_BODY, Attack

ROUTES = Routes({"GET /": replying(Reply("hello\n")), "POST /echo": echo})
LIMITS = Limits(max_body_size=MAX_BODY)
STATUS_LINE = re.compile(rb"^HTTP/1\.1 ([0-9]{3}) [^\r\n]*\r\n", re.MULTILINE)
GOOD = get("/", "Connection: close")


async def attack(client: SocketStream, row: Attack, step: int) -> bytes:
    """Send the row in pieces of this size. Returns the complete answer, to the server's close."""
    received = b""

    async def receive() -> None:
        nonlocal received
        received = await receive_all(client)

    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            try:
                for start in range(0, len(row.sent), step):
                    await client.send_all(row.sent[start : start + step])
                if row.fin:
                    await client.send_eof()
            except trio.BrokenResourceError:
                pass  # it has answered, waited a while, and closed
    client.close()
    return received


def check(row: Attack, received: bytes) -> None:
    found = list(STATUS_LINE.finditer(received))
    assert tuple(int(match[1]) for match in found) == row.statuses, received
    if found:  # the last response says that the connection ends
        assert CLOSE in received[found[-1].start() :]


@pytest.mark.parametrize("row", ATTACKS, ids=[row.name for row in ATTACKS])
async def test_attack(row: Attack, caplog: pytest.LogCaptureFixture) -> None:
    """It gets its status and a close. The next client is served as usual."""
    async with running(ROUTES, LIMITS) as server:
        check(row, await attack(await server.connect(), row, 1 << 20))
        assert await server.ask(GOOD) == text(b"hello\n", CLOSE)
    assert [record for record in caplog.records if record.exc_info] == []


SMALL = [row for row in ATTACKS if len(row.sent) <= 300]


@pytest.mark.parametrize("row", SMALL, ids=[row.name for row in SMALL])
async def test_attack_byte_by_byte(row: Attack) -> None:
    async with running(ROUTES, LIMITS) as server:
        check(row, await attack(await server.connect(), row, 1))


async def test_nothing_is_left() -> None:
    """After all attacks at once on one server, no connection, task or open file is left."""
    files = open_files()
    async with running(ROUTES, LIMITS) as server:
        await server.ask(GOOD)
        await until(lambda: server.server.connection_count == 0)
        tasks = trio.lowlevel.current_statistics().tasks_living
        files_serving = open_files()
        for _ in range(3):
            async with trio.open_nursery() as nursery:
                for row in ATTACKS:

                    async def one(row: Attack) -> None:
                        check(row, await attack(await server.connect(), row, 1 << 20))

                    nursery.start_soon(one, row)
        assert await server.ask(GOOD) == text(b"hello\n", CLOSE)
        await until(lambda: server.server.connection_count == 0)
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert open_files() == files_serving
    assert open_files() == files


def test_the_table_is_long() -> None:
    """And every row has its own name."""
    assert len(ATTACKS) >= 40
    assert len({row.name for row in ATTACKS}) == len(ATTACKS)


async def test_chunk_size_over_the_limit() -> None:
    """The limits on a body are 413 (RFC 9110 §15.5.14), however it is framed."""
    async with running(ROUTES, LIMITS) as server:
        reply = await server.ask(CHUNKED + b"ffffffffff\r\n")
    assert reply.startswith(b"HTTP/1.1 413 ")
