"""The timeouts of all connections, and which clients have disconnected: two tasks for a server.

A cancel scope with a deadline for each read, and a task for each stream that waits for its client
to disconnect, would mean thousands of timers and tasks. Two tasks do the same work: one checks all
connections twice a second, and one asks the kernel about all of them at once.

How a server learns that a client has disconnected:

    the client     the kernel knows        and so does the server
    ------------   ---------------------   -----------------------------------------
    RST            at once                 EPOLLERR or EPOLLHUP, without any write
    close          after our next write    the client answers that write with RST: as above
    FIN            "half-closed"           it does not: the client may still read, so the reply goes
                                           on, unless the client has given up waiting for it
    vanishes       when nothing is         EPOLLERR, after Limits.stall_seconds: our bytes, or a
                   acknowledged            keep-alive probe of TCP, got no answer (tcp.py)
    silence        not by itself           a heartbeat is the write that finds out; a reply without
                                           heartbeats relies on the keep-alive probes (tcp.py)
"""

import select
from typing import Protocol

import trio

__all__ = ["PIPE_SECONDS", "TICK", "Watch", "Watched", "gave_up_waiting"]

TICK = 0.5
"""Seconds between two checks of the timeouts. A timeout may expire this much too late."""

PIPE_SECONDS = 0.25
"""Seconds after a request during which a FIN counts as the end of a pipe (`printf … | nc`)."""


def gave_up_waiting(requested_at: float) -> bool:
    """Whether a client that sends FIN now, before its reply has begun, no longer wants the reply.

    A person who types requests into a pipe half-closes the connection: `printf` ends, and its FIN
    follows the request at once. A FIN that arrives later is from a client that waited and gave up,
    because its read timeout of a second or so expired. A write would show whether the client still
    reads, but before the work is done there is nothing to write.

    This rule does not apply to two kinds of clients. A client that speaks HTTP/1.0 or sent
    `Connection: close` has nothing more to send, so its FIN has no meaning (RFC 9112 §9.6). If the
    reply has begun, the next write shows whether the client is still connected.

    Args:
        requested_at: The time at which the request was complete.
    """
    return trio.current_time() - requested_at > PIPE_SECONDS


class Watched(Protocol):
    """The part of a connection that the watch uses."""

    def check_timeouts(self, now: float) -> None: ...
    def client_disconnected(self) -> None: ...
    def fin_is_disconnect(self, requested_at: float) -> bool: ...


class Watch:
    """Watches a set of connections while `run` runs.

    Attributes:
        connections: All open connections. Each connection adds and removes itself.
    """

    def __init__(self) -> None:
        self.connections: set[Watched] = set()
        # A socket is registered from its connection's first request to its close: two system calls
        # for all requests. Between two requests its value is None.
        self._requests: dict[int, tuple[Watched, float] | None] = {}
        self._half_closed: set[int] = set()
        # A private epoll with mask 0 reports only errors and hang-ups: neither unread bytes nor a
        # half-close wake it. With EPOLLRDHUP it also reports a half-close. macOS has no epoll;
        # there, only writes show that a client has disconnected.
        self._epoll = select.epoll() if hasattr(select, "epoll") else None

    async def run(self) -> None:
        """Watch until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_timeouts)
            if self._epoll is not None:
                nursery.start_soon(self._watch_disconnects, self._epoll)

    def close(self) -> None:
        """Close the epoll. Call this when no connection is open any more."""
        if self._epoll is not None:
            self._epoll.close()

    def add_stream(self, fileno: int, connection: Watched, requested_at: float) -> None:
        """Tell this connection when its client disconnects. Call this when its request is complete.

        Args:
            fileno: File descriptor of the connection's socket, or -1 if it has no socket.
            requested_at: The time at which the request was complete.
        """
        if self._epoll is not None and fileno >= 0:
            if fileno not in self._requests:
                self._epoll.register(fileno, select.EPOLLRDHUP)
            self._requests[fileno] = connection, requested_at

    def end_stream(self, fileno: int) -> None:
        """Report nothing about this socket until the next `add_stream`. Call this when the reply
        has ended."""
        if fileno in self._half_closed:  # the next request registers it again, and learns of it
            self.remove_stream(fileno)
        elif fileno in self._requests:
            self._requests[fileno] = None

    def remove_stream(self, fileno: int) -> None:
        """Stop watching a socket. Call this before the socket is closed, because the kernel reuses
        its number."""
        if self._epoll is not None and fileno in self._requests:
            del self._requests[fileno]
            self._half_closed.discard(fileno)
            self._epoll.unregister(fileno)

    async def _watch_timeouts(self) -> None:
        while True:
            await trio.sleep(TICK)
            self._check_timeouts()

    async def _watch_disconnects(self, epoll: "select.epoll") -> None:
        while True:
            # An epoll is readable when one of its files has something to report.
            await trio.lowlevel.wait_readable(epoll.fileno())
            for fileno, events in epoll.poll(0):
                self._report(epoll, fileno, events)

    # These are two separate functions, so that a waiting task holds no reference to a closed
    # connection.

    def _check_timeouts(self) -> None:
        now = trio.current_time()
        for connection in list(self.connections):
            connection.check_timeouts(now)

    def _report(self, epoll: "select.epoll", fileno: int, events: int) -> None:
        request = self._requests[fileno]
        if request is None:  # the task that reads the next request notices it by itself
            self.remove_stream(fileno)
            return
        connection, requested_at = request
        if events == select.EPOLLRDHUP and not connection.fin_is_disconnect(requested_at):
            epoll.modify(fileno, 0)  # this was a half-close, which is reported only once
            self._half_closed.add(fileno)
            return
        self.remove_stream(fileno)
        connection.client_disconnected()
