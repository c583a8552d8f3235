"""The catalogue of faults, and the decorators that put a function into it.

    @on_body(cuts=True)
    async def rst_mid_chunk(wire: Wire, event: bytes) -> None:
        "Half of the bytes that the chunk's size announced, then RST."

Its name there is `rst-mid-chunk`, and its docstring is its line in the list. It strikes event 3,
if no other place is asked for: before that, a client has seen a healthy stream.
"""

from collections.abc import Callable
from copy import copy

import msgspec
from msgspec.structs import replace

from ...http.reply import Reply, StreamingReply
from .injection import Disturbance, OnePiece, Place, Strike, Unit, Way

__all__ = [
    "FIRST",
    "LAST",
    "WAYS",
    "AnyReply",
    "Kind",
    "in_place_of",
    "on_body",
    "on_events",
    "on_head",
    "without_head",
]

AnyReply = Reply | StreamingReply


class Kind(msgspec.Struct, frozen=True):
    """An entry of the catalogue.

    Args:
        apply: does it to a reply, at a place, or at its own.
        place: the usual one, or None if it has one place only.
        needs_events: it can be done to an event stream only.
        replaces: nothing is left of the answer.
        line: what it does.
    """

    apply: Callable[[AnyReply, Place | None], AnyReply]
    place: Place | None = None
    needs_events: bool = False
    replaces: bool = False
    line: str = ""


WAYS: dict[str, Kind] = {}
"""The catalogue, by name."""

FIRST, THIRD = Place(Unit.EVENT, 1), Place(Unit.EVENT, 3)
LAST = Place(Unit.LAST)


def on_body(
    at: Place = THIRD, *, needs_events: bool = False, **flags: bool
) -> Callable[[Strike], Strike]:
    """The decorator of what happens to an event, in any body. The flags are those of `Way`."""

    def register(strike: Strike) -> Strike:
        way = Way(strike, **flags)

        def apply(reply: AnyReply, place: Place | None) -> StreamingReply:
            disturbed = _streamed(reply)
            disturbed.source = Disturbance(copy(disturbed), way, place or at)
            return disturbed

        place = None if at is LAST else at  # what happens to the end happens nowhere else
        _register(strike, Kind(apply, place, needs_events=needs_events))
        return strike

    return register


def on_events(at: Place = THIRD, **flags: bool) -> Callable[[Strike], Strike]:
    """The same, in an event stream only."""
    return on_body(at, needs_events=True, **flags)


def on_head(edit: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The decorator of what happens to the head. The body follows it as it is."""

    def apply(reply: AnyReply, place: Place | None) -> StreamingReply:
        disturbed = _streamed(reply)
        disturbed.edit_head = edit
        return disturbed

    _register(edit, Kind(apply))
    return edit


def without_head(strike: Strike) -> Strike:
    """The decorator of what happens before any byte of the reply."""

    def apply(reply: AnyReply, place: Place | None) -> StreamingReply:
        disturbed = _streamed(reply)
        disturbed.edit_head = lambda head: b""
        disturbed.source = Disturbance(copy(disturbed), Way(strike), None)
        return disturbed

    _register(strike, Kind(apply, replaces=True))
    return strike


def in_place_of(make: Callable[[AnyReply], Reply]) -> Callable[[AnyReply], Reply]:
    """The decorator of a wrong reply in place of the right one."""
    _register(make, Kind(lambda reply, place: make(reply), replaces=True))
    return make


def _register(function: Callable[..., object], kind: Kind) -> None:
    name = function.__name__.replace("_", "-")
    WAYS[name] = replace(kind, line=" ".join((function.__doc__ or "").split()))


def _streamed(reply: AnyReply) -> StreamingReply:
    """A copy of a reply, in chunks."""
    if isinstance(reply, StreamingReply):
        return copy(reply)
    source = OnePiece(reply.body)
    return StreamingReply(source, reply.status, reply.content_type, reply.headers)
