"""`at_each_await` cancels an operation once at each of its own awaits, and at no other task's."""

import pytest
import trio

from .cancelling import at_each_await


async def test_it_cancels_at_each_await_in_turn() -> None:
    came_to = []
    for cancelled in at_each_await():
        steps = []
        with cancelled:
            for step in range(3):
                await trio.lowlevel.checkpoint()
                steps.append(step)
        came_to.append(steps)
    assert came_to == [[], [0], [0, 1], [0, 1, 2]]


async def test_awaits_of_tasks_of_the_operation_count() -> None:
    """Two tasks with one await each; the nursery waits for the end of both."""

    async def step() -> None:
        await trio.lowlevel.checkpoint()
        done.append("step")

    came_to = []
    for cancelled in at_each_await():
        done: list[str] = []
        with cancelled:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(step)
                nursery.start_soon(step)
            done.append("all")
        came_to.append(done)
    assert came_to[0] == []
    assert ["step"] in came_to
    assert came_to[-1] == ["step", "step", "all"]


async def test_awaits_of_other_tasks_do_not_count() -> None:
    async def runs_beside() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    runs = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runs_beside)
        for cancelled in at_each_await():
            runs += 1
            with cancelled:
                await trio.sleep(0.001)
        nursery.cancel_scope.cancel()
    assert runs == 2


async def test_an_error_of_the_operation_is_raised() -> None:
    async def fail() -> None:
        for cancelled in at_each_await():
            with cancelled:
                await trio.lowlevel.checkpoint()
                raise KeyError

    with pytest.raises(KeyError):
        await fail()


async def test_an_endless_operation() -> None:
    async def go_on() -> None:
        for cancelled in at_each_await(10):
            with cancelled:
                while True:
                    await trio.lowlevel.checkpoint()

    with pytest.raises(AssertionError, match="more than 10 awaits"):
        await go_on()
