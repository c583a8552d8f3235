"""Refusals in the shape of the OpenAI API, on its paths; text for people on all others.

    413, for POST /v1/responses     {"error":{"message":"a request body over 10485760 bytes",
                                    "type":"invalid_request_error","param":null,"code":null}}
    413, for POST /echo             413 Request Entity Too Large …

A client of the API reads the message out of `error`, whichever part of the server has refused it.
"""

import msgspec

from protocol.openai.common import ErrorBody, ErrorResponse

from .reply import Reply
from .routes import as_text

__all__ = ["refuse"]


def refuse(path: str, status: int, message: str) -> Reply:
    """For `Routes`: a refusal that no handler of the API has written."""
    if not (path + "/").startswith("/v1/"):
        return as_text(path, status, message)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = ErrorBody(message.rstrip(), kind)
    return Reply(msgspec.json.encode(ErrorResponse(error)), status, "application/json")
