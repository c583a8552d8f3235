"""What a server tells Prometheus: `GET /metrics`, the text exposition format.

    # HELP workshop_tokens_total Tokens sent.
    # TYPE workshop_tokens_total counter
    workshop_tokens_total 1041.0
    …
    workshop_inter_token_seconds_bucket{le="0.025"} 12.0
    workshop_inter_token_seconds_bucket{le="0.05"} 1029.0

A token is sent every few microseconds, and one `inc` of a Prometheus counter costs another, an
`observe` two. So the engine adds to plain numbers, and Prometheus' objects are made from them when
somebody asks. Nothing is global: two servers in one process have two `Metrics`.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

__all__ = ["Histogram", "Metrics"]

# Seconds: from half an engine's slot, and from a model that is not loaded yet, by twos and fives.
GAPS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
FIRST_TOKENS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """How many values were at most so large.

    Args:
        bounds: ascending.

    Attributes:
        add: takes one value. It waits in a list, which costs a quarter of counting it.
        counts: for each bound, the values that were not above it.
        count, sum: of all values.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * len(bounds)
        self.count = 0
        self.sum = 0.0
        self._added: list[float] = []
        self.add: Callable[[float], None] = self._added.append

    def settle(self) -> None:
        """Count what was added: many values in one go, in order, so that a search for each bound
        counts them all."""
        self._added.sort()
        for index, bound in enumerate(self.bounds):
            self.counts[index] += bisect_right(self._added, bound)
        self.count += len(self._added)
        self.sum += sum(self._added)
        self._added.clear()


class Engine(Protocol):
    """What a gauge needs of an engine."""

    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...


class Metrics(Collector):
    """The numbers of one server. Whoever has something to count adds to them.

    Attributes:
        engines: those whose sequences are shown, running and waiting.
        first_token: seconds from entering the queue to the first token.
        gap: seconds between two tokens of one answer.
        body_bytes: of the bodies that have ended, before their framing.
        back_pressure: seconds that sequences have waited for their readers.
        cancelled: sequences that left before their last token.
    """

    CONTENT_TYPE: ClassVar[str] = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.engines: list[Engine] = []
        self.first_token = Histogram(FIRST_TOKENS)
        self.gap = Histogram(GAPS)
        self.body_bytes = 0
        self.back_pressure = 0.0
        self.cancelled = 0
        self._ends: Counter[tuple[str, str]] = Counter()

    @property
    def tokens(self) -> int:
        """Sent so far: each had either a time to first token or a gap before it."""
        self.settle()
        return self.first_token.count + self.gap.count

    def settle(self) -> None:
        """Count what was added to the histograms: the engine does so once a tick."""
        self.first_token.settle()
        self.gap.settle()

    def end(self, route: str, reason: str) -> None:
        """Count one request that has ended.

        Args:
            route: its pattern, never its path: a series is kept for each, for ever.
            reason: the words of an `Ending`; "cancelled" for an answer in one piece, before any of
                it was sent; or why nothing was begun: "invalid", "rejected".
        """
        self._ends[route, reason] += 1

    def render(self) -> bytes:
        """The body of `GET /metrics`, of type `CONTENT_TYPE`."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """The same, as Prometheus' objects."""
        self.settle()
        ends = CounterMetricFamily(
            "workshop_requests", "Requests ended, by route and reason.", labels=["route", "reason"]
        )
        for labels, count in self._ends.items():
            ends.add_metric(labels, count)
        yield ends
        running = sum(engine.running for engine in self.engines)
        waiting = sum(engine.waiting for engine in self.engines)
        yield GaugeMetricFamily("workshop_active_streams", "Sequences in the batch.", running)
        yield GaugeMetricFamily("workshop_queued_streams", "Sequences that wait.", waiting)
        yield _family("workshop_first_token_seconds", "Time to first token.", self.first_token)
        yield _family("workshop_inter_token_seconds", "Time between two tokens.", self.gap)
        yield CounterMetricFamily("workshop_tokens", "Tokens sent.", self.tokens)
        yield CounterMetricFamily("workshop_body_bytes", "Bytes of ended bodies.", self.body_bytes)
        yield CounterMetricFamily(
            "workshop_back_pressure_seconds", "Time waited for readers.", self.back_pressure
        )
        yield CounterMetricFamily(
            "workshop_cancelled", "Sequences that left before their last token.", self.cancelled
        )


def _family(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    counts = [*histogram.counts, histogram.count]
    buckets = list(zip([*map(str, histogram.bounds), "+Inf"], counts, strict=True))
    return HistogramMetricFamily(name, text, buckets, histogram.sum)


# What this file does not do: keep the process's own numbers (memory, files), or push them anywhere.
