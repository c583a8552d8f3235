"""The contract of a byte stream: the same tests over real sockets and streams in memory."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, SupportsIndex

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from clients.streams.tcp import SEND_SIZE, ByteStream, SocketStream, connect

from ...streams import SAFETY, memory_pair, receive_all
from .tls_peers import tls_pair

Pair = tuple[ByteStream, ByteStream]
MUCH = b"x" * (12 << 20)  # more than any kernel buffers for one connection by itself


async def in_memory() -> Pair:
    return memory_pair()


async def on_loopback() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = await connect(*listener.getsockname())
        return left, SocketStream(listener.accept()[0])


@pytest.fixture(params=[in_memory, on_loopback])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    make: Callable[[], Awaitable[Pair]] = request.param
    left, right = await make()
    yield left, right
    left.close()
    right.close()


async def test_bytes_arrive_in_order_without_boundaries(pair: Pair) -> None:
    """TCP is bytes, not messages: two writes, and reads of other sizes."""
    left, right = pair
    await left.send_all(b"6\r\n")
    await left.send_all(b"hello\n\r\n")
    await left.send_eof()
    assert b"".join([await right.receive_some(1) for _ in range(3)]) == b"6\r\n"
    assert await receive_all(right) == b"hello\n\r\n"


async def test_both_directions_at_once(pair: Pair) -> None:
    left, right = pair
    async with trio.open_nursery() as nursery:
        for one, other in ((left, right), (right, left)):

            async def send(stream: ByteStream) -> None:
                await stream.send_all(MUCH)
                await stream.send_eof()

            async def receive(stream: ByteStream) -> None:
                assert await receive_all(stream) == MUCH

            nursery.start_soon(send, one)
            nursery.start_soon(receive, other)


async def test_send_now_takes_what_fits(pair: Pair) -> None:
    """`send_now` returns at once: it takes all bytes, then some, then 0 while nobody reads."""
    left, right = pair
    assert left.send_now(b"abc") == 3
    sent = 3
    while taken := left.send_now(MUCH):
        sent += taken
    assert left.send_now(b"d") == 0
    received = 0
    while received < sent:
        received += len(await right.receive_some())
    assert received == sent


async def test_send_all_waits_for_the_reader(pair: Pair) -> None:
    """Back pressure: it returns only after the reader has read enough."""
    left, _ = pair
    with trio.move_on_after(0.05) as scope:
        await left.send_all(MUCH)
    assert scope.cancelled_caught


class Sliced(bytes):
    """Bytes that remember the largest copy that was made of a part of them."""

    largest = 0

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        part = super().__getitem__(index)
        if isinstance(part, bytes):
            self.largest = max(self.largest, len(part))
        return part


@pytest.mark.parametrize("make", [in_memory, on_loopback, tls_pair])
async def test_the_cost_of_a_large_send_is_linear(make: Callable[[], Awaitable[Pair]]) -> None:
    """No call copies all the rest: that would be 1 GB for these 12 MB in pieces of 64 KiB."""
    data = Sliced(MUCH)
    left, right = await make()
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            await left.send_all(data)
            await left.send_eof()

        nursery.start_soon(send)
        assert await receive_all(right) == MUCH
    assert 0 < data.largest <= SEND_SIZE
    left.close()
    right.close()


async def test_half_close(pair: Pair) -> None:
    """A FIN ends one direction. The other still carries bytes."""
    left, right = pair
    await left.send_all(b"question")
    await left.send_eof()
    assert await receive_all(right) == b"question"
    await right.send_all(b"answer")
    await right.send_eof()
    assert await receive_all(left) == b"answer"
    with pytest.raises(trio.BrokenResourceError):
        await left.send_all(b"more")


async def test_second_write_after_the_peers_close_fails(pair: Pair) -> None:
    """The first write after the peer's close succeeds. Only its answer, an RST, tells us."""
    left, right = pair
    right.close()
    assert await left.receive_some() == b""
    assert left.send_now(b"1") == 1
    with pytest.raises(trio.BrokenResourceError):
        left.send_now(b"2")


async def test_close_with_unread_bytes_is_a_reset(pair: Pair) -> None:
    left, right = pair
    await left.send_all(b"unread")
    right.close()
    with pytest.raises(trio.BrokenResourceError):
        await left.receive_some()


