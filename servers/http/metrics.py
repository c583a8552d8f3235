"""The numbers of a server for Prometheus: `GET /metrics`, the text exposition format.

    # HELP workshop_tokens_total Tokens sent.
    # TYPE workshop_tokens_total counter
    workshop_tokens_total 1041.0
    …
    workshop_inter_token_seconds_bucket{le="0.025"} 12.0
    workshop_inter_token_seconds_bucket{le="0.05"} 1029.0

A busy server sends a token every few microseconds. One `inc` of a Prometheus counter takes about as
long, one `observe` twice as long. So servers add to plain numbers, and Prometheus' objects are made
from them when it asks. Nothing is global: two servers in one process have two `Metrics`.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from .shared_metrics import SharedMetrics

__all__ = ["Histogram", "Metrics", "family"]

# Upper bounds of the buckets, in seconds. The smallest bound is half of one slot of the engine. The
# longest wait for a first token occurs when a model must be loaded.
GAPS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
FIRST_TOKENS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """Counts values in buckets, as a Prometheus histogram does.

    Args:
        bounds: The upper bounds of the buckets, in ascending order.

    Attributes:
        add: A function that keeps one value in a list until `settle`. Counting it at once would
            take four times as long.
        add_many: The same for several values.
        counts: For each bound, the number of values up to it.
        count, sum: The number of all values, and their sum.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * len(bounds)
        self.count = 0
        self.sum = 0.0
        self._zeros = 0
        self._added: list[float] = []
        self.add: Callable[[float], None] = self._added.append
        self.add_many: Callable[[Sequence[float]], None] = self._added.extend

    def add_zeros(self, count: int) -> None:
        """Add the value 0 `count` times."""
        self._zeros += count

    def settle(self) -> None:
        """Count the added values all at once. Sorted values need only one search per bound."""
        if not (self._added or self._zeros):
            return
        self._added.sort()
        for index, bound in enumerate(self.bounds):
            self.counts[index] += bisect_right(self._added, bound) + self._zeros
        self.count += len(self._added) + self._zeros
        self._zeros = 0
        self.sum += sum(self._added)
        self._added.clear()


class Metrics(Collector):
    """The numbers of one server, to which the parts of the server add.

    Attributes:
        active: Functions that return how many answers are being generated now.
        queued: Functions that return how many answers wait in the queue now.
        first_token: Seconds from a request's arrival to the first token of its answer.
        gap: Seconds between two tokens of one answer.
        body_bytes: Size of the bodies that have ended, in bytes before framing.
        back_pressure: Seconds that answers have waited for slow readers.
        cancelled: Answers that ended before their last token.
        shared: The numbers of all workers, if the server has several.
    """

    CONTENT_TYPE: ClassVar[str] = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.active: list[Callable[[], int]] = []
        self.queued: list[Callable[[], int]] = []
        self.first_token = Histogram(FIRST_TOKENS)
        self.gap = Histogram(GAPS)
        self.body_bytes = 0
        self.back_pressure = 0.0
        self.cancelled = 0
        self.shared: SharedMetrics | None = None
        self._ends: Counter[tuple[str, str]] = Counter()

    @property
    def tokens(self) -> int:
        """The number of tokens sent so far. Each token is in one of the two histograms."""
        self.settle()
        return self.first_token.count + self.gap.count

    def settle(self) -> None:
        """Count the values that were added to the histograms. The engine calls this once a tick."""
        self.first_token.settle()
        self.gap.settle()

    def end(self, route: str, reason: str) -> None:
        """Count one request that has ended.

        Args:
            route: The pattern of the route, not the path, because Prometheus keeps a series for
                each value.
            reason: How the request ended, in the words of an `Ending`. Requests that were cancelled
                before their reply began have the reason "cancelled", and those that got an error
                have "invalid", "rejected" or "failed".
        """
        self._ends[route, reason] += 1

    def render(self) -> bytes:
        """Return the body of `GET /metrics`. Its type is `CONTENT_TYPE`."""
        if self.shared is not None:
            return generate_latest(self.shared.registry())
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def health(self) -> dict[str, str | int]:
        """Return the content of `GET /health`: the status, and how many workers are alive if the
        server was started with several."""
        workers = {} if self.shared is None else {"workers": self.shared.worker_count}
        return {"status": "ok", **workers}

    def collect(self) -> Iterator[Metric]:
        """Return the same numbers as Prometheus' objects."""
        self.settle()
        ends = CounterMetricFamily(
            "workshop_requests", "Requests ended, by route and reason.", labels=["route", "reason"]
        )
        for labels, count in self._ends.items():
            ends.add_metric(labels, count)
        yield ends
        active = sum(count() for count in self.active)
        queued = sum(count() for count in self.queued)
        yield GaugeMetricFamily("workshop_active_streams", "Answers being made.", active)
        yield GaugeMetricFamily("workshop_queued_streams", "Answers that wait.", queued)
        yield family("workshop_first_token_seconds", "Time to first token.", self.first_token)
        yield family("workshop_inter_token_seconds", "Time between two tokens.", self.gap)
        yield CounterMetricFamily("workshop_tokens", "Tokens sent.", self.tokens)
        yield CounterMetricFamily("workshop_body_bytes", "Bytes of ended bodies.", self.body_bytes)
        yield CounterMetricFamily(
            "workshop_back_pressure_seconds", "Time waited for readers.", self.back_pressure
        )
        yield CounterMetricFamily(
            "workshop_cancelled", "Answers that ended before their last token.", self.cancelled
        )


def family(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    """Return a settled histogram as Prometheus' object."""
    counts = [*histogram.counts, histogram.count]
    buckets = list(zip([*map(str, histogram.bounds), "+Inf"], counts, strict=True))
    return HistogramMetricFamily(name, text, buckets, histogram.sum)


# What this file does not do: count the process's memory or files, or push numbers anywhere.
