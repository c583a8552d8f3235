"""Admission: a request gets a reservation before any work is done for it, and holds the reservation
until its end.

    request ─► reservation? ─► read ─► think ─► queue ─► batch ─► last byte   counted as "done"
                  │
                  └─► 503, at once                                            counted as "rejected"

The rules this file keeps:

1. The limit is checked and the reservation made in the same step. If the request were read between
   these two, twenty requests that are being read at the same time would all find the queue empty.
2. There are as many reservations as sequences that the engine can run and queue. A request without
   one is refused at once.
3. A reservation is released however its request ends: answered, refused, failed, or abandoned by a
   client that disconnects, even between the handler's reply and its first byte.
4. Every request is counted once, when it ends.
"""

from collections.abc import Callable

import msgspec
import trio

from ..http.body import BodyWriter, Ending
from ..http.metrics import Metrics
from ..http.reply import (
    CutOff,
    Handler,
    Pieces,
    Reply,
    Request,
    Source,
    StreamingReply,
    close_source,
    send_source,
)

__all__ = ["CLIENT_GONE", "Admission"]

# A write to a client that has disconnected raises one of these. If the watch notices first, the
# task is cancelled.
CLIENT_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Admission:
    """Limits the number of requests that are processed at one time.

    Args:
        limit: Largest number of reservations held at one time.
        metrics: The object that counts how requests end.

    Attributes:
        held: Number of reservations held now.
    """

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self.held = 0
        self._limit = limit
        self._metrics = metrics

    def guard(
        self, route: str, handler: Handler, busy: Callable[[], Reply] | None = None
    ) -> Handler:
        """Return the same handler, with its requests counted and, if `busy` is given, limited.

        Args:
            route: The route's name in the metrics.
            busy: A function that makes the reply to a request that gets no reservation. Use None if
                requests for this handler need no reservation.
        """
        size = 0 if busy is None else 1

        async def answered(request: Request) -> Reply | StreamingReply:
            if busy is not None and self.held >= self._limit:
                self._metrics.end(route, "rejected")
                return busy()
            self.held += size
            reservation = Reservation(self, route, size)
            reason = "cancelled"
            try:
                reply = await handler(request)
                if isinstance(reply, StreamingReply):
                    reservation.source, reply.source = reply.source, reservation
                    return reply
                reason = _reason(reply.status)
            except Exception:
                reason = "failed"
                raise
            finally:
                if reservation.source is None:
                    reservation.release(reason)
            return reply

        return answered

    def end(self, route: str, reason: str, size: int) -> None:
        """Release a reservation and count its request."""
        self.held -= size
        self._metrics.end(route, reason)


class Reservation(msgspec.Struct, eq=False):
    """The reservation of one request. It is also the source of a streaming reply, which holds the
    reservation until its end: a `Source`.

    Args:
        size: Number of reservations: 1, or 0 for a request that is counted but not limited.
        source: The reply's own source, or None if the reservation ends when the handler returns.
    """

    _admission: Admission | None
    _route: str
    _size: int
    source: Pieces | Source | None = None

    def release(self, reason: str) -> None:
        """Release the reservation. Only the first call has an effect."""
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.end(self._route, reason, self._size)

    async def send_to(self, body: BodyWriter) -> None:
        """Send the whole body and its end, and count how the reply ended."""
        assert self.source is not None
        ending = None
        try:
            await send_source(self.source, body)
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
            self.release((ending or body.ending).value)

    async def aclose(self) -> None:
        """Close the source, even if the reply ends before its first byte is sent."""
        self.release("cancelled")
        if self.source is not None:
            await close_source(self.source)


def _reason(status: int) -> str:
    if status < 400:
        return "done"
    return "invalid" if status < 500 else "failed"


# What this file does not do: decide in which order admitted requests run (engine.py), or limit
# connections and the bytes that clients may send (../http/connection.py).
