"""Connections that wait for their next request.

    pool.put("https://api.openai.com", stream)         after a response that was read whole
    stream = await pool.take("https://api.openai.com")  the one used last, or None

A connection is not idle while it waits here: someone listens on it. A server that closes it, or
says something that nobody asked for, is heard at once and the connection dropped; what `take`
gives was alive a moment ago. (That is not a promise: the server's goodbye may be on its way.)
"""

import contextlib

import trio

from ..streams.tcp import ByteStream

__all__ = ["Pool"]


class Idle:
    """One connection, and the task that listens on it."""

    def __init__(self, origin: str, stream: ByteStream, until: float) -> None:
        self.origin = origin
        self.stream = stream
        self.listening = trio.CancelScope(deadline=until)
        self.wanted = False  # by `take`
        self.usable = False  # nothing was heard until then
        self.left = trio.Event()  # the task has ended


class Pool:
    """Idle connections of many origins.

    Args:
        nursery: for the listening tasks; when it is cancelled, the connections are closed.
        max_idle: connections that are kept; for one more, the oldest is closed.
        idle_seconds: how long one is kept: less than servers do, else requests meet goodbyes.
    """

    def __init__(
        self, nursery: trio.Nursery, max_idle: int = 20, idle_seconds: float = 30.0
    ) -> None:
        self._nursery = nursery
        self._max_idle = max_idle
        self._idle_seconds = idle_seconds
        self._idle: list[Idle] = []  # the oldest first

    def __len__(self) -> int:
        return len(self._idle)

    def put(self, origin: str, stream: ByteStream) -> None:
        """Keep a connection on which nothing is under way."""
        if self._max_idle == 0:
            stream.close()
            return
        if len(self._idle) >= self._max_idle:
            self._idle.pop(0).listening.cancel()
        idle = Idle(origin, stream, trio.current_time() + self._idle_seconds)
        self._idle.append(idle)
        self._nursery.start_soon(self._listen, idle)

    async def take(self, origin: str) -> ByteStream | None:
        """The connection to this origin that was used last, or None. It is the caller's now."""
        for idle in reversed(self._idle):
            if idle.origin == origin:
                self._idle.remove(idle)
                idle.wanted = True
                idle.listening.cancel()
                try:
                    await idle.left.wait()
                except trio.Cancelled:
                    idle.stream.close()
                    raise
                # It may have heard something in its last moment, or had no turn to listen at all.
                if idle.wanted and _is_silent(idle.stream):
                    return idle.stream
                idle.stream.close()
                return await self.take(origin)
        return None

    async def _listen(self, idle: Idle) -> None:
        """Whatever is heard, the connection is of no more use: a goodbye, or words too many."""
        try:
            with idle.listening:
                with contextlib.suppress(trio.BrokenResourceError):
                    await idle.stream.receive_some()
                idle.wanted = False
        finally:
            if idle in self._idle:
                self._idle.remove(idle)
            if not idle.wanted:
                idle.stream.close()
            idle.left.set()


def _is_silent(stream: ByteStream) -> bool:
    """Whether nothing has come: not a goodbye, not the answer to a request that is not sent yet."""
    try:
        return stream.receive_now() is None
    except trio.BrokenResourceError:
        return False


# What this file does not do: limit connections that are in use, or open any.
