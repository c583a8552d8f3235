"""The measurements of a tap, for Prometheus: `GET /metrics` on a separate port.

    # TYPE workshop_tap_exchanges_total counter
    workshop_tap_exchanges_total{end="done",verdict="live"} 41.0
    workshop_tap_exchanges_total{end="cut",verdict="cut-transport"} 2.0
    # TYPE workshop_tap_first_token_seconds histogram
    workshop_tap_first_token_seconds_bucket{le="0.5"} 38.0

The values of every label come from a fixed list, because labels with a path or a host would let
each client create new series. `/metrics` has a port of its own on loopback, so it hides no path of
the upstream.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from servers.http.metrics import Metrics, family
from servers.http.reply import Reply, Request
from servers.http.routes import Routes

from .tapped import State
from .watch import Watch

__all__ = ["TapMetrics", "metrics_routes"]

STATES: tuple[State, ...] = ("waiting", "streaming", "silent")


class TapMetrics(Collector):
    """The numbers of a `Watch`, as Prometheus' objects."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def render(self) -> bytes:
        """The body of `GET /metrics`."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        watch = self._watch
        now = watch.now()
        states = [exchange.state(now) for exchange in watch.running.values()]
        running = GaugeMetricFamily(
            "workshop_tap_running", "Exchanges that have not ended.", labels=["state"]
        )
        for state in STATES:
            running.add_metric([state], states.count(state))
        yield running
        ended = CounterMetricFamily(
            "workshop_tap_exchanges",
            "Exchanges that have ended, by how and by their first verdict.",
            labels=["end", "verdict"],
        )
        for labels, count in watch.verdicts.items():
            ended.add_metric(labels, count)
        yield ended
        text = "Time from the request to the first token."
        yield family("workshop_tap_first_token_seconds", text, watch.first_token)
        text = "Time between two reads that brought text."
        yield family("workshop_tap_gap_seconds", text, watch.gap)
        for name, text, value in (
            ("connections", "Connections accepted.", watch.connections),
            ("refused", "Connections refused: too many, or no upstream.", watch.refused),
            ("bytes", "Bytes of responses.", watch.size),
            ("tokens", "Tokens of responses.", watch.tokens),
            ("unmeasured_reads", "Reads that were relayed, but not measured.", watch.unmeasured),
        ):
            yield CounterMetricFamily(f"workshop_tap_{name}", text, value)


def metrics_routes(watch: Watch) -> Routes:
    """The routes of the server that Prometheus asks."""
    metrics = TapMetrics(watch)

    async def render(request: Request) -> Reply:
        async with watch.lock:
            return Reply(metrics.render(), content_type=Metrics.CONTENT_TYPE)

    return Routes({"GET /metrics": render})


# What this file does not do: give separate numbers for each client, path or model.
