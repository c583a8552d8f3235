"""The answer of every Python peer: the same events as ours, made as the peer's users make them.

    chatcmpl-…, role     at once
    a token              after TTFT, then ITL after the one before, by the ideal clock
    finish_reason        right after the last token; then "data: [DONE]"

A request without `stream` gets one JSON object, when the last token would be due.

Every event is built from its token when it is due: a dict, then orjson where it is installed, else
json. Nothing is prepared in advance, and each event is one write. A token that is due at once still
gives the other tasks a turn.
"""

import argparse
import asyncio
import json
import socket
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from importlib import import_module
from itertools import cycle, islice
from typing import Any


def _encoder() -> Callable[[Any], bytes]:
    try:
        orjson = import_module("orjson")
    except ModuleNotFoundError:
        encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        return lambda value: encode(value).encode()
    dumps: Callable[[Any], bytes] = orjson.dumps
    return dumps


encode = _encoder()

HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
CONTENT_TYPE = "text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"
WORDS = [" Lorem", " ipsum", " dolor", " sit", " amet,", " 流", "式", "输出", " consectetur", " 🌊"]


def tokens(count: int) -> list[str]:
    return list(islice(cycle(WORDS), count))


class Completion:
    """The part that all events of one answer have in common."""

    def __init__(self, model: str) -> None:
        self.id = f"chatcmpl-{uuid.uuid4().hex[:24]}"
        self.created = int(time.time())
        self.model = model

    def whole(self, count: int) -> bytes:
        """The answer as one object."""
        message = {"role": "assistant", "content": "".join(tokens(count)), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": count, "total_tokens": count + 1}
        completion = {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [choice],
            "usage": {**usage, "completion_tokens_details": {"reasoning_tokens": 0}},
            "system_fingerprint": "fp_sim_1",
        }
        return encode(completion)

    def event(self, delta: dict[str, str | None], finish_reason: str | None = None) -> bytes:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        chunk = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "fp_sim_1",
            "choices": [choice],
        }
        return b"data: " + encode(chunk) + b"\n\n"


class Pace:
    """Return a parser with the flags --ttft and --itl, in seconds, and --certificate, for a server
    with TLS."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.ttft: float = options.ttft
        self.itl: float = options.itl
        self.certificate: str = options.certificate

    async def answer(self, model: str, count: int) -> AsyncGenerator[bytes, None]:
        """Yield the events of one answer, each when it is due, on any asyncio loop."""
        now = asyncio.get_running_loop().time
        due = now() + self.ttft
        completion = Completion(model)
        yield completion.event({"role": "assistant", "content": "", "refusal": None})
        for token in tokens(count):
            await asyncio.sleep(max(0.0, due - now()))
            yield completion.event({"content": token})
            due += self.itl
        yield completion.event({}, "stop")
        yield DONE

    async def whole(self, model: str, count: int) -> bytes:
        """The answer in one piece, when its last token is due."""
        if seconds := self.ttft + self.itl * max(count - 1, 0):
            await asyncio.sleep(seconds)
        return Completion(model).whole(count)


def start() -> tuple[socket.socket, Pace]:
    """Read the flags, listen, and print the address as the first line on standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ttft", type=float, default=0.2)
    parser.add_argument("--itl", type=float, default=0.03)
    parser.add_argument("--certificate", default="")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"listens on http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    return listener, Pace(options)
