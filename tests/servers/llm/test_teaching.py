"""What the page's fault picker and its cards tell: complete, and taken from the facts."""

import re
from pathlib import Path

import pytest

from servers.llm import teaching
from servers.llm.faults import FAULTS
from servers.llm.teaching import CLIENTS, GROUPS, lesson_of, measured, taught_faults
from servers.llm.verdict.rules import RULES


def test_every_fault_is_in_one_group() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(FAULTS)
    assert list(GROUPS) == ["cut", "lie", "stall", "malformed", "status", "legal"]


def test_every_fault_was_measured() -> None:
    """The table of the repository has each fault with the outcome of each client. What a client had
    read is left out: the fault was at another place of another answer than the learner's."""
    assert measured().keys() == {"none", *FAULTS}
    for outcomes in measured().values():
        assert list(outcomes) == list(CLIENTS)
        curl, sdk = outcomes.values()
        assert re.fullmatch(r"(status \d+, )?exit code \d+", curl)
        assert re.fullmatch(r"all|waits|wrong text|silent loss|\w+Error\b.*", sdk)


def test_every_fault_has_a_lesson() -> None:
    """Most lessons are rules for clients; of a few faults it is known which."""
    lessons = {name: lesson_of(name) for name in FAULTS}
    assert all(lesson.endswith(".") for lesson in lessons.values())
    rules = {rule.rule: name for name, rule in RULES.items()}
    assert {name: rules.get(lessons[name]) for name in
            ("rst", "clean-cut", "stall", "drip", "error-flat", "broken-json", "400", "429", "500",
             "comments", "open-after-done", "no-head")} == {
        "rst": "took-half-for-whole",
        "clean-cut": "took-half-for-whole",
        "stall": "no-read-timeout",
        "drip": "no-read-timeout",
        "error-flat": "ignored-error-event",
        "broken-json": "ignored-malformed",
        "400": "retried-non-retryable",
        "429": "retry-after-ignored",
        "500": "gave-up-on-retryable",
        "comments": "breaks-on-comment",
        "open-after-done": "reads-on-after-done",
        "no-head": "gave-up-on-retryable",
    }  # fmt: skip


def test_without_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without the page of outcomes tells none."""
    monkeypatch.setattr(teaching, "TABLE", tmp_path / "none.md")
    measured.cache_clear()
    try:
        assert measured() == {}
        faults = taught_faults()["faults"]
        assert isinstance(faults, list)
        assert {len(fault["clients"]) for fault in faults} == {0}
    finally:
        measured.cache_clear()
