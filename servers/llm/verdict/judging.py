"""Turns observations into findings. Each finding has its evidence, its rule, and the cure.

    503*1, Retry-After: 1                  what was seen
    the next attempt came after 0.01 s
    ->  retry-after-ignored: "It asked again 0.01 s after a 503 that said Retry-After: 1."

The rules this file keeps:

1. A finding must be right. If a server cannot know a fact, there is no finding about it, unless the
   client reports the fact.
2. A client may end a valid stream early on purpose. So this is a finding only if the client read a
   healthy stream to its end (the control), asked the same question again, or reported an error.
3. Silence is judged by the read timeout that the client announces, if it announces one.
4. One mistake gives one finding. For example, a client that kept its connection open gets no second
   finding for its long wait.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import msgspec

from .attempts import Control, attempts, waited
from .exchange import Exchange, VerdictLimits
from .rules import (
    CUTS,
    ERROR_EVENTS,
    GRADES,
    HEARTBEATS,
    LEGAL,
    MALFORMED,
    NOT_RETRYABLE,
    RULES,
    SILENT,
    Grade,
    is_retryable,
)

__all__ = ["Finding", "judge", "worst"]

MINUTE = 60.0

IMMEDIATE = 0.05
"""Seconds within which a retry is called immediate."""

NOISE = 0.1
"""Seconds by which equal waits may differ, because the machine is busy."""

SOON = 10.0
"""A constant wait of this many seconds or more needs no back-off."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that a client has broken.

    Args:
        code: The name of the rule.
        grade: How harmful it is.
        say: The observation in one sentence, with times.
        rule: The rule.
        cure: What the author should change.
        fault: The fault that showed the mistake, or "".
        request: Number of the client's request that showed the mistake.
        facts: The measured values. Times are in seconds.
    """

    code: str
    grade: Grade
    say: str
    rule: str
    cure: str
    fault: str
    request: int
    facts: dict[str, float | int | str] = {}


def worst(findings: Sequence[Finding]) -> Grade | None:
    """The most harmful grade among these findings, or None if there are none."""
    grades = [GRADES.index(finding.grade) for finding in findings]
    return GRADES[max(grades)] if grades else None


def judge(
    exchanges: Sequence[Exchange],
    now: float,
    limits: VerdictLimits,
    *,
    control: Control | None = None,
    ended: bool = False,
) -> list[Finding]:
    """Judge the behaviour of one client.

    Args:
        exchanges: Its requests, in their order.
        now: The time now, by trio's clock.
        limits: The times from which the verdict is made.
        control: The behaviour of the client in an earlier run without faults.
        ended: Whether the client has ended, so that it will ask nothing again.

    Returns:
        The findings, most harmful first. Each rule occurs at most once.
    """
    own = Control.of(exchanges)
    known = control or Control(whole=own.whole, cancelled=own.cancelled)
    groups = attempts(exchanges, known, limits.retry_window)
    view = View(exchanges, groups, now, limits, known, ended)
    found: dict[str, Finding] = {}
    for look in LOOKS:
        for finding in look(view):
            found.setdefault(finding.code, finding)
    return [found[code] for code in RULES if code in found]


class View(msgspec.Struct):
    """What `judge` looks at; the arguments are those of `judge`."""

    exchanges: Sequence[Exchange]
    groups: list[list[Exchange]]
    now: float
    limits: VerdictLimits
    control: Control
    ended: bool

    def held(self, exchange: Exchange) -> float:
        """Seconds for which the client kept the connection after the fault; 0 without one."""
        if exchange.injected is None:
            return 0.0
        return (self.now if exchange.gone is None else exchange.gone) - exchange.injected

    def next_attempt(self, exchange: Exchange) -> Exchange | None:
        """The next attempt at the same question, or None."""
        for group in self.groups:
            if exchange in group[:-1]:
                return group[group.index(exchange) + 1]
        return None

    def leaks(self, exchange: Exchange) -> float | None:
        """Seconds for which the client kept a connection that it no longer reads, or None."""
        if exchange.whole or exchange.injected is None:
            return None
        gone = self.now if exchange.gone is None else exchange.gone
        given_up = []
        if (again := self.next_attempt(exchange)) and again.connection != exchange.connection:
            given_up.append(again.asked)
        if exchange.told and exchange.told.outcome in ("error", "cancelled"):
            given_up.append(exchange.told_at)
        kept = max((gone - at for at in given_up), default=0.0)
        return kept if kept >= self.limits.reaction else None


Look = Callable[[View], Iterator[Finding]]


def _finding(code: str, exchange: Exchange, say: str, **facts: float | int | str) -> Finding:
    rule = RULES[code]
    rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in facts.items()}
    return Finding(
        code=code,
        grade=rule.grade,
        say=say,
        rule=rule.rule,
        cure=rule.cure,
        fault=exchange.fault,
        request=exchange.number,
        facts=rounded,
    )


# ---- One answer


def _told(view: View) -> Iterator[Finding]:
    """Check the client's own reports about its answers."""
    for exchange in view.exchanges:
        if exchange.told is None or exchange.told.outcome != "complete":
            continue
        name = exchange.fault_name
        if name in ERROR_EVENTS:
            say = f"It called an answer complete that ended in an error event ({exchange.fault})."
            yield _finding("ignored-error-event", exchange, say)
        elif name in CUTS:
            say = f"It called an answer complete of which {exchange.before} events came."
            yield _finding("took-half-for-whole", exchange, say, events=exchange.before)
        elif name in MALFORMED:
            say = f"It called an answer complete that has a part which cannot be read ({name})."
            yield _finding("ignored-malformed", exchange, say)
        elif name in LEGAL and exchange.answer is not None and exchange.told.text is not None:
            text = exchange.told.text[: view.limits.max_text]
            if text != exchange.answer:
                say = (
                    f"Its text has {len(text)} characters and differs from the "
                    f"{len(exchange.answer)} that were sent."
                )
                facts = {"sent": len(exchange.answer), "seen": len(text)}
                yield _finding(LEGAL[name], exchange, say, **facts)


