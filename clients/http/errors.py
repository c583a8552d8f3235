"""What can go wrong with a request, by how far it came.

    RequestError
      ConnectError             no connection: no such host, nobody listens     nothing was sent
        ConnectTimeoutError    it took too long
        ProxyError             the proxy on the way did not open a tunnel
        TLSError               the handshake failed: a certificate, a plain port
      DisconnectedError        closed or reset before the response was whole
      ResponseError            the response breaks the grammar, a limit, or ended too early

Each is also an error of the layer that found it (`OSError`, `trio.BrokenResourceError`,
`h11.RemoteProtocolError`), so a caller who cares for one layer catches that. A message names hosts,
never a field of the request: no key can be in it.
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
    """A request without a whole response.

    Attributes:
        sent: a byte of the request may have left. If not, another try can do no harm.
    """

    sent = False


class ConnectError(RequestError, OSError):
    """There is no connection to send the request on."""


class ConnectTimeoutError(ConnectError):
    """There is none yet, and the time for it is over."""


class ProxyError(ConnectError):
    """The proxy refused, what it said is no answer to CONNECT, or nobody knows which it is."""


class TLSError(ConnectError):
    """The TLS handshake failed."""


class DisconnectedError(RequestError, trio.BrokenResourceError):
    """The connection was closed without a response, or reset."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class ResponseError(RequestError, h11.RemoteProtocolError):
    """What came is not a whole response within our limits."""

    sent = True
