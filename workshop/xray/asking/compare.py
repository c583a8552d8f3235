"""Sends the same request on several paths, and names the hop that spoils the stream.

    server ─────────────────── x-ray       way 1: live
    server ── nginx ────────── x-ray       way 2: live
    server ── nginx ── cdn ─── x-ray       way 3: buffered-blocks        cdn does it

A path, here called a way, leads from this machine to the server, through all hops or only through
some of them. Two neighbouring paths differ by one hop. If only the longer path has a fault, that
hop is the cause. So the paths are ordered, beginning with the one nearest to the server, and each
path has the name of the hop that it adds.

The rules this file keeps:

1. Each path is measured several times, in turns, so that a short load on the machine does not
   affect only one path. A path has a fault if most of its answers have the fault.
2. If a path has a fault and the path before it does not, the verdict names the added hop. If the
   first path already has the fault, the cause is the server or a hop that the user did not name.
3. If the first path has a fault but the last one has not, the user has probably reversed the order,
   because a hop further downstream does not repair a stream. Then the paths are read from the last
   to the first.
4. Faults belong to families (held, ended, changed). Only the first fault of each family is
   reported, because a later hop may turn one fault into another of the same family.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import msgspec

from ..judge.cures import cures_of, head_fields, product_of, server_cure
from ..judge.verdicts import report
from ..meter.measure import Meter
from ..report import Report, Verdict
from .ask import Asking, StoppedError
from .difference import held_more, timed_out

__all__ = ["Comparison", "Way", "WayReport", "ask_by_turns", "compare"]

ROUNDS = 3
SURE = 0.5  # a verdict that is surer than this is a claim

# The codes of each family. A code that is not here is a family of its own.
HELD = {
    "buffered-whole",
    "buffered-blocks",
    "coalesced",
    "compressed-unflushed",
    "one-behind",
    "burst-after-stall",
    "type-gated",
    "method-gated",
}
ENDED = {
    "idle-timeout",
    "lifetime-timeout",
    "deaf",
    "vanished",
    "cut-transport",
    "cut-clean",
    "cut-application",
    "finished-not-closed",
}
CHANGED = {"retried", "rewritten", "bad-events", "not-a-stream", "framing-error"}

ENDS_EARLY = (
    "The upstream's answer is complete, so this hop ends it early itself. Look for its timeouts "
    "and limits, and for errors in its log at this time."
)

# These do not spoil a stream by themselves. Another hop may still hold it.
LIGHT = {"head-held", "nagle", "http10", "until-close", "measured", "length-limit"}


class Way(NamedTuple):
    """One path from this machine to the server.

    Args:
        name: Name of the hop that this path adds, or of the server.
        asking: The request on this path.
        address: The URL or address that the user gave.
    """

    name: str
    asking: Asking
    address: str


class WayReport(msgspec.Struct, frozen=True):
    """The common properties of the answers on one path.

    Args:
        name, address: Name and address of the path.
        codes: The faults that most of its answers have, most harmful first.
        reports: One report for each answer.
    """

    name: str
    address: str
    codes: list[str]
    reports: list[Report]


class Comparison(msgspec.Struct, frozen=True):
    """The object that `--compare --json` prints.

    Args:
        ways: The findings on each path, nearest to the server first.
        verdicts: One verdict for each hop with a fault, most harmful first.
        cures: The cures for the first verdict, as {product: line of its configuration}. If the
            product of the hop was recognized, it comes first.
    """

    ways: list[WayReport]
    verdicts: list[Verdict]
    cures: dict[str, str]


class Answers(NamedTuple):
    """The answers on one path."""

    way: Way
    meters: list[Meter]
    reports: list[Report]
    faults: dict[str, Verdict]  # those that most answers have, most harmful first


async def ask_by_turns(
    ways: Sequence[Way], ask: Callable[[Way, int], Awaitable[Meter | None]], rounds: int = ROUNDS
) -> list[list[Meter]]:
    """Send the request on each path in turn, `rounds` times.

    Args:
        ways: The paths.
        ask: Sends the request once on a path. Its second argument is the number of the round, from
            1. It returns None if no answer came, and raises StoppedError to end the comparison.
        rounds: Number of requests on each path.

    Returns:
        The measurements of each path. A missing answer has none.
    """
    meters: list[list[Meter]] = [[] for _ in ways]
    with suppress(StoppedError):
        for number in range(1, rounds + 1):
            for way, measured in zip(ways, meters, strict=True):
                if (meter := await ask(way, number)) is not None:
                    measured.append(meter)
    return meters


def compare(ways: Sequence[Way], measured: Sequence[Sequence[Meter]]) -> Comparison:
    """Find out which hop causes which fault.

    Args:
        ways: The paths, nearest to the server first.
        measured: One or more answers on each path.
    """
    all_answers = [_answers(way, meters) for way, meters in zip(ways, measured, strict=True)]
    if _is_reversed(all_answers):
        verdicts = [_doubtful(one, all_answers) for one in _of_all(all_answers[::-1])]
    else:
        verdicts = _of_all(all_answers)
    if not verdicts:
        verdicts = _unsure(all_answers) or [_all_live(all_answers)]
    first = verdicts[0]
    product = str(first.facts.get("product", ""))
    is_server = first.hop == all_answers[0].way.name
    return Comparison(
        [
            WayReport(way.name, way.address, list(faults), reports)
            for way, _, reports, faults in all_answers
        ],
        verdicts,
        cures_of(first.code, product, is_server=is_server),
    )


def _of_all(all_answers: Sequence[Answers]) -> list[Verdict]:
    """Return the verdicts in the order of the paths, except that faults which do not spoil a stream
    come last."""
    verdicts = _of_server(all_answers[0])
    for upstream, answers in pairwise(all_answers):
        verdicts += _of_hop(upstream, answers)
    return sorted(verdicts, key=lambda verdict: verdict.code in LIGHT)


def _is_reversed(all_answers: Sequence[Answers]) -> bool:
    """Whether the first path shows a fault and the last path is live. Then the paths were probably
    given in the wrong order: a hop cannot repair the stream that it gets."""
    first, last = all_answers[0], all_answers[-1]
    live = sum(one.verdicts[0].code == "live" for one in last.reports)
    is_live = 2 * live > len(last.reports) and not last.faults.keys() - LIGHT
    return bool(first.faults.keys() - LIGHT) and is_live


def _doubtful(verdict: Verdict, all_answers: Sequence[Answers]) -> Verdict:
    first, last = all_answers[0].way.name, all_answers[-1].way.name
    hint = (
        f"Your order looks reversed: the first way ({first}) is spoilt, and the last ({last}) is "
        "not. Give the way nearest to the server first."
    )
    sure = min(verdict.sure, 0.8)
    return msgspec.structs.replace(verdict, sure=sure, say=f"{verdict.say} {hint}")


def _answers(way: Way, meters: Sequence[Meter]) -> Answers:
    reports = [report(meter) for meter in meters]
    claims = [
        {one.code: one for one in each.verdicts if one.sure > SURE and one.code != "live"}
        for each in reports
    ]
    times = Counter(code for claim in claims for code in claim)
    most = {code for code, count in times.items() if 2 * count > len(reports)}
    faults: dict[str, Verdict] = {}
    for claim in claims:  # the order of the first answer that has the fault
        faults |= {code: one for code, one in claim.items() if code in most and code not in faults}
    return Answers(way, list(meters), reports, faults)


def _family(code: str) -> frozenset[str]:
    for family in (HELD, ENDED, CHANGED):
        if code in family:
            return frozenset(family)
    return frozenset({code})


def _of_server(answers: Answers) -> list[Verdict]:
    """The faults that the first path has already."""
    name = answers.way.name
    product = product_of(_fields(answers), (), name)
    hint = f"The first way ({name}) has this: it is the server, or a hop that you have not given."
    found = [
        _named(verdict, name, product, f"{verdict.say} {hint}")
        for verdict in list(answers.faults.values())[:1]
    ]
    if found and not product and (cure := server_cure(found[0].code)):
        found[0] = msgspec.structs.replace(found[0], cure=cure)
    return found


def _of_hop(upstream: Answers, answers: Answers) -> list[Verdict]:
    """The faults that a path has, but not the path before it."""
    before = set().union(*(_family(code) for code in upstream.faults if code not in LIGHT))
    new = [
        verdict
        for code, verdict in answers.faults.items()
        if code not in upstream.faults and code not in before
    ]
    name = answers.way.name
    product = product_of(_fields(answers), _fields(upstream), name)
    if not (before | {one.code for one in new}) & (HELD | ENDED):
        held = held_more(upstream.meters, answers.meters, answers.reports)
        new = [held, *new] if held else new
    if not before & ENDED and (timeout := timed_out(upstream.meters, answers.meters)):
        new = [timeout]
    if not new and (rewritten := _differs(upstream, answers)):
        new = [rewritten]
    hint = f"The way before it ({upstream.way.name}) does not have this."
    if new and new[0].code == "cut-clean" and not product:
        new[0] = msgspec.structs.replace(new[0], cure=ENDS_EARLY)
    return [_named(verdict, name, product, f"{verdict.say} {hint}") for verdict in new[:1]]


def _named(verdict: Verdict, hop: str, product: str, say: str) -> Verdict:
    lines = cures_of(verdict.code, product)
    cure = f"{product}: {lines[product]}" if product in lines else verdict.cure
    facts = verdict.facts | ({"product": product} if product else {})
    return msgspec.structs.replace(verdict, hop=hop, say=say, cure=cure, facts=facts)


def _fields(answers: Answers) -> list[tuple[str, str]]:
    """The header fields of the path's last answer with a complete head."""
    found = [fields for meter in answers.meters if (fields := head_fields(meter))]
    return found[-1] if found else []


