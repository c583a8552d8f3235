"""Faults on the wire, on purpose: what a client must live with, and how it can be seen to.

    parse("rst-mid-chunk@5").apply(reply)      the same answer, but RST inside its event 5
    parse("503").apply(reply)                  status 503 in its place
    Faults().take("429*2", key)                that fault for the first two requests with this key

A fault takes a healthy reply and returns the disturbed one. It knows nothing about how answers
are made, and they nothing about it.

    ways.py         how streams break: a few lines each, with their bytes
    statuses.py     errors in place of an answer
    catalogue.py    what is known of each, by its name
    wire.py         what stands between an answer and its connection

What clients in use make of each fault is measured in `servers/FAULTS.md`.
"""

import re
from difflib import get_close_matches

import msgspec

from ...reply import EventStream
from .catalogue import AnyReply
from .statuses import STATUSES
from .ways import WAYS
from .wire import Place, Unit

__all__ = ["FAULTS", "Fault", "Faults", "listing", "parse"]

FAULTS = WAYS | STATUSES
"""All there are, by name."""

# name, how many times, place
SPEC = re.compile(r"([a-z0-9-]+)(?:\*([0-9]{1,6}))?(?:@ *(.+))?")
COUNT = re.compile(r"(event|byte)?[ =]*([0-9]{1,12})")
SECONDS = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)s|([0-9]{1,6}\.[0-9]{1,6})")

GRAMMAR = """\
Ask for a fault with a header    X-Fault: NAME
             or a model's name   fault-NAME
     or for a tenth of them all  --fault NAME=0.1    when the server is started

NAME@5, NAME@event 5    it happens to event 5 of the answer: an event ends with a blank line
NAME@byte 200           at byte 200 of the event stream, before chunks are made of it
NAME@1.5s               at the first event 1.5 seconds after the head, or at once if it needs none
NAME@last               at the last event, which is also where a place behind the end is
NAME*2                  to the first 2 requests; the next succeeds, and then it begins again
"""


class Fault(msgspec.Struct, frozen=True):
    """One fault, as asked for.

    Args:
        name: in the catalogue.
        place: where it strikes; None for its own place.
        times: how many requests fail before one succeeds; 0 for all fail.
    """

    name: str
    place: Place | None = None
    times: int = 0

    @property
    def replaces(self) -> bool:
        """Nothing is left of the answer, so none need be made: `apply` takes any reply."""
        return FAULTS[self.name].replaces

    def apply(self, reply: AnyReply) -> AnyReply:
        """The reply, disturbed. An error is left as it is, for it says what is wrong.

        Raises:
            ValueError: the fault is for event streams, and this is none.
        """
        kind = FAULTS[self.name]
        if reply.status >= 400:
            return reply
        if kind.needs_events and not isinstance(reply, EventStream):
            raise ValueError(f"the fault {self.name!r} happens to events: it needs stream: true")
        return kind.apply(reply, self.place)


def parse(text: str) -> Fault:
    """Read `NAME[*TIMES][@PLACE]`, as in "fin", "429*2", "rst@5", "fin@byte 200", "stall@1.5s".

    Raises:
        ValueError: there is no such fault, or no such place. The message says what there is.
    """
    match = SPEC.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not a fault: {text!r}. Say NAME, NAME@PLACE or NAME*TIMES")
    name, times, place = match.groups()
    if name not in FAULTS:
        close = get_close_matches(name, FAULTS, n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"no such fault: {name!r}. {hint}There are {', '.join(FAULTS)}")
    if place and FAULTS[name].place is None:
        raise ValueError(f"the fault {name!r} takes no place: say it without @{place}")
    return Fault(name, _place(place) if place else None, int(times or 0))


def _place(text: str) -> Place:
    if text == "last":
        return Place(Unit.LAST)
    if match := SECONDS.fullmatch(text):
        return Place(Unit.SECOND, float(match[1] or match[2]))
    if (match := COUNT.fullmatch(text)) and int(match[2]) > 0:
        return Place(Unit(match[1] or "event"), int(match[2]))
    message = "Say @5 or @event 5, @byte 200, @1.5s or @last; events and bytes count from 1"
    raise ValueError(f"no such place: {text!r}. {message}")


class Faults:
    """Counts how often a fault has happened, for those that happen so many times.

    Args:
        max_keys: how many counts are kept; then the oldest is forgotten.
    """

    def __init__(self, max_keys: int = 10_000) -> None:
        self._max_keys = max_keys
        self._failed: dict[tuple[str, str], int] = {}

    def take(self, spec: str, key: str) -> Fault | None:
        """The fault that happens to this request, or None: its turn to succeed has come.

        Args:
            spec: see `parse`.
            key: of the requests that are counted together.

        Raises:
            ValueError: see `parse`.
        """
        fault = parse(spec)
        if fault.times:
            failed = self._failed.pop((spec, key), 0)
            if failed == fault.times:
                return None
            self._failed[spec, key] = failed + 1
            if len(self._failed) > self._max_keys:
                del self._failed[next(iter(self._failed))]
        return fault


def listing() -> str:
    """All faults, one line each, below the grammar of a request for one."""
    width = max(map(len, FAULTS))
    lines = [f"{name:{width}}  {kind.line}" for name, kind in FAULTS.items()]
    return GRAMMAR + "\n" + "\n".join(lines) + "\n"
