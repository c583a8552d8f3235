"""How fast a model speaks: the distributions of its gaps, always the same for a seed."""

import statistics
from itertools import islice, repeat

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from servers.llm.pace import PROFILES, SPREADS, Bursts, Lognormal, Normal, Pace, Spread

VARYING = {name: spread for name, spread in SPREADS.items() if spread is not None}
all_varying = pytest.mark.parametrize("spread", VARYING.values(), ids=VARYING)


def first_gaps(pace: Pace, count: int, seed: str | int = 0) -> list[float]:
    return list(islice(pace.gaps(seed), count))


def test_gaps_are_equal_by_default() -> None:
    """They need no generator of random numbers."""
    gaps = Pace(0.2, 0.2).gaps("any")
    assert isinstance(gaps, repeat)
    assert list(islice(gaps, 3)) == [0.2, 0.2, 0.2]
    assert (Pace().ttft, Pace().itl) == (0.2, 0.03)
    assert SPREADS["constant"] is Pace().spread is None


@all_varying
def test_gaps_of_zero_stay_zero(spread: Spread) -> None:
    assert first_gaps(Pace(0, 0, spread=spread), 3) == [0, 0, 0]
    assert Pace(0, 0, spread=spread).prefill(100) == 0


# The first gaps of seed "a". They are the same on every machine and in every Python.
PLANS: dict[str, list[float]] = {
    "constant": [1, 1, 1, 1, 1],
    "normal": [1.002738, 1.036734, 1.49131, 0.866383, 1.294042],
    "lognormal": [2.896303, 1.22062, 0.496435, 2.47443, 0.543091],
    "bursts": [0.005464, 2.616631, 0.008733, 0.037191, 0.420241],
}


@pytest.mark.parametrize("name", SPREADS)
def test_the_same_seed_the_same_floats(name: str) -> None:
    assert first_gaps(Pace(1, 1, spread=SPREADS[name]), 5, "a") == PLANS[name]


@all_varying
def test_seeds_give_different_gaps(spread: Spread) -> None:
    pace = Pace(1, 1, spread=spread)
    plans = [first_gaps(pace, 8, seed) for seed in ("a", "b", 0, 1, -1)]
    assert len({tuple(plan) for plan in plans}) == 5
    assert len({pace.prefill(0, seed) for seed in ("a", "b", 0, 1, -1)}) == 5


@all_varying
def test_the_mean_is_itl(spread: Spread) -> None:
    """Of 100,000 gaps of one seed, so the test is deterministic."""
    gaps = first_gaps(Pace(itl=0.05, spread=spread), 100_000)
    assert statistics.fmean(gaps) == pytest.approx(0.05, rel=0.02)


@all_varying
def test_the_mean_of_many_streams_is_itl_too(spread: Spread) -> None:
    """The first gap of each of 5,000 seeds."""
    pace = Pace(itl=0.05, spread=spread)
    firsts = [first_gaps(pace, 1, seed)[0] for seed in range(5_000)]
    assert statistics.fmean(firsts) == pytest.approx(0.05, rel=0.1)


@given(
    st.sampled_from([None, *VARYING.values(), Normal(9), Lognormal(3), Bursts(0.01)]),
    st.integers() | st.text(),
    st.floats(0, 3600),
)
def test_no_gap_is_negative(spread: Spread | None, seed: str | int, mean: float) -> None:
    pace = Pace(mean, mean, spread=spread)
    assert all(0 <= gap < float("inf") for gap in first_gaps(pace, 20, seed))
    assert 0 <= pace.prefill(1000, seed) < float("inf")


def test_normal_is_truncated() -> None:
    gaps = first_gaps(Pace(itl=1, spread=Normal(0.25)), 10_000)
    assert statistics.stdev(gaps) == pytest.approx(0.25, rel=0.03)
    wide = first_gaps(Pace(itl=1, spread=Normal(2)), 1_000)
    assert (min(wide), max(wide)) == (0.3, 1.7)


def test_lognormal_has_a_long_tail() -> None:
    """Its median is under its mean, at exp(-sigma²/2)."""
    gaps = first_gaps(Pace(itl=1, spread=Lognormal(0.6)), 10_000)
    assert statistics.median(gaps) == pytest.approx(0.835, rel=0.02)
    assert max(gaps) > 5


def test_bursts() -> None:
    """More than half of the tokens follow closely on another; the pauses make up for it."""
    gaps = sorted(first_gaps(Pace(itl=1, spread=Bursts()), 10_000))
    assert gaps[5_000] < 0.15
    assert sum(gaps[9_000:]) > 6_000  # a tenth of the gaps takes most of the time


@pytest.mark.parametrize(("tokens", "seconds"), [(0, 0.5), (1, 0.75), (10, 3)])
def test_prefill_grows_with_the_prompt(tokens: int, seconds: float) -> None:
    assert Pace(0.5, 0.1, per_prompt_token=0.25).prefill(tokens, "any") == seconds


@all_varying
def test_prefill_varies_a_little(spread: Spread) -> None:
    """The distribution of the gaps does not apply to it: even with bursts it varies little."""
    pace = Pace(2, 0.1, per_prompt_token=0.001, spread=spread)
    times = [pace.prefill(1000, seed) for seed in range(2_000)]
    assert statistics.fmean(times) == pytest.approx(3, rel=0.01)
    assert statistics.stdev(times) == pytest.approx(0.3, rel=0.1)
    assert pace.prefill(1000, 7) == times[7]


def test_profiles() -> None:
    assert " ".join(PROFILES) == "instant default human slow fast-api reasoning overloaded"
    assert all(0 < len(pace.about) < 60 and "\n" not in pace.about for pace in PROFILES.values())
    assert (PROFILES["instant"].prefill(10**6), first_gaps(PROFILES["instant"], 1)) == (0, [0])
    assert PROFILES["default"] == Pace(about=PROFILES["default"].about)
    assert {name for name, pace in PROFILES.items() if pace.slow_down} == {"overloaded"}


async def test_clock(autojump_clock: MockClock) -> None:
    """The first token after `ttft`, each later one `itl` after the one before was due."""
    clock = Pace(ttft=2, itl=0.5).start()
    times = []
    for _ in range(4):
        await clock.next_token()
        times.append(trio.current_time())
    assert times == [2, 2.5, 3, 3.5]


async def test_clock_with_varying_gaps(autojump_clock: MockClock) -> None:
    pace = PROFILES["overloaded"]
    start = trio.current_time()
    clock = pace.start()
    times = []
    for _ in range(4):
        await clock.next_token()
        times.append(trio.current_time() - start)
    first, *gaps = [pace.prefill(0), *first_gaps(pace, 3)]
    assert times == pytest.approx([first + sum(gaps[:count]) for count in range(4)])


async def test_a_late_token_does_not_delay_the_next(autojump_clock: MockClock) -> None:
    """After a stall, tokens that are due come at once, then the old pace continues."""
    clock = Pace(ttft=1, itl=1).start()
    times: list[float] = []
    for _ in range(6):
        await clock.next_token()
        if not times:
            await trio.sleep(2.5)
        times.append(trio.current_time())
    assert times == [3.5, 3.5, 3.5, 4, 5, 6]
