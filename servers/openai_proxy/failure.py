"""Why a request has no reply from the API behind, and how its client is told.

    before the head    HTTP/1.1 502 Bad Gateway          {"error":{"code":"upstream_tls_error",…}}
    in a stream        data: {"error":{…}}\\n\\n           and the connection is cut
    in the log         502 gpt-4o-mini upstream_tls_error

The code is for programs, the message for people: it names hosts and reasons, and no key.
"""

import msgspec

from clients.http.errors import (
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    ProxyError,
    RequestError,
    ResponseError,
    TLSError,
)
from protocol.openai.common import ErrorBody, ErrorResponse, encode_data
from protocol.sse import ServerSentEvent, encode_event

from ..http.redact import redact

__all__ = ["Failure", "RelayFailed"]


class Failure(msgspec.Struct, frozen=True):
    """Why there is no reply from the API behind, or not all of it.

    Args:
        status: of the reply that says so, while there is still one to give.
        code: for programs.
        message: for people.
        may_retry: the same request may succeed another time.
    """

    status: int
    code: str
    message: str
    may_retry: bool = True

    @property
    def error(self) -> ErrorBody:
        return ErrorBody(redact(self.message), "upstream_error", None, self.code)

    def event(self, route: str) -> bytes:
        """As an event, in the form of this route's stream."""
        if not route.endswith("/responses"):
            return encode_data(ErrorResponse(self.error))
        data = msgspec.json.encode({"type": "error", "error": self.error}).decode()
        return encode_event(ServerSentEvent("error", data))

    @classmethod
    def of(cls, error: RequestError) -> "Failure":
        """Of a request that failed on the way."""
        status = 504 if isinstance(error, ConnectTimeoutError) else 502
        return cls(status, CODES[type(error)], f"The API behind this proxy: {error}")

    @classmethod
    def late(cls, clock: str, seconds: float) -> "Failure":
        """Of a clock that has run down."""
        said = "was not done after" if clock == "total" else "was silent for"
        message = f"The API behind this proxy {said} {seconds:g} s ({clock} clock)."
        return cls(504, f"upstream_{clock}_timeout", message)


CODES: dict[type[RequestError], str] = {
    ConnectError: "upstream_unreachable",
    ConnectTimeoutError: "upstream_connect_timeout",
    ProxyError: "upstream_proxy_error",
    TLSError: "upstream_tls_error",
    DisconnectedError: "upstream_disconnected",
    ResponseError: "upstream_bad_response",
}


class RelayFailed(Exception):
    """There is no reply from the API behind."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
