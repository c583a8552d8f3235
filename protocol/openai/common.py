"""What the routes of the OpenAI API share: request bodies read, errors, objects as events.

    data: {"id":"chatcmpl-1","object":"chat.completion.chunk",…}

    data: [DONE]

Compact JSON in raw UTF-8, one object a `data:` line. A struct is encoded in the order its fields
are written; a field that is UNSET is left out, where null is sent.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

import h11
import msgspec

from ..sse import ServerSentEvent, encode_event

__all__ = [
    "DONE",
    "ErrorBody",
    "ErrorResponse",
    "InvalidRequest",
    "encode_data",
    "missing",
    "read_json",
    "refuse_unsupported",
]

DONE = b"data: [DONE]\n\n"
"""The end marker of a chat stream. It leaves in one write with the last chunk: a client that is
slow to see the body end gives up its connection."""

T = TypeVar("T", bound=msgspec.Struct)


class InvalidRequest(ValueError):
    """A request that is not what the API takes: `str()` says what.

    Args:
        param: the field, or None.
        code: the API's short name for it, or None.
        status: of the response.
    """

    def __init__(
        self,
        message: str,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.status = status


def missing(path: str) -> InvalidRequest:
    """The refusal of a request that lacks a field.

    Args:
        path: of the field, as in "messages[0].role".
    """
    message = f"Object missing required field `{path.rpartition('.')[2]}`"
    return InvalidRequest(message, path, "missing_required_parameter")


def refuse_unsupported(request: msgspec.Struct, fields: Mapping[str, str]) -> None:
    """Refuse what the API can do and this simulator cannot: it would change the answer, so a client
    must not believe that it was obeyed.

    Args:
        fields: names of the request's fields, each with a sentence that says what to do instead.

    Raises:
        InvalidRequest: one of them has a value that asks for something.
    """
    for name, instead in fields.items():
        if getattr(request, name) not in (None, False):
            message = f"This simulator does not support `{name}`. {instead}"
            raise InvalidRequest(message, name, "unsupported_parameter")


# msgspec says: "Expected `str`, got `int` - at `$.messages[0].role`", and of an absent field
# "Object missing required field `role` - at `$.messages[0]`".
MISSING = re.compile(r"Object missing required field `(\w+)`")


def read_json(body: bytes, kind: type[T]) -> T:
    """Read and validate a request body.

    Args:
        kind: the struct it must be. Fields that the struct has not are ignored, as clients expect
            of a compatible server.

    Raises:
        InvalidRequest: it is not JSON, or a field has the wrong type or value.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        # The last "at" is msgspec's: the reason may quote the client's own text.
        reason, at, place = str(error).rpartition(" - at `$")
        path = place.strip(".`") if at else ""
        if missing := MISSING.match(reason if at else place):
            path = f"{path}.{missing[1]}" if path else missing[1]
        raise InvalidRequest(reason if at else place, path or None) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error


class ErrorBody(msgspec.Struct, frozen=True):
    """Why a request failed. Clients show `message` and branch on `code`."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(msgspec.Struct, frozen=True):
    """An error as a body, or after a stream's head as an event: always under the key `error`,
    for a client takes a flat object for an empty chunk."""

    error: ErrorBody


def encode_data(value: msgspec.Struct) -> bytes:
    """One event whose data is this object: `data: {…}` and a blank line, nothing else.

    Raises:
        h11.LocalProtocolError: a lone surrogate in it.
    """
    try:
        data = msgspec.json.encode(value).decode()
    except UnicodeEncodeError as error:
        raise h11.LocalProtocolError(f"an object that is not UTF-8: {error}") from error
    return encode_event(ServerSentEvent(data=data))


# What this file does not do: say what a request or an answer holds. Each route has files for
# that: chat_request.py and chat_completions.py, responses_request.py and responses.py.
