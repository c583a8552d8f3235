"""What a learner is told about each fault: its group, what clients make of it, and the lesson.

    {"name": "rst", "description": "The server sends RST between two chunks.", "group": "cut",
     "clients": {"curl -N": "exit code 56", "openai-python": "APIConnectionError from ReadError"},
     "lesson": "An answer is complete only if a finish_reason (or response.completed) arrived."}

The facts are not repeated here. The sentence is the fault's own (faults), the outcomes are those
that were measured (servers/FAULTS.md), and most lessons are rules for clients (verdict/rules.py).
An outcome says how the client ended, and not how much it had read: that depends on the answer and
on the fault's place.
"""

import re
from functools import lru_cache
from pathlib import Path

from .faults import fault_catalogue
from .verdict.rules import (
    BREAKS,
    ERROR_EVENTS,
    HEARTBEATS,
    LEGAL,
    MALFORMED,
    NOT_RETRYABLE,
    RULES,
    SILENT,
)

__all__ = ["CLIENTS", "GROUPS", "lesson_of", "measured", "taught_faults"]

GROUPS: dict[str, tuple[str, ...]] = {
    "cut": (
        *("rst", "rst-mid-event", "rst-mid-chunk", "fin", "fin-mid-event", "fin-mid-chunk"),
        *("no-last-chunk", "no-head"),
    ),
    "lie": ("clean-cut", "no-done", "bare-json", "json-200", "html-200", "duplicate", "after-end"),
    "stall": (
        *("stall", "stall-heartbeat", "drip", "half-chunk", "hang"),
        *("open-after-finish", "open-after-done"),
    ),
    "malformed": (
        *("bad-chunk-size", "length-and-chunked", "broken-json", "invalid-utf8", "giant-line"),
    ),
    "status": (
        *("400", "401", "403", "404", "408", "409", "413", "422", "429"),
        *("500", "502", "503", "504"),
        *("error-nested", "error-flat", "error-string", "error-open"),
    ),
    "legal": (
        *("split-utf8-chunks", "split-utf8-segments", "cr", "crlf", "bom", "comments"),
        *("id-comment", "retry", "empty-data", "keepalive-event", "early-hints"),
    ),
}
"""The faults in the order in which a picker shows them. Those of the last group are correct, but
some clients do not accept them."""

CLIENTS = ("curl -N", "openai-python")
"""The clients whose outcomes are told, as servers/FAULTS.md calls them."""

OWN_LESSONS = {
    "no-done": "A finish_reason completes an answer; [DONE] only says that no event follows.",
    "duplicate": "Nobody can see that an event came twice, unless events have an id.",
    "after-end": "The last chunk ends the body; what follows it belongs to nobody.",
    "no-last-chunk": "[DONE] ended the answer; the chunked body was cut all the same.",
    "length-and-chunked": "A head with two lengths begins request smuggling: refuse it.",
    "invalid-utf8": "A byte that is not UTF-8 becomes U+FFFD; the stream goes on.",
    "giant-line": "A client limits the length of a line, and reads it in linear time.",
    "cr": "A line may end in CR, LF or CRLF (WHATWG HTML §9.2.6).",
    "crlf": "A line may end in CR, LF or CRLF (WHATWG HTML §9.2.6).",
    "bom": "One byte order mark at the very beginning is not part of the text.",
    "id-comment": "A block without a data line is not an event: it is skipped.",
    "retry": "A block without a data line is not an event: it is skipped.",
    "empty-data": "An event with empty data says nothing: skip it before you parse JSON.",
    "early-hints": "A 1xx response comes before the real one, and is skipped.",
}


def lesson_of(name: str) -> str:
    """Return what a fault teaches the author of a client, in one sentence."""
    return OWN_LESSONS.get(name) or RULES[_rule_of(name)].rule


def _rule_of(name: str) -> str:
    if name in LEGAL:
        return LEGAL[name]
    if name in ERROR_EVENTS:
        return "ignored-error-event"
    if name in MALFORMED:
        return "ignored-malformed"
    if name == "open-after-done":
        return "reads-on-after-done"
    if name in SILENT | HEARTBEATS:
        return "no-read-timeout"
    if name in BREAKS or name in GROUPS["lie"]:
        return "took-half-for-whole"
    if name.isdigit() and int(name) in NOT_RETRYABLE:
        return "retried-non-retryable"
    return "retry-after-ignored" if name in ("429", "503") else "gave-up-on-retryable"


COUNT = r"^\d+ (?:events|chunks)(?:, \d+ hollow)?(?:, normal end)?(?:, then|[,:]) "
"""What an outcome of the table begins with: how much the client had read."""

TABLE = Path(__file__).parent.parent / "FAULTS.md"


@lru_cache(maxsize=1)
def measured() -> dict[str, dict[str, str]]:
    """Return how each client ended with each fault, by fault and client, from the last table of
    servers/FAULTS.md. It is empty if there is no such file."""
    if not TABLE.is_file():
        return {}
    lines = re.findall(r"^\| (.+) \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    rows = [line.split(" | ") for line in lines]
    columns = next(row for row in rows if row[0] == "fault")
    return {
        row[0].strip("`"): {
            client: re.sub(COUNT, "", row[columns.index(client)].replace("**", ""))
            for client in CLIENTS
        }
        for row in rows
        if len(row) == len(columns) and row[0].startswith("`")
    }  # fmt: skip


def taught_faults() -> dict[str, object]:
    """Return `fault_catalogue()` with each fault's group, lesson and measured outcomes."""
    catalogue = fault_catalogue()
    group_of = {name: group for group, names in GROUPS.items() for name in names}
    faults = [
        {
            **fault,
            "group": group_of[fault["name"]],
            "lesson": lesson_of(fault["name"]),
            "clients": measured().get(fault["name"], {}),
        }
        for fault in catalogue["faults"]
    ]
    order = [name for names in GROUPS.values() for name in names]
    return {"grammar": catalogue["grammar"], "order": order, "faults": faults}
