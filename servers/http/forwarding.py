"""The parts of a message that a relay passes on: the target, the fields and the status. All relays
in this project use this file.

    client                            relay                       upstream
    GET /v1/a%2Fb?x=1+2 HTTP/1.1  >   the target, unchanged   >   GET /base/v1/a%2Fb?x=1+2 HTTP/1.1
    Connection: close, X-Hop          dropped, X-Hop too
    HTTP/1.1 529 Overloaded       <   status and reason       <   HTTP/1.1 529 Overloaded
    Retry-After: 7                <   the fields              <   Retry-After: 7

The rules this file keeps:

1. A target is passed on as it was sent. A decoded path cannot be encoded again: `a/b` may have been
   sent as `a%2Fb`.
2. A status is passed on, whether it is registered or not, with the upstream's reason-phrase.
3. Fields about one connection are not passed on to the next (RFC 9110 §7.6.1).
"""

import re

from protocol.head import Head
from protocol.http1 import STATUSES

from .reply import Headers, Request

__all__ = ["end_to_end", "status_of", "target_of"]

# absolute-form = absolute-URI (RFC 9112 §3.2.2): only its path and query are passed on.
ABSOLUTE_FORM = re.compile(r"https?://[^/?#]*", re.IGNORECASE)

HOP_BY_HOP = re.compile(
    r"connection|content-length|host|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.+"
)


def target_of(request: Request) -> str:
    """Return the path and query as the client sent them, to be appended to a base URL.

    A raw "#" becomes `%23`. A target must not contain "#" (RFC 9112 §3.2), and in a URL it would
    begin the fragment, which is not sent.
    """
    target = ABSOLUTE_FORM.sub("", request.target, count=1).replace("#", "%23")
    return target if target.startswith("/") else "/" + target


def end_to_end(headers: Headers) -> Headers:
    """Return the fields that a relay passes on (RFC 9110 §7.6.1).

    Fields whose value is not ASCII are dropped, because hops do not agree on the meaning of such a
    value.
    """
    options = ",".join(value for name, value in headers if name == "connection")
    # "Intermediaries MUST parse a received Connection header field before a message is forwarded
    # and, for each connection-option in this field, remove any header … field(s) from the message
    # with the same name as the connection-option" (RFC 9110 §7.6.1)
    named = options.lower().replace(" ", "").replace("\t", "").split(",")
    return tuple(
        (name, value)
        for name, value in headers
        if not HOP_BY_HOP.fullmatch(name) and name not in named and value.isascii()
    )


def status_of(head: Head) -> tuple[int, str | None]:
    """Return the status to pass on, and its reason-phrase.

    Args:
        head: The head of the upstream's response.

    Returns:
        The upstream's status and phrase. The phrase is "" if the upstream sent none, or one that is
        not ASCII. An invalid status is replaced by 502, and the phrase by None.
    """
    status = int(head.start_line[9:12])
    if status not in STATUSES:
        # "A client that receives a response with an invalid status code SHOULD process the
        # response as if it had a 5xx (Server Error) status code." (RFC 9110 §15)
        return 502, None
    reason = head.start_line[13:]
    return status, reason.decode() if reason.isascii() else ""


# What this file does not do: read a body, or decide which requests are relayed.
