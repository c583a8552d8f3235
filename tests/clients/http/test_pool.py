"""Reused connections: which one, for how long, and never one that the server has closed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from clients.http.pool import Pool

from ...streams import MemoryStream, memory_pair

ORIGIN = "https://api.example.com:443"


@asynccontextmanager
async def pool_of(max_idle: int = 2, idle_seconds: float = 30) -> AsyncIterator[Pool]:
    async with trio.open_nursery() as nursery:
        yield Pool(nursery, max_idle, idle_seconds)
        nursery.cancel_scope.cancel()


async def is_closed(peer: MemoryStream) -> bool:
    """Return whether the pool has closed its end."""
    with trio.move_on_after(0.01):
        try:
            return await peer.receive_some() == b""
        except trio.BrokenResourceError:
            return True
    return False


async def test_a_connection_is_taken_once() -> None:
    stream, _ = memory_pair()
    async with pool_of() as pool:
        assert await pool.take(ORIGIN) is None
        pool.put(ORIGIN, stream)
        assert len(pool) == 1
        assert await pool.take("https://other:443") is None
        assert await pool.take(ORIGIN) is stream
        assert await pool.take(ORIGIN) is None


async def test_the_one_used_last_is_taken_first() -> None:
    """So the others become too old, and are closed."""
    (first, _), (second, _) = memory_pair(), memory_pair()
    async with pool_of() as pool:
        pool.put(ORIGIN, first)
        pool.put(ORIGIN, second)
        assert await pool.take(ORIGIN) is second
        assert await pool.take(ORIGIN) is first


async def test_one_too_many_evicts_the_oldest(autojump_clock: MockClock) -> None:
    pairs = [memory_pair() for _ in range(3)]
    async with pool_of(max_idle=2) as pool:
        for stream, _ in pairs:
            pool.put(ORIGIN, stream)
        await wait_all_tasks_blocked()
        assert len(pool) == 2
        assert [await is_closed(peer) for _, peer in pairs] == [True, False, False]


async def test_max_idle_0_keeps_no_connection(autojump_clock: MockClock) -> None:
    stream, peer = memory_pair()
    async with pool_of(max_idle=0) as pool:
        pool.put(ORIGIN, stream)
        assert len(pool) == 0
        assert await is_closed(peer)


async def test_a_connection_that_is_too_old_is_closed(autojump_clock: MockClock) -> None:
    stream, peer = memory_pair()
    async with pool_of(idle_seconds=30) as pool:
        pool.put(ORIGIN, stream)
        await trio.sleep(29)
        assert len(pool) == 1
        await trio.sleep(2)
        assert await pool.take(ORIGIN) is None
        assert await is_closed(peer)


@pytest.mark.parametrize("sent", ["FIN", "bytes", "reset"])
async def test_a_server_that_sends_first(sent: str, autojump_clock: MockClock) -> None:
    """Its connection is dropped: these bytes must not become the answer to the next request."""
    stream, peer = memory_pair()
    async with pool_of() as pool:
        pool.put(ORIGIN, stream)
        await wait_all_tasks_blocked()
        if sent == "FIN":
            await peer.send_eof()
        elif sent == "bytes":
            await peer.send_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        else:
            peer.reset()
        await wait_all_tasks_blocked()
        assert len(pool) == 0
        assert await pool.take(ORIGIN) is None


async def test_all_connections_are_closed_at_the_end(autojump_clock: MockClock) -> None:
    stream, peer = memory_pair()
    async with pool_of() as pool:
        pool.put(ORIGIN, stream)
    assert await is_closed(peer)


async def test_a_cancelled_take_closes_the_connection(autojump_clock: MockClock) -> None:
    stream, peer = memory_pair()
    async with pool_of() as pool:
        pool.put(ORIGIN, stream)
        with trio.CancelScope() as scope:
            scope.cancel()
            await pool.take(ORIGIN)
        await wait_all_tasks_blocked()
        assert await is_closed(peer)


@pytest.mark.parametrize("sent", [b"HTTP/1.1 200 OK\r\n", b""], ids=["an answer", "a FIN"])
async def test_bytes_before_the_task_listens(sent: bytes, autojump_clock: MockClock) -> None:
    """Taken before the task had a turn: the next request must not get this answer."""
    stream, peer = memory_pair()
    if sent:
        await peer.send_all(sent)
    else:
        await peer.send_eof()
    async with pool_of() as pool:
        pool.put(ORIGIN, stream)
        assert await pool.take(ORIGIN) is None
        assert await is_closed(peer)
