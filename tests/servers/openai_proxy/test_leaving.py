"""When the client disconnects, the upstream connection closes at once, at any stage.

These tests run in memory, on trio's autojump clock: time passes only while all tasks wait.
`test_relay.py` shows on real sockets that the kernel reports a disconnect to the server.
"""

import logging
import re

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from clients.streams.tls import TLSStream
from servers.http.connection import Limits
from servers.http.watch import TICK

from ...clients.streams.tls_peers import server_context
from ...streams import MemoryStream, receive_until
from .fake_api import EVENTS, KEY, chunked, whole
from .in_memory import WITHIN, Between, between
from .test_relay import BODY, JSON, post

EVENT = chunked(b'data: {"n":1}\n\n')


async def test_at_connect(autojump_clock: MockClock) -> None:
    """The attempt to connect is cancelled."""
    cancelled: list[float] = []

    async def never(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        try:
            await trio.sleep_forever()
            raise AssertionError("it sleeps for ever")
        finally:
            cancelled.append(trio.current_time())

    async with between(open_upstream=never) as proxy:
        await proxy.client.send_all(post())
        await wait_all_tasks_blocked()
        knew = trio.current_time()
        proxy.connection.client_disconnected()
        await proxy.done.wait()
    assert cancelled[0] - knew < WITHIN


async def test_in_the_tls_handshake(autojump_clock: MockClock) -> None:
    async with between(base_url="https://localhost/v1") as proxy:
        await proxy.client.send_all(post())
        api = await proxy.connected()
        assert (await api.receive_some())[:1] == b"\x16"
        proxy.connection.client_disconnected()
        await proxy.api_sees_the_end(api)


async def sent_so_far(proxy: Between, *pieces: bytes) -> None:
    """Send a request, and these pieces of its reply."""
    await proxy.client.send_all(post())
    api = await proxy.connected()
    await receive_until(api, BODY)
    for piece in pieces:
        await api.send_all(piece)
    await wait_all_tasks_blocked()


STAGES = {
    "before the head": [],
    "in the head": [EVENTS[:30]],
    "after the head": [EVENTS],
    "between events": [EVENTS, EVENT],
    "mid-chunk": [EVENTS, EVENT, EVENT[:-9]],
    "in a body of JSON": [whole(b'{"choices":[]}', "200 OK", JSON)[:-3]],
    "in the body of an error": [whole(b'{"error":{}}', "429 Too Many Requests", JSON)[:-3]],
}


@pytest.mark.parametrize("pieces", STAGES.values(), ids=STAGES)
async def test_at_any_stage(pieces: list[bytes], autojump_clock: MockClock) -> None:
    async with between() as proxy:
        await sent_so_far(proxy, *pieces)
        api = await proxy.connected()
        proxy.connection.client_disconnected()
        await proxy.api_sees_the_end(api)


async def test_inside_tls(ca_file: str, autojump_clock: MockClock) -> None:
    async with between(base_url="https://localhost/v1", ca_file=ca_file) as proxy:
        await proxy.client.send_all(post())
        api = TLSStream(await proxy.connected(), server_context(), server_side=True)
        await api.handshake()
        await receive_until(api, BODY)
        await api.send_all(EVENTS + EVENT)
        await wait_all_tasks_blocked()
        proxy.connection.client_disconnected()
        await proxy.api_sees_the_end(api)
        assert not api.truncated  # close_notify was sent: a clean close


BIG = chunked(b"data: " + b"x" * 3000 + b"\n\n")


async def test_in_a_stalled_write(autojump_clock: MockClock) -> None:
    async with between(size=4096) as proxy:
        await sent_so_far(proxy, EVENTS, BIG)
        api = await proxy.connected()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broken_off, api, BIG * 10)
            await wait_all_tasks_blocked()
            proxy.connection.client_disconnected()
            await proxy.api_sees_the_end(api)


async def broken_off(api: MemoryStream, data: bytes) -> None:
    with pytest.raises(trio.BrokenResourceError):
        await api.send_all(data)


async def test_a_client_that_never_reads_is_disconnected_in_time(autojump_clock: MockClock) -> None:
    """A stalled reader may hold the API's connection for `stall_seconds` at most."""
    limits = Limits(stall_seconds=30)
    async with between(limits=limits, size=4096) as proxy:
        await sent_so_far(proxy, EVENTS, BIG, BIG[:3000])
        api = await proxy.connected()
        await trio.sleep(30 - TICK)
        assert not proxy.done.is_set()
        await trio.sleep(2 * TICK)
        await proxy.api_sees_the_end(api)


async def test_the_second_write_detects_a_close(autojump_clock: MockClock) -> None:
    """If the kernel reports nothing: the first write causes an RST, the second write fails."""
    async with between() as proxy:
        await sent_so_far(proxy, EVENTS, EVENT)
        api = await proxy.connected()
        proxy.client.close()
        for _ in range(2):
            await api.send_all(EVENT)
            await wait_all_tasks_blocked()
        await proxy.api_sees_the_end(api)


async def test_the_log_line(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It says how many events came, and how fast the upstream connection was closed."""
    caplog.set_level(logging.INFO)
    async with between() as proxy:
        await sent_so_far(proxy, EVENTS, EVENT)
        api = await proxy.connected()
        await trio.sleep(2)
        await api.send_all(EVENT)
        await wait_all_tasks_blocked()
        proxy.connection.client_disconnected()
        await proxy.api_sees_the_end(api)
    assert (
        "200 gpt-4o-mini ttft 0 ms gap p50 2000 ms client gone after 2 events, "
        "upstream closed in 0.0 ms" in caplog.messages
    )
    caplog.clear()
    async with between() as proxy:
        await sent_so_far(proxy)
        proxy.connection.client_disconnected()
        await proxy.done.wait()
    (line,) = [line for line in caplog.messages if "gpt-4o-mini" in line]
    assert re.fullmatch(
        r"- gpt-4o-mini client gone after 0 events, upstream closed in 0\.\d ms", line
    )
    assert KEY not in caplog.text
