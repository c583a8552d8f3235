"""A peer that falls silent while a connection is made: one timeout for all of its stages.

In memory, because the time must pass. For the head and the body a caller sets a timeout of its own
(`trio.move_on_after`), and the connection is closed.
"""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from clients.http.client import open_client
from clients.http.errors import ConnectTimeoutError

from ...streams import MemoryStream, memory_pair, receive_until

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[MemoryStream]:
    """The servers' ends of all connections, in order."""
    servers: list[MemoryStream] = []

    async def connect(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        near, far = memory_pair()
        servers.append(far)
        return near

    monkeypatch.setattr("clients.http.client.connect", connect)
    monkeypatch.setattr("clients.http.tunnel.connect", connect)
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return servers


@pytest.mark.parametrize("stage", ["TLS", "CONNECT", "TLS in the tunnel"])
async def test_silence_while_connecting(
    stage: str,
    opened: list[MemoryStream],
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    if stage != "TLS":
        monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    async with open_client(connect_seconds=10) as client, trio.open_nursery() as nursery:

        async def answer() -> None:
            await wait_all_tasks_blocked()
            if stage == "TLS in the tunnel":
                await receive_until(opened[0], b"\r\n\r\n")
                await opened[0].send_all(TUNNEL)

        nursery.start_soon(answer)
        begun = trio.current_time()
        with pytest.raises(
            ConnectTimeoutError, match="no connection to h port 443 in 10 s"
        ) as late:
            async with client.request("GET", "https://h/"):
                pass
        assert trio.current_time() - begun == 10
    assert not late.value.sent
    assert await is_closed(opened[0])


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n\r\nabc"])
async def test_silence_after_it(
    said: bytes, opened: list[MemoryStream], autojump_clock: MockClock
) -> None:
    """In the head, and in the body."""
    async with open_client() as client:
        with trio.move_on_after(10) as scope:
            async with trio.open_nursery() as nursery:

                async def answer() -> None:
                    await wait_all_tasks_blocked()
                    await opened[0].send_all(said)

                nursery.start_soon(answer)
                async with client.request("GET", "http://h/") as response:
                    await response.read()
        assert scope.cancelled_caught
        assert await is_closed(opened[0])


async def is_closed(stream: MemoryStream) -> bool:
    """The other end is: all that it sent is followed by the end."""
    with trio.move_on_after(1):
        try:
            while await stream.receive_some():
                pass
        except trio.BrokenResourceError:
            pass
        return True
    return False
