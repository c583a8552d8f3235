"""The rhythm of a stream: the times between its reads, in memory that does not grow.

    reads with text at    500   600   700   1000 ms
    gaps                     100   100   300              p50 100, max 300

A `Histogram` keeps no value: it counts the values that fall in each range. The ranges are 2 % wide,
so a percentile is at most 2 % off, whether ten gaps or ten million were added. If all values of a
range are equal, it is exact.
"""

import math

__all__ = ["Histogram"]

STEP = math.log(1.02)
LEAST = 0.001  # milliseconds; smaller values share one range


class Histogram:
    """Counts values by their size.

    Attributes:
        count, total, max: number of values, their sum, and the largest.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.max = 0.0
        self._ranges: dict[int, tuple[int, float]] = {}  # number and sum of the values in a range

    def add(self, value: float) -> None:
        """Count one value, 0 or larger."""
        number = math.ceil(math.log(value / LEAST) / STEP) if value > LEAST else 0
        count, total = self._ranges.get(number, (0, 0.0))
        self._ranges[number] = (count + 1, total + value)
        self.count += 1
        self.total += value
        self.max = max(self.max, value)

    def percentile(self, percent: float) -> float:
        """The value that so many percent of all values do not exceed; 0 if there is none."""
        rank = math.ceil(self.count * percent / 100)
        for _, (count, total) in sorted(self._ranges.items()):
            rank -= count
            if rank <= 0:
                return total / count
        return 0.0


# What this file does not do: judge a rhythm (verdicts.py).
