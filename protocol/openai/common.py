"""Shared by all routes of the OpenAI API: how to read a request body, errors, and objects as
events.

    data: {"id":"chatcmpl-1","object":"chat.completion.chunk",…}

    data: [DONE]

An event is one object: compact JSON in UTF-8, on one `data:` line. The fields of a struct are
encoded in the order of their definition. A field that is UNSET is left out; None is sent as null.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

import h11
import msgspec

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
"""The end marker of a chat stream. A server sends this marker in one write with the last chunk: a
client that gets the marker without the end of the body may close its connection and not reuse
it."""

T = TypeVar("T", bound=msgspec.Struct)


class InvalidRequest(ValueError):
    """A request that the API does not accept.

    Args:
        message: The reason, in the words that the client will read.
        param: Path of the field that is the cause, such as "messages[0].role", or None.
        code: The API's short name for the reason, or None.
        status: HTTP status of the response, 400 to 499.
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
    """The error for a request without a required field.

    Args:
        path: Path of the missing field, such as "messages[0].role".
    """
    message = f"Object missing required field `{path.rpartition('.')[2]}`"
    return InvalidRequest(message, path, "missing_required_parameter")


def refuse_unsupported(request: msgspec.Struct, fields: Mapping[str, str]) -> None:
    """Refuse fields that the API supports and this simulator does not. These fields would change
    the answer, so to ignore them would deceive the client.

    Args:
        request: The request, already validated.
        fields: Names of the fields to refuse, each with a sentence that says what to do instead.

    Raises:
        InvalidRequest: One of the fields has a value other than null and false.
    """
    for name, instead in fields.items():
        if getattr(request, name) not in (None, False):
            message = f"This simulator does not support `{name}`. {instead}"
            raise InvalidRequest(message, name, "unsupported_parameter")


# msgspec's messages: "Expected `str`, got `int` - at `$.messages[0].role`", and for a missing field
# "Object missing required field `role` - at `$.messages[0]`".
MISSING = re.compile(r"Object missing required field `(\w+)`")


def read_json(body: bytes, kind: type[T]) -> T:
    """Read and validate a request body.

    Args:
        body: The bytes of the body.
        kind: The type of struct to return. Fields that the struct does not have are ignored, as
            clients expect from a compatible server.

    Raises:
        InvalidRequest: The body is not JSON, or a field has the wrong type or value.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        # The last "at" is msgspec's. An earlier "at" may be part of the client's own text, which
        # the reason quotes.
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
    """The reason why a request failed. Clients show `message`, and decide by `code` what to do."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(msgspec.Struct, frozen=True):
    """An error as a response body, or as an event once the stream has begun.

    The error is always under the key `error`: clients read an object without that key as an empty
    chunk.
    """

    error: ErrorBody


def encode_data(value: msgspec.Struct) -> bytes:
    """Encode one event whose data is this object: a line `data: {…}` and a blank line.

    The JSON has no line end, so one line is enough (test_any_text_is_one_data_line).

    Raises:
        h11.LocalProtocolError: A lone surrogate in a string of the object.
    """
    try:
        return b"data: %b\n\n" % msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise h11.LocalProtocolError(f"an object that is not UTF-8: {error}") from error


# What this file does not do: define the fields of requests and answers. Each route has two files
# for its fields: chat_request.py and chat_completions.py, responses_request.py and responses.py.
