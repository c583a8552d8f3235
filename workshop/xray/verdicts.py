"""The verdicts: one table of what can be wrong with a stream, most harmful first.

    code             signature (what a Meter must show)          words, cure, what would settle it
    cut-clean        the body ended, the answer did not          …
    buffered-whole   all text in one moment, long after the      …
                     request

`judge` tries each signature on a `Meter`. A signature says how sure it is, from 0 to 1: over 0.5 it
is a claim, and a claim must be right. A healthy stream has the one verdict `live`.
"""

from collections.abc import Callable
from typing import NamedTuple

from .measure import Meter
from .report import Report, Verdict

__all__ = ["RULES", "Rule", "judge", "report"]

Facts = dict[str, float | int | str]


class Sign(NamedTuple):
    """What a signature found: how sure it is, and what it measured."""

    sure: float
    facts: Facts


class Rule(NamedTuple):
    """A line of the table.

    Args:
        code: Name of the verdict.
        signature: Finds it in what a Meter measured, or returns None.
        say: One sentence, with the names of facts in braces.
        cure: What to do about it.
        settles: What would make an unsure verdict sure.
    """

    code: str
    signature: Callable[[Meter], Sign | None]
    say: str
    cure: str = ""
    settles: str = ""


def cut_application(meter: Meter) -> Sign | None:
    error = meter.answer.error
    return Sign(0.95, {"error": error[:200]}) if error else None


def cut_transport(meter: Meter) -> Sign | None:
    if meter.complete or meter.end in ("", "silent"):
        return None
    facts: Facts = {"end": meter.end, "events": meter.counts.events}
    return Sign(0.95, facts) if meter.head else None


def cut_clean(meter: Meter) -> Sign | None:
    answer = meter.answer
    known = answer.api in ("chat", "responses")
    if meter.complete and known and not answer.complete:
        return Sign(0.9, {"events": meter.counts.events})
    return None


def buffered_whole(meter: Meter) -> Sign | None:
    """All text came in one moment, and the request had waited long for it."""
    if meter.ttft_ms is None or meter.text_ms is None or not meter.complete:
        return None
    tokens = meter.counts.tokens or meter.counts.events
    spread, waited = meter.text_ms - meter.ttft_ms, meter.ttft_ms
    if tokens < 8 or spread > 0.02 * waited or waited < 300:
        return None
    return Sign(0.9, {"tokens": tokens, "waited_s": round(waited / 1000, 2)})


def live(meter: Meter) -> Sign | None:
    return Sign(0.9, {"tokens": meter.counts.tokens}) if meter.counts.tokens else None


def unsure(meter: Meter) -> Sign | None:
    return Sign(0.5, {})


RULES = [
    Rule(
        "cut-application",
        cut_application,
        "The answer ended with an error event: {error}.",
    ),
    Rule(
        "cut-clean",
        cut_clean,
        "The response ended cleanly after {events} events, but the answer did not.",
    ),
    Rule(
        "cut-transport",
        cut_transport,
        "The connection ended ({end}) inside the response, after {events} events.",
    ),
    Rule(
        "buffered-whole",
        buffered_whole,
        "All {tokens} tokens came at the same moment, {waited_s} s after the request.",
        "Turn the response buffering of the hop off.",
    ),
    Rule("live", live, "The answer arrives as it is made."),
    Rule("unsure", unsure, "This response does not show enough to judge it.", "Ask again."),
]


def judge(meter: Meter) -> list[Verdict]:
    """What is wrong with a response, most harmful first. There is at least one verdict."""
    found: list[Verdict] = []
    for rule in RULES:
        if found and rule.code in ("live", "unsure"):
            break
        if sign := rule.signature(meter):
            say = rule.say.format(**sign.facts)
            found.append(
                Verdict(code=rule.code, sure=sign.sure, say=say, cure=rule.cure, facts=sign.facts)
            )
            if rule.code == "live":
                break
    return found


def report(meter: Meter) -> Report:
    """Everything that x-ray says about a response."""
    return Report(
        url=meter.url,
        status=meter.status,
        verdicts=judge(meter),
        counts=meter.counts,
        ttft_ms=meter.ttft_ms if meter.ttft_ms is not None else meter.body_ms,
        head_ms=meter.head_ms,
        gaps_ms=meter.gaps,
        wire_bytes=meter.wire_bytes,
        text_bytes=meter.text_bytes,
    )


# What this file does not do: measure (measure.py), or compare several ways (compare.py).