def _differs(upstream: Answers, answers: Answers) -> Verdict | None:
    """A fault that only a comparison can show: the same request gets a different answer.

    The fault is found only if all answers on the same path are equal. With a model whose answers
    vary, nothing can be found.
    """
    if upstream.faults.keys() - LIGHT or len(upstream.meters) < 2:
        return None
    before, after = (set(map(_content, each.meters)) for each in (upstream, answers))
    if len(before) > 1 or len(after) > 1 or before == after:
        return None
    (*text, size), (*other_text, other_size) = *before, *after
    what = (
        "The text differs" if text != other_text else "The events differ, and the text is the same"
    )
    return Verdict(
        code="rewritten",
        sure=0.9 if text != other_text else 0.7,
        say=f"{what}: {other_size} bytes in every answer, not {size}.",
        cure="Look for a filter that changes the body.",
        facts={"bytes": other_size, "before": size},
    )


def _content(meter: Meter) -> tuple[str, int, int]:
    """Return the beginning of the text, its size, and the size of the decompressed body."""
    return meter.answer.text, meter.text_bytes, meter.layers.anatomy.body_size


def _unsure(all_answers: Sequence[Answers]) -> list[Verdict]:
    """No path has a fault, but x-ray is not sure about one of the answers."""
    for answers in all_answers:
        for each in answers.reports:
            if each.verdicts[0].code == "unsure":
                return [msgspec.structs.replace(each.verdicts[0], hop=None)]
    return []


