"""The clocks of all connections, and who has left: two tasks for a whole server.

A cancel scope with a deadline for each read of each connection, and a task for each stream that
waits for its client to leave, would be thousands of timers and tasks. One task that looks at all
connections twice a second, and one that asks the kernel about all of them at once, do the same.

How a server learns that a client has gone:

    the client     the kernel knows        and so do we
    ------------   ---------------------   -----------------------------------------
    RST            at once                 EPOLLERR or EPOLLHUP, without any write
    close          after our next write    that write draws an RST: as above
    FIN            "half-closed"           nothing: it may still read, so we go on, unless the
                                           client has given up its reply
    vanishes       when nothing is         EPOLLERR, after Limits.stall_seconds: our bytes or a
                   acknowledged            probe of keep-alive were not answered (tcp.py)
    silence        not by itself           the heartbeat is the write that draws it out; where there
                                           is none, a probe of TCP's keep-alive is (tcp.py)
"""

import select
from typing import Protocol

import trio

__all__ = ["PIPE_SECONDS", "TICK", "Watch", "Watched", "gave_up"]

TICK = 0.5
"""Seconds between two looks at the clocks: how late a time limit may fire."""


PIPE_SECONDS = 0.25


def gave_up(asked: float) -> bool:
    """Whether a client that sends FIN has given up a reply that has not begun.

    For a person who types, a FIN is a half-close: `printf` has ended, so its FIN comes right after
    the request. One that comes later is of a client that has waited, and waits no more: its read
    time-out is a second or so. A write would tell, but there is none before all the work is done.
    Two kinds of clients are not asked: whoever speaks HTTP/1.0 or says `Connection: close` has no
    more to send (RFC 9112 §9.6), and whoever gets a reply already is found out by writing.

    Args:
        asked: when the request was whole.
    """
    return trio.current_time() - asked > PIPE_SECONDS


class Watched(Protocol):
    """What the watch needs of a connection."""

    def check_clocks(self, now: float) -> None: ...
    def client_has_left(self) -> None: ...
    def fin_is_leaving(self, asked: float) -> bool: ...


class Watch:
    """Looks after a set of connections while `run` runs.

    Attributes:
        connections: all that live; a connection adds and removes itself.
    """

    def __init__(self) -> None:
        self.connections: set[Watched] = set()
        self._streaming: dict[int, tuple[Watched, float]] = {}
        # A private epoll with mask 0 reports errors and hang-ups and nothing else: unread bytes
        # or a half-close do not wake it. With EPOLLRDHUP it reports a half-close too. macOS has no
        # epoll; there, writing alone finds out.
        self._epoll = select.epoll() if hasattr(select, "epoll") else None

    async def run(self) -> None:
        """Watch until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_clocks)
            if self._epoll is not None:
                nursery.start_soon(self._watch_departures, self._epoll)

    def close(self) -> None:
        """To be called when no connection is left."""
        if self._epoll is not None:
            self._epoll.close()

    def add_stream(self, fileno: int, connection: Watched) -> None:
        """Tell this connection when its client has gone for good: its request is whole now. What a
        FIN means, it is asked.

        Args:
            fileno: of its socket, or -1 for a stream that has none.
        """
        if self._epoll is not None and fileno >= 0:
            self._epoll.register(fileno, select.EPOLLRDHUP)
            self._streaming[fileno] = connection, trio.current_time()

    def remove_stream(self, fileno: int) -> None:
        """To be called before the socket is closed: the kernel gives its number away again."""
        if self._epoll is not None and self._streaming.pop(fileno, None) is not None:
            self._epoll.unregister(fileno)

    async def _watch_clocks(self) -> None:
        while True:
            await trio.sleep(TICK)
            self._check_clocks()

    async def _watch_departures(self, epoll: "select.epoll") -> None:
        while True:
            # An epoll is readable when one of its files has something to report.
            await trio.lowlevel.wait_readable(epoll.fileno())
            for fileno, events in epoll.poll(0):
                self._tell(epoll, fileno, events)

    # Functions of their own, so that a task which waits keeps no connection that has ended.

    def _check_clocks(self) -> None:
        now = trio.current_time()
        for connection in list(self.connections):
            connection.check_clocks(now)

    def _tell(self, epoll: "select.epoll", fileno: int, events: int) -> None:
        connection, asked = self._streaming[fileno]
        if events == select.EPOLLRDHUP and not connection.fin_is_leaving(asked):
            epoll.modify(fileno, 0)  # a half-close, which is reported once
            return
        self.remove_stream(fileno)
        connection.client_has_left()
