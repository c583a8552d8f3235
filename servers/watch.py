"""The clocks of all connections, and who has left: two tasks for a whole server.

A cancel scope with a deadline for each read of each connection, and a task for each stream that
waits for its client to leave, would be thousands of timers and tasks. One task that looks at all
connections twice a second, and one that asks the kernel about all of them at once, do the same.

How a server learns that a client has gone:

    the client     the kernel knows        and so do we
    ------------   ---------------------   -----------------------------------------
    RST            at once                 EPOLLERR or EPOLLHUP, without any write
    close          after our next write    that write draws an RST: as above
    FIN            "half-closed"           nothing: it may still read, so we go on
    vanishes       when nothing is         EPOLLERR, after Limits.stall_seconds: our bytes or a
                   acknowledged            probe of keep-alive were not answered (stream.py)
    silence        not by itself           the heartbeat is the write that draws it out; where there
                                           is none, a probe of TCP's keep-alive is (stream.py)
"""

import select
from typing import Protocol

import trio

__all__ = ["TICK", "Watch", "Watched"]

TICK = 0.5
"""Seconds between two looks at the clocks: how late a time limit may fire."""


class Watched(Protocol):
    """What the watch needs of a connection."""

    def check_clocks(self, now: float) -> None: ...
    def client_has_left(self) -> None: ...


class Watch:
    """Looks after a set of connections while `run` runs.

    Attributes:
        connections: all that live; a connection adds and removes itself.
    """

    def __init__(self) -> None:
        self.connections: set[Watched] = set()
        self._streaming: dict[int, Watched] = {}
        # A private epoll with mask 0 reports errors and hang-ups and nothing else: unread bytes
        # or a half-close do not wake it. macOS has no epoll; there, writing alone finds out.
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

    def add_stream(
        self, fileno: int, connection: Watched, *, fin_is_leaving: bool = False
    ) -> None:
        """Tell this connection when its client has gone for good.

        Args:
            fileno: of its socket, or -1 for a stream that has none.
            fin_is_leaving: a FIN tells it too.
        """
        if self._epoll is not None and fileno >= 0:
            self._epoll.register(fileno, select.EPOLLRDHUP if fin_is_leaving else 0)
            self._streaming[fileno] = connection

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
            for fileno, _ in epoll.poll(0):
                self._tell(fileno)

    # Functions of their own, so that a task which waits keeps no connection that has ended.

    def _check_clocks(self) -> None:
        now = trio.current_time()
        for connection in list(self.connections):
            connection.check_clocks(now)

    def _tell(self, fileno: int) -> None:
        connection = self._streaming[fileno]
        self.remove_stream(fileno)
        connection.client_has_left()
