"""How fast a model speaks: the time to its first token, and the gaps between the others.

    Pace(ttft=0.3, itl=0.0125, spread=Lognormal())
        prefill          0.3 s
        gaps("request")  0.006, 0.021, 0.009, 0.012, 0.008, …      0.0125 on average

A real model's gaps are not all the same, and a client that looks smooth at an even pace may stutter
when tokens come in bursts. The gaps are a function of a seed and of nothing else: a stream that
showed a fault shows it again.
"""

from collections.abc import Iterator
from itertools import repeat
from random import Random

import msgspec
import trio

__all__ = ["PROFILES", "SPREADS", "Bursts", "Clock", "Lognormal", "Normal", "Pace", "Spread"]


class Normal(msgspec.Struct, frozen=True):
    """A bell around the mean, cut off 70 % below and above it.

    Args:
        sd: standard deviation, as a fraction of the mean.
    """

    sd: float = 0.25

    def draw(self, random: Random) -> float:
        """A number, 1 on average: how many times the mean."""
        return min(max(random.gauss(1, self.sd), 0.3), 1.7)


class Lognormal(msgspec.Struct, frozen=True):
    """Most gaps a little under the mean, some far over it: what one sees of a hosted model.

    Args:
        sigma: standard deviation of the logarithm.
    """

    sigma: float = 0.6

    def draw(self, random: Random) -> float:
        """A number, 1 on average: how many times the mean."""
        return random.lognormvariate(-(self.sigma**2) / 2, self.sigma)


class Bursts(msgspec.Struct, frozen=True):
    """Most tokens right behind another, with pauses between: gaps with a gamma distribution.

    Args:
        shape: under 1; the smaller, the longer the bursts and the pauses.
    """

    shape: float = 0.2

    def draw(self, random: Random) -> float:
        """A number, 1 on average: how many times the mean."""
        return random.gammavariate(self.shape, 1 / self.shape)


Spread = Normal | Lognormal | Bursts

SPREADS: dict[str, Spread | None] = {
    "constant": None,
    "normal": Normal(),
    "lognormal": Lognormal(),
    "bursts": Bursts(),
}
"""By the names that a `--gaps` flag takes."""


class Pace(msgspec.Struct, frozen=True):
    """How fast the model speaks.

    Args:
        ttft: time to first token, in seconds: for an empty prompt, on average.
        itl: inter-token latency, in seconds, on average.
        per_prompt_token: seconds that each token of the prompt adds to `ttft`.
        spread: how the gaps differ; None if they do not.
        slow_down: how much slower all of it is when the engine's batch is full: 1 for twice as
            long. The engine does that; the plan here is of an idle one.
        about: a few words for `--help`.
    """

    ttft: float = 0.2
    itl: float = 0.03
    per_prompt_token: float = 0.0
    spread: Spread | None = None
    slow_down: float = 0.0
    about: str = ""

    def gaps(self, seed: str | int = 0) -> Iterator[float]:
        """The seconds from each token to the next, without end: for one seed always the same."""
        if self.spread is None:
            return repeat(self.itl)  # the hot path: a `Random` holds 2.5 KB
        return _draws(self.itl, self.spread, Random(f"gaps {seed}"))

    def prefill(self, prompt_tokens: int, seed: str | int = 0) -> float:
        """The seconds to the first token: for one seed always the same.

        It differs from seed to seed if the gaps do, but little: prefill is one long step.

        Args:
            prompt_tokens: how many the model reads first.
        """
        mean = self.ttft + self.per_prompt_token * prompt_tokens
        if self.spread is None:
            return mean
        return next(_draws(mean, Normal(0.1), Random(f"prefill {seed}")))

    def start(self) -> "Clock":
        """The model begins to think: the first token is due after `ttft`."""
        return Clock(trio.current_time() + self.prefill(0), self.gaps())


def _draws(mean: float, spread: Spread, random: Random) -> Iterator[float]:
    # To the microsecond: the last digits of a logarithm differ between machines.
    while True:
        yield round(mean * spread.draw(random), 6)


PROFILES = {
    "instant": Pace(0, 0, about="no waiting at all"),
    "default": Pace(about="33 tokens/s at an even pace"),
    "human": Pace(0.8, 0.2, spread=Normal(), about="5 tokens/s: one can read along"),
    "fast-api": Pace(0.3, 0.0125, spread=Lognormal(), about="a quick hosted API, 80 tokens/s"),
    "reasoning": Pace(
        3, 0.02, 0.0005, Lognormal(), about="thinks 3 s, and longer about a long prompt"
    ),
    "overloaded": Pace(
        6, 0.08, 0.001, Bursts(), 3, about="6 s of silence, then bursts and pauses; slows with load"
    ),
}
"""By the names that a `--profile` flag takes."""


class Clock:
    """Says when the next token is due. A late token does not delay those after it.

    Args:
        first: when the first token is due, by trio's clock.
        gaps: yields the seconds from each token to the next.
    """

    def __init__(self, first: float, gaps: Iterator[float]) -> None:
        self._due = first
        self._gaps = gaps

    async def next_token(self) -> None:
        """Wait until the next token is due."""
        await trio.sleep_until(self._due)
        self._due += next(self._gaps)
