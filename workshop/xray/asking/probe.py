"""Repeats a request with one change, to tell causes apart that look the same in one response.

    asked: GET, Accept: */*, Accept-Encoding: gzip      all at once, after 3.2 s

    again with Accept-Encoding: identity                live: a compressor holds the text
    again with POST                                     live: a hop holds the answers to GET
    again with Accept: text/event-stream                live: a hop holds other types

The rules this file keeps:

1. Each probe changes one property of the first request.
2. Only a pair of answers, one held and one live, is a proof. A refused probe proves nothing. If
   both are held but with different verdicts, there are two causes.
3. The number of requests is known before the first one is sent, because an answer may cost money.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from ..judge.verdicts import report
from ..meter.measure import Meter
from ..report import Report, Verdict
from .ask import Asking
from .compare import HELD, SURE

__all__ = ["Probe", "conclude", "probes_of"]

EVENTS = "text/event-stream"


class Probe(NamedTuple):
    """One more request.

    Args:
        code: The verdict if the first answer is held and this one is not, or the reverse.
        change: The changed value, such as "POST".
        original: The value in the first request, such as "GET".
        asking: The request.
    """

    code: str
    change: str
    original: str
    asking: Asking


def probes_of(asking: Asking) -> list[Probe]:
    """Return the probes that can tell the causes apart."""
    values = {name.lower(): value for name, value in asking.headers}
    codings = values.get("accept-encoding", "identity")
    coding = "gzip" if codings == "identity" else "identity"
    accept = values.get("accept", "*/*")
    kind = "*/*" if EVENTS in accept else EVENTS
    changes = [
        ("compressed-unflushed", "Accept-Encoding", codings, coding),
        ("type-gated", "Accept", accept, kind),
    ]
    probes = [
        Probe(code, f"{name}: {new}", f"{name}: {old}", _with(asking, name, new))
        for code, name, old, new in changes
    ]
    # An API that needs a body refuses a GET, so this probe would prove nothing.
    if not asking.body and asking.method in ("GET", "POST"):
        method = "POST" if asking.method == "GET" else "GET"
        again = replace(asking, method=method)
        probes.append(Probe("method-gated", method, asking.method, again))
    return probes


def _with(asking: Asking, name: str, value: str) -> Asking:
    kept = tuple(field for field in asking.headers if field[0].lower() != name.lower())
    return replace(asking, headers=(*kept, (name, value)))


def conclude(first: Meter, probes: Sequence[Probe], meters: Sequence[Meter]) -> Report:
    """Return the report that the first answer and the other answers give together.

    Args:
        first: The answer to the first request.
        probes, meters: The other requests, and their answers.

    Returns:
        The report on the first answer, beginning with the verdicts that the probes proved.
    """
    said = report(first)
    proved = [
        verdict
        for probe, meter in zip(probes, meters, strict=True)
        if (verdict := _proved(said, probe, meter))
    ]
    if proved:
        others = [one for one in said.verdicts if one.code not in HELD | {"live", "unsure"}]
        return msgspec.structs.replace(said, verdicts=[*proved, *others])
    if _is_held(said):
        return _with_causes(said, probes, [report(meter) for meter in meters])
    return said


def _with_causes(said: Report, probes: Sequence[Probe], others: Sequence[Report]) -> Report:
    """Return the report on a held answer when the other answers are held, too, for the same reason
    or for a second one."""
    worst, *rest = said.verdicts
    same, second = [], None
    for probe, other in zip(probes, others, strict=True):
        held = [one for one in other.verdicts if one.code in HELD and one.sure > SURE]
        if held and held[0].code == worst.code:
            same.append(probe.change)
        elif held and second is None:
            second = msgspec.structs.replace(held[0], say=f"With {probe.change}: {held[0].say}")
            hint = (
                f"With {probe.change} it is still held, as {held[0].code}: there is a second cause."
            )
            worst = msgspec.structs.replace(worst, say=f"{worst.say} {hint}")
    if same:
        say = f"{worst.say} It is the same with {', '.join(same)}."
        worst = msgspec.structs.replace(worst, say=say)
    return msgspec.structs.replace(said, verdicts=[worst, *([second] if second else []), *rest])


def _proved(said: Report, probe: Probe, meter: Meter) -> Verdict | None:
    """Return the verdict on two answers of which one is held and the other is live."""
    other = report(meter)
    if _is_held(said) and _is_live(other):
        held, live = probe.original, probe.change
    elif _is_live(said) and _is_held(other):
        held, live = probe.change, probe.original
    else:
        return None
    cause, cure = CAUSES[probe.code]
    return Verdict(
        code=probe.code,
        sure=0.95,
        say=f"{cause}: the answer is held with {held}, and live with {live}.",
        cure=cure,
        facts={"held": held, "live": live},
    )


CAUSES = {
    # code: (what holds the answer, the cure)
    "compressed-unflushed": (
        "A compressor holds the text",
        "Leave text/event-stream out of the compression, or flush after each event.",
    ),
    "type-gated": (
        "A hop holds answers of one type",
        "Ask for the type that is live, and send Content-Type: text/event-stream.",
    ),
    "method-gated": (
        "A hop holds the answers to one method",
        "Ask with the method that is live.",
    ),
}


def _is_held(said: Report) -> bool:
    return any(one.code in HELD and one.sure > SURE for one in said.verdicts)


def _is_live(said: Report) -> bool:
    return said.verdicts[0].code == "live" and said.status < 300


# What this file does not do: send requests (command.py), or find out which HTTP version a hop uses
# with its upstream, because no request can show this.
