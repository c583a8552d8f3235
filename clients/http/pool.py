"""Idle connections that wait for their next request.

    pool.put("https://api.openai.com", stream)         after a response that was read to its end
    stream = await pool.take("https://api.openai.com")  the one used last, or None

A task listens on each idle connection. If the server closes the connection, or sends bytes without
a request, the pool closes it at once. So a connection that `take` returns was open a moment ago.
(That is not a promise: the server's FIN may be on its way.)
"""

import contextlib
from collections import deque

import trio

from ..streams.tcp import ByteStream

__all__ = ["Pool"]


class IdleConnection:
    """One connection, and the task that listens on it."""

    def __init__(self, origin: str, stream: ByteStream, until: float) -> None:
        self.origin = origin
        self.stream = stream
        self.listening = trio.CancelScope(deadline=until)
        self.taken = False  # `take` has set it; the task unsets it if it has received something
        self.stopped = trio.Event()  # the task has ended


class Pool:
    """Idle connections of many origins.

    Args:
        nursery: The nursery that runs the listening tasks. When the nursery is cancelled, the
            connections are closed.
        max_idle: Largest number of connections kept. One more evicts the oldest.
        idle_seconds: Longest time that a connection is kept, in seconds. The server should keep
            idle connections longer, otherwise a request may be sent while the server closes the
            connection.
    """

    def __init__(
        self, nursery: trio.Nursery, max_idle: int = 20, idle_seconds: float = 30.0
    ) -> None:
        self._nursery = nursery
        self._max_idle = max_idle
        self._idle_seconds = idle_seconds
        self._idle: deque[IdleConnection] = deque()  # the oldest first

    def __len__(self) -> int:
        return len(self._idle)

    def put(self, origin: str, stream: ByteStream) -> None:
        """Keep a connection that has no request in progress."""
        if self._max_idle == 0:
            stream.close()
            return
        if len(self._idle) >= self._max_idle:
            self._idle.popleft().listening.cancel()
        idle = IdleConnection(origin, stream, trio.current_time() + self._idle_seconds)
        self._idle.append(idle)
        self._nursery.start_soon(self._listen, idle)

    async def take(self, origin: str) -> ByteStream | None:
        """Return the connection to this origin that was used last, or None. The caller owns it."""
        for idle in reversed(self._idle):
            if idle.origin == origin:
                self._idle.remove(idle)
                idle.taken = True
                idle.listening.cancel()
                try:
                    await idle.stopped.wait()
                except trio.Cancelled:
                    idle.stream.close()
                    raise
                # Before it was stopped, the task may have received something, or it may not have
                # run at all.
                if idle.taken and _is_silent(idle.stream):
                    return idle.stream
                idle.stream.close()
                return await self.take(origin)
        return None

    async def _listen(self, idle: IdleConnection) -> None:
        """Wait for a FIN, or for bytes without a request. After that, the connection is useless."""
        try:
            with idle.listening:
                with contextlib.suppress(trio.BrokenResourceError):
                    await idle.stream.receive_some()
                idle.taken = False
        finally:
            if idle in self._idle:
                self._idle.remove(idle)
            if not idle.taken:
                idle.stream.close()
            idle.stopped.set()


def _is_silent(stream: ByteStream) -> bool:
    """Return whether nothing has arrived: neither a FIN nor bytes, since no request has been
    sent."""
    try:
        return stream.receive_now() is None
    except trio.BrokenResourceError:
        return False


# What this file does not do: open connections, or limit the number in use.
