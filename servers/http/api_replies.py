"""Replies of an OpenAI-compatible API: the form of their errors, and their request id.

    413, for POST /v1/responses     {"error":{"message":"a request body over 10485760 bytes",
                                    "type":"invalid_request_error","param":null,"code":null}}
    413, for POST /echo             413 Request Entity Too Large …

A client of the API finds the message in `error`, whichever part of the server refused its request.
"""

import os

import msgspec

from protocol.openai.common import ErrorBody, ErrorResponse

from .reply import Handler, Headers, Reply, Request, StreamingReply
from .routes import plain_refusal

__all__ = ["error_reply", "identified", "json_reply", "refuse"]


def json_reply(value: object, status: int = 200, headers: Headers = ()) -> Reply:
    """Return a reply whose body is this value as JSON."""
    return Reply(msgspec.json.encode(value), status, "application/json", headers)


def error_reply(status: int, error: ErrorBody, headers: Headers = ()) -> Reply:
    """Return a reply whose body is this error, in the form of the OpenAI API."""
    return json_reply(ErrorResponse(error), status, headers)


def refuse(path: str, status: int, message: str) -> Reply:
    """Return a refusal (see `Refuse`): under /v1/ an error of the API, elsewhere plain text."""
    if not (path + "/").startswith("/v1/"):
        return plain_refusal(path, status, message)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return error_reply(status, ErrorBody(message.rstrip(), kind))


def identified(handler: Handler) -> Handler:
    """Return the same handler with a request id in each reply. A relayed reply keeps the upstream's
    id."""

    async def with_id(request: Request) -> Reply | StreamingReply:
        reply = (await handler(request)).copied()
        if "x-request-id" not in dict(reply.headers):
            reply.headers += (("x-request-id", f"req_{os.urandom(12).hex()}"),)
        return reply

    return with_id
