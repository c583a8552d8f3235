"""The rules for clients of broken streams. Each rule has a name, a grade, and a cure.

    retry-after-ignored    fail    A client waits as long as Retry-After says.

Grades:

- `fail`: the client loses text, shows wrong text, waits for ever, or does harm to the service.
- `warn`: the client works, but it wastes time, connections or tokens.

Each rule is tested by some of the faults. The sets at the end tell which faults test which rule.
"""

from typing import Literal

import msgspec

__all__ = [
    "BREAKS",
    "CUTS",
    "ERROR_EVENTS",
    "GRADES",
    "HEARTBEATS",
    "LEGAL",
    "MALFORMED",
    "NOT_RETRYABLE",
    "NO_REPLY",
    "RULES",
    "SILENT",
    "Grade",
    "Rule",
    "is_retryable",
]

Grade = Literal["warn", "fail"]

GRADES: tuple[Grade, ...] = ("warn", "fail")
"""All grades, the least harmful first."""


class Rule(msgspec.Struct, frozen=True):
    """A rule for clients.

    Args:
        grade: How harmful it is to break the rule.
        rule: What a client must do, in one sentence.
        cure: What the author of the client should change.
    """

    grade: Grade
    rule: str
    cure: str


RULES: dict[str, Rule] = {
    "took-half-for-whole": Rule(
        "fail",
        "An answer is complete only if a finish_reason (or response.completed) arrived.",
        "Check for finish_reason when the stream ends, and report an incomplete answer without it.",
    ),
    "ignored-error-event": Rule(
        "fail",
        "An error event ends the answer: the client reports it and closes the connection.",
        "Look for `error` in each event (and for the event type `error`), raise, and close.",
    ),
    "ignored-malformed": Rule(
        "fail",
        "A client that cannot read a part of the answer reports an error; it does not skip it.",
        "Let the error of the JSON or chunk parser end the answer, and close the connection.",
    ),
    "parses-per-read": Rule(
        "fail",
        "Events may be cut anywhere between two reads, also inside a character.",
        "Collect bytes until a line is complete, then decode the line; never parse one read alone.",
    ),
    "breaks-on-comment": Rule(
        "fail",
        "A line that begins with a colon is a comment, and is ignored (WHATWG HTML §9.2.6).",
        "Skip each line that begins with a colon before you look for `data:`.",
    ),
    "breaks-on-unknown-event": Rule(
        "fail",
        "An event of an unknown type, or without choices, is ignored: APIs add event types.",
        "Read `choices` only if the event has some, and skip the event types that you do not know.",
    ),
    "retried-non-retryable": Rule(
        "fail",
        "A request that was refused (400, 401, 403, 404, 413, 422) is not sent again unchanged.",
        "Retry only 408, 409, 429 and statuses from 500 on.",
    ),
    "retry-after-ignored": Rule(
        "fail",
        "A client waits at least as long as Retry-After says before it asks again.",
        "Read Retry-After (and retry-after-ms), and sleep that long before the next attempt.",
    ),
    "retry-storm": Rule(
        "fail",
        "A client gives up after a few attempts.",
        "Limit the number of attempts for one question; the official clients make 3.",
    ),
    "no-read-timeout": Rule(
        "fail",
        "A client that receives no token for a long time gives up.",
        "Set a read timeout; behind heartbeats, also limit the time between two tokens.",
    ),
    "leaks-connection": Rule(
        "fail",
        "A client that gives up on an answer closes its connection.",
        "Close the response in a `finally` or `with` block, also after a timeout or a cancel.",
    ),
    "reads-on-after-done": Rule(
        "warn",
        "`data: [DONE]` ends the answer, whether or not the connection ends.",
        "Stop at [DONE] (or response.completed), and close or release the connection.",
    ),
    "no-backoff": Rule(
        "warn",
        "The wait before each further attempt grows.",
        "Double the wait after each failed attempt, with some random part.",
    ),
    "gave-up-on-retryable": Rule(
        "warn",
        "A request that failed for a moment (408, 409, 429, 500 and above) is sent again.",
        "Retry at least once, after the wait that the server asks for.",
    ),
    "resent-after-first-token": Rule(
        "warn",
        "When tokens have arrived, the request is not sent again unasked.",
        "Retry only until the first token; after that, report an incomplete answer.",
    ),
    "buffers-whole-answer": Rule(
        "warn",
        "A client that asks for a stream shows the text while it arrives.",
        "Pass each event on at once; do not collect the answer, and flush the output.",
    ),
    "too-slow-a-reader": Rule(
        "warn",
        "A client reads as fast as the answer arrives.",
        "Read in a task of its own, and do slow work (rendering, storage) elsewhere.",
    ),
    "one-connection-per-request": Rule(
        "warn",
        "Requests that follow each other use the same connection (keep-alive).",
        "Make one client object for the whole program, and read each response to its end.",
    ),
}
"""All rules by their names, the most harmful first."""

LEGAL = {
    "split-utf8-chunks": "parses-per-read",
    "split-utf8-segments": "parses-per-read",
    "comments": "breaks-on-comment",
    "keepalive-event": "breaks-on-unknown-event",
}
"""These are not real faults, because a correct client reads the whole answer. If a client does not,
the rule names the part that the client has not understood."""

SILENT = frozenset({"hang", "stall", "half-chunk", "open-after-finish"})
"""Faults after which nothing arrives and the connection stays open."""

HEARTBEATS = frozenset({"stall-heartbeat", "drip"})
"""Faults after which no token arrives, but only a byte from time to time."""

ERROR_EVENTS = frozenset({"error-nested", "error-flat", "error-string", "error-open", "bare-json"})
"""Faults that send an error in the place of the rest of the answer."""

MALFORMED = frozenset({"broken-json", "bad-chunk-size"})
"""Faults that a client cannot read."""

BREAKS = frozenset(
    {"fin", "fin-mid-event", "fin-mid-chunk", "rst", "rst-mid-event", "rst-mid-chunk"}
)
"""Faults that end the connection inside the answer."""

CUTS = BREAKS | SILENT - {"open-after-finish"} | HEARTBEATS | {"clean-cut", "json-200", "html-200"}
"""Faults after which the answer, or a part of it, is missing."""

NO_REPLY = frozenset({"hang", "no-head"})
"""Faults in the place of a reply."""

NOT_RETRYABLE = frozenset({400, 401, 403, 404, 405, 413, 415, 422})


def is_retryable(status: int) -> bool:
    """Whether the official clients ask again after this status; 0 stands for no response."""
    return status in (0, 408, 409, 429) or status >= 500
