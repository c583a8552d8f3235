"""The catalogue of faults, and the decorators that add a function to it.

    @on_body(cuts=True)
    async def rst_mid_chunk(connection: FaultyConnection, event: bytes) -> None:
        "Half of the bytes that the chunk's size announced, then RST."

In the catalogue this fault is called `rst-mid-chunk`, and its docstring describes it. It is
injected into event 3 unless another position is asked for. Until then, the client has seen a
healthy stream.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from ...http.reply import Reply, StreamingReply
from .injection import FaultInjector, FaultPosition, Inject, PositionUnit, StreamFault, WholeBody

__all__ = [
    "FIRST",
    "LAST",
    "STREAM_FAULTS",
    "AnyReply",
    "FaultSpec",
    "in_place_of",
    "on_body",
    "on_events",
    "on_head",
    "without_head",
]

AnyReply = Reply | StreamingReply


class FaultSpec(msgspec.Struct, frozen=True):
    """An entry of the catalogue.

    Args:
        apply: The function that makes the faulty reply from a healthy one. Without a position, it
            uses the usual one.
        position: The usual position, or None if the fault takes no position.
        needs_events: Whether the fault works only on an event stream.
        replaces: Whether nothing of the healthy answer is sent.
        description: What the fault does, in one line.
    """

    apply: Callable[[AnyReply, FaultPosition | None], AnyReply]
    position: FaultPosition | None = None
    needs_events: bool = False
    replaces: bool = False
    description: str = ""


STREAM_FAULTS: dict[str, FaultSpec] = {}
"""The catalogue, by name."""

FIRST, THIRD = FaultPosition(PositionUnit.EVENT, 1), FaultPosition(PositionUnit.EVENT, 3)
LAST = FaultPosition(PositionUnit.LAST)


def on_body(
    at: FaultPosition = THIRD, *, needs_events: bool = False, **flags: bool
) -> Callable[[Inject], Inject]:
    """Decorate a fault in the body of any reply. The flags are those of `StreamFault`."""

    def register(inject: Inject) -> Inject:
        fault = StreamFault(inject, **flags)

        def apply(reply: AnyReply, position: FaultPosition | None) -> StreamingReply:
            faulty = _streamed(reply)
            faulty.source = FaultInjector(faulty.copied(), fault, position or at)
            return faulty

        position = None if at is LAST else at  # a fault at the end happens nowhere else
        _register(inject, FaultSpec(apply, position, needs_events=needs_events))
        return inject

    return register


def on_events(at: FaultPosition = THIRD, **flags: bool) -> Callable[[Inject], Inject]:
    """Decorate a fault that works only on an event stream."""
    return on_body(at, needs_events=True, **flags)


def on_head(edit: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Decorate a fault in the head. The body after it is healthy."""

    def apply(reply: AnyReply, position: FaultPosition | None) -> StreamingReply:
        faulty = _streamed(reply)
        faulty.edit_head = edit
        return faulty

    _register(edit, FaultSpec(apply))
    return edit


def without_head(inject: Inject) -> Inject:
    """Decorate a fault that happens before the first byte of the reply."""

    def apply(reply: AnyReply, position: FaultPosition | None) -> StreamingReply:
        faulty = _streamed(reply)
        faulty.edit_head = lambda head: b""
        faulty.source = FaultInjector(faulty.copied(), StreamFault(inject), None)
        return faulty

    _register(inject, FaultSpec(apply, replaces=True))
    return inject


def in_place_of(make: Callable[[AnyReply], Reply]) -> Callable[[AnyReply], Reply]:
    """Decorate a function that makes a wrong reply in place of the right one."""
    _register(make, FaultSpec(lambda reply, position: make(reply), replaces=True))
    return make


def _register(function: Callable[..., object], fault: FaultSpec) -> None:
    name = function.__name__.replace("_", "-")
    description = " ".join((function.__doc__ or "").split())
    STREAM_FAULTS[name] = replace(fault, description=description)


def _streamed(reply: AnyReply) -> StreamingReply:
    """Return a copy of the reply, sent in chunks."""
    if isinstance(reply, StreamingReply):
        return reply.copied()
    source = WholeBody(reply.body)
    return StreamingReply(source, reply.status, reply.content_type, reply.headers)
