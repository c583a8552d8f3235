"""Lumps: a stream that arrives in a few large parts, seconds apart.

    4.2 s     80 tokens    8,150 bytes       a buffer of 8,192 bytes was full
    8.2 s     79 tokens    8,117 bytes       it was full again
    10.2 s    41 tokens    4,237 bytes       the end of the answer flushed the rest

Nobody who reads such a stream would call it live. But one observer cannot always tell a buffer
from a model that makes many tokens in one step. The rules this file keeps:

1. Reads within 20 ms belong to one lump, because a reader takes a large write in several reads.
2. A stream is lumpy if a lump has 15 tokens or more on average, most gaps are longer than 300 ms,
   and one is longer than 700 ms.
3. A buffer is proved by the bytes: its lumps end inside an event, or they all have the size of a
   usual buffer, less than one event more or less. Any other lump is a suspicion.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from ..meter.measure import Arrival, Meter
from .endings import is_stream

__all__ = ["amount_of", "block_size", "gaps_of", "in_one_write", "joined", "lumps_of", "weight"]

SAME_LUMP = 20.0  # milliseconds
USUAL_GAP, LONG_GAP = 300.0, 700.0  # milliseconds: a busy machine does not read so late
LEAST = 12  # tokens in a usual lump: bursts of a model are smaller
AVERAGE = 15  # tokens in a lump, on average

KNOWN_SIZES = [4096 << number for number in range(9)]  # usual sizes of buffers, in bytes


def lumps_of(meter: Meter) -> list[Arrival]:
    """Return the lumps of a lumpy stream, or an empty list if the stream is not lumpy."""
    steps = meter.rhythm.steps
    if len(steps) < 2 or not is_stream(meter) or not meter.counts.events:
        return []
    lumps = joined(steps)
    gaps = gaps_of(lumps)
    # A model may pause to think, but between the pauses its tokens come one by one.
    if not gaps or max(gaps) < LONG_GAP or median(gaps) < USUAL_GAP:
        return []
    full = [weight(lump) for lump in lumps[:-1]]  # the last one is smaller
    if sum(full) < AVERAGE * len(full) or median(full) < LEAST:
        return []
    return lumps


def joined(steps: Sequence[Arrival]) -> list[Arrival]:
    """Join the steps that belong to one lump."""
    lumps: list[Arrival] = []
    for step in steps:
        if lumps and step.at - lumps[-1].at <= SAME_LUMP:
            sums = map(sum, zip(lumps[-1][1:], step[1:], strict=True))
            lumps[-1] = Arrival(lumps[-1].at, *sums)
        else:
            lumps.append(step)
    return lumps


def block_size(meter: Meter, lumps: Sequence[Arrival]) -> int:
    """Return the size of the buffer that made these lumps, in bytes, or 0 if none is proved.

    The last lump is smaller, because the end of the answer flushes it.
    """
    full = lumps[:-1]
    for sizes in ([lump.size for lump in full], [lump.body for lump in full]):
        event = max(size / weight(lump) for size, lump in zip(sizes, full, strict=True))
        for known in KNOWN_SIZES:
            near = event if in_one_write(meter, lumps) else 1
            if all(abs(size - known) < near for size in sizes):
                return known
    # A network that loses a packet tears an event, too, but then the first lump came early.
    filled = full[0].at >= max(gaps_of(lumps)) / 2
    late = meter.layers.torn * 2 >= len(full)
    return max(lump.size for lump in full) if late and filled else 0


def in_one_write(meter: Meter, lumps: Sequence[Arrival]) -> bool:
    """Whether each lump is a chunk, or there are no chunks: then it may have been one write.

    Somebody had all events of such a chunk before the first of them was sent.
    """
    return meter.counts.chunks <= len(lumps) + 2


def gaps_of(steps: Sequence[Arrival]) -> list[float]:
    """Return the milliseconds between each step and the next."""
    return [after.at - before.at for before, after in pairwise(steps)]


def weight(step: Arrival) -> int:
    """Return how much a step brought: tokens, or events, or bytes if it has neither."""
    return step.tokens or step.events or step.text or step.body


def amount_of(meter: Meter) -> tuple[int, str]:
    """Return how much came in all, and its unit."""
    counts = meter.counts
    if counts.tokens:
        return counts.tokens, "tokens"
    if counts.events:
        return counts.events, "events"
    return meter.text_bytes or meter.anatomy.body_size, "bytes"


# What this file does not do: claim anything (timing.py), or compare two ways (compare.py).
