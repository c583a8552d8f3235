"""The numbers in `/metrics`, read with Prometheus' own parser."""

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from servers.http.metrics import FIRST_TOKENS, GAPS, Histogram, Metrics

Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(metrics: Metrics) -> Samples:
    """Every sample by its name and its label values, in the labels' order (reason, route)."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_a_fresh_one_has_every_series_at_zero() -> None:
    """A rate needs a first value, also for a series that has counted nothing yet."""
    found = samples(Metrics())
    assert set(found.values()) == {0}
    assert {name for name, _ in found} == {
        "workshop_active_streams",
        "workshop_queued_streams",
        "workshop_first_token_seconds_bucket",
        "workshop_first_token_seconds_count",
        "workshop_first_token_seconds_sum",
        "workshop_inter_token_seconds_bucket",
        "workshop_inter_token_seconds_count",
        "workshop_inter_token_seconds_sum",
        "workshop_tokens_total",
        "workshop_body_bytes_total",
        "workshop_back_pressure_seconds_total",
        "workshop_cancelled_total",
    }


def test_the_numbers_are_those_that_were_added() -> None:
    metrics = Metrics()
    metrics.active += [lambda: 3, lambda: 10]
    metrics.queued += [lambda: 4]
    metrics.body_bytes = 1 << 40
    metrics.first_token.add(0.2)
    metrics.back_pressure, metrics.cancelled = 2.25, 5
    metrics.gap.add(0.05)
    metrics.gap.add(3.0)
    found = samples(metrics)
    assert found["workshop_active_streams", ()] == 13
    assert found["workshop_queued_streams", ()] == 4
    assert found["workshop_tokens_total", ()] == 3
    assert found["workshop_body_bytes_total", ()] == 1 << 40
    assert found["workshop_back_pressure_seconds_total", ()] == 2.25
    assert found["workshop_cancelled_total", ()] == 5
    buckets = {le: found["workshop_inter_token_seconds_bucket", (le,)] for le in ("0.025", "0.05")}
    assert buckets == {"0.025": 0, "0.05": 1}
    assert found["workshop_inter_token_seconds_bucket", ("2.5",)] == 1
    assert found["workshop_inter_token_seconds_bucket", ("+Inf",)] == 2
    assert found["workshop_inter_token_seconds_count", ()] == 2
    assert found["workshop_inter_token_seconds_sum", ()] == 3.05


def test_ends_by_route_and_reason() -> None:
    metrics = Metrics()
    for reason in ("done", "done", "cancelled"):
        metrics.end("POST /v1/chat/completions", reason)
    metrics.end('GET /"\\\n', "done")  # escaped, not an injected line
    found = {labels: value for (name, labels), value in samples(metrics).items() if len(labels) > 1}
    assert found == {
        ("done", "POST /v1/chat/completions"): 2,
        ("cancelled", "POST /v1/chat/completions"): 1,
        ("done", 'GET /"\\\n'): 1,
    }


def test_the_help_and_type_of_each_series() -> None:
    metrics = Metrics()
    metrics.gap.add(0.05)
    metrics.end("GET /", "done")
    families = {
        family.name: (family.type, family.documentation)
        for family in text_string_to_metric_families(metrics.render().decode())
    }
    assert families["workshop_requests"] == ("counter", "Requests ended, by route and reason.")
    assert families["workshop_tokens"] == ("counter", "Tokens sent.")
    assert families["workshop_inter_token_seconds"][0] == "histogram"
    assert Metrics.CONTENT_TYPE.startswith("text/plain; version=")


def test_two_servers_in_one_process() -> None:
    one, other = Metrics(), Metrics()
    one.gap.add(1)
    assert samples(other)["workshop_tokens_total", ()] == 0
    assert samples(other)["workshop_inter_token_seconds_count", ()] == 0
    assert samples(one) == samples(one)


@given(st.lists(st.one_of(st.floats(0, 50), st.sampled_from((*GAPS, *FIRST_TOKENS)))))
def test_a_bucket_counts_all_up_to_its_bound(values: list[float]) -> None:
    metrics = Metrics()
    for value in values:
        metrics.gap.add(value)
    found = samples(metrics)
    in_order = sorted(values)
    for bound in GAPS:
        held = found["workshop_inter_token_seconds_bucket", (str(bound),)]
        assert held == bisect_right(in_order, bound)
    assert found["workshop_inter_token_seconds_count", ()] == len(values)


def test_bounds_ascend() -> None:
    for bounds in (GAPS, FIRST_TOKENS):
        assert list(bounds) == sorted(set(bounds))


@given(st.lists(st.lists(st.floats(0, 5))))
def test_many_values_at_once_count_as_one_by_one(ticks: list[list[float]]) -> None:
    together, alone = Histogram(GAPS), Histogram(GAPS)
    for values in ticks:
        for value in values:
            together.add(value)
            alone.add(value)
            alone.settle()
        together.settle()
    assert (together.counts, together.count) == (alone.counts, alone.count)
    assert together.sum == pytest.approx(alone.sum)
