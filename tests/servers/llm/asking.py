"""Requests to the API's routes, and the parts of the replies that the tests compare."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from protocol.chunked import ChunkedDecoder
from protocol.sse import EventStreamParser, ServerSentEvent
from servers.http.routes import Routes

from ..driving import ask


def post(**fields: object) -> bytes:
    asked = {"model": "sim-1", "messages": [{"role": "user", "content": "hi ho"}]} | fields
    return post_raw(msgspec.json.encode(asked))


def post_raw(body: bytes) -> bytes:
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body


def body_of(reply: bytes) -> bytes:
    return reply.partition(b"\r\n\r\n")[2]


def error_of(reply: bytes) -> tuple[int, dict[str, Any]]:
    return int(reply[9:12]), msgspec.json.decode(body_of(reply))["error"]


async def response_events(served: Routes, fault: str) -> list[ServerSentEvent]:
    """The events of a stream of the Responses API with this fault."""
    body = msgspec.json.encode({"model": f"fault-{fault}", "input": "Hi", "stream": True})
    head = b"POST /v1/responses HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    chunks = body_of(await ask(served, head + body))
    return EventStreamParser().receive_data(b"".join(ChunkedDecoder().receive_data(chunks)))


@dataclass
class Written:
    """A writer whose bytes the test has chosen."""

    tokens: Iterable[bytes]
    last: bytes = b""
    opening: bytes = b""

    def steps(self) -> Iterator[bytes]:
        return iter(self.tokens)
