"""The servers' wall clock stands still in these tests, so that complete heads can be compared."""

import pytest

from .driving import DATE


@pytest.fixture(autouse=True)
def fixed_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servers.http.reply_head._date", lambda seconds: DATE)
