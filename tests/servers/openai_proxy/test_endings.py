"""How a relayed reply ended, in the proxy's log and metrics: each cause has its own words."""

import logging
from collections.abc import Callable

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from servers.http.connection import Limits

from ...streams import receive_until
from .fake_api import EVENTS, chunked
from .in_memory import Between, between
from .test_relay import post

FIRST = chunked(b'data: {"n":1}\n\n')
LARGE = chunked(b"data: " + b"x" * 100_000 + b"\n\n")  # more than the client's side holds

CAUSES: dict[str, tuple[str, Callable[[Between], None], bytes]] = {
    "the client disconnects": (
        "client gone",
        lambda proxy: proxy.connection.client_disconnected(),
        FIRST,
    ),
    "the server stops": ("the server stopped", lambda proxy: proxy.connection.abort(), FIRST),
    "the reader stalls": ("the reader stalled", lambda proxy: None, FIRST + LARGE),
}


@pytest.mark.parametrize("cause", CAUSES)
async def test_a_cancelled_reply(
    cause: str,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    words, end, pieces = CAUSES[cause]
    async with between(limits=Limits(stall_seconds=10)) as proxy:
        await proxy.client.send_all(post())
        api = await proxy.connected()
        await receive_until(api, b"}")
        await api.send_all(EVENTS + pieces)
        await wait_all_tasks_blocked()
        end(proxy)
        await proxy.done.wait()
    (line,) = [line for line in caplog.messages if line.startswith("200 gpt-4o-mini")]
    assert words in line
    metrics = proxy.relay._metrics
    route = "POST /v1/chat/completions"
    assert b'workshop_requests_total{reason="%b",route="%b"} 1.0' % (
        words.encode(),
        route.encode(),
    ) in metrics.render()
    assert metrics.cancelled == 1
