"""One task that reads for many: each is called when something has come, and nobody else is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from clients.streams.poller import Arrivals
from clients.streams.tcp import CLOSING, ByteStream

from ...streams import SAFETY, memory_pair
from .test_tcp import Pair, on_loopback

Open = Callable[[], Awaitable[Pair]]


@pytest.fixture
async def tcp_pair() -> AsyncIterator[Open]:
    """Opens connections over the loopback, which are closed in the end."""
    opened: list[ByteStream] = []

    async def open_pair() -> Pair:
        pair = await on_loopback()
        opened.extend(pair)
        return pair

    yield open_pair
    for stream in opened:
        stream.close()


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Arrivals, trio.Nursery]]:
    arrivals = Arrivals()
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrivals.run)
            yield arrivals, nursery
            nursery.cancel_scope.cancel()


async def test_called_for_what_comes_until_it_says_no(tcp_pair: Open) -> None:
    """For its own stream, and with the time."""
    (near, far), (other, _) = await tcp_pair(), await tcp_pair()
    taken: list[bytes | None] = []

    def take(now: float) -> bool:
        assert 0 <= trio.current_time() - now < 10
        taken.append(near.receive_now())
        return len(taken) < 3

    def never(now: float) -> bool:
        raise AssertionError("nothing has come for this one")

    async with running() as (arrivals, nursery):
        nursery.start_soon(arrivals.each, other, never)
        async with trio.open_nursery() as reading:
            reading.start_soon(arrivals.each, near, take)
            for number in range(3):
                await far.send_all(b"%d" % number)
                while len(taken) <= number:
                    await trio.lowlevel.checkpoint()
        assert taken == [b"0", b"1", b"2"]
        await far.send_all(b"more")
        await wait_all_tasks_blocked(0.01)
        assert len(taken) == 3


async def test_what_it_raises_is_its_own_tasks(tcp_pair: Open) -> None:
    (near, far), (other, other_far) = await tcp_pair(), await tcp_pair()

    def fails(now: float) -> bool:
        raise trio.BrokenResourceError("the client has gone")

    async def expect() -> None:
        with pytest.raises(trio.BrokenResourceError, match="the client has gone"):
            await arrivals.each(near, fails)

    async with running() as (arrivals, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect)
            await far.send_all(b"x")
        await other_far.send_all(b"x")
        await arrivals.each(other, lambda now: False)  # and the others are served


async def test_cancelled_means_never_called_again(tcp_pair: Open) -> None:
    near, far = await tcp_pair()
    calls = 0

    def take(now: float) -> bool:
        nonlocal calls
        calls += 1
        return True

    async with running() as (arrivals, _):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(arrivals.each, near, take)
                await wait_all_tasks_blocked()
                scope.cancel()
        await far.send_all(b"x")
        await wait_all_tasks_blocked(0.01)
        assert calls == 0
        near.close()
        # The kernel gives its number away again: nothing is left that would be in the way.
        again, again_far = await tcp_pair()
        await again_far.send_all(b"x")
        await arrivals.each(again, lambda now: False)


async def test_one_that_ends_another_in_the_same_round(tcp_pair: Open) -> None:
    """Both have something; who is called first cancels the other's task."""
    pairs = [await tcp_pair() for _ in range(2)]
    scopes = [trio.CancelScope() for _ in pairs]
    called: list[int] = []

    async def wait(index: int) -> None:
        def take(now: float) -> bool:
            called.append(index)
            scopes[1 - index].cancel()
            return False

        with scopes[index]:
            await arrivals.each(pairs[index][0], take)

    async with running() as (arrivals, _):
        async with trio.open_nursery() as nursery:
            for index in range(2):
                nursery.start_soon(wait, index)
            await wait_all_tasks_blocked()
            for _, far in pairs:
                far.send_now(b"x")
        assert len(called) == 1


async def test_a_stream_without_a_socket_waits_for_itself() -> None:
    near, far = memory_pair()
    taken: list[bytes | None] = []

    def take(now: float) -> bool:
        taken.append(near.receive_now())
        return len(taken) < 2

    async with running() as (arrivals, _), trio.open_nursery() as nursery:
        nursery.start_soon(arrivals.each, near, take)
        for _ in range(2):
            await wait_all_tasks_blocked()
            far.send_now(b"x")
    assert taken == [b"x", b"x"]


@pytest.mark.parametrize("other", ["nothing", "a new connection with the same number"])
async def test_another_task_closes_the_stream(tcp_pair: Open, other: str) -> None:
    """Whoever waits hears of it at once, as everywhere: an epoll does not say so."""
    near, _ = await tcp_pair()
    async with running() as (arrivals, nursery):
        ended = trio.Event()

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await arrivals.each(near, lambda now: True)
            ended.set()

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        near.close()
        if other != "nothing":
            await tcp_pair()
        await ended.wait()


async def test_a_wait_can_be_cancelled_when_the_stream_is_closed_in_the_same_turn(
    tcp_pair: Open,
) -> None:
    near, _ = await tcp_pair()
    async with running() as (arrivals, _):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def close() -> None:
                    await wait_all_tasks_blocked()
                    near.close()
                    scope.cancel()

                nursery.start_soon(close)
                with pytest.raises(trio.ClosedResourceError):
                    await arrivals.each(near, lambda now: True)


async def test_one_that_closes_its_own_stream(tcp_pair: Open) -> None:
    near, far = await tcp_pair()

    def take(now: float) -> bool:
        near.close()
        return False

    async with running() as (arrivals, _):
        await far.send_all(b"x")
        with pytest.raises(trio.ClosedResourceError):
            await arrivals.each(near, take)
    assert not CLOSING


async def test_two_tasks_cannot_wait_for_one_stream(tcp_pair: Open) -> None:
    """And the first of them goes on waiting."""
    near, far = await tcp_pair()
    async with running() as (arrivals, _), trio.open_nursery() as nursery:
        nursery.start_soon(arrivals.each, near, lambda now: False)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await arrivals.each(near, lambda now: False)
        await far.send_all(b"x")


async def test_when_nobody_calls_any_more_each_waits_for_itself(tcp_pair: Open) -> None:
    near, far = await tcp_pair()
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            arrivals = Arrivals()
            scope = trio.CancelScope()

            async def run() -> None:
                with scope:
                    await arrivals.run()

            nursery.start_soon(run)
            nursery.start_soon(arrivals.each, near, lambda now: False)
            await wait_all_tasks_blocked()
            scope.cancel()
            await wait_all_tasks_blocked()
            await far.send_all(b"x")


def test_one_that_never_runs_is_not_kept() -> None:
    """Every proxy makes one: only a stream that is waited for is in the list of those to tell."""
    Arrivals()
    assert not CLOSING