def _all_live(all_answers: Sequence[Answers]) -> Verdict:
    """The stream is live on every path. But if a hop removed a header field, the next hop may
    behave worse."""
    names = [answers.way.name for answers in all_answers]
    say = f"The stream is live by every way: {', '.join(names)}."
    hop = None
    for upstream, answers in pairwise(all_answers):
        before = {name.lower(): value for name, value in _fields(upstream)}
        after = {name.lower(): value for name, value in _fields(answers)}
        for name, why in WATCHED.items():
            if name in before and name not in after and _matters(name, before[name]):
                hop = hop or answers.way.name
                say += f" {answers.way.name} removes {why}"
        if "content-encoding" in after and "content-encoding" not in before:
            hop = hop or answers.way.name
            say += f" {answers.way.name} compresses, and flushes after each event."
    sure = min(median(map(_live, answers.reports)) for answers in all_answers)
    if sure <= SURE:
        say += " But the answers are too short to be sure: ask for a hundred tokens or more."
    return Verdict(code="live", sure=sure, say=say, hop=hop)


def _live(report: Report) -> float:
    """How sure it is that an answer was live. An answer does not count if it has a fault that most
    answers do not have."""
    return next((one.sure for one in report.verdicts if one.code == "live"), 0.9)


WATCHED = {
    "x-accel-buffering": "X-Accel-Buffering: an nginx further downstream would buffer.",
    "cache-control": "no-transform: a compressor further downstream may compress.",
}


def _matters(name: str, value: str) -> bool:
    return name != "cache-control" or "no-transform" in value.lower()


# What this file does not do: send requests (ask.py), or print (command.py).
