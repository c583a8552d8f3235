"""Faults on the wire, on purpose: what a client must live with, and how it can be seen to.

    parse("rst-mid-chunk@5").apply(reply)      the same answer, but RST inside its event 5
    parse("503").apply(reply)                  status 503 in its place
    Faults().take("429*2", key)                that fault for the first two requests with this key

A fault takes a healthy reply and returns the disturbed one. It knows nothing about how answers
are made, and they nothing about it.

    stream_faults.py  how streams break: a few lines each, with their bytes
    status_faults.py  errors in place of an answer
    catalogue.py      all faults by name, and what is known of each
    injection.py      puts a fault between an answer and its connection

What clients in use make of each fault is measured in `servers/FAULTS.md`.
"""

import re
from collections.abc import Hashable
from difflib import get_close_matches

import msgspec

from ...http.reply import EventStream
from .catalogue import AnyReply
from .injection import Place, Unit
from .status_faults import STATUSES
from .stream_faults import WAYS

__all__ = ["FAULTS", "Fault", "Faults", "listing", "parse"]

FAULTS = WAYS | STATUSES
"""All there are, by name."""

MAX_SPEC = 100
"""Characters of a request for a fault. The longest that means something has half of them."""

PARTS = re.compile("(?=[@*])")  # a place begins with "@", how many times with "*"
TIMES = re.compile("[0-9]{1,6}")
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
NAME*2@5, NAME@5*2      both
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
    """Read `NAME[*TIMES][@PLACE]`, as in "fin", "429*2", "rst@5", "fin@byte 200", "stall@1.5s"; the
    place may come first, as in "rst@5*2".

    Raises:
        ValueError: there is no such fault, place or number. The message says what there is.
    """
    if len(text) > MAX_SPEC:
        raise ValueError(f"not a fault: it has more than {MAX_SPEC} characters")
    name, *parts = (part.strip() for part in PARTS.split(text.strip().lower()))
    if name not in FAULTS:
        raise ValueError(_unknown(name))
    place: Place | None = None
    times = 0
    for part in parts:
        if part[0] == "*":
            if times:
                raise ValueError(f"two numbers of requests: {text[:80]!r}. Say one, as in {name}*2")
            times = _times(name, part[1:].strip())
        elif FAULTS[name].place is None:
            raise ValueError(f"the fault {name!r} takes no place: say it without {part[:80]}")
        elif place:
            raise ValueError(f"two places: {text[:80]!r}. Say one, as in {name}@5")
        else:
            place = _place(part[1:].strip())
    return Fault(name, place, times)


def _unknown(name: str) -> str:
    before, equals, _ = name.partition("=")
    if equals and before in FAULTS:
        return (
            f"{name[:80]!r} has a rate, which is for the flag --fault of the server. "
            f"Say {before}, or {before}*2 for the first 2 requests"
        )
    close = get_close_matches(name[:80], FAULTS, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"no such fault: {name[:80]!r}. {hint}There are {', '.join(FAULTS)}"


def _times(name: str, text: str) -> int:
    if TIMES.fullmatch(text) and int(text) > 0:
        return int(text)
    message = f"Say {name}*2 for the first 2 requests, up to *999999, or {name} for all"
    raise ValueError(f"not a number of requests: {text[:80]!r}. {message}")


def _place(text: str) -> Place:
    if text == "last":
        return Place(Unit.LAST)
    if match := SECONDS.fullmatch(text):
        return Place(Unit.SECOND, float(match[1] or match[2]))
    if (match := COUNT.fullmatch(text)) and int(match[2]) > 0:
        return Place(Unit(match[1] or "event"), int(match[2]))
    message = "Say @5 or @event 5, @byte 200, @1.5s or @last; events and bytes count from 1"
    raise ValueError(f"no such place: {text[:80]!r}. {message}")


class Faults:
    """Counts how often a fault has happened, for those that happen so many times.

    Args:
        max_keys: how many counts are kept; then the oldest is evicted. Each is of a fault that
            can be said in `MAX_SPEC` characters and of a hash: a megabyte or two for all of them,
            whatever clients send.
    """

    def __init__(self, max_keys: int = 10_000) -> None:
        self._max_keys = max_keys
        self._failed: dict[tuple[Fault, int], int] = {}

    def take(self, spec: str, key: Hashable) -> Fault | None:
        """The fault that happens to this request, or None: its turn to succeed has come.

        Args:
            spec: see `parse`.
            key: of the requests that are counted together. Its hash is kept, and not it: of two
                keys with one hash, which is a chance of one in 10^15, one takes the other's turn.

        Raises:
            ValueError: see `parse`.
        """
        fault = parse(spec)
        if fault.times:
            counted = fault, hash(key)
            failed = self._failed.pop(counted, 0)
            if failed == fault.times:
                return None
            self._failed[counted] = failed + 1
            if len(self._failed) > self._max_keys:
                del self._failed[next(iter(self._failed))]
        return fault


def listing() -> str:
    """All faults, one line each, below the grammar of a request for one."""
    width = max(map(len, FAULTS))
    lines = [f"{name:{width}}  {kind.line}" for name, kind in FAULTS.items()]
    return GRAMMAR + "\n" + "\n".join(lines) + "\n"
