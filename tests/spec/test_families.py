"""What must hold for every case of the families sse, utf8, openai and responses."""

import pytest
import trio
from trio.testing import MockClock

from . import cases
from .case import CASES, PROFILES
from .mutants import MUTANTS, Good, every
from .mutants.openai_good import Chat
from .mutants.responses_good import Responses
from .mutants.sse_good import Events
from .test_mutants import broken, judge

assert cases
assert every

FAMILIES = ("sse", "utf8", "openai", "responses")
OURS = [case for case in CASES.values() if case.family in FAMILIES]


def test_each_case_has_a_mutant() -> None:
    found = {slug for mutant in MUTANTS.values() for slug in mutant.fails}
    assert [case.slug for case in OURS if case.slug not in found] == []


def test_each_case_names_a_line_of_our_code_and_a_cause() -> None:
    for case in OURS:
        assert case.code_place
        assert case.cause


@pytest.mark.parametrize(
    ("server", "profile"), [(Events, "sse"), (Chat, "openai"), (Responses, "responses")]
)
def test_a_correct_server_passes_its_whole_profile(server: type[Good], profile: str) -> None:
    clock = MockClock(autojump_threshold=0)
    found = trio.run(judge, server(), PROFILES[profile], clock=clock)
    failed = broken(found)
    assert {slug: found[slug].failure for slug in failed} == {}
    skipped = {slug for slug, outcome in found.items() if outcome.result == "SKIP"}
    assert {slug for slug in skipped if slug.partition(".")[0] in FAMILIES} <= {
        "sse.heartbeat",
        "sse.ids-differ",
        "sse.resumes",
        "utf8.bad-request",
        "utf8.request-escapes",
        "utf8.request-torn",
    }
