"""Keeps the times between the reads of a stream, in memory that does not grow.

    reads with text at    500   600   700   1000 ms
    gaps                     100   100   300              p50 100, max 300

A `Histogram` does not keep values. It counts the values in each range. The ranges are 2 % wide, so
the error of a percentile is at most 2 %, whether ten gaps or ten million were added. If all values
of a range are equal, the percentile is exact. A `Thinned` series keeps the shape of a long series
in a few hundred values. When it is full, each pair of neighbours is replaced by the larger value.
"""

import math

__all__ = ["Histogram", "Thinned"]

STEP = math.log(1.02)
LEAST = 0.001  # milliseconds; smaller values share one range


class Histogram:
    """Counts how many values there are in each range.

    Attributes:
        count: Number of values.
        max: The largest value.
    """

    def __init__(self) -> None:
        self.count = 0
        self.max = 0.0
        self._ranges: dict[int, tuple[int, float]] = {}  # number and sum of the values in a range

    def add(self, value: float) -> None:
        """Count one value, which is not negative."""
        number = math.ceil(math.log(value / LEAST) / STEP) if value > LEAST else 0
        count, total = self._ranges.get(number, (0, 0.0))
        self._ranges[number] = (count + 1, total + value)
        self.count += 1
        self.max = max(self.max, value)

    def percentile(self, percent: float) -> float:
        """Return a percentile: the value that this percentage of all values do not exceed. Returns
        0 if there are no values."""
        rank = math.ceil(self.count * percent / 100)
        for _, (count, total) in sorted(self._ranges.items()):
            rank -= count
            if rank <= 0:
                return total / count
        return 0.0


class Thinned:
    """A series of values, thinned to its peaks when it becomes long.

    Args:
        size: Largest number of values kept.

    Attributes:
        values: The values that are kept, in order.
    """

    def __init__(self, size: int = 512) -> None:
        self.values: list[float] = []
        self._size = size
        self._each = 1  # number of values that one entry represents
        self._in_last = 0  # number of values in the last entry

    def add(self, value: float) -> None:
        """Add one value, which is not negative."""
        if self._in_last % self._each:
            self.values[-1] = max(self.values[-1], value)
            self._in_last += 1
            return
        if len(self.values) == self._size:
            pairs = zip(self.values[::2], self.values[1::2], strict=True)
            self.values = [max(pair) for pair in pairs]
            self._each *= 2
        self.values.append(value)
        self._in_last = 1


# What this file does not do: judge a rhythm (verdicts.py).
