"""The suite as pytest sees it: a file for each family, an item for each case.

    <SpecFile chunked.py>
      <SpecItem chunked.ends-with-last-chunk>
      …

pytest selects (`-k`), reports (`--junitxml`) and stops; this plugin turns an `Outcome` into what it
knows: PASS and WARN have passed, FAIL has failed, SKIP is skipped.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import cases
from .case import CASES, PROFILES, ROOT, Case
from .engine import Outcome
from .runner import Runner

__all__ = ["FOLDER", "Judgement", "SpecPlugin"]

FOLDER = Path(cases.__file__).parent

OUTCOME = pytest.StashKey[Outcome]()


class Judgement(Exception):
    """Raised by an item whose case has failed."""

    def __init__(self, outcome: Outcome) -> None:
        assert outcome.failure
        super().__init__(outcome.failure.say)
        self.outcome = outcome


class SpecItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, runner: Runner | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.case = case
        self._runner = runner

    def runtest(self) -> None:
        assert self._runner
        outcome = self._runner.result(self.case)
        self.stash[OUTCOME] = outcome
        self.user_properties += [("level", self.case.level), ("section", self.case.section)]
        if outcome.result == "SKIP":
            pytest.skip(outcome.why)
        if outcome.result == "WARN" and outcome.failure:
            self.user_properties.append(("warning", outcome.failure.say))
        if outcome.result == "FAIL":
            raise Judgement(outcome)

    def repr_failure(self, excinfo: Any, style: Any = None) -> str:
        if isinstance(excinfo.value, Judgement) and (failure := excinfo.value.outcome.failure):
            parts = [failure.say, f"sent: {failure.sent}", *failure.came]
            return "\n".join([*parts, failure.rule, failure.cause, failure.lesson])
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        name, _, line = self.case.place.rpartition(":")
        return ROOT / name, int(line) - 1, self.case.slug


class SpecFile(pytest.File):
    """The cases of one file."""

    profile = "http"
    runner: Runner | None = None

    def collect(self) -> Iterator[SpecItem]:
        for case in CASES.values():
            module = case.check.__module__.rpartition(".")[2]
            if module == self.path.stem and (
                not self.profile or case.profile in PROFILES[self.profile]
            ):
                yield SpecItem.from_parent(self, name=case.slug, case=case, runner=self.runner)


class SpecPlugin:
    """Collects the cases of a profile, and keeps their outcomes.

    Args:
        profile: Name of the profile; "" for all cases.
        runner: Runs them; None to collect only.

    Attributes:
        selected: The cases that pytest has selected.
        outcomes: Their outcomes, in order.
        errors: Errors of the suite itself.
        code: Exit code of the run.
    """

    def __init__(self, profile: str, runner: Runner | None = None) -> None:
        self.selected: list[Case] = []
        self.outcomes: list[Outcome] = []
        self.errors: list[str] = []
        self.code = 0
        self._profile = profile
        self._runner = runner

    def show(self, outcome: Outcome) -> None:
        """Called with each outcome, as soon as it is known."""

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> SpecFile | None:
        if file_path.parent != FOLDER or file_path.suffix != ".py":
            return None
        file: SpecFile = SpecFile.from_parent(parent, path=file_path)
        file.profile, file.runner = self._profile, self._runner
        return file

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.selected = [item.case for item in session.items if isinstance(item, SpecItem)]

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        if self._runner and self.selected and not session.config.option.collectonly:
            self._runner.start(self.selected)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "call":
            outcome = item.stash.get(OUTCOME, None)
            if outcome:
                self.outcomes.append(outcome)
                self.show(outcome)
            elif call.excinfo:  # a bug of the suite
                self.errors.append(
                    f"{item.name}: {call.excinfo.exconly()} ({call.excinfo.traceback[-1]})"
                )
        return report

    def pytest_internalerror(self, excrepr: object) -> bool:
        self.errors.append(str(excrepr))
        return True

    def pytest_sessionfinish(self) -> None:
        if self._runner:
            self._runner.stop()


# What this file does not do: print (show.py), or know the command line (workshop/spec.py).
