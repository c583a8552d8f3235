"""Real hops: x-ray's verdict on each is the one in lesson 9's HOPS.md.

The right verdict is known from both sides of the hop (truth.py), so it does not depend on a
program's version. The page has the codes of the versions that it names. If another version behaves
differently, the test prints a message, and fails only if the verdict is wrong.
"""

from typing import NamedTuple

import pytest
import trio

from workshop.xray.report import Verdict

from ..peers import unavailable
from .asking import Case, Seen
from .caches import Squid
from .hops import HOPS
from .running import ask_all
from .table import PAGE, WRITE, Page, cases, mistakes, verdicts
from .truth import right_codes


class Results(NamedTuple):
    """The outcome of each case, and the output of each hop that did not start."""

    found: dict[Case, tuple[Seen, list[Verdict]]]
    problems: dict[str, str]

    def of(self, name: str, configuration: str) -> dict[Case, tuple[Seen, list[Verdict]]]:
        """The outcomes of one configuration."""
        if missing := HOPS[name].missing:
            unavailable(missing)
        if problem := self.problems.get(name):
            pytest.fail(problem, pytrace=False)
        return {
            case: outcome
            for case, outcome in self.found.items()
            if (case.hop, case.configuration) == (name, configuration)
        }


BUSY_MACHINE = "this machine was so busy that its delays cannot be told from those of the hop"

CONFIGURATIONS = [(name, each) for name, hop in HOPS.items() for each in hop.configurations]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page.read(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def results(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """All cases of all installed hops, measured at the same time. This takes half a minute."""
    found: dict[Case, tuple[Seen, list[Verdict]]] = {}

    def settled(case: Case, seen: Seen) -> bool:
        found[case] = seen, verdicts(seen.reads)
        on_page = first(page, case) <= right_codes(case, seen)
        return on_page and not mistakes(case, *found[case])

    here = [name for name, hop in HOPS.items() if not hop.missing]
    folder = tmp_path_factory.mktemp("hops")
    return Results(found, trio.run(ask_all, cases(here), folder, settled))


def first(page: Page, case: Case) -> set[str]:
    """The first code that the page has for a case."""
    return {code.rstrip("?") for code in page.codes.get(case, [])[:1]}


@pytest.mark.parametrize(("name", "configuration"), CONFIGURATIONS)
def test_the_verdict_names_what_the_hop_does(
    name: str, configuration: str, page: Page, results: Results
) -> None:
    wrong: list[str] = []
    other: list[str] = []
    unclear: list[Case] = []
    for case, (seen, found) in results.of(name, configuration).items():
        mistaken = mistakes(case, seen, found)
        as_written = first(page, case) <= right_codes(case, seen)
        if seen.on_busy_machine and (mistaken or not as_written):
            unclear.append(case)
        elif mistaken:
            wrong += mistaken
        elif not as_written:
            other.append(f"{case.name}: {found[0].code}, and the page says {page.codes[case]}")
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
    version, written = HOPS[name].version, page.versions.get(name, "")
    if other:
        message = f"{name} {version}, and {PAGE.name} is about {written}: {WRITE}"
        message = "\n".join([message, *other])
        print(message)  # shown with pytest -rP
        if version == written:
            pytest.fail(message, pytrace=False)
    if unclear:
        unavailable(BUSY_MACHINE)


@pytest.mark.parametrize(
    ("name", "configuration"),
    [each for each in CONFIGURATIONS if HOPS[each[0]].configurations[each[1]].cure],
)
def test_the_cure_cures(name: str, configuration: str, results: Results) -> None:
    """The configuration that the page names as the cure relays each event at once."""
    cure = HOPS[name].configurations[configuration].cure
    unclear = False
    for case, (seen, _) in results.of(name, cure).items():
        cured = case.way != "whole" or "live" in right_codes(case, seen)
        unclear |= not cured and seen.on_busy_machine
        assert cured or seen.on_busy_machine, case.name
    if unclear:
        unavailable(BUSY_MACHINE)


def test_the_page_has_every_case(page: Page) -> None:
    assert set(page.codes) == set(cases(HOPS))
    assert list(page.versions) == list(HOPS)


def test_a_missing_program_is_named() -> None:
    class Absent(Squid):
        command = ("no-such-program", "/usr/sbin/no-such-program")

    assert Absent().missing == "no-such-program is missing: install squid"
