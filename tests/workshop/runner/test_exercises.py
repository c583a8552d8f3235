"""Every exercise fails as it is, its solution passes, and each mistake is reported by its name."""

from pathlib import Path

import pytest

from workshop.runner.exercises import Lesson, judge, lessons

LESSONS = lessons()
MISTAKES = [(lesson, wrong) for lesson in LESSONS for wrong in lesson.wrong]


def name(value: Lesson | Path) -> str:
    return value.name


@pytest.mark.parametrize("lesson", LESSONS, ids=name)
def test_an_exercise_fails_as_it_is(lesson: Lesson) -> None:
    failure = judge(lesson, lesson.folder / "exercise.py")
    assert failure is not None
    assert failure.message


@pytest.mark.parametrize("lesson", LESSONS, ids=name)
def test_the_solution_passes(lesson: Lesson) -> None:
    assert judge(lesson, lesson.folder / "solution.py") is None


@pytest.mark.parametrize(("lesson", "wrong"), MISTAKES, ids=name)
def test_a_mistake_is_reported_by_its_name(lesson: Lesson, wrong: Path) -> None:
    failure = judge(lesson, wrong)
    assert failure is not None
    assert failure.name == wrong.stem.removeprefix("wrong_").replace("_", "-")


@pytest.mark.parametrize("lesson", LESSONS, ids=name)
def test_every_exercise_has_hints_mistakes_and_a_title(lesson: Lesson) -> None:
    hints = lesson.hints
    assert len(hints) == 3
    assert all(hints)
    assert lesson.wrong
    assert lesson.title
