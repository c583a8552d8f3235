"""A coroutine that never waits needs no event loop: call it from a plain test.

    (answer,) = at_once(Model().answers(question))
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["at_once"]

T = TypeVar("T")


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, and return its result."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise AssertionError("the coroutine waits")
