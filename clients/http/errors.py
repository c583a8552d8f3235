"""What can go wrong with a request, sorted by the stage that the request had reached.

    RequestError
      ConnectError             no connection: no such host, nobody listens     nothing was sent
        ConnectTimeoutError    connecting took too long
        ProxyError             the forward proxy did not open a tunnel
        TLSError               the handshake failed: a bad certificate, a port without TLS
      DisconnectedError        closed or reset before the response was complete
      ResponseError            the response is malformed, too large, or ended too early

Each is also an error of the layer that found it (`OSError`, `trio.BrokenResourceError`,
`h11.RemoteProtocolError`), so a caller can catch the errors of one layer. A message names hosts,
but never quotes a header of the request, so it cannot contain a key.
"""

import h11
import trio

__all__ = [
    "ConnectError",
    "ConnectTimeoutError",
    "DisconnectedError",
    "ProxyError",
    "RequestError",
    "ResponseError",
    "TLSError",
]


class RequestError(Exception):
    """The client did not get a complete response to its request.

    Attributes:
        sent: Whether a byte of the request may have been sent. If not, the client may safely send
            the request again.
    """

    sent = False


class ConnectError(RequestError, OSError):
    """The client could not connect, so nothing was sent."""


class ConnectTimeoutError(ConnectError):
    """The client could not connect within its time limit."""


class ProxyError(ConnectError):
    """The proxy refused the tunnel, its answer to CONNECT is malformed, or the proxy's URL is
    wrong."""


class TLSError(ConnectError):
    """The TLS handshake failed."""


class DisconnectedError(RequestError, trio.BrokenResourceError):
    """The server closed the connection without a response, or the connection broke."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class ResponseError(RequestError, h11.RemoteProtocolError):
    """The response is malformed, incomplete, or larger than our limits."""

    sent = True
