"""Decisions of a client that keeps an event stream open: what to ask for, and what to do next.

    301 302 303 307 308     ask at another address, at once
    200 text/event-stream   read events
    a break, no connection  wait, and ask again with the last event ID
    204                     the server has no more events: closed
    any other answer        closed, with an error

`Reconnection` uses no socket and no clock: `clients/event_source.py` asks, reads and waits as
`Reconnection` decides. The rules are those of the standard (WHATWG HTML §9.2.3, and Fetch for
redirects):

1. After a break the client asks for the events after the last one that was dispatched. An empty id
   removes the header.
2. A credential is sent to one origin only. After a redirect to another origin, no header of the
   caller that might be a credential is sent, and a redirect from https:// to http:// is not
   followed.
3. A permanent redirect is used for all later requests. After a temporary one, the old address is
   asked again.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urljoin

from .http.client import URLParts
from .http.exchange import Headers

__all__ = ["EventSourceError", "ReadyState", "Reconnection"]

REDIRECTS = (301, 302, 303, 307, 308)
PERMANENT = (301, 308)  # the new address holds for later requests too (RFC 9110 §15.4)
MAX_REDIRECTS = 20  # as in Fetch: more redirects count as a loop

OURS = (("Accept", "text/event-stream"), ("Cache-Control", "no-cache"))

# No field value contains one of the first five (RFC 9110 §5.5), and UTF-8 cannot encode the others.
# A server can send only \f and \v. The others can come only from the caller.
NOT_IN_A_HEADER = re.compile("[\0\r\n\f\v\ud800-\udfff]")

LEAST_GROWING = 0.1  # seconds: `retry: 0` times any factor would be 0

# Headers of the caller that cannot be a credential, so they may also be sent to another origin.
HARMLESS = {"accept", "accept-language", "cache-control", "content-type", "user-agent"}


class ReadyState(Enum):
    """The states of an EventSource, with the numbers that `readyState` has in a browser."""

    CONNECTING = 0
    OPEN = 1
    CLOSED = 2


class EventSourceError(Exception):
    """The stream ended for good, but not because the server had no more events (204).

    Attributes:
        status: The status of the response, or 0 if no response was the reason.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Reconnection:
    """Decides what to ask for, and what to do with each answer. It uses no socket and no clock.

    Args:
        url: The URL of the event stream.
        method: The method of the request.
        headers: Headers of the caller. Each replaces our own header of the same name.
        body: The body, which is sent with each request.
        last_event_id: The id of the last event that an earlier client has seen, or "".
        seconds: Seconds to wait after a break, until the server sends a `retry`.
        backoff: Factor by which the wait grows with each attempt in a row that failed to open the
            stream. With 1.0, the wait is always as long as the server said.
        max_seconds: Longest wait to which the factor can lead, in seconds.
        jitter: Largest part of the wait that is added at random, so that the clients of a server
            that was restarted do not come back all at once.
        random: A function that returns a number from 0.0 up to 1.0.

    Attributes:
        state: Connecting, open or closed.
        error: The reason why the last connection ended, or "".
    """

    url: str
    method: str = "GET"
    headers: Headers = ()
    body: bytes = b""
    last_event_id: str = ""
    seconds: float = 3.0
    backoff: float = 2.0
    max_seconds: float = 60.0
    jitter: float = 0.1
    random: Callable[[], float] = random.random
    state: ReadyState = field(default=ReadyState.CONNECTING, init=False)
    error: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._origin = URLParts.parse(self.url).origin
        self._growth = 1.0
        self._start()

    def _start(self) -> None:
        """Begin an attempt with the URL that permanent redirects have led to."""
        self._target, self._method, self._redirects = self.url, self.method, 0
        self._all_permanent = True

    # What to ask for

    def next_request(self) -> tuple[str, str, Headers, bytes]:
        """Return the method, URL, headers and body of the next request.

        Raises:
            EventSourceError: The last event ID cannot be sent in a header.
        """
        body = self.body if self._method == self.method else b""
        at_home = URLParts.parse(self._target).origin == self._origin
        theirs = [
            (name, value)
            for name, value in self.headers
            if (at_home or name.lower() in HARMLESS) and (body or name.lower() != "content-type")
        ]
        names = {name.lower() for name, _ in theirs}
        ours = [(name, value) for name, value in OURS if name.lower() not in names]
        # "… UTF-8 encoded" (§9.2.4). Spaces around a value are not part of it (RFC 9110 §5.5).
        id = self.last_event_id.strip(" \t")
        if NOT_IN_A_HEADER.search(id):
            raise self.fail("the last event ID contains a character that no header may contain")
        if id:
            ours.append(("Last-Event-ID", id.encode().decode("latin-1")))
        return self._method, self._target, (*ours, *theirs), body

    # What to do with the answer

    def receive_head(self, status: int, location: str | None, kind: str | None) -> bool:
        """Take the head of a response.

        Args:
            status: The status code.
            location: The value of its Location header, or None.
            kind: The value of its Content-Type header, or None.

        Returns:
            Whether an event stream follows. If none follows and the state is CONNECTING, another
            request must be sent at once. If the state is CLOSED, the server has no more events.

        Raises:
            EventSourceError: The stream has ended for good.
        """
        if status in REDIRECTS:
            self._follow(status, location)
            return False
        if status == 204:
            self.state = ReadyState.CLOSED
            return False
        media_type = (kind or "").partition(";")[0].strip().lower()
        if status != 200:
            raise self.fail(f"the server answered with status {status}", status)
        if media_type != "text/event-stream":
            raise self.fail(f"not an event stream: {kind or 'no content type'}", status)
        self.state = ReadyState.OPEN
        self._growth = 1.0
        return True

    def _follow(self, status: int, location: str | None) -> None:
        self._redirects += 1
        if not location:
            raise self.fail("a redirect without a Location", status)
        if self._redirects > MAX_REDIRECTS:
            raise self.fail(f"more than {MAX_REDIRECTS} redirects", status)
        try:
            target = urljoin(self._target, location)
        except ValueError:  # half an IPv6 address, `http://[::1`: it is refused next
            target = location
        try:
            scheme = URLParts.parse(target).scheme
        except ValueError as error:
            raise self.fail(f"a redirect to {error}", status) from None
        if scheme == "http" and self._target.startswith("https:"):
            raise self.fail("a redirect from https:// to http://", status)
        # After a 303, the next request is a GET. After a 301 or 302, a POST becomes a GET (Fetch,
        # HTTP-redirect fetch).
        if (status == 303 and self._method != "HEAD") or (
            status in (301, 302) and self._method == "POST"
        ):
            self._method = "GET"
        self._target = target
        self._all_permanent = self._all_permanent and status in PERMANENT
        if self._all_permanent and self._method == self.method:
            self.url = target

    def receive_break(self, why: str) -> float:
        """Note that the connection broke, or was never made.

        Returns:
            Seconds to wait before the next request.
        """
        self.error = why
        wait = self.seconds
        if self.state is ReadyState.CONNECTING:
            # "… if the previous attempt failed, then user agents might introduce an exponential
            # backoff delay". If the server asks for a wait longer than our limit, the server's wait
            # is used.
            if self._growth > 1:
                grown = max(wait, LEAST_GROWING) * self._growth
                wait = max(wait, min(self.max_seconds, grown))
            if wait < self.max_seconds:
                self._growth *= self.backoff
        self.state = ReadyState.CONNECTING
        self._start()
        return wait * (1 + self.jitter * self.random())

    def fail(self, why: str, status: int = 0) -> EventSourceError:
        """End the stream for good. Returns the error to raise."""
        self.state = ReadyState.CLOSED
        self.error = why
        return EventSourceError(why, status)


# What this file does not do: parse events (protocol/sse.py), or keep cookies.
