"""A relay never makes a failure worse: through the proxy, the official client raises the same class
of error as without it, or one that says more. `servers/openai_proxy/FAULTS.md` shows them.
"""

import openai
import pytest

from .relayed import PAGE, Both, Measured, measure, page

AGAIN = "python -m tests.interop.relayed --write"

# Why it is not the same is said on the page.
REFUSED = {"length-and-chunked"}


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure()


def is_no_worse(both: Both) -> bool:
    direct, through = both
    if direct.end == through.end:
        return direct == through
    if through.came.endswith(": all") and not through.end:
        return True  # nothing is missing, and the client knows it
    if direct.came.endswith(": all") and not direct.end:
        return False
    return through.truth > direct.truth or through.truth == direct.truth == 2


def test_faults(measured: Measured) -> None:
    worse = {name for name, both in measured.faults.items() if not is_no_worse(both)}
    assert worse == REFUSED | {"401"}


def test_statuses(measured: Measured) -> None:
    """The same status, body and Retry-After, except for 401."""
    different = {name for name, (direct, through) in measured.statuses.items() if direct != through}
    assert different == {"401"}
    _, through = measured.statuses["401"]
    assert through.told is not None
    assert through.told[0] == 502
    assert len(measured.statuses) == 200


def test_cuts(measured: Measured) -> None:
    worse = [name for name, both in measured.cuts.items() if not is_no_worse(both)]
    assert worse == []


def test_the_page_is_true(measured: Measured) -> None:
    written = PAGE.read_text(encoding="utf-8")
    if page(measured) != written and f"openai {openai.__version__} " not in written:
        pytest.skip(f"the page tells of another version of openai: {AGAIN}")
    assert page(measured) == written, AGAIN
