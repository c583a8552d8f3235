"""The servers' wall clock stands still in these tests, so that complete heads can be compared."""

from collections.abc import Iterator

import pytest

from servers.http import reply_head

from .driving import DATE


@pytest.fixture(autouse=True)
def fixed_date(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(reply_head, "formatdate", lambda seconds, usegmt: DATE)
    reply_head._beginning.cache_clear()
    yield
    reply_head._beginning.cache_clear()