def _legal(view: View) -> Iterator[Finding]:
    """A legal stream that was not read to its end."""
    for exchange in view.exchanges:
        code = LEGAL.get(exchange.fault_name)
        if code is None or exchange.injected is None:
            continue
        left = exchange.gone is not None and (
            exchange.finishing is None or exchange.gone < exchange.finishing
        )
        again = view.next_attempt(exchange)
        error = exchange.told is not None and exchange.told.outcome == "error"
        if error or again or (left and view.control.wants_whole(exchange)):
            after = view.held(exchange)
            if error:
                did = "reported an error"
            elif left:
                did = f"closed the connection {after:.2f} s after the first such part"
            else:
                did = "asked the same question again"
            say = f"It {did}, in a correct stream ({exchange.fault})."
            yield _finding(code, exchange, say, after=after)


def _events(view: View) -> Iterator[Finding]:
    """The connection is kept although the answer has ended."""
    for exchange in view.exchanges:
        held = view.held(exchange)
        if held < view.limits.reaction or view.leaks(exchange):
            continue
        name = exchange.fault_name
        told = exchange.told is not None and exchange.told.outcome == "error"
        if name == "error-open" and not told:
            say = f"It still kept the connection {held:.1f} s after an error event."
            yield _finding("ignored-error-event", exchange, say, held=held)
        elif name == "open-after-done":
            say = f"It still kept the connection {held:.1f} s after [DONE]."
            yield _finding("reads-on-after-done", exchange, say, held=held)
        elif name in MALFORMED and exchange.whole and exchange.fin is None and not told:
            say = f"It read on for {held:.1f} s, to the end, after a part that is broken ({name})."
            yield _finding("ignored-malformed", exchange, say, held=held)


def _silence(view: View) -> Iterator[Finding]:
    """The client waits for a token that does not come, or does not close when it gives up."""
    for exchange in view.exchanges:
        if (kept := view.leaks(exchange)) is not None:
            say = f"It gave up on an answer, and kept its connection for {kept:.1f} s more."
            yield _finding("leaks-connection", exchange, say, kept=kept)
            continue
        name = exchange.fault_name
        if name not in SILENT | HEARTBEATS or (name in HEARTBEATS and exchange.announced):
            continue  # an announced timeout is documented to start again with each read
        held = view.held(exchange)
        patience = view.limits.patience
        if exchange.announced is not None:
            patience = max(patience, exchange.announced + view.limits.reaction)
        if held >= patience:
            what = "heartbeats without a token" if name in HEARTBEATS else "silence"
            say = f"After {held:.1f} s of {what}, it had not given up."
            finding = _finding("no-read-timeout", exchange, say, waited=held)
            # Some clients wait long on purpose, and nobody can know this before a minute is over.
            yield finding if held >= MINUTE else msgspec.structs.replace(finding, grade="warn")


