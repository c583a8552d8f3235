"""Adds facts that are not in a response's bytes to its report.

stopped            x-ray stopped reading: --max-time, Ctrl-C
without_contents   the recording holds other bytes than those that were sent
"""

from msgspec.structs import replace

from .measure import Meter
from .report import Report, Verdict
from .timing import live

__all__ = ["stopped", "without_contents"]

# Verdicts that are based on the bytes themselves. All others are based on times, sizes and ends.
CONTENTS = {"bad-events", "rewritten", "retried", "torn-characters", "framing-error", "unsure"}

LOST = "The recording has lost bytes, so the contents of the events were not judged."


def stopped(report: Report, meter: Meter) -> Report:
    """Return the report on a response that was just measured. If the response has no end, x-ray has
    stopped reading."""
    return report if meter.end or meter.complete else replace(report, end="stopped")


def without_contents(report: Report, meter: Meter) -> Report:
    """Return the report without verdicts on bytes that the recording may have changed."""
    kept = [one for one in report.verdicts if one.code not in CONTENTS]
    if not kept:
        sign = live(meter)
        code, sure = ("live", sign.sure) if sign else ("unsure", 0.5)
        say = "The answer arrives as it is made." if sign else "This recording shows too little."
        kept = [Verdict(code=code, sure=sure, say=say, facts=sign.facts if sign else {})]
    first, *rest = kept
    return replace(report, verdicts=[replace(first, say=f"{first.say} {LOST}"), *rest])


# What this file does not do: judge (verdicts.py).
