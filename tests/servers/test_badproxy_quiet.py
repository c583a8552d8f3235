"""The modes that go quiet: they send neither bytes nor an end, and possibly no acknowledgments."""

import errno
import logging
import os
import socket
from types import SimpleNamespace
from typing import cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from clients.streams.tcp import SocketStream
from servers.badproxy import quiet as module
from servers.badproxy.quiet import Quiet
from servers.http.body import Outlet

from ..streams import SAFETY
from .driving import Pieces, arrivals, get, streaming
from .test_badproxy import ONE, hop, three_and_a_cut, timed, whole_answer

HOLD = 60.0


@pytest.fixture(autouse=True)
def hold_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hop holds the connection for a minute, not an hour, in which the server would check its
    timeouts 7,200 times."""
    monkeypatch.setattr(module, "HOLD_SECONDS", HOLD)


async def wide() -> Pieces:
    """The upstream sends 100 KB each second, more than the connection to the hop can hold."""
    for number in range(5):
        progress.append(number)
        yield bytes(100_000)
        await trio.sleep(1)


progress: list[int] = []


@pytest.mark.parametrize(
    ("mode", "numbers"), [("deaf=1.5", [0, 1, 2, 3, 4]), ("blackhole=1.5", [0, 1, 2])]
)
async def test_quiet_after_some_bytes(
    mode: str, numbers: list[int], autojump_clock: object
) -> None:
    """The connection stays open. A deaf hop reads its upstream to the end. A hop that has vanished
    does not, and the upstream notices that nobody reads."""
    progress.clear()
    async with hop(streaming(wide), mode) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        came = await arrivals(memory.client)
        ended_at = trio.current_time()
    assert sum(map(len, came.values())) > 200_000
    assert max(time for time, data in came.items() if data) == 1
    assert progress == numbers
    assert ended_at >= HOLD


@pytest.mark.parametrize("mode", ["deaf=0.5,hold-head", "blackhole=0.5,measure"])
async def test_quiet_before_the_head(mode: str, autojump_clock: object) -> None:
    assert await whole_answer(mode) == {}
    assert trio.current_time() >= HOLD


@pytest.mark.parametrize("mode", ["deaf=1.5,total=5", "hold-head,deaf=0,total=5"])
async def test_a_quiet_connection_has_a_lifetime_too(mode: str, autojump_clock: object) -> None:
    begun = trio.current_time()
    came = await whole_answer(mode)
    assert trio.current_time() == begun + 5
    assert b"".join(came.values()).endswith(b"" if "hold-head" in mode else ONE)


async def test_a_deaf_hop_survives_a_broken_upstream(autojump_clock: object) -> None:
    _, came = await timed(streaming(three_and_a_cut), "deaf=1.5")
    assert came == {1: ONE}
    assert trio.current_time() >= HOLD


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="needs Linux")
@pytest.mark.parametrize("vanishes", [False, True])
async def test_one_that_has_vanished_acknowledges_nothing(vanishes: bool) -> None:
    """The client's kernel sends its byte again, and gives up after its TCP_USER_TIMEOUT."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        served = SocketStream(listener.accept()[0])
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 50)
    quiet = Quiet(vanishes)
    assert quiet.wrap(served) is served
    with client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(quiet.stay)
            await wait_all_tasks_blocked()
            client.send(b"x")
            if vanishes:
                client.settimeout(SAFETY)
                with pytest.raises(TimeoutError, match=os.strerror(errno.ETIMEDOUT)):
                    await trio.to_thread.run_sync(client.recv, 1)
                assert served.receive_now() is None
            else:
                assert await served.receive_some() == b"x"
            nursery.cancel_scope.cancel()
    served.close()


async def test_a_kernel_that_cannot_drop_packets(
    autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A pipe has no socket filter. The connection is only silent, and the log says so."""
    caplog.set_level(logging.INFO)
    reading, writing = os.pipe()
    quiet = Quiet(vanishes=True)
    quiet.wrap(cast(Outlet, SimpleNamespace(fileno=lambda: reading)))
    await quiet.stay()
    os.close(reading)
    os.close(writing)
    assert caplog.messages == ["the kernel still acknowledges: Socket operation on non-socket"]
