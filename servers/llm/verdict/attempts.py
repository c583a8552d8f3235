"""Finds the requests that are attempts at the same question.

    1  0.00  503*1                 first attempt
    2  1.01  200                   a retry: the same path and body, soon after the failure
    3  5.00  200                   a new question, because attempt 2 had succeeded

A retry and a second, equal question look alike. Three things tell them apart:

1. The official clients announce it: `x-stainless-retry-count: 0` is a new question.
2. A retry comes after a failure. After a whole answer, the next request is a new question.
3. A question that was asked several times in a healthy run (the control) may be asked several times
   in any run. Requests of this kind are never called retries.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from .exchange import Exchange
from .rules import LEGAL

__all__ = ["Control", "attempts", "waited"]


class Control(msgspec.Struct):
    """The behaviour of a client in a run without faults.

    Args:
        questions: Number of times that each question was asked.
        whole: The questions with a stream that the client read to its end.
        cancelled: The questions with a stream that the client did not read to its end.
    """

    questions: Counter[int] = msgspec.field(default_factory=Counter)
    whole: set[int] = msgspec.field(default_factory=set)
    cancelled: set[int] = msgspec.field(default_factory=set)

    @classmethod
    def of(cls, exchanges: Iterable[Exchange]) -> "Control":
        """Return the behaviour that these requests show. Requests with a fault do not count."""
        control = cls()
        for exchange in exchanges:
            if not exchange.fault:
                control.questions[exchange.question] += 1
                if exchange.streams:
                    (control.whole if exchange.whole else control.cancelled).add(exchange.question)
        return control

    def wants_whole(self, exchange: Exchange) -> bool:
        """Whether this client usually reads the answer to this question to its end."""
        question = exchange.question
        alike = question in self.whole or not self.cancelled
        return bool(self.whole) and alike and question not in self.cancelled

    def is_ambiguous(self, exchange: Exchange) -> bool:
        """Whether an equal request may be a new question, and not a retry."""
        return exchange.retry is None and self.questions[exchange.question] > 1


def failed_at(exchange: Exchange) -> float | None:
    """Return the first moment at which the client could know that this request had failed, or None
    if it has not failed.

    The head tells it. On a busy machine, `ended` may be noted long after the client has read all.
    """
    if exchange.status >= 400:
        return exchange.began
    if exchange.fault_name in LEGAL or not exchange.fault:
        return None if exchange.whole else exchange.gone
    return exchange.injected if exchange.gone is None else exchange.gone


def waited(before: Exchange, after: Exchange) -> float:
    """Return the seconds between the failure of an attempt and the next one. They are negative if
    the client asked again before it closed the connection on which it had failed."""
    failed = failed_at(before)
    assert failed is not None  # otherwise they are not in one group
    return after.asked - failed


def attempts(
    exchanges: Sequence[Exchange], control: Control, window: float
) -> list[list[Exchange]]:
    """Return the requests in groups. Each group has the attempts at one question, in their order.

    Args:
        exchanges: The requests of one client.
        control: The behaviour of the client without faults.
        window: Longest time, in seconds, between a failure and the next attempt.
    """
    groups: list[list[Exchange]] = []
    open_groups: dict[int, list[Exchange]] = {}
    for exchange in exchanges:
        group = open_groups.get(exchange.question)
        if group and exchange.retry != 0 and not control.is_ambiguous(exchange):
            failed = failed_at(group[-1])
            if failed is not None and exchange.asked - failed <= window:
                group.append(exchange)
                continue
        open_groups[exchange.question] = group = [exchange]
        groups.append(group)
    return groups
