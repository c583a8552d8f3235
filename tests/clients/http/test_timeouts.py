"""A peer that falls silent while a client connects: one timeout for all stages.

For the head and the body a caller sets its own timeout (`trio.move_on_after`), and the client
closes the connection. The connections are in memory, because trio's mock clock needs that.
"""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from clients.http.client import open_client
from clients.http.errors import ConnectTimeoutError

from ...streams import MemoryStream, memory_pair, receive_until

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Servers:
    """Opens connections in memory.

    Attributes:
        opened: The servers' ends of all connections, in order.
    """

    def __init__(self) -> None:
        self.opened: list[MemoryStream] = []

    async def connect(self, host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        near, far = memory_pair()
        self.opened.append(far)
        return near


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("stage", ["TLS", "CONNECT", "TLS in the tunnel"])
async def test_silence_while_connecting(
    stage: str, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    servers = Servers()
    if stage != "TLS":
        monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    async with (
        open_client(connect_seconds=10, connect=servers.connect) as client,
        trio.open_nursery() as nursery,
    ):

        async def answer() -> None:
            await wait_all_tasks_blocked()
            if stage == "TLS in the tunnel":
                await receive_until(servers.opened[0], b"\r\n\r\n")
                await servers.opened[0].send_all(TUNNEL)

        nursery.start_soon(answer)
        begun = trio.current_time()
        with pytest.raises(
            ConnectTimeoutError, match="no connection to h port 443 in 10 s"
        ) as late:
            async with client.request("GET", "https://h/"):
                pass
        assert trio.current_time() - begun == 10
    assert not late.value.sent
    assert await is_closed(servers.opened[0])


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n\r\nabc"])
async def test_cancelled_in_a_silence_of_the_server(said: bytes, autojump_clock: MockClock) -> None:
    """In the head, and in the body."""
    servers = Servers()
    async with open_client(connect=servers.connect) as client:
        with trio.move_on_after(10) as scope:
            async with trio.open_nursery() as nursery:

                async def answer() -> None:
                    await wait_all_tasks_blocked()
                    await servers.opened[0].send_all(said)

                nursery.start_soon(answer)
                async with client.request("GET", "http://h/") as response:
                    await response.read()
        assert scope.cancelled_caught
        assert await is_closed(servers.opened[0])


async def is_closed(stream: MemoryStream) -> bool:
    """Return whether the other end is closed: after its bytes comes the end."""
    with trio.move_on_after(1):
        try:
            while await stream.receive_some():
                pass
        except trio.BrokenResourceError:
            pass
        return True
    return False