def _reading(view: View) -> Iterator[Finding]:
    """Check how fast the client reads, and when it shows the text that it has read."""
    for exchange in view.exchanges:
        blocked = exchange.blocked_until(view.now)
        if blocked >= view.limits.slow:
            say = f"The server waited {blocked:.1f} s for the client to read."
            yield _finding("too-slow-a-reader", exchange, say, blocked=blocked)
        if exchange.shown is None or exchange.ended is None or exchange.began is None:
            continue
        lasted = exchange.ended - exchange.began
        if exchange.shown > exchange.ended and lasted >= view.limits.reaction:
            say = f"The answer took {lasted:.1f} s, and the first text was shown after its end."
            yield _finding("buffers-whole-answer", exchange, say, lasted=lasted)


# ---- Attempts


def _retries(view: View) -> Iterator[Finding]:
    for group in view.groups:
        for before, after in pairwise(group):
            wait = max(waited(before, after), 0.0)
            if before.status in NOT_RETRYABLE:
                say = f"It asked again {wait:.2f} s after status {before.status}."
                yield _finding("retried-non-retryable", before, say, waited=wait)
            elif before.retry_after is not None and before.status >= 400:
                if wait < before.retry_after * 0.95:
                    say = (
                        f"It asked again {wait:.2f} s after a {before.status} that said "
                        f"Retry-After: {before.retry_after:g}."
                    )
                    facts = {"waited": wait, "retry_after": before.retry_after}
                    yield _finding("retry-after-ignored", before, say, **facts)
            elif before.fault_name in CUTS and before.before >= 2:
                say = f"It asked again {wait:.2f} s after {before.before} events of the answer."
                yield _finding("resent-after-first-token", before, say, events=before.before)
        if len(group) > view.limits.attempts:
            lasted = group[-1].asked - group[0].asked
            say = f"It asked the same question {len(group)} times in {lasted:.1f} s."
            yield _finding("retry-storm", group[-1], say, attempts=len(group), seconds=lasted)


def _waits(view: View) -> Iterator[Finding]:
    for group in view.groups:
        gaps = [
            wait
            for before, after in pairwise(group)
            if before.retry_after is None
            and is_retryable(before.status)
            and (wait := waited(before, after)) >= 0
        ]
        at_once = len(gaps) >= 2 and max(gaps) < IMMEDIATE
        constant = len(gaps) >= 3 and max(gaps) < min(min(gaps) * 1.25 + NOISE, SOON)
        if at_once or constant:
            waits = ", ".join(f"{gap:.2f}" for gap in gaps[:5])
            say = f"It waited {waits} s before its further attempts."
            yield _finding("no-backoff", group[-1], say, attempts=len(group), longest=max(gaps))


def _gave_up(view: View) -> Iterator[Finding]:
    for group in view.groups:
        only = group[0]
        if len(group) > 1 or not view.ended or only.ended is None or only.retry:
            continue
        nothing = only.fault_name == "no-head"
        retryable = nothing or (only.status and is_retryable(only.status))
        if retryable and not view.control.is_ambiguous(only):
            what = "a connection that closed without a reply" if nothing else f"a {only.status}"
            yield _finding("gave-up-on-retryable", only, f"It did not ask again after {what}.")


def _connections(view: View) -> Iterator[Finding]:
    """Check for consecutive requests on separate connections.

    The replies must have been complete. Streams count only if the client announced that it closes:
    the official client for Python closes its connection at [DONE].
    """
    row: list[Exchange] = []
    for exchange in view.exchanges:
        counts = exchange.status == 200 and exchange.whole and not exchange.fault
        if not counts or (exchange.streams and not exchange.closes):
            continue
        follows = bool(row) and row[-1].ended is not None and row[-1].ended <= exchange.asked
        if follows and exchange.connection != row[-1].connection:
            row.append(exchange)
        else:
            row = [exchange]
        if len(row) >= view.limits.in_a_row:
            say = f"{len(row)} requests, one after the other, came on {len(row)} connections."
            yield _finding("one-connection-per-request", exchange, say, requests=len(row))
            return


LOOKS: tuple[Look, ...] = (
    _told,
    _legal,
    _events,
    _silence,
    _reading,
    _retries,
    _waits,
    _gave_up,
    _connections,
)


# What this file does not do: guess what the client's user saw.
