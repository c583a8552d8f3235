"""The numbers of several workers are those of one server that did the work of all."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from servers.http.metrics import Metrics
from servers.http.shared_metrics import SharedMetrics, forget

from .test_metrics import samples


def work(metrics: Metrics, number: int) -> None:
    """Count something, with other values for each number."""
    metrics.first_token.add(0.003 * number)
    for gap in (0.001, 0.03 * number, 9.0):
        metrics.gap.add(gap)
    metrics.body_bytes += 100 * number
    metrics.back_pressure += number / 4
    metrics.end("GET /", "done")
    metrics.end("GET /chat/{text}", f"reason {number}")
    metrics.active.append(lambda: number)


Workers = tuple[Metrics, Metrics]


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """The numbers of two workers, whose processes are 1 and 2."""
    both = Metrics(), Metrics()
    with ExitStack() as stack:
        for process, metrics in enumerate(both, 1):
            monkeypatch.setattr(os, "getpid", lambda process=process: process)
            metrics.shared = SharedMetrics(tmp_path, metrics.collect)
            stack.callback(metrics.shared.close)
        yield both


def test_the_sum(workers: Workers) -> None:
    one, (first, second) = Metrics(), workers
    for number, metrics in [(1, first), (2, second), (3, second)]:
        work(metrics, number)
        work(one, number)
    assert first.shared is not None
    first.shared.write()
    assert samples(second) == samples(one)
    assert second.health() == {"status": "ok", "workers": 2}
    assert one.health() == {"status": "ok"}


def test_the_dead_have_counted_but_run_nothing(tmp_path: Path, workers: Workers) -> None:
    first, second = workers
    work(first, 7)
    work(second, 2)
    before = samples(first)
    assert before["workshop_active_streams", ()] == 7
    both = samples(second)
    assert both["workshop_active_streams", ()] == 9
    forget(tmp_path, 1)
    assert samples(second) == both | {("workshop_active_streams", ()): 2}
    assert second.health() == {"status": "ok", "workers": 1}


async def test_written_each_second_and_at_the_end(
    workers: Workers, autojump_clock: MockClock
) -> None:
    first, second = workers
    assert first.shared is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.shared.run)
        await trio.sleep(0.5)
        first.body_bytes = 5
        assert samples(second)["workshop_body_bytes_total", ()] == 0
        await trio.sleep(1)
        assert samples(second)["workshop_body_bytes_total", ()] == 5
        first.body_bytes = 6
        nursery.cancel_scope.cancel()
    assert samples(second)["workshop_body_bytes_total", ()] == 6
