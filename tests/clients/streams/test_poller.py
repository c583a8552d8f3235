"""One task polls many streams: a callback runs when its own stream is readable, and only then."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from clients.streams.poller import Poller
from clients.streams.tcp import CLOSING, ByteStream

from ...streams import SAFETY, memory_pair
from .test_tcp import Pair, on_loopback

Open = Callable[[], Awaitable[Pair]]


@pytest.fixture
async def tcp_pair() -> AsyncIterator[Open]:
    """A function that opens connections over loopback. They are closed after the test."""
    opened: list[ByteStream] = []

    async def open_pair() -> Pair:
        pair = await on_loopback()
        opened.extend(pair)
        return pair

    yield open_pair
    for stream in opened:
        stream.close()


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Poller, trio.Nursery]]:
    poller = Poller()
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poller.run)
            yield poller, nursery
            nursery.cancel_scope.cancel()


async def test_callback_runs_for_each_read_until_it_returns_false(tcp_pair: Open) -> None:
    """For its own stream only, and with the time."""
    (near, far), (other, _) = await tcp_pair(), await tcp_pair()
    taken: list[bytes | None] = []

    def take(now: float) -> bool:
        assert 0 <= trio.current_time() - now < 10
        taken.append(near.receive_now())
        return len(taken) < 3

    def never(now: float) -> bool:
        raise AssertionError("nothing has come on this stream")

    async with running() as (poller, nursery):
        nursery.start_soon(poller.poll, other, never)
        async with trio.open_nursery() as reading:
            reading.start_soon(poller.poll, near, take)
            for number in range(3):
                await far.send_all(b"%d" % number)
                while len(taken) <= number:
                    await trio.lowlevel.checkpoint()
        assert taken == [b"0", b"1", b"2"]
        await far.send_all(b"more")
        await wait_all_tasks_blocked(0.01)
        assert len(taken) == 3


async def test_an_error_of_a_callback_is_raised_in_its_own_task(tcp_pair: Open) -> None:
    (near, far), (other, other_far) = await tcp_pair(), await tcp_pair()

    def fails(now: float) -> bool:
        raise trio.BrokenResourceError("the client has disconnected")

    async def expect() -> None:
        with pytest.raises(trio.BrokenResourceError, match="the client has disconnected"):
            await poller.poll(near, fails)

    async with running() as (poller, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect)
            await far.send_all(b"x")
        await other_far.send_all(b"x")
        await poller.poll(other, lambda now: False)  # the other streams are still polled


async def test_a_cancelled_poll_makes_no_more_calls(tcp_pair: Open) -> None:
    near, far = await tcp_pair()
    calls = 0

    def take(now: float) -> bool:
        nonlocal calls
        calls += 1
        return True

    async with running() as (poller, _):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(poller.poll, near, take)
                await wait_all_tasks_blocked()
                scope.cancel()
        await far.send_all(b"x")
        await wait_all_tasks_blocked(0.01)
        assert calls == 0
        near.close()
        # The kernel reuses its file number: nothing may be left of the old one.
        again, again_far = await tcp_pair()
        await again_far.send_all(b"x")
        await poller.poll(again, lambda now: False)


async def test_a_callback_cancels_another_in_the_same_round(tcp_pair: Open) -> None:
    """Both streams are readable; the first callback cancels the task of the second."""
    pairs = [await tcp_pair() for _ in range(2)]
    scopes = [trio.CancelScope() for _ in pairs]
    called: list[int] = []

    async def wait(index: int) -> None:
        def take(now: float) -> bool:
            called.append(index)
            scopes[1 - index].cancel()
            return False

        with scopes[index]:
            await poller.poll(pairs[index][0], take)

    async with running() as (poller, _):
        async with trio.open_nursery() as nursery:
            for index in range(2):
                nursery.start_soon(wait, index)
            await wait_all_tasks_blocked()
            for _, far in pairs:
                far.send_now(b"x")
        assert len(called) == 1


async def test_the_task_of_a_stream_without_a_socket_waits_alone() -> None:
    near, far = memory_pair()
    taken: list[bytes | None] = []

    def take(now: float) -> bool:
        taken.append(near.receive_now())
        return len(taken) < 2

    async with running() as (poller, _), trio.open_nursery() as nursery:
        nursery.start_soon(poller.poll, near, take)
        for _ in range(2):
            await wait_all_tasks_blocked()
            far.send_now(b"x")
    assert taken == [b"x", b"x"]


@pytest.mark.parametrize("other", ["nothing", "a new connection with the same number"])
async def test_another_task_closes_the_stream(tcp_pair: Open, other: str) -> None:
    """The waiting task gets the error at once, though an epoll does not report a closed file."""
    near, _ = await tcp_pair()
    async with running() as (poller, nursery):
        ended = trio.Event()

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await poller.poll(near, lambda now: True)
            ended.set()

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        near.close()
        if other != "nothing":
            await tcp_pair()
        await ended.wait()


async def test_a_close_and_a_cancellation_in_the_same_turn(
    tcp_pair: Open,
) -> None:
    near, _ = await tcp_pair()
    async with running() as (poller, _):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def close() -> None:
                    await wait_all_tasks_blocked()
                    near.close()
                    scope.cancel()

                nursery.start_soon(close)
                with pytest.raises(trio.ClosedResourceError):
                    await poller.poll(near, lambda now: True)


async def test_a_callback_closes_its_own_stream(tcp_pair: Open) -> None:
    near, far = await tcp_pair()

    def take(now: float) -> bool:
        near.close()
        return False

    async with running() as (poller, _):
        await far.send_all(b"x")
        with pytest.raises(trio.ClosedResourceError):
            await poller.poll(near, take)
    assert not CLOSING


async def test_two_tasks_cannot_wait_for_one_stream(tcp_pair: Open) -> None:
    """The second call fails, and the first goes on waiting."""
    near, far = await tcp_pair()
    async with running() as (poller, _), trio.open_nursery() as nursery:
        nursery.start_soon(poller.poll, near, lambda now: False)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await poller.poll(near, lambda now: False)
        await far.send_all(b"x")


async def test_each_task_waits_alone_after_run_has_ended(tcp_pair: Open) -> None:
    near, far = await tcp_pair()
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            poller = Poller()
            scope = trio.CancelScope()

            async def run() -> None:
                with scope:
                    await poller.run()

            nursery.start_soon(run)
            nursery.start_soon(poller.poll, near, lambda now: False)
            await wait_all_tasks_blocked()
            scope.cancel()
            await wait_all_tasks_blocked()
            await far.send_all(b"x")


def test_a_poller_that_never_runs_leaves_nothing_behind() -> None:
    """Every proxy creates one. Only streams that are polled are listed in CLOSING."""
    Poller()
    assert not CLOSING
