"""A relay that is cancelled at any await frees everything, on both sides.

Each exchange runs once for each await of the relay's task, and is cancelled at that await. The
server does the same when the kernel reports that the client has disconnected.
"""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from clients.streams.tcp import ByteStream
from clients.streams.tls import HandshakeError, TLSStream
from servers.http.connection import Connection
from servers.openai_proxy.relay import Timeouts

from ...clients.streams.tls_peers import server_context
from ...streams import MemoryStream, receive_until
from .fake_api import END, EVENTS, chunked, whole
from .in_memory import Between, between
from .test_relay import BODY, JSON, post

WORDS = b'{"error":{"message":"no"}}'
EVENT = chunked(b'data: {"n":1}\n\n')
BIG = chunked(b"data: " + b"x" * 9000 + b"\n\n")
DONE = chunked(b"data: [DONE]\n\n") + END


class DisconnectAt(trio.abc.Instrument):
    """Disconnects the client at the n-th await of the task that serves its connection.

    Attributes:
        awaits: Number of awaits so far.
    """

    def __init__(self, connection: Connection, number: int) -> None:
        self.awaits = 0
        self._connection = connection
        self._number = number

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name.endswith(".connected.<locals>.serve"):
            self.awaits += 1
            if self.awaits == self._number:
                self._connection.client_disconnected()


# ---- What the upstream does


async def send(api: ByteStream, *pieces: bytes) -> None:
    await receive_until(api, BODY)
    for piece in pieces:
        await api.send_all(piece)
        await wait_all_tasks_blocked()


async def streams(api: ByteStream) -> None:
    """One event is so big that the write waits for the reader."""
    await send(api, EVENTS[:30], EVENTS[30:], EVENT, BIG, DONE)


async def answers(api: ByteStream) -> None:
    sent = whole(b'{"choices":[]}', "200 OK", JSON)
    await send(api, sent[:-3], sent[-3:])


async def answers_twice(api: ByteStream) -> None:
    """The second reply uses a connection from the pool."""
    await answers(api)
    await answers(api)


async def fails(api: ByteStream) -> None:
    sent = whole(WORDS, "429 Slow Down", JSON)
    await send(api, sent[:-3], sent[-3:])


async def fails_without_end(api: ByteStream) -> None:
    await send(api, whole(WORDS, "429 Slow Down", JSON)[:-3])


async def refuses_the_key(api: ByteStream) -> None:
    await send(api, whole(WORDS, "401 Unauthorized", JSON))


async def is_cut(api: ByteStream) -> None:
    await send(api, EVENTS + EVENT)
    await api.send_eof()


async def falls_silent(api: ByteStream) -> None:
    await send(api, EVENTS + EVENT)


async def never_speaks(api: ByteStream) -> None:
    await send(api)


async def speaks_tls(api: MemoryStream) -> None:
    secure = TLSStream(api, server_context(), server_side=True)
    await secure.handshake()
    await streams(secure)


APIS: list[Callable[[MemoryStream], Awaitable[None]]] = [
    streams,
    answers,
    answers_twice,
    fails,
    fails_without_end,
    refuses_the_key,
    is_cut,
    falls_silent,
    never_speaks,
    speaks_tls,
]


@pytest.mark.parametrize("does", APIS, ids=lambda does: does.__name__)
async def test_at_every_await(
    does: Callable[[MemoryStream], Awaitable[None]],
    ca_file: str,
    autojump_clock: MockClock,
) -> None:
    """Each await in turn, until a run ends before it reaches the next one."""
    secure = does is speaks_tls
    requests = post()
    if does is answers_twice:
        requests = post().replace(b"Connection: close\r\n", b"") + post()
    number, reached = 0, 1
    while reached >= number:
        number += 1
        async with between(
            timeouts=Timeouts(first_event=5, idle=2),
            size=4096,
            base_url=f"http{'s' if secure else ''}://localhost/v1",
            ca_file=ca_file if secure else None,
        ) as proxy:
            await wait_all_tasks_blocked()
            before = tasks()
            disconnect = DisconnectAt(proxy.connection, number)
            trio.lowlevel.add_instrument(disconnect)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(api_of, proxy, does)
                nursery.start_soon(client_of, proxy, requests)
                await proxy.done.wait()
                nursery.cancel_scope.cancel()
            trio.lowlevel.remove_instrument(disconnect)
            await wait_all_tasks_blocked()
            nothing_is_in_use(proxy, before)
        reached = disconnect.awaits
    assert number > 5


async def api_of(proxy: Between, does: Callable[[MemoryStream], Awaitable[None]]) -> None:
    try:
        await does(await proxy.connected())
    except (trio.BrokenResourceError, HandshakeError):
        pass


async def client_of(proxy: Between, requests: bytes) -> None:
    """Send the requests, then read only while all other tasks wait."""
    try:
        await proxy.client.send_all(requests)
        await wait_all_tasks_blocked()
        while await proxy.client.receive_some():
            await wait_all_tasks_blocked()
    except trio.BrokenResourceError:
        pass
    proxy.client.close()


def nothing_is_in_use(proxy: Between, tasks_before: int) -> None:
    """Every connection is closed or in the pool, and only the pool's watching tasks are left."""
    relay = proxy.relay
    assert relay._client is not None
    idle = len(relay._client._pool)
    assert relay.running == 0
    assert sum(not stream.closed for stream in proxy.ours) == idle
    assert tasks() == tasks_before - 1 + idle  # the task that served the connection has ended


def tasks() -> int:
    """The number of tasks in this run."""
    root = trio.lowlevel.current_root_task()
    assert root is not None
    waiting, count = [root], 0
    while waiting:
        task = waiting.pop()
        count += 1
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return count
