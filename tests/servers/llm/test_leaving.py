"""Clients disconnect during an answer: its sequence leaves the batch, no other client notices."""

import random
from typing import Any

import pytest
import trio

from clients.streams.tcp import ByteStream, SocketStream
from servers.chat import routes
from servers.http.connection import Limits
from servers.llm.engine import Engine
from servers.llm.pace import Pace

from ..driving import Running, connected, open_files, running, until
from .asking import post

LONG = {"model": "lorem", "max_tokens": 100_000, "stream": True}


async def see(client: ByteStream, wanted: bytes) -> None:
    """Read until these bytes have come."""
    seen = b""
    while wanted not in seen:
        data = await client.receive_some()
        assert data, seen
        seen += data


def requests_ended(engine: Engine) -> dict[str, float]:
    """The ended requests by reason, as `GET /metrics` shows them."""
    (counts,) = (each for each in engine.metrics.collect() if each.name == "workshop_requests")
    return {sample.labels["reason"]: sample.value for sample in counts.samples}


async def test_a_client_that_closes_stops_its_sequence_within_two_writes() -> None:
    """The first write after the close succeeds; the client's kernel answers it with RST."""
    engine = Engine()
    async with running(routes(Pace(0, 0.02), engine)) as server:
        client = await server.connect()
        await client.send_all(post(**LONG))
        await see(client, b" ipsum")
        client.close()
        tokens = engine.metrics.tokens
        await until(lambda: engine.running == 0)
        assert engine.metrics.tokens <= tokens + 2
        assert requests_ended(engine) == {"the client disconnected": 1}
        assert engine.metrics.cancelled == 1


async def test_a_client_that_closes_before_the_first_token_is_found_by_a_heartbeat() -> None:
    """The client's kernel answers the heartbeat with RST, so no token is ever made."""
    engine = Engine()
    limits = Limits(heartbeat_seconds=0.01)
    async with running(routes(Pace(3600, 0.02), engine), limits) as server:
        client = await server.connect()
        await client.send_all(post(**LONG))
        await see(client, b"\r\n\r\n")
        client.close()
        await until(lambda: engine.running == 0)
        assert engine.metrics.tokens == 0
        assert requests_ended(engine) == {"the client disconnected": 1}


async def test_how_an_answer_ends_before_its_fault() -> None:
    """A fault is between the answer and its connection, which knows why the answer ended."""
    asked = post(**LONG).replace(b"Host: a\r\n", b"Host: a\r\nX-Fault: rst@5\r\n")
    for leave, reason in (
        ("client_disconnected", "the client disconnected"),
        ("abort", "the server stopped"),
    ):
        engine = Engine()
        async with connected(routes(Pace(0, 3600), engine)) as memory:
            await memory.client.send_all(asked)
            await see(memory.client, b"\r\n\r\n")
            await trio.testing.wait_all_tasks_blocked()
            getattr(memory.connection, leave)()
            await memory.done.wait()
        assert requests_ended(engine) == {reason: 1}


async def test_a_client_disconnects_from_an_answer_in_one_body() -> None:
    """Its sequence leaves the batch, like that of a stream."""
    engine = Engine()
    async with connected(routes(Pace(3600, 0.02), engine)) as memory:
        await memory.client.send_all(post(model="lorem"))
        await trio.testing.wait_all_tasks_blocked()
        assert engine.running == 1
        memory.connection.client_disconnected()
        await memory.done.wait()
    assert requests_ended(engine) == {"cancelled": 1}
    assert engine.metrics.cancelled == 1


async def test_a_client_in_the_queue_disconnects() -> None:
    """Its answer never runs; the next one in the queue does."""
    engine = Engine(max_batch=1)
    async with running(routes(Pace(0, 0.01), engine), Limits(heartbeat_seconds=0.01)) as server:
        first, second, third = [await server.connect() for _ in range(3)]
        for number, client in enumerate((first, second, third), 1):
            await client.send_all(post(**LONG))
            await until(lambda: engine.running + engine.waiting == number)  # noqa: B023
        assert (engine.running, engine.waiting) == (1, 2)
        second.reset()
        await until(lambda: engine.waiting == 1)
        first.reset()
        await see(third, b" ipsum")
        assert (engine.running, engine.waiting) == (1, 0)


async def test_a_slow_reader_pauses_its_own_sequence(autojump_clock: Any) -> None:
    """Its tokens are not made, and so need no memory. When the timeout expires, its connection is
    reset. Meanwhile another client gets all tokens on time."""
    engine = Engine()
    served = routes(Pace(0, 0), engine)
    async with connected(served, Limits(stall_seconds=60), size=4096) as slow:
        await slow.client.send_all(post(**LONG))
        await trio.sleep(30)
        made = engine.metrics.tokens
        assert made < 40
        assert engine.running == 1
        await trio.sleep(10)
        assert engine.metrics.tokens == made
        await see(slow.client, b" ipsum")
        await trio.testing.wait_all_tasks_blocked()
        assert engine.metrics.tokens > made
        await trio.sleep(80)
        assert engine.running == 0
        assert engine.metrics.back_pressure > 30


async def connect_and_disconnect(server: Running, dice: random.Random) -> None:
    client = await server.connect()
    try:
        request, wanted = post(**LONG), dice.choice([0, 0, 100, 3000, 20_000])
        if dice.random() < 0.2:
            request, wanted = post(model="lorem"), dice.choice([0, 100])
        if dice.random() < 0.1:
            request, wanted = request[: dice.randrange(len(request))], 0
        await client.send_all(request)
        while wanted > 0:
            wanted -= len(await client.receive_some()) or wanted
    except trio.BrokenResourceError:
        pass
    finally:
        disconnect(client, dice)


def disconnect(client: SocketStream, dice: random.Random) -> None:
    if dice.random() < 0.5:
        client.reset()
    else:
        client.close()


@pytest.mark.parametrize("pace", [Pace(0, 0.001), Pace(0.01, 0)])
async def test_a_thousand_clients_disconnect(pace: Pace) -> None:
    """They do so at random moments, in all ways. No task, socket or sequence remains, and the
    server still answers."""
    engine, dice = Engine(max_batch=50, max_queue=2000), random.Random(11)
    files = open_files()
    async with running(routes(pace, engine), Limits(heartbeat_seconds=0.01)) as server:
        await server.ask(post(model="echo").replace(b"Host", b"Connection: close\r\nHost"))
        await until(lambda: server.server.connection_count == 0)
        tasks = trio.lowlevel.current_statistics().tasks_living
        limiter = trio.CapacityLimiter(100)

        async def one() -> None:
            async with limiter:
                await connect_and_disconnect(server, dice)

        async with trio.open_nursery() as nursery:
            for _ in range(1000):
                nursery.start_soon(one)
        await until(lambda: server.server.connection_count == 0)
        assert (engine.running, engine.waiting) == (0, 0)
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        reply = await server.ask(post(model="echo").replace(b"Host", b"Connection: close\r\nHost"))
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        await until(lambda: server.server.connection_count == 0)
    assert open_files() == files
