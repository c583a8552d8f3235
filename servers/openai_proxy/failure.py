"""Why the upstream gave no usable reply, and the error that the client gets.

    before the head    HTTP/1.1 502 Bad Gateway          {"error":{"code":"upstream_tls_error",…}}
    in a stream        data: {"error":{…}}\\n\\n           and the connection is closed early
    in the log         502 gpt-4o-mini upstream_tls_error

Programs read the code, and people read the message. The message names hosts and reasons, but never
a key.
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

__all__ = ["RelayFailed", "UpstreamFailure"]


class UpstreamFailure(msgspec.Struct, frozen=True):
    """The reason why the reply of the upstream is missing or incomplete.

    Args:
        status: HTTP status of our error reply, if no reply has begun yet.
        code: The reason as a word that programs compare.
        message: The reason as a sentence that people read.
        may_retry: Whether the same request may succeed later.
    """

    status: int
    code: str
    message: str
    may_retry: bool = True

    @property
    def error(self) -> ErrorBody:
        return ErrorBody(redact(self.message), "upstream_error", None, self.code)

    def event(self, route: str) -> bytes:
        """Return the error as an event, in the format of this route's stream."""
        if not route.endswith("/responses"):
            return encode_data(ErrorResponse(self.error))
        data = msgspec.json.encode({"type": "error", "error": self.error}).decode()
        return encode_event(ServerSentEvent("error", data))

    @classmethod
    def of(cls, error: RequestError) -> "UpstreamFailure":
        """Return the failure for an error of our HTTP client."""
        status = 504 if isinstance(error, ConnectTimeoutError) else 502
        return cls(status, CODES[type(error)], f"The request to the upstream API failed: {error}")

    @classmethod
    def timed_out(cls, name: str, seconds: float) -> "UpstreamFailure":
        """Return the failure for a timeout of this name that has expired."""
        did = "was not done after" if name == "total" else "was silent for"
        message = f"The upstream API {did} {seconds:g} s ({name} timeout)."
        return cls(504, f"upstream_{name}_timeout", message)


CODES: dict[type[RequestError], str] = {
    ConnectError: "upstream_unreachable",
    ConnectTimeoutError: "upstream_connect_timeout",
    ProxyError: "upstream_proxy_error",
    TLSError: "upstream_tls_error",
    DisconnectedError: "upstream_disconnected",
    ResponseError: "upstream_bad_response",
}


class RelayFailed(Exception):
    """The upstream gave no usable reply."""

    def __init__(self, failure: UpstreamFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure
