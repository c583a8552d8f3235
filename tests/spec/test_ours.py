"""The suite on this project's servers: none of them fails a case, and none gets a warning."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from clients.streams.memory import memory_pair
from clients.streams.tcp import ByteStream
from servers.chat import routes
from servers.http.connection import Connection
from servers.http.routes import Routes
from servers.http.watch import Watch
from servers.llm.api import Settings
from servers.llm.pace import Pace

from . import cases
from .case import CASES
from .engine import run_case
from .openai_asking import request_body
from .target import Target

assert cases


@asynccontextmanager
async def serving(served: Routes, path: str, body: bytes) -> AsyncGenerator[Target, None]:
    """Serve in memory. Yields a target for this path."""
    watch = Watch()
    try:
        async with trio.open_nursery() as nursery:

            async def connect(host: str, port: int, *, stall_seconds: float) -> ByteStream:
                client, accepted = memory_pair()
                nursery.start_soon(Connection(accepted, served, watch).serve)
                return client

            nursery.start_soon(watch.run)
            for task in served.tasks:
                nursery.start_soon(task)
            method = "POST" if body else "GET"
            yield Target(f"http://localhost:9000{path}", method=method, body=body, connect=connect)
            nursery.cancel_scope.cancel()
    finally:
        watch.close()


PACE = Pace(ttft=0.05, itl=0.02)
SLOW = Pace(ttft=0.5, itl=0.06)  # a disconnect needs time to be seen


async def results(path: str, body: bytes, families: set[str], pace: Pace = PACE) -> dict[str, str]:
    """Each case of these families that does not pass, with the reason."""
    found = {}
    async with serving(routes(pace, settings=Settings(strict_models=True)), path, body) as target:
        for case in CASES.values():
            if case.family in families:
                outcome = await run_case(case, target, tries=1)
                say = outcome.failure.say if outcome.failure else outcome.why
                if outcome.result != "PASS":
                    found[case.slug] = f"{outcome.result}: {say}"
    return found


def judged(path: str, body: bytes, *families: str, pace: Pace = PACE) -> dict[str, str]:
    clock = MockClock(autojump_threshold=0)
    return trio.run(results, path, body, set(families), pace, clock=clock)


NOT_SILENT = {"sse.heartbeat": "SKIP: the stream was never silent for long"}
NO_IDS = {
    "sse.ids-differ": "SKIP: the events have no ids",
    "sse.resumes": "SKIP: not a GET",
}


def test_chat_completions() -> None:
    found = judged("/v1/chat/completions", request_body("openai", "sim-1"), "sse", "utf8", "openai")
    assert found == NOT_SILENT | NO_IDS


def test_responses() -> None:
    found = judged("/v1/responses", request_body("responses", "sim-1"), "sse", "utf8", "responses")
    assert found == NOT_SILENT | NO_IDS


def test_named_events() -> None:
    requests = ("torn", "escapes")
    no_body = {f"utf8.request-{one}": "SKIP: the request has no body in JSON" for one in requests}
    no_body["utf8.bad-request"] = "SKIP: the request has no body in JSON"
    assert judged("/chat/%E4%BD%A0%E5%A5%BD", b"", "sse", "utf8") == NOT_SILENT | no_body


HTTP = ("chunked", "head", "conn", "http10", "live", "cancel", "pressure")
NOT_OURS = {
    "chunked.trailers-without-framing": "SKIP: the answer has no trailer section",
    "live.gzip-is-flushed": "SKIP: the server does not compress this stream",
    "pressure.producer-waits": "SKIP: the stream fits into the buffers of the kernel: this needs"
    " one of 512 KiB or more",
}


def test_http() -> None:
    found = judged("/v1/chat/completions", request_body("openai", "sim-1"), *HTTP, pace=SLOW)
    assert found == NOT_OURS
