"""The split of a request's work is complete, and does not depend on the machine."""

import sys
from collections import Counter

import pytest
import trio

from tests.bench import request_split


def test_every_room_has_its_share() -> None:
    trace = sys.gettrace()
    try:
        whole, streamed = (trio.run(request_split.count, stream, 2) for stream in (False, True))
    finally:
        sys.settrace(trace)  # the tracer of the coverage
    assert set(whole) == set(streamed) == set(request_split.ROOMS.values())
    assert whole["protocol"] < streamed["protocol"]  # eight events more


def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def count(stream: bool, requests: int) -> Counter[str]:
        return Counter({"trio": requests + stream, "protocol": 1000})

    monkeypatch.setattr(request_split, "count", count)
    monkeypatch.setattr(sys, "argv", ["request_split", "--requests", "7"])
    request_split.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["trio", "7", "8"]
    assert lines[-1].split() == ["together", "1,007", "1,008"]
