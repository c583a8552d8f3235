"""The spec suite on servers that are not ours: small FastAPI endpoints under uvicorn, on sockets.

One endpoint is right. Each other one has a fault that people really have, and the suite must find
just that.
"""

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
import trio

from ..spec import cases
from ..spec.case import CASES
from ..spec.engine import run_case
from ..spec.openai_asking import request_body
from ..spec.target import Target
from .peers import unavailable

assert cases

TOKENS = ["Streams", " travel", " far.", "\nA", " second", " line", " 你好", " 👋"]
FIELDS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}

Events = Callable[[], AsyncIterator[str]]


async def right() -> AsyncIterator[str]:
    for token in TOKENS:
        yield f"data: {json.dumps({'text': token}, ensure_ascii=False)}\n\n"


async def raw_text() -> AsyncIterator[str]:
    for token in TOKENS:
        yield f"data: {token}\n\n"


async def one_line_end() -> AsyncIterator[str]:
    for token in TOKENS:
        yield f"data: {json.dumps({'text': token})}\n"


async def chat() -> AsyncIterator[str]:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[Any] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": token} for token in TOKENS]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    for choice in [*choices, {"index": 0, "delta": {}, "finish_reason": "stop"}]:
        yield f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n"
    yield "data: [DONE]\n\n"


async def chat_without_done() -> AsyncIterator[str]:
    async for event in chat():
        if "[DONE]" not in event:
            yield event


@contextmanager
def serving(events: Events, media_type: str) -> Iterator[str]:
    """Serve these events under uvicorn, in a thread. Yields the URL."""
    for name in ("fastapi", "uvicorn"):
        if not find_spec(name):
            unavailable(f"{name} is missing: pip install -c .ci/locked.txt -e '.[bench]'")
    fastapi, uvicorn = import_module("fastapi"), import_module("uvicorn")
    app = fastapi.FastAPI()
    streaming = fastapi.responses.StreamingResponse

    @app.api_route("/stream", methods=["GET", "POST"])  # type: ignore[untyped-decorator]
    async def stream() -> Any:
        return streaming(events(), media_type=media_type, headers=FIELDS)

    # `ws`: an old uvicorn imports a part of websockets that warns.
    config = uvicorn.Config(
        app, port=0, log_level="error", lifespan="off", loop="asyncio", ws="none"
    )
    server = uvicorn.Server(config)
    sock = config.bind_socket()
    sock.listen()  # so that a client may connect before the thread runs
    thread = threading.Thread(target=server.run, args=([sock],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}/stream"
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


async def judge(url: str, body: bytes, select: tuple[str, ...]) -> list[str]:
    """The cases of these families, or of these names, that do not pass."""
    target = Target(url, method="POST" if body else "GET", body=body)
    broken, passed = [], 0
    for case in CASES.values():
        if case.slug.startswith(select):
            outcome = await run_case(case, target, tries=1)
            if outcome.result in ("WARN", "FAIL"):
                broken.append(case.slug)
            passed += outcome.result == "PASS"
    assert passed
    return broken


SSE = ("sse.", "utf8.")
STREAM = ("openai.data", "openai.done", "openai.finish", "openai.json", "openai.o", "openai.role")


@pytest.mark.parametrize(
    ("events", "media_type", "select", "broken"),
    [
        (right, "text/event-stream", SSE, []),
        (right, "text/plain", SSE, ["sse.content-type"]),
        (raw_text, "text/event-stream", SSE, ["sse.no-lost-lines"]),
        (one_line_end, "text/event-stream", SSE, ["sse.last-event-ends", "sse.one-value-an-event"]),
        (chat, "text/event-stream", SSE + STREAM, []),
        (chat_without_done, "text/event-stream", STREAM, ["openai.done"]),
    ],
)
def test_only_the_fault_is_found(
    events: Events, media_type: str, select: tuple[str, ...], broken: list[str]
) -> None:
    with serving(events, media_type) as url:
        body = request_body("openai", "m") if events in (chat, chat_without_done) else b""
        assert trio.run(judge, url, body, select) == broken
