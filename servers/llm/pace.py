"""How fast a model speaks: the time to its first token, and the gaps between the others.

    Pace(ttft=0.3, itl=0.0125, spread=Lognormal())
        prefill          0.3 s
        gaps("request")  0.006, 0.021, 0.009, 0.012, 0.008, …      0.0125 on average

A real model's gaps differ. A client that looks smooth at an even pace may stutter when tokens
arrive in bursts. The gaps are a function of the seed alone, so a stream that showed a problem can
be repeated.
"""

from collections.abc import Iterator
from itertools import repeat
from random import Random

import msgspec
import trio

__all__ = ["PROFILES", "SPREADS", "Bursts", "Lognormal", "Normal", "Pace", "Spread", "TokenClock"]


class Normal(msgspec.Struct, frozen=True):
    """A normal distribution around the mean, cut off 70 % below and above it.

    Args:
        sd: Standard deviation, as a fraction of the mean.
    """

    sd: float = 0.25

    def draw(self, random: Random) -> float:
        """A factor for the mean; 1 on average."""
        return min(max(random.gauss(1, self.sd), 0.3), 1.7)


class Lognormal(msgspec.Struct, frozen=True):
    """Most gaps are a little below the mean, and some are far above it, as with a hosted model.

    Args:
        sigma: Standard deviation of the logarithm.
    """

    sigma: float = 0.6

    def draw(self, random: Random) -> float:
        """A factor for the mean; 1 on average."""
        return random.lognormvariate(-(self.sigma**2) / 2, self.sigma)


class Bursts(msgspec.Struct, frozen=True):
    """Bursts of tokens with pauses between them: the gaps have a gamma distribution.

    Args:
        shape: Shape of the gamma distribution, less than 1. A smaller shape makes longer bursts and
            pauses.
    """

    shape: float = 0.2

    def draw(self, random: Random) -> float:
        """A factor for the mean; 1 on average."""
        return random.gammavariate(self.shape, 1 / self.shape)


Spread = Normal | Lognormal | Bursts

SPREADS: dict[str, Spread | None] = {
    "constant": None,
    "normal": Normal(),
    "lognormal": Lognormal(),
    "bursts": Bursts(),
}
"""The distributions by their names for the flag `--gaps`."""


class Pace(msgspec.Struct, frozen=True):
    """How fast the model speaks.

    Args:
        ttft: Average time to first token for an empty prompt, in seconds.
        itl: Average inter-token latency, in seconds.
        per_prompt_token: Seconds that each token of the prompt adds to `ttft`.
        spread: Distribution of the gaps, or None if all gaps are equal.
        slow_down: Extra time per token when the engine's batch is full, as a fraction of the normal
            time: with 1, a token takes twice as long. The engine applies this factor. The other
            numbers here are for an idle engine.
        about: A short description for `--help`.
    """

    ttft: float = 0.2
    itl: float = 0.03
    per_prompt_token: float = 0.0
    spread: Spread | None = None
    slow_down: float = 0.0
    about: str = ""

    def gaps(self, seed: str | int = 0) -> Iterator[float]:
        """Yield the seconds from each token to the next, without end. The same seed gives the same
        gaps."""
        if self.spread is None:
            return repeat(self.itl)  # the usual case; it saves a `Random`, which takes 2.5 KB
        return _draws(self.itl, self.spread, Random(f"gaps {seed}"))

    def prefill(self, prompt_tokens: int, seed: str | int = 0) -> float:
        """Return the seconds to the first token. The same seed gives the same time. If the gaps
        differ, the time differs a little from seed to seed: prefill is one long step.

        Args:
            prompt_tokens: Number of tokens in the prompt, which the model reads first.
        """
        mean = self.ttft + self.per_prompt_token * prompt_tokens
        if self.spread is None:
            return mean
        return next(_draws(mean, Normal(0.1), Random(f"prefill {seed}")))

    def start(self) -> "TokenClock":
        """Start a clock now. The first token is due after `ttft`."""
        return TokenClock(trio.current_time() + self.prefill(0), self.gaps())


def _draws(mean: float, spread: Spread, random: Random) -> Iterator[float]:
    # Rounded to microseconds, because the last digits of a logarithm differ between machines.
    while True:
        yield round(mean * spread.draw(random), 6)


PROFILES = {
    "instant": Pace(0, 0, about="no waiting at all"),
    "default": Pace(about="33 tokens/s at an even pace"),
    "human": Pace(0.8, 0.2, spread=Normal(), about="5 tokens/s, slow enough to read along"),
    "slow": Pace(1, 1, about="one token a second"),
    "fast-api": Pace(0.3, 0.0125, spread=Lognormal(), about="a quick hosted API, 80 tokens/s"),
    "reasoning": Pace(
        3, 0.02, 0.0005, Lognormal(), about="thinks 3 s, longer for a long prompt"
    ),
    "overloaded": Pace(
        6, 0.08, 0.001, Bursts(), 3, about="6 s of silence, then bursts and pauses; slows with load"
    ),
}
"""The paces by their names for the flag `--profile`."""


class TokenClock:
    """Waits for each token's due time. A late token does not delay those after it.

    Args:
        first: Time at which the first token is due, by trio's clock.
        gaps: An iterator over the seconds from each token to the next.
    """

    def __init__(self, first: float, gaps: Iterator[float]) -> None:
        self._due = first
        self._gaps = gaps

    async def next_token(self) -> None:
        """Wait until the next token is due."""
        await trio.sleep_until(self._due)
        self._due += next(self._gaps)
