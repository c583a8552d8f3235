"""The limit holds under all kinds of requests at once, and each request is counted once."""

from collections.abc import Callable

import msgspec
import pytest
import trio
from trio.testing import MockClock

from servers.chat import routes
from servers.http.reply import Reply, Request
from servers.llm.engine import Engine
from servers.llm.model.models import Model
from servers.llm.model.script import SHIPPED, load_scripts
from servers.llm.pace import Pace

from ...streams import receive_all
from ..driving import ask, connected, get
from .asking import post

LONG = "word " * 10_000
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def respond(**fields: object) -> bytes:
    body = msgspec.json.encode({"model": "sim-1", "input": "hi"} | fields)
    return (
        b"POST /v1/responses HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body


def with_field(request: bytes, field: bytes) -> bytes:
    return request.replace(b"Host: a\r\n", b"Host: a\r\n" + field + b"\r\n", 1)


KINDS = {
    "chat": post(),
    "a stream": post(stream=True),
    "responses": respond(),
    "a stream of responses": respond(stream=True),
    "GET /chat": get("/chat/hi"),
    "from the middle": get("/chat/hi", "Last-Event-ID: 0-3"),
    "tools": post(tools=[TOOL]),
    "tools of responses": respond(tools=[{"type": "function", "name": "f", "parameters": {}}]),
    "a schema": post(response_format={"type": "json_object"}),
    "stop": post(stop=["e", "zz"], stream=True),
    "n": post(n=5, stream=True),
    "logprobs": post(logprobs=True, top_logprobs=20),
    "a large body": post(messages=[{"role": "user", "content": LONG}]),
    "a large echo": post(model="echo", messages=[{"role": "user", "content": LONG}]),
    "large instructions": respond(instructions=LONG, stream=True),
    "a script": post(model="script:weather"),
    "lorem": post(model="lorem", max_tokens=20_000, stream=True, stop="zz"),
    "recorded": with_field(post(stream=True), b"X-Wire: 1"),
    "a fault": with_field(post(stream=True), b"X-Fault: fin@2"),
    "HEAD": get("/chat/hi").replace(b"GET", b"HEAD", 1),
}


def counts(engine: Engine) -> dict[tuple[str, str], float]:
    (family,) = (each for each in engine.metrics.collect() if each.name == "workshop_requests")
    return {
        (sample.labels["route"], sample.labels["reason"]): sample.value
        for sample in family.samples
    }


class Most(trio.abc.Instrument):
    """The largest number of reservations held after any step of any task."""

    def __init__(self, held: Callable[[], int]) -> None:
        self.held = held
        self.most = 0

    def after_task_step(self, task: object) -> None:
        self.most = max(self.most, self.held())


@pytest.mark.parametrize(("batch", "queue"), [(1, 2), (8, 4), (0, 0)])
async def test_the_limit_holds(batch: int, queue: int, autojump_clock: MockClock) -> None:
    """Of two hundred requests of all kinds at once, as many as the limit get a reservation. The
    others are refused before any time has passed."""
    engine = Engine(batch, queue)
    served = routes(Pace(1, 0), engine, Model(0, load_scripts(SHIPPED)))
    tasks, served.tasks = served.tasks, ()  # run once for all connections
    refused: list[float] = []
    answered: list[float] = []
    most = Most(lambda: engine.admission.held)
    running = Most(lambda: engine.running + engine.waiting)

    async def one(request: bytes) -> None:
        async with connected(served) as memory:
            await memory.client.send_all(request)
            await memory.client.send_eof()
            start = trio.current_time()
            status = await memory.client.receive_some()
            came = refused if status.startswith(b"HTTP/1.1 503 ") else answered
            came.append(trio.current_time() - start)
            await receive_all(memory.client)

    trio.lowlevel.add_instrument(most)
    trio.lowlevel.add_instrument(running)
    async with trio.open_nursery() as serving:
        for task in tasks:
            serving.start_soon(task)
        async with trio.open_nursery() as nursery:
            for request in [*KINDS.values()] * 10:
                nursery.start_soon(one, request)
        serving.cancel_scope.cancel()
    trio.lowlevel.remove_instrument(most)
    trio.lowlevel.remove_instrument(running)
    assert len(refused) + len(answered) == 200
    assert len(answered) >= batch + queue
    assert max(refused) == 0
    assert most.most == batch + queue
    assert running.most <= batch + queue
    assert engine.admission.held == 0
    assert sum(counts(engine).values()) == 200
    assert sum(n for (_, reason), n in counts(engine).items() if reason == "rejected") == len(
        refused
    )


ONE_OF_EACH = {
    "an answer": (post(), "POST /v1/chat/completions", "done"),
    "a stream": (post(stream=True), "POST /v1/chat/completions", "done"),
    "a stream of responses": (respond(stream=True), "POST /v1/responses", "done"),
    "GET /chat": (get("/chat/hi"), "GET /chat/{text}", "done"),
    "a finished answer": (get("/chat/hi", "Last-Event-ID: 0-end"), "GET /chat/{text}", "done"),
    "only the head": (KINDS["HEAD"], "GET /chat/{text}", "cancelled"),
    "not JSON": (post(n="x"), "POST /v1/chat/completions", "invalid"),
    "a bad option of GET /chat": (get("/chat/hi?fault=x"), "GET /chat/{text}", "invalid"),
    "503 by a header": (
        with_field(post(), b"X-Fault: 503"),
        "POST /v1/chat/completions",
        "failed",
    ),
    "503 by a model": (post(model="fault-503"), "POST /v1/chat/completions", "failed"),
    "429 of GET /chat": (get("/chat/hi?fault=429"), "GET /chat/{text}", "invalid"),
    "cut before its first event": (
        with_field(post(stream=True), b"X-Fault: fin@1"),
        "POST /v1/chat/completions",
        "cut off on purpose",
    ),
    "cut before its head": (
        with_field(post(stream=True), b"X-Fault: no-head"),
        "POST /v1/chat/completions",
        "cut off on purpose",
    ),
    "the models": (get("/v1/models"), "GET /v1/models", "done"),
    "no such model": (get("/v1/models/x"), "GET /v1/models/{id}", "done"),
    "no such route": (get("/v1/nothing"), "GET /v1/{path}", "invalid"),
}


@pytest.mark.parametrize(("request_", "route", "reason"), ONE_OF_EACH.values(), ids=ONE_OF_EACH)
async def test_every_request_is_counted_once(request_: bytes, route: str, reason: str) -> None:
    """However it is answered, and its reservation is released."""
    engine = Engine()
    await ask(routes(Pace(0, 0), engine), request_)
    assert counts(engine) == {(route, reason): 1}
    assert engine.admission.held == 0


async def test_a_client_disconnects_before_its_first_byte(autojump_clock: MockClock) -> None:
    """During an answer in one body, or in the queue: its reservation is released at once."""
    engine = Engine(1, 1)
    served = routes(Pace(3600, 1), engine)
    async with connected(served) as first:
        await first.client.send_all(post())
        await trio.testing.wait_all_tasks_blocked()
        assert engine.admission.held == 1
        first.connection.client_disconnected()
        await first.done.wait()
    assert engine.admission.held == 0
    assert counts(engine) == {("POST /v1/chat/completions", "cancelled"): 1}


async def test_a_handler_that_fails_releases_its_reservation() -> None:
    """A bug must not use up a reservation for each request that meets it."""
    engine = Engine(1, 0)

    async def fails(request: Request) -> Reply:
        assert engine.admission.held == 1
        raise ZeroDivisionError

    guarded = engine.admission.guard("GET /x", fails, Reply)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await guarded(Request("GET", "/x"))
    assert engine.admission.held == 0
    assert counts(engine) == {("GET /x", "failed"): 2}
