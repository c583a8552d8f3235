"""An API that vanishes without FIN or RST: the proxy's timeout frees both sides, and says why."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from clients.streams.tcp import SocketStream
from protocol.sse import EventStreamParser
from servers.openai_proxy.relay import Timeouts

from ...streams import receive_all
from ...vanishing import needs_vanishing, vanish
from ..driving import until
from ..http.test_vanished import in_use
from .fake_api import EVENTS, chunked, proxied, read_request
from .test_relay import decoded, error_of, parts, post

# The proxy's own timeout is real here, because a kernel drops the packets. The tests wait up to
# ten times as long.
SECONDS = 1.0
TIMEOUTS = Timeouts(first_event=SECONDS, idle=SECONDS)


@asynccontextmanager
async def vanishing_api(said: bytes) -> AsyncIterator[int]:
    """An API that sends these bytes in reply to a request, then vanishes. Yields its port."""

    async def serve(opened: trio.SocketStream) -> None:
        stream = SocketStream.adopt(opened)
        try:
            await read_request(stream)
            await stream.send_all(said)
            vanish(stream)
            await trio.sleep_forever()
        finally:
            stream.close()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def ask_all(port: int, request: bytes) -> bytes:
    """Ask this API through the proxy, three times. Fails if a connection or task is left."""
    replies: list[bytes] = []
    async with proxied(port, TIMEOUTS) as proxy:
        await wait_all_tasks_blocked()
        files, tasks, connections = in_use()

        async def ask() -> None:
            client = await proxy.connect()
            await client.send_all(request)
            replies.append(await receive_all(client))
            client.close()

        with trio.fail_after(10 * SECONDS):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(ask)
            await until(lambda: proxy.server.connection_count == 0)
        await wait_all_tasks_blocked()
        # The vanished ends themselves stay open: three tasks and three files of this test.
        assert in_use() == (files + 3, tasks + 3, connections)
    return replies[0]


@needs_vanishing
async def test_before_the_head() -> None:
    async with vanishing_api(b"") as port:
        assert error_of(await ask_all(port, post())) == (504, "upstream_first_event_timeout")


@needs_vanishing
@pytest.mark.parametrize("half", [b"", b"data: {"])
async def test_mid_stream(half: bytes) -> None:
    """Between two events an error event says why; inside one the proxy sends nothing."""
    sent = EVENTS + chunked(b"data: {}\n\n") + (chunked(half) if half else b"")
    async with vanishing_api(sent) as port:
        head, body = parts(await ask_all(port, post()))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    data, is_whole = decoded(body)
    assert not is_whole
    first, *more = EventStreamParser().receive_data(data)
    assert first.data == "{}"
    if half:
        assert (more, data) == ([], b"data: {}\n\n" + half)
    else:
        (event,) = more
        assert msgspec.json.decode(event.data)["error"]["code"] == "upstream_idle_timeout"
