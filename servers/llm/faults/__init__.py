"""Failures on the wire that a client must survive, and how to provoke them.

    parse("rst-mid-chunk@5").apply(reply)      the same answer, reset inside its event 5
    parse("503").apply(reply)                  status 503 in its place
    Faults().take("429*2", key)                that fault for the first two requests with this key

A fault takes a healthy reply and returns a faulty one. It knows nothing about how answers are made,
and the code that makes answers knows nothing about faults.

    stream_faults.py  how streams break: a few lines each, with their bytes
    status_faults.py  error statuses in place of an answer
    catalogue.py      all faults by name, and the properties of each
    injection.py      injects a fault between an answer and its connection

`servers/FAULTS.md` shows how eight clients react to each fault, as measured.
"""

import re
from collections.abc import Hashable
from difflib import get_close_matches
from typing import Any, TypedDict

import msgspec

from ...http.reply import EventStream
from .catalogue import AnyReply
from .injection import FaultPosition, PositionUnit
from .status_faults import STATUSES
from .stream_faults import STREAM_FAULTS

__all__ = ["FAULTS", "Fault", "Faults", "fault_catalogue", "listing", "parse"]

FAULTS = STREAM_FAULTS | STATUSES
"""All faults, by name."""

MAX_SPEC = 100
"""Largest number of characters of a request for a fault. The longest meaningful request has half as
many characters."""

PARTS = re.compile("(?=[@*])")  # a position begins with "@", a number of requests with "*"
TIMES = re.compile("[0-9]{1,6}")
COUNT = re.compile(r"(event|byte)?[ =]*([0-9]{1,12})")
SECONDS = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)s|([0-9]{1,6}\.[0-9]{1,6})")

GRAMMAR = """\
Ask for a fault with a header    X-Fault: NAME
             or a model's name   fault-NAME
   or, for a tenth of all,       --fault NAME=0.1    when you start the server

NAME@5, NAME@event 5    at event 5 of the answer: an event ends with a blank line
NAME@byte 200           at byte 200 of the event stream, before chunked coding
NAME@1.5s               1.5 seconds after the head; at the next event if the fault needs one
NAME@last               at the last event; a position past the end means this, too
NAME*2                  for the first 2 requests; the next one succeeds, then it starts again
NAME*2@5, NAME@5*2      both
"""


class Fault(msgspec.Struct, frozen=True):
    """One fault, as asked for.

    Args:
        name: Name of the fault in the catalogue.
        position: Position at which to inject the fault, or None for its usual position.
        times: Number of requests that fail before one succeeds, or 0 if all requests fail.
    """

    name: str
    position: FaultPosition | None = None
    times: int = 0

    @property
    def replaces(self) -> bool:
        """Whether no part of the answer is sent. If so, no answer need be made, and `apply` takes
        any reply."""
        return FAULTS[self.name].replaces

    def apply(self, reply: AnyReply) -> AnyReply:
        """Return the reply with this fault in it. An error reply stays unchanged, so that its
        message is seen.

        Raises:
            ValueError: The fault needs an event stream, and this reply is not one.
        """
        spec = FAULTS[self.name]
        if reply.status >= 400:
            return reply
        if spec.needs_events and not isinstance(reply, EventStream):
            raise ValueError(f"the fault {self.name!r} needs an event stream: set stream to true")
        return spec.apply(reply, self.position)


def parse(text: str) -> Fault:
    """Read `NAME[*TIMES][@POSITION]`: "fin", "429*2", "rst@5", "fin@byte 200", "stall@1.5s". The
    position may come first, as in "rst@5*2".

    Raises:
        ValueError: There is no such fault or position, or the number of requests is wrong. The
            message names what is allowed.
    """
    if len(text) > MAX_SPEC:
        raise ValueError(f"not a fault: it has more than {MAX_SPEC} characters")
    name, *parts = (part.strip() for part in PARTS.split(text.strip().lower()))
    if name not in FAULTS:
        raise ValueError(_unknown(name))
    position: FaultPosition | None = None
    times = 0
    for part in parts:
        if part[0] == "*":
            if times:
                raise ValueError(f"more than one number: {text[:80]!r}. Say one, as in {name}*2")
            times = _times(name, part[1:].strip())
        elif FAULTS[name].position is None:
            raise ValueError(f"the fault {name!r} takes no position: say it without {part[:80]}")
        elif position:
            raise ValueError(f"more than one position: {text[:80]!r}. Say one, as in {name}@5")
        else:
            position = _position(part[1:].strip())
    return Fault(name, position, times)


def _unknown(name: str) -> str:
    before, equals, _ = name.partition("=")
    if equals and before in FAULTS:
        return (
            f"{name[:80]!r} has a rate, which only the server's flag --fault takes. "
            f"Say {before}, or {before}*2 for the first 2 requests"
        )
    close = get_close_matches(name[:80], FAULTS, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"no such fault: {name[:80]!r}. {hint}GET /faults lists all {len(FAULTS)}"


def _times(name: str, text: str) -> int:
    if TIMES.fullmatch(text) and int(text) > 0:
        return int(text)
    message = f"Say {name}*2 for the first 2 requests, up to *999999, or {name} for all"
    raise ValueError(f"not a number of requests: {text[:80]!r}. {message}")


def _position(text: str) -> FaultPosition:
    if text == "last":
        return FaultPosition(PositionUnit.LAST)
    if match := SECONDS.fullmatch(text):
        return FaultPosition(PositionUnit.SECOND, float(match[1] or match[2]))
    if (match := COUNT.fullmatch(text)) and int(match[2]) > 0:
        return FaultPosition(PositionUnit(match[1] or "event"), int(match[2]))
    message = "Say @5 or @event 5, @byte 200, @1.5s or @last; events and bytes count from 1"
    raise ValueError(f"no such position: {text[:80]!r}. {message}")


class Catalogue(TypedDict):
    """What `listing` says, as JSON values."""

    grammar: str
    faults: list[dict[str, Any]]


class Faults:
    """Decides, request by request, whether a fault that is asked for `*TIMES` happens now.

    Args:
        max_keys: Largest number of counts kept. One more evicts the oldest. A count consists of a
            fault, named in at most `MAX_SPEC` characters, and a hash. All counts together need a
            megabyte or two.
    """

    def __init__(self, max_keys: int = 10_000) -> None:
        self._max_keys = max_keys
        self._failed: dict[tuple[Fault, int], int] = {}

    def take(self, spec: str, key: Hashable) -> Fault | None:
        """Return the fault to inject into this request's answer, or None if this request succeeds.

        Args:
            spec: The request for a fault: see `parse`.
            key: Requests with equal keys are counted together. Only the key's hash is kept. If
                two keys have the same hash, they share a count; the probability is one in 10^15.

        Raises:
            ValueError: See `parse`.
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
    """Return the grammar of a request for a fault, and then one line for each fault."""
    width = max(map(len, FAULTS))
    lines = [f"{name:{width}}  {spec.description}" for name, spec in FAULTS.items()]
    return GRAMMAR + "\n" + "\n".join(lines) + "\n"


def fault_catalogue() -> Catalogue:
    """Return what `listing` says as JSON values: the grammar, and one object for each fault. A
    fault without a position has null as its usual one."""
    faults = [
        {
            "name": name,
            "description": spec.description,
            "needs_events": spec.needs_events,
            "position": spec.position,
        }
        for name, spec in FAULTS.items()
    ]
    return {"grammar": GRAMMAR, "faults": faults}