async def test_first_write_after_a_reset_fails(pair: Pair) -> None:
    left, right = pair
    right.reset()
    with pytest.raises(trio.BrokenResourceError):
        left.send_now(b"1")


async def test_reset_wakes_a_waiting_writer(pair: Pair) -> None:
    left, right = pair
    while left.send_now(MUCH):
        pass

    async def write() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await left.send_all(b"more")

    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            await trio.testing.wait_all_tasks_blocked()
            right.reset()


async def test_aclose_loses_nothing(pair: Pair) -> None:
    """It closes while bytes of the peer are unread: the peer still reads the whole answer."""
    left, right = pair
    await right.send_all(b"never read")
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await left.send_all(MUCH)
            await left.aclose()

        nursery.start_soon(answer)
        assert await receive_all(right) == MUCH
        right.close()
    assert left.fileno() == -1


async def test_aclose_waits_two_seconds_for_the_fin_of_a_silent_peer(
    pair: Pair, autojump_clock: MockClock
) -> None:
    left, _ = pair
    await left.aclose()
    assert trio.current_time() == 2
    assert left.fileno() == -1


async def test_aclose_does_not_drain_for_ever() -> None:
    """It reads a limited number of bytes from a peer that never stops sending."""
    left, right = await on_loopback()
    sent = 0

    async def flood() -> None:
        nonlocal sent
        try:
            while True:
                await right.send_all(MUCH[: 64 << 10])
                sent += 64 << 10
        except trio.BrokenResourceError:
            right.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(flood)
        assert isinstance(left, SocketStream)
        await left.aclose(1 << 20)
    assert sent < 32 << 20


async def test_aclose_reads_a_refused_upload_to_its_end() -> None:
    """A client that sends 12 MB before it reads gets the refusal, not a broken connection."""
    server, client = await on_loopback()
    refusal: list[bytes] = []

    async def upload() -> None:
        await client.send_all(bytes(12 << 20))
        await client.send_eof()
        refusal.append(await client.receive_some())
        client.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(upload)
        await server.receive_some()
        await server.send_all(b"HTTP/1.1 413 Content Too Large\r\n\r\n")
        await server.aclose()
    assert refusal == [b"HTTP/1.1 413 Content Too Large\r\n\r\n"]


async def test_a_cancelled_aclose_waits_two_seconds_at_most(autojump_clock: MockClock) -> None:
    """A peer that sends without end cannot delay a task that was cancelled."""
    left, right = await on_loopback()
    begun = trio.current_time()

    async def trickle() -> None:
        try:
            while True:
                await right.send_all(b"x")
                await trio.sleep(0.1)
        except trio.BrokenResourceError:
            right.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trickle)
        with trio.move_on_after(1) as scope:
            await left.aclose()
    assert scope.cancelled_caught
    assert trio.current_time() < begun + 2.5


async def test_aclose_of_a_broken_stream_is_quiet(pair: Pair) -> None:
    left, right = pair
    right.reset()
    await left.aclose()
    with pytest.raises(trio.ClosedResourceError):
        left.send_now(b"1")


async def test_close_wakes_a_task_that_waits(pair: Pair) -> None:
    left, _ = pair

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await left.receive_some()

    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            left.close()


async def test_every_call_after_close_fails(pair: Pair) -> None:
    """Only a second close is allowed, and does nothing."""
    left, _ = pair
    left.close()
    left.close()
    assert left.fileno() == -1
    with pytest.raises(trio.ClosedResourceError):
        left.send_now(b"1")
    for call in (left.receive_some(), left.send_all(b"1"), left.send_eof()):
        with pytest.raises(trio.ClosedResourceError):
            await call


async def test_memory_stream_records_writes() -> None:
    """`writes` lists the bytes that each call of `send_now` handed over."""
    client, server = memory_pair(size=4)
    assert server.send_now(b"ab") == 2
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.send_all, b"cdefgh")
        await trio.testing.wait_all_tasks_blocked()
        assert await client.receive_some(3) == b"abc"
        await trio.testing.wait_all_tasks_blocked()
        assert await client.receive_some() == b"defg"
    assert server.writes == [b"ab", b"cd", b"efg", b"h"]


async def test_nagles_algorithm_is_off() -> None:
    """A token is a small write, and must not wait for the next one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        stream = SocketStream(sock)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getblocking() is False
        stream.close()
