"""Compares the reports of a test service with the reports that a case expects.

{"kind":"event","event":{"type":"message","data":"x","id":"2\\u0000"}}     told
("event", "message", "x", "1")                                            expected

FAIL    expected  event "x" (message, id "1")
        came      event "x" (message, id "2\\u0000")
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from servers.http.reply import Request

from .case import Case, Sight, Wanted

__all__ = ["Failed", "Outcome", "Told", "check_request", "compare", "in_words", "sent"]

MAX_SHOWN = 200  # largest number of characters of a text in the message of a failure


class Told(msgspec.Struct, frozen=True):
    """A report that the service posts to the callback. A missing field gets the default value of
    the standard."""

    kind: str
    event: dict[str, str | None] = {}
    comment: str = ""
    error: str = ""

    @property
    def sight(self) -> Sight:
        """Return the report in the form in which a case expects it."""
        if self.kind == "event":
            type, data, id = (self.event.get(name) or "" for name in ("type", "data", "id"))
            return ("event", type or "message", data, id)
        return ("comment", self.comment) if self.kind == "comment" else (self.kind,)


@dataclass(frozen=True)
class Outcome:
    """The result of one case.

    Args:
        case: The case.
        result: "PASS", "FAIL" or "SKIP".
        why: For a FAIL, the expected and the actual report. For a SKIP, the missing capability.
    """

    case: Case
    result: str
    why: Sequence[tuple[str, str]] = ()


class Failed(Exception):
    """The client did not do what the case expects."""

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(expected)
        self.expected, self.came = expected, came


def compare(case: Case, seen: Sequence[Sight]) -> None:
    """Compare the newest report with the one that the case expects."""
    number = len(seen) - 1
    expected = in_words(case.sees[number]) if number < len(case.sees) else "nothing more"
    if number >= len(case.sees) or seen[number] != case.sees[number]:
        raise Failed(expected, in_words(seen[number]))


def check_request(number: int, request: Request, wanted: Wanted, waited: float) -> None:
    """Check a request.

    Args:
        number: Number of the request, from 1.
        request: The request.
        wanted: The requirements for the request.
        waited: Seconds since the previous answer ended.

    Raises:
        Failed: The request does not meet the requirements.
    """
    name = f"request {number}"
    if wanted.method and request.method != wanted.method:
        raise Failed(f"{name} with {wanted.method}", request.method)
    if request.body != wanted.body:
        raise Failed(f"{name} with the body {wanted.body!r}", repr(request.body[:MAX_SHOWN]))
    for header, value in wanted.has.items():
        values = [theirs for key, theirs in request.headers if key == header]
        if values != [value]:
            raise Failed(f"{name} with {header}: {value}", f"{header}: {values or 'none'}")
    for header in wanted.lacks:
        if request.header(header) is not None:
            raise Failed(f"{name} without {header}", f"{header}: {request.header(header)}")
    if wanted.wait is not None and not wanted.wait[0] <= waited <= wanted.wait[1]:
        least, most = wanted.wait
        raise Failed(f"{name} after {least:g} to {most:g} s", f"after {waited:.3f} s")


def sent(case: Case) -> str:
    """Return the bytes of the answers as a Python literal."""
    texts = [repr(b"".join(answer.pieces))[2:-1] or "no body" for answer in case.answers]
    text = " ✂ ".join(texts) or "204"
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def in_words(sight: Sight) -> str:
    kind, *rest = sight
    quoted = [json.dumps(text, ensure_ascii=False)[:MAX_SHOWN] for text in rest]
    if kind == "event":
        return f"event {quoted[1]} ({rest[0]}, id {quoted[2]})"
    return " ".join([kind, *quoted])
