"""Check 4: the events do not depend on the cuts, and each is yielded as soon as its blank line has
arrived."""

from types import ModuleType
from typing import NamedTuple

from workshop.language import _
from workshop.runner.check_kit import Failure, Lab, at_a_time, first_difference

HINTS = (
    "What do you have when a piece ends inside 你, or between CR and LF? Which part must you keep?",
    """An incremental decoder keeps the beginning of a character. Keep the beginning of a line
the same way, and take only whole lines out of it. A line can end in three ways.""",
    """codecs.getincrementaldecoder("utf-8-sig")("replace"), re.split("\\r\\n|\\n|\\r", text),
and remember that the text ended in CR, because an LF that comes next belongs to it.""",
)


class Case(NamedTuple):
    """A stream, its events, the name of the mistake that would give other events, and the broken
    rule."""

    name: str
    rule: str
    stream: str
    events: list[tuple[str, str]]


STANDARD = "WHATWG HTML §9.2.6"
BY_HAND = "curl -sN http://localhost:8004/ | head -n 8"


CASES = [
    Case(
        "no-event",
        _("a data line and a blank line are an event"),
        "data: one\n\ndata: two\n\n",
        [("message", "one"), ("message", "two")],
    ),
    Case(
        "needs-a-space",
        _("the space after the colon may be missing"),
        "data:one\n\n",
        [("message", "one")],
    ),
    Case(
        "decodes-each-piece",
        _("a character cut between two pieces is one character"),
        "data: 你好 🌊\n\n",
        [("message", "你好 🌊")],
    ),
    Case(
        "event-sticks",
        _("`event` names one event, and not the next ones"),
        "event: word\ndata: a\n\ndata: b\n\n",
        [("word", "a"), ("message", "b")],
    ),
    Case(
        "drops-multi-data",
        _("data lines are joined with LF"),
        "data: a\ndata\ndata: b\n\n",
        [("message", "a\n\nb")],
    ),
    Case(
        "strips-all-spaces",
        _("one leading space is dropped, not two, and none at the end"),
        "data:  a \n\n",
        [("message", " a ")],
    ),
    Case(
        "ignores-cr",
        _("CR alone ends a line"),
        "data: a\rdata: b\r\r",
        [("message", "a\nb")],
    ),
    Case(
        "crlf-is-two",
        _("CRLF is one line end, even when it is cut in two"),
        "data: a\r\ndata: b\r\n\r\n",
        [("message", "a\nb")],
    ),
    Case(
        "splitlines",
        _("U+2028 and U+0085 are data: only CR, LF and CRLF end a line"),
        "data: a\u2028b\u0085c\x0bd\n\n",
        [("message", "a\u2028b\u0085c\x0bd")],
    ),
    Case(
        "keeps-bom",
        _("a byte order mark at the start is not part of the first line"),
        "\ufeffdata: a\n\ndata: \ufeffb\n\n",
        [("message", "a"), ("message", "\ufeffb")],
    ),
    Case(
        "sends-without-data",
        _("without a data line, a blank line dispatches nothing"),
        ": ping\n\nevent: x\n\n\n\nid: 7\nretry: 9\n\ndata: a\n\n",
        [("message", "a")],
    ),
    Case(
        "dispatches-at-eof",
        _("an event without its blank line was cut off: it is lost"),
        "data: a\n\ndata: cut",
        [("message", "a")],
    ),
    Case(
        "dispatches-at-eof",
        _("an event without its blank line was cut off: it is lost"),
        "data: a\n\ndata: cut\n",
        [("message", "a")],
    ),
]


async def check(exercise: ModuleType, lab: Lab) -> None:
    for case in CASES:
        for size in (1000, 1, 2, 3):
            check_case(exercise, lab, case, size)
    check_at_once(exercise, lab)


def check_case(exercise: ModuleType, lab: Lab, case: Case, size: int) -> None:
    """Feed a stream `size` bytes at a time, and compare the events."""
    stream = case.stream.encode()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    got = repr(list(exercise.parse(map(lab.give, pieces))))
    expected = repr(case.events)
    lab.take(got.encode())
    if got != expected:
        cut = _("in one piece") if size >= len(stream) else at_a_time(size)
        raise Failure(
            case.name,
            _(
                "{rule}; read {pieces}, this should be {expected}",
                rule=case.rule,
                pieces=cut,
                expected=expected,
            ),
            sent=stream,
            received=got.encode(),
            at=first_difference(got.encode(), expected.encode()),
            rule=STANDARD,
            redo=BY_HAND,
        )


def check_at_once(exercise: ModuleType, lab: Lab) -> None:
    """Release the next event only when the exercise has yielded the previous one."""
    source = lab.tokens(*(f"data: {word}\n\n" for word in ("one", "two", "three")))
    events = exercise.parse(lab.give(token.encode()) for token in source)
    for word, _token in zip(("one", "two", "three"), source.release_each(), strict=True):
        event = next(events, None)
        if event != ("message", word):
            message = _("{token} gives {event!r}", token=source, event=event)
            raise Failure("no-event", message, sent=lab.sent)
