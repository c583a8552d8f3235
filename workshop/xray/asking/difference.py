"""Compares an answer that came through the hop with one that came around it.

    server            200 tokens at 200 times, 50 ms apart
    server ── hop     200 tokens at 2 times, 2.5 s apart       the hop gathers them

On the second path alone, a model that makes a hundred tokens in one step would look the same. The
first path shows that this model does not. So a suspicion becomes a claim if, on the path without
the hop, the same kind of answer arrived in many more parts and with much shorter gaps. A timeout is
found similarly: the same silence ends all answers on the path with the hop, and none on the other.
A path is called a way here, as in compare.py.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from msgspec import structs

from ..judge.lumps import amount_of, gaps_of, joined
from ..judge.verdicts import verdict_of
from ..meter.measure import Meter
from ..report import Report, Verdict

__all__ = ["held_more", "timed_out"]

FEW_TOKENS = 20  # an answer with fewer tokens shows no difference
MORE, MUCH_MORE = 3, 5  # factors: of the tokens at a time, and of the gaps
GAP, LONG_GAP = 150, 500  # milliseconds: the least gap, with a suspicion and without one

SHORTEST_TIMEOUT = 900.0  # milliseconds

SUSPICIONS = ("buffered-whole", "buffered-blocks", "coalesced")


class Rate(NamedTuple):
    """How the answers on one path arrived.

    Args:
        tokens: Tokens, or events, in an answer.
        at_once: Tokens in each part.
        gap: The longest gap, in milliseconds. If all arrived in one part: the time before it.
    """

    tokens: float
    at_once: float
    gap: float


def held_more(
    before: Sequence[Meter], after: Sequence[Meter], reports: Sequence[Report]
) -> Verdict | None:
    """Return a verdict on a hop that holds events, or None if the two paths do not prove it.

    Args:
        before: The answers on the path without the hop.
        after: The answers on the path with the hop.
        reports: The reports on `after`.
    """
    upstream, rate = _rate(before), _rate(after)
    suspected = [
        verdict
        for report in reports
        for verdict in report.verdicts[:2]
        if verdict.code in SUSPICIONS and verdict.sure <= 0.5
    ]
    is_suspected = 2 * len(suspected) > len(reports)
    times, least = (MORE, GAP) if is_suspected else (MUCH_MORE, LONG_GAP)
    if min(upstream.tokens, rate.tokens) < FEW_TOKENS:
        return None
    if rate.at_once < times * upstream.at_once or rate.gap < max(least, times * upstream.gap):
        return None
    verdict = (
        suspected[0]
        if is_suspected
        else verdict_of("coalesced", 0.9, period_ms=round(rate.gap), events=round(rate.at_once))
    )
    return Verdict(
        code=verdict.code,
        sure=0.9,
        say=f"{verdict.say} The longest gap is {rate.gap:,.0f} ms here, "
        f"and {upstream.gap:,.0f} ms by the way before it.",
        cure=verdict.cure,
        facts=verdict.facts | {"gap_ms": round(rate.gap), "gap_before_ms": round(upstream.gap)},
    )


def timed_out(before: Sequence[Meter], after: Sequence[Meter]) -> Verdict | None:
    """Return a verdict on a hop's idle timeout, or None if the two paths do not prove one.

    On the path with the hop, every answer was cut after the same silence. On the path without it, a
    longer silence did no harm.
    """
    if len(after) < 2 or any(meter.complete or not meter.cut for meter in after):
        return None
    quiet = [meter.quiet_ms for meter in after]
    survived = [max(meter.gap_line, default=0.0) for meter in before]
    if min(quiet) < SHORTEST_TIMEOUT or max(quiet) - min(quiet) > max(150, 0.05 * min(quiet)):
        return None
    if not all(longest > max(quiet) for longest in survived):
        return None
    seconds = round(median(quiet) / 1000, 1)
    seconds = round(seconds) if abs(seconds - round(seconds)) <= 0.15 else seconds
    verdict = verdict_of("idle-timeout", 0.95, seconds=seconds)
    say = f"{verdict.say} The silence was {min(survived) / 1000:.1f} s by the way before it, and"
    return structs.replace(verdict, say=f"{say} the stream went on.")


def _rate(meters: Sequence[Meter]) -> Rate:
    rates = []
    for meter in meters:
        parts = joined(meter.rhythm.steps)
        tokens, unit = amount_of(meter)
        if parts and unit != "bytes":
            gaps = gaps_of(parts) or [parts[0].at]
            rates.append(Rate(tokens, tokens / len(parts), max(gaps)))
    return Rate(*map(median, zip(*rates, strict=True))) if rates else Rate(0, 0, 0)


# What this file does not do: compare what the answers say (compare.py).
