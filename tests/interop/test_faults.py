"""`servers/FAULTS.md` is true: clients react to each fault as it says."""

import pytest

from servers.llm.faults import FAULTS

from .fault_clients import PATIENCE
from .faults import BY_HAND, COLUMNS, NONE, PAGE, Page, measure
from .peers import unavailable

AGAIN = "python -m tests.interop.faults --write"


@pytest.fixture(scope="module")
def written() -> Page:
    return Page.read(PAGE.read_text(encoding="utf-8"))


IN_CI = [column for column, name in enumerate(COLUMNS) if name not in BY_HAND]


def cells(page: Page, column: int) -> dict[str, str]:
    return {name: row[column] for name, row in page.rows.items()}


@pytest.fixture(scope="module")
def measured(written: Page) -> Page:
    """On a busy machine, a client's timeout can expire before its answer has come. So if an outcome
    differs from the page, all clients are measured again with longer timeouts."""
    found = measure()
    same = all(
        cells(found, column) == cells(written, column) for column in IN_CI if found.versions[column]
    )
    return found if same else measure(3 * PATIENCE)


def test_the_page_is_as_it_is_written(written: Page) -> None:
    """The page was not changed by hand, and has all faults."""
    assert list(written.rows) == [NONE, *FAULTS], AGAIN
    assert str(written) == PAGE.read_text(encoding="utf-8"), AGAIN


@pytest.mark.parametrize("column", IN_CI, ids=COLUMNS.__getitem__)
def test_column(column: int, written: Page, measured: Page) -> None:
    """Each client reacts as the page says. A client of another version may react differently."""
    there, here = written.versions[column], measured.versions[column]
    if not here and there:
        unavailable(f"{COLUMNS[column]} is missing here: see tests/interop/more_fault_clients.py")
    expected, found = cells(written, column), cells(measured, column)
    if there != here and found != expected:
        pytest.skip(f"the page describes {there}, and {here} reacts differently: {AGAIN}")
    assert found == expected, AGAIN
