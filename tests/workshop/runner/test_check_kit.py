"""The tools for checks: tokens one at a time, waits with a deadline, and all bytes kept."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from workshop.runner.check_kit import Failure, Lab, at_a_time, few, first_difference
from workshop.runner.exercises import leaf_errors


async def test_the_example_of_the_module(autojump_clock: MockClock) -> None:
    """Lock-step: the second token is generated when the first has arrived."""
    lab = Lab()
    source = lab.tokens("你", "好")
    ours, theirs = lab.connection()

    async def respond() -> None:
        async for token in source:
            await theirs.send_all(token.encode())

    async with lab.running(respond):
        for token in source.release_each():
            made = source.made
            await lab.receive_until(ours, token.encode(), f"the bytes of {source}")
            assert source.made == made + 1
    assert lab.received == "你好".encode()
    assert source.closed


async def test_an_answer_that_holds_bytes_back(autojump_clock: MockClock) -> None:
    """The failure names the missing bytes; the clock jumps over the wait."""
    lab = Lab()
    source = lab.tokens("你", "好", "!")
    ours, theirs = lab.connection()

    async def hold_back() -> None:
        held = b""
        async for token in source:
            await theirs.send_all(held)
            held = token.encode()

    async def check() -> None:
        async with lab.running(hold_back):
            for token in source.release_each():
                await lab.receive_until(ours, token.encode(), f"the bytes of {source}")

    with pytest.raises(ExceptionGroup) as caught:
        await check()
    (failure,) = leaf_errors(caught.value)
    assert isinstance(failure, Failure)
    assert str(failure) == "waited 2 s for the bytes of token 1, '你': the answer holds them back"
    assert failure.name == "held-back"


async def test_a_stream_that_ends_too_early(autojump_clock: MockClock) -> None:
    lab = Lab()
    ours, theirs = lab.connection()
    await lab.send(theirs, b"ab")
    theirs.close()
    with pytest.raises(Failure, match="the stream ended before the answer came") as caught:
        await lab.receive_until(ours, b"abc", "the answer")
    assert (caught.value.name, caught.value.sent, caught.value.received) == (
        "cut-off",
        b"ab",
        b"ab",
    )


async def test_an_exercise_that_does_not_read(autojump_clock: MockClock) -> None:
    lab = Lab()
    ours, _ = lab.connection(size=3)
    with pytest.raises(Failure, match="waited 2 s for a reader") as caught:
        await lab.send(ours, b"four")
    assert caught.value.name == "does-not-read"


def test_an_exercise_must_not_ask_a_plain_generator_too_early() -> None:
    source = Lab().tokens("a", "b", name="reads-ahead")
    tokens = iter(source)
    with pytest.raises(Failure, match="token 1 was asked for before a reader needed it"):
        next(tokens)

    tokens = iter(source)
    source.release()
    assert next(tokens) == "a"
    early = "token 2 was asked for before the bytes of token 1, 'a', came"
    with pytest.raises(Failure, match=early):
        next(tokens)


def test_closing_a_plain_generator() -> None:
    source = Lab().tokens("a", "b")
    source.release(5)
    tokens = iter(source)
    assert (next(tokens), source.made, source.released, source.closed) == ("a", 1, 2, False)
    tokens.close()
    assert source.closed


async def test_waiting_for_the_end_of_a_stream(autojump_clock: MockClock) -> None:
    source = Lab().tokens("a", "b")
    source.release()
    stream = aiter(source)
    assert await anext(stream) == "a"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.until_closed)
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()


@pytest.mark.parametrize("answer", ["你好", None])
def test_an_answer_that_is_not_bytes(answer: Any) -> None:
    """It fails at once, and is not logged: the report could not be encoded with it."""
    lab = Lab()
    with pytest.raises(Failure, match=f"expected bytes, but got .*: {answer!r}") as caught:
        lab.take(answer)
    assert (caught.value.name, lab.log) == ("no-bytes", [])
    assert lab.take(bytearray(b"3")) == lab.received == b"3"


@pytest.mark.parametrize(
    ("received", "expected", "offset"),
    [(b"", b"", 0), (b"ab", b"ab", 2), (b"ab", b"abc", 2), (b"abc", b"ab", 2), (b"ax", b"ab", 1)],
)
def test_first_difference(received: bytes, expected: bytes, offset: int) -> None:
    assert first_difference(received, expected) == offset


def test_the_size_of_pieces_in_words() -> None:
    assert [at_a_time(size) for size in (1, 2)] == ["one byte at a time", "2 bytes at a time"]


def test_a_long_list_is_shortened_in_a_message() -> None:
    """A list of thousands of sizes would hide what is wrong with it."""
    assert few([1, 2, 3]) == few((1, 2, 3)) == "[1, 2, 3]"
    assert few(range(10)) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
    assert few(range(4000)) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … 4000 in all]"
