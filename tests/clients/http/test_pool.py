"""Connections that are used again: which, how long, and never one that has been closed."""

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
    """As the other end finds out."""
    with trio.move_on_after(0.01):
        try:
            return await peer.receive_some() == b""
        except trio.BrokenResourceError:
            return True
    return False


async def test_taken_once() -> None:
    stream, _ = memory_pair()
    async with pool_of() as pool:
        assert await pool.take(ORIGIN) is None
        pool.put(ORIGIN, stream)
        assert len(pool) == 1
        assert await pool.take("https://other:443") is None
        assert await pool.take(ORIGIN) is stream
        assert await pool.take(ORIGIN) is None


async def test_the_one_used_last_is_taken_first() -> None:
    """The others grow old, and are closed in the end."""
    (first, _), (second, _) = memory_pair(), memory_pair()
    async with pool_of() as pool:
        pool.put(ORIGIN, first)
        pool.put(ORIGIN, second)
        assert await pool.take(ORIGIN) is second
        assert await pool.take(ORIGIN) is first


async def test_too_many(autojump_clock: MockClock) -> None:
    pairs = [memory_pair() for _ in range(3)]
    async with pool_of(max_idle=2) as pool:
        for stream, _ in pairs:
            pool.put(ORIGIN, stream)
        await wait_all_tasks_blocked()
        assert len(pool) == 2
        assert [await is_closed(peer) for _, peer in pairs] == [True, False, False]


async def test_none_is_kept_where_none_is_wanted(autojump_clock: MockClock) -> None:
    stream, peer = memory_pair()
    async with pool_of(max_idle=0) as pool:
        pool.put(ORIGIN, stream)
        assert len(pool) == 0
        assert await is_closed(peer)


async def test_too_old(autojump_clock: MockClock) -> None:
    stream, peer = memory_pair()
    async with pool_of(idle_seconds=30) as pool:
        pool.put(ORIGIN, stream)
        await trio.sleep(29)
        assert len(pool) == 1
        await trio.sleep(2)
        assert await pool.take(ORIGIN) is None
        assert await is_closed(peer)


@pytest.mark.parametrize("said", ["goodbye", "words", "reset"])
async def test_a_server_that_speaks_first(said: str, autojump_clock: MockClock) -> None:
    """Whatever it says: an answer to a question that nobody asked cannot be one to the next."""
    stream, peer = memory_pair()
    async with pool_of() as pool:
        pool.put(ORIGIN, stream)
        await wait_all_tasks_blocked()
        if said == "goodbye":
            await peer.send_eof()
        elif said == "words":
            await peer.send_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        else:
            peer.reset()
        await wait_all_tasks_blocked()
        assert len(pool) == 0
        assert await pool.take(ORIGIN) is None


async def test_all_are_closed_in_the_end(autojump_clock: MockClock) -> None:
    stream, peer = memory_pair()
    async with pool_of() as pool:
        pool.put(ORIGIN, stream)
    assert await is_closed(peer)


async def test_what_is_taken_is_not_lost(autojump_clock: MockClock) -> None:
    """Also where the taker is cancelled before it has it."""
    stream, peer = memory_pair()
    async with pool_of() as pool:
        pool.put(ORIGIN, stream)
        with trio.CancelScope() as scope:
            scope.cancel()
            await pool.take(ORIGIN)
        await wait_all_tasks_blocked()
        assert await is_closed(peer)


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\n", b""], ids=["an answer", "a goodbye"])
async def test_what_lies_there_already(said: bytes, autojump_clock: MockClock) -> None:
    """Taken before its task had a turn to listen: the next request must not get this answer."""
    stream, peer = memory_pair()
    if said:
        await peer.send_all(said)
    else:
        await peer.send_eof()
    async with pool_of() as pool:
        pool.put(ORIGIN, stream)
        assert await pool.take(ORIGIN) is None
        assert await is_closed(peer)
