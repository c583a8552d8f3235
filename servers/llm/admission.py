"""Who is let in: a request has a place from before anything is done for it until its answer ends.

    request ─► a place? ─► read ─► think ─► queue ─► batch ─► last byte      counted as "done"
                  │
                  └─► 503, at once                                           counted as "rejected"

The rules this file keeps:

1. A place is taken in the same step in which it is looked for. Between a look and a later step
   other requests come: twenty that are still being read would all find the queue empty.
2. There are as many places as the engine can run and queue; a request without one is refused at
   once.
3. A place is given back however its request ends: answered, refused, failed, or left by its client,
   also between the handler's reply and its first byte.
4. Every request is counted once, when it ends.
"""

from collections.abc import Callable
from copy import copy

import trio

from ..http.body import BodyWriter, Ending
from ..http.metrics import Metrics
from ..http.reply import CutOff, Handler, Reply, Request, StreamingReply

__all__ = ["CLIENT_GONE", "Admission"]

# What a write raises that finds it out. If the watch does first, the task is cancelled.
CLIENT_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Admission:
    """Lets requests in.

    Args:
        limit: how many at a time.
        metrics: where their ends are counted.

    Attributes:
        held: how many have a place now.
    """

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self.held = 0
        self._limit = limit
        self._metrics = metrics

    def guard(
        self, route: str, handler: Handler, busy: Callable[[], Reply] | None = None
    ) -> Handler:
        """The same handler, whose requests are counted.

        Args:
            route: for the metrics.
            busy: what is replied to a request for which there is no place; None if the handler's
                requests need none.
        """
        size = 0 if busy is None else 1

        async def answered(request: Request) -> Reply | StreamingReply:
            if busy is not None and self.held >= self._limit:
                self._metrics.end(route, "rejected")
                return busy()
            place = Place(self, route, size)
            reason = "cancelled"
            try:
                reply = await handler(request)
                if isinstance(reply, StreamingReply):
                    reply.source = Held(copy(reply), place)
                    return reply
                reason = _reason(reply.status)
            except Exception:
                reason = "failed"
                raise
            finally:
                if not place.kept:
                    place.leave(reason)
            return reply

        return answered

    def end(self, route: str, reason: str, size: int) -> None:
        """A place is free, its request is counted."""
        self.held -= size
        self._metrics.end(route, reason)


class Place:
    """The place of one request, taken when this is made.

    Args:
        size: of it; 0 for a request that is counted only.

    Attributes:
        kept: beyond the handler, for a reply that streams.
    """

    def __init__(self, admission: Admission, route: str, size: int) -> None:
        admission.held += size
        self.kept = False
        self._admission: Admission | None = admission
        self._route = route
        self._size = size

    def leave(self, reason: str) -> None:
        """Give it back. Only the first call counts."""
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.end(self._route, reason, self._size)


class Held:
    """The source of a streaming reply that has a place until its end: a `Source`."""

    def __init__(self, reply: StreamingReply, place: Place) -> None:
        place.kept = True
        self._reply = reply
        self._place = place

    async def send_to(self, body: BodyWriter) -> None:
        """Send all of it, and the end; count how it ended."""
        ending = None
        try:
            await self._reply.send_to(body)
            ending = Ending.DONE
        except CutOff as cut:
            ending = Ending.RESET if cut.reset else Ending.CUT_OFF
            raise
        except CLIENT_GONE:
            ending = Ending.DISCONNECTED
            raise
        except Exception:
            ending = Ending.FAILED
            raise
        finally:
            self._place.leave((ending or body.ending).value)

    async def aclose(self) -> None:
        """The reply has ended, perhaps before its first byte."""
        self._place.leave("cancelled")
        await self._reply.aclose()


def _reason(status: int) -> str:
    if status < 400:
        return "done"
    return "invalid" if status < 500 else "failed"


# What this file does not do: order those who have a place (engine.py), or limit connections and the
# bytes that they may send (../connection.py).
