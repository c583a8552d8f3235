"""Requests to the chat completions route, and what of its replies the tests look at."""

from typing import Any

import msgspec


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
