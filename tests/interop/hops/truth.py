"""The right codes, as known from both sides of a hop.

    held at most 850 ms, in reads of 4096 bytes     buffered-blocks
    each held for as long as a gap between two      one-behind: the next event brings its end
    24 events sent, 24 came, then a last chunk      cut-clean, because the upstream had not finished

X-ray sees only the client's side of one response, and has to infer the rest. Here the upstream has
noted when it sent each event, so nothing is inferred. A verdict can be checked for any version of
the program.
"""

from collections import Counter
from statistics import median

from .asking import Case, Seen
from .upstream import EVENTS, FIRST, GAP

__all__ = ["is_true", "right_codes"]

PROMPT = 150.0
"""Milliseconds. An event that was held for a shorter time counts as relayed at once, because the
machine may be busy."""

MOMENT = 50.0
"""Milliseconds. Events that arrive within this time count as arriving together."""


def right_codes(case: Case, seen: Seen) -> set[str]:
    """The codes that may come first in the verdict on this response."""
    end = seen.reads[-1]
    silent = end.at - (seen.events or [0.0])[-1] > 3000
    if seen.status == 504:
        return {"not-a-stream", "idle-timeout"}
    if seen.status not in (0, 200):
        return {"not-a-stream"}
    if end.end == "silent":
        return {"vanished"} if seen.events else {"deaf", "vanished"}
    if not seen.complete:
        if case.way == "silent" and silent:
            return {"idle-timeout"} if seen.events else {"idle-timeout", "cut-transport"}
        return {"cut-transport"}
    if case.way != "whole":
        return {"cut-clean", "idle-timeout"} if silent else {"cut-clean"}
    return held_codes(seen)


def held_codes(seen: Seen) -> set[str]:
    """The codes for a complete answer."""
    if len(seen.events) <= EVENTS["whole"]:
        return set()  # the hop has lost some events, for which there is no code
    if seen.longest_hold < PROMPT and is_behind(seen):
        return {"one-behind"}
    if seen.longest_hold < PROMPT:
        prompt = {"head-held", "live"} if head_is_late(seen) else {"live"}
        return prompt | ({"until-close", "http10"} if seen.reads[-1].end else set())
    if seen.coding and seen.longest_hold > 1000:
        return {"compressed-unflushed"}
    if seen.events[-1] - seen.events[0] < MOMENT:
        return {"buffered-whole", "measured"}
    sizes = Counter(len(read.bytes) for read in seen.reads if read.sender == "server")
    ((_, often),) = sizes.most_common(1)
    of_one_size = not seen.coding and often > sum(sizes.values()) / 3
    return {"buffered-blocks"} if of_one_size or seen.longest_hold > 500 else {"coalesced"}


def head_is_late(seen: Seen) -> bool:
    """The hop held the head until it had the first event, or longer."""
    return seen.head_held is not None and seen.head_held > 1000 * FIRST - MOMENT


def is_behind(seen: Seen) -> bool:
    """A compressor kept the end of most events until the next one came."""
    return bool(seen.coding and seen.held) and median(seen.held) > 1000 * GAP / 2


def is_true(case: Case, seen: Seen, code: str) -> bool:
    """Whether a claim of the verdict is true, wherever it is in the verdict."""
    end = seen.reads[-1]
    whole, last = seen.complete and case.way == "whole", (seen.events or [0.0])[-1]
    late = seen.longest_hold >= PROMPT
    match code:
        case "live":
            return whole and not late
        case "buffered-whole":
            return late and last - seen.events[0] < MOMENT and end.at - last < MOMENT
        case "compressed-unflushed":
            return late and bool(seen.coding)
        case "buffered-blocks" | "coalesced":
            return late
        case "one-behind":
            return is_behind(seen)
        case "head-held":
            return head_is_late(seen)
        case "cut-transport":
            return not seen.complete and end.end != "silent"
        case "cut-clean":
            return seen.complete and case.way != "whole"
        case "idle-timeout":
            return case.way == "silent" and end.end != "silent"
        case "vanished" | "deaf":
            return end.end == "silent"
        case "not-a-stream":
            return seen.status not in (0, 200)
        case "http10" | "until-close":
            return seen.complete and end.end == "fin"
        case "measured":
            return late and seen.status == 200
    return code in right_codes(case, seen)
