"""Our client agrees with the facts of WPT."""

from collections.abc import Sequence

from trio.testing import MockClock

from workshop.contract.case import Case
from workshop.contract.harness import Outcome, run_cases

from .network import network
from .wpt_facts import FACTS


async def outcomes_of(cases: Sequence[Case]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    async with network() as (harness, _):
        await run_cases(harness, cases, outcomes.append)
    return outcomes


async def test_our_client_agrees(autojump_clock: MockClock) -> None:
    outcomes = await outcomes_of(FACTS)
    assert [(one.case.slug, *one.why) for one in outcomes if one.result != "PASS"] == []


def test_there_are_enough() -> None:
    assert len(FACTS) >= 31
    assert len({case.slug for case in FACTS}) == len(FACTS)
