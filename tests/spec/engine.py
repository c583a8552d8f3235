"""Runs cases: one, or all of them, several at a time.

    outcome = await run_case(case, target)          PASS, WARN, FAIL or SKIP, with the reasons

The rules this file keeps:

1. A failure counts if it happens twice, with everything measured anew. One that does not come again
   is noise: the case passes, and the outcome says so. (A case that `repeats` does this itself.)
2. Only `Failed` is a failure. A case that takes too long, or finds no connection, is skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import trio

from .case import Case, Failed, Skipped
from .failure import Failure, explain
from .target import Target

__all__ = ["CASE_SECONDS", "Outcome", "run_case"]

CASE_SECONDS = 30.0


@dataclass(frozen=True)
class Outcome:
    """What a case found out.

    Args:
        case: The case.
        result: "PASS", "WARN", "FAIL" or "SKIP".
        why: Why it was skipped; or, for PASS, a note; else "".
        failure: What is wrong, if it is WARN or FAIL.
        seconds: How long it took.
    """

    case: Case
    result: str
    why: str = ""
    failure: Failure | None = None
    seconds: float = 0.0


async def run_case(
    case: Case,
    target: Target,
    *,
    strict: bool = False,
    tries: int = 2,
    seconds: float = CASE_SECONDS,
) -> Outcome:
    """Run one case.

    Args:
        case: The case.
        target: The server.
        strict: A WARN becomes a FAIL.
        tries: How often a failure must happen, one after the other, to be one.
        seconds: Longest time of one try.
    """
    began = trio.current_time()
    failure: Failure | None = None
    result, why = "PASS", ""
    tries = 1 if case.repeats else tries
    for number in range(tries):
        reason = await _try(case, target, seconds)
        if isinstance(reason, Failed):
            failure = explain(case, reason, target)
            if number < tries - 1:
                target.again()
            continue
        if isinstance(reason, str):
            result, why, failure = "SKIP", reason, None
        elif failure:
            why, failure = f"it failed once and passed then: {failure.say}", None
        break
    if failure:
        warns = case.warns or case.level == "SHOULD"
        result = "WARN" if warns and not strict else "FAIL"
    return Outcome(case, result, why, failure, trio.current_time() - began)


async def _try(case: Case, target: Target, seconds: float) -> Failed | str | None:
    """Run a case once. Returns None if the rule is kept, or why it cannot be told."""
    try:
        with trio.fail_after(seconds):
            await case.check(target)
    except trio.TooSlowError:
        return f"no result in {seconds:g} s"
    except Exception as error:
        found = list(_flat(error))
        for kind in (Failed, Skipped, trio.BrokenResourceError, trio.ClosedResourceError):
            for one in found:
                if isinstance(one, Failed):
                    return one
                if isinstance(one, kind):
                    return str(one) if kind is Skipped else f"the connection broke: {one}"
        raise
    return None


def _flat(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in an exception of a nursery."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _flat(one)
    else:
        yield error


# What this file does not do: select cases or report them. pytest does (plugin.py).
