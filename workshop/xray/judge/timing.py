"""Signatures in the times. They show whether a hop held bytes back, and in which way.

    live             500   600   700   800 …       one event at each time
    buffered-whole                          3500   all of them, long after the request
    buffered-blocks              1910       3500   blocks of bytes, which end inside events
    coalesced              700        980  1260    several events at a time, at even times
    one-behind             600   700   800  3500   each event comes with the next
    head-held        head 500                      and the first event in the same moment

A single observer does not see when the server made an event. The observer only sees which events
arrive together, where chunks end, and for how long nothing arrived. If this is not enough for a
claim, a signature returns a suspicion or nothing, because a false alarm is worse than a missed
fault. For example, a hop that always holds back the last event cannot be noticed if the first
tokens of an answer come in one burst.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from ..meter.measure import Arrival, Meter
from .endings import is_stream
from .lumps import amount_of, block_size, gaps_of, in_one_write, lumps_of, weight
from .sign import Sign

__all__ = [
    "buffered_blocks",
    "buffered_whole",
    "burst_after_stall",
    "coalesced",
    "compressed_unflushed",
    "head_held",
    "live",
    "nagle",
    "one_behind",
]

# Milliseconds. A shorter wait is not noticed, so it is not a fault.
SHORT_WAIT, LONG_WAIT, VERY_LONG_WAIT = 300, 1000, 2000
LATE_READ = 1000  # so late may a busy machine read
# Milliseconds between lumps that a corked socket makes: the kernel holds a part of a segment for
# 200 ms, and then waits for the next event (HAProxy without `option http-no-delay`).
CORK = (190.0, 300.0)
MIN_PERIOD = 80  # shortest period of a timer that anybody notices
LATE_HEAD, CALM_LATE_HEAD, VERY_CALM_LATE_HEAD = 350, 280, 180  # so late may a machine read
FEW_TOKENS, MANY_TOKENS = 8, 30  # fewer than a few may come at once from any model
FEW_BYTES = 200
TOO_FAST = 1000  # even the fastest models need longer for this many tokens than a read can be late

KNOWN_SIZES = [512 << n for n in range(12)]  # usual sizes of buffers, in bytes


AT_EVENTS = "which end inside events"
AT_SIZE = "as a buffer of that size is filled"


def buffered_whole(meter: Meter) -> Sign | None:
    """Nearly all text arrived at once, long after the request."""
    waited = _burst(meter)
    if waited is None or (meter.coding and not _is_flushed(meter)):
        return None
    amount, unit = amount_of(meter)
    seconds = round(waited / 1000, 2)
    if _is_gathered(meter):
        # One chunk holds many events, so its sender had all of them before it sent the first.
        sure = 0.95 if waited >= LONG_WAIT else 0.8
        sure = sure if meter.counts.events else 0.6  # the text may have been made at once
        return Sign(sure, amount=amount, unit=unit, seconds=seconds)
    # Each event is a separate chunk. A few events at once may come from a fast model or from a late
    # read.
    head_was_late = (meter.head_ms or 0) > 0.9 * waited
    if amount >= (20 if head_was_late else TOO_FAST) and waited >= LONG_WAIT:
        return Sign(0.75, amount=amount, unit=unit, seconds=seconds)
    return None


def compressed_unflushed(meter: Meter) -> Sign | None:
    """The body is compressed, and its text becomes readable late and in a few large parts."""
    if not meter.coding or _is_flushed(meter):
        return None
    waited = _burst(meter)
    if waited is not None:
        sure = 0.95 if meter.readable else 0.75
        return Sign(sure, coding=meter.coding, how="all at once", lumps=1)
    steps = meter.rhythm.steps
    tokens, _ = amount_of(meter)
    lumps = len(steps)
    if not meter.readable or lumps * 8 > tokens or _longest_gap(steps) < SHORT_WAIT:
        return None
    return Sign(0.9, coding=meter.coding, how=f"in {lumps} lumps", lumps=lumps)


def _burst(meter: Meter) -> float | None:
    """Return the time at which nearly all text arrived, if it arrived at once after a long wait."""
    steps = meter.rhythm.steps
    # If an answer was cut after one large part, nobody knows whether a second one would have
    # followed.
    over = meter.complete and not meter.answer.unfinished
    if not over or not steps or not is_stream(meter):
        return None
    amount, unit = amount_of(meter)
    # A text that is not in events may have been whole from the beginning, as a file is.
    least, wait = (FEW_TOKENS, SHORT_WAIT) if meter.counts.events else (FEW_BYTES, LONG_WAIT)
    if amount < least or (unit == "bytes" and not meter.may_be_endless):
        return None
    largest = max(steps, key=weight)
    if weight(largest) < 0.9 * sum(map(weight, steps)) or largest.at < wait:
        return None
    return largest.at


def _is_flushed(meter: Meter) -> bool:
    """Whether the server flushed its compressor each time that text became readable."""
    return meter.flushes >= len(meter.rhythm.steps)


def _is_gathered(meter: Meter) -> bool:
    events, borders = meter.counts.events, meter.borders
    if not meter.counts.chunks:  # the body has a length, or ends with the connection
        return True
    if not events:
        return max(borders.sizes) * 2 > sum(borders.sizes)
    if meter.coding:
        return meter.counts.chunks * 4 <= events
    return borders.most_events * 2 > events


def buffered_blocks(meter: Meter) -> Sign | None:
    """A hop collects bytes in a buffer and sends them only when the buffer is full, so its chunks
    end inside events."""
    borders, counts = meter.borders, meter.counts
    if meter.coding or buffered_whole(meter):
        return None
    lasted = (meter.text_ms or 0) - (meter.ttft_ms or 0)
    is_text = meter.field(b"content-type").startswith(b"text/plain") and not counts.events
    waited = meter.layers.split_by_chunks > 0 or lasted >= SHORT_WAIT
    if borders.sizes_are_equal and (borders.inside_events or is_text) and waited:
        return Sign(0.95, block=borders.sizes[0], blocks=counts.chunks, at=AT_EVENTS)
    last_sizes = list(borders.sizes)[-10:]
    if borders.inside_events >= 10 and last_sizes.count(last_sizes[0]) == 10:
        return Sign(0.5, block=last_sizes[0], blocks=counts.chunks, at=AT_EVENTS)
    steps = meter.rhythm.steps
    torn = meter.layers.split_by_chunks if counts.chunks else meter.layers.torn
    pieces = counts.chunks or len(steps)
    if not torn or counts.events < 4 * pieces or torn * 2 < pieces - 1:
        return _filled_blocks(meter)
    sizes = list(borders.sizes) if counts.chunks else [step.body for step in steps]
    return Sign(0.8, block=_block_size(sizes), blocks=pieces, at=AT_EVENTS)


def _filled_blocks(meter: Meter) -> Sign | None:
    """Lumps of bytes, seconds apart, which a full buffer has released."""
    lumps = lumps_of(meter)
    block = block_size(meter, lumps) if lumps else 0
    if not block:
        return None
    at = AT_SIZE if block in KNOWN_SIZES else AT_EVENTS
    return Sign(0.85 if len(lumps) > 2 else 0.7, block=block, blocks=len(lumps), at=at)


def _block_size(sizes: Sequence[int]) -> int:
    """Return the buffer's size: a chunk size that occurs twice, or the usual buffer size that is
    nearest to the largest chunk."""
    repeated = [size for size, count in Counter(sizes).items() if count > 1]
    if repeated:
        return max(repeated)
    largest = max(sizes)
    # The first block is smaller than the others, because the head was in the same buffer.
    return next((size for size in KNOWN_SIZES if 0 <= size - largest <= size // 8), largest)


def coalesced(meter: Meter) -> Sign | None:
    """Several events arrive together, at regular times or seconds apart."""
    if buffered_blocks(meter) or not is_stream(meter):
        return None
    return _timed(meter) or _gathered(meter)


def _timed(meter: Meter) -> Sign | None:
    """Several events arrive together, at regular times."""
    steps = list(meter.rhythm.steps)
    if len(steps) < 6:
        return None
    amounts = sorted(step.events or step.chunks for step in steps[:-1])
    gaps = sorted(gaps_of(steps)[:-1])  # the last step comes early, with the end
    shortest, period = gaps[len(gaps) // 10], median(gaps)
    if amounts[len(amounts) // 5] < 2 or shortest < MIN_PERIOD:
        return None
    # A timer makes no short gaps. But if there are only a few gaps, short ones may be missing by
    # chance.
    if shortest < (0.7 if len(gaps) >= 6 else 0.85) * period:
        return None
    # A model may make a few tokens in each of its steps, which take equal times.
    usual = round(median(amounts))
    tokens = [weight(step) for step in steps[1:-1]]
    is_step = usual < FEW_TOKENS and tokens.count(usual) >= 0.9 * len(tokens)
    is_step &= gaps[-1 - len(gaps) // 10] - shortest < 0.15 * period
    is_step &= not CORK[0] <= period <= CORK[1]
    return Sign(0.5 if is_step else 0.85, period_ms=round(period), events=usual)


def _gathered(meter: Meter) -> Sign | None:
    """Many events arrive together, seconds apart, and nothing shows why."""
    lumps = lumps_of(meter)
    if not lumps or buffered_whole(meter):
        return None
    gaps = gaps_of(lumps)
    is_even = len(gaps) >= 3 and max(gaps) < 1.15 * min(gaps)
    sure = 0.7 if is_even and meter.counts.chunks and in_one_write(meter, lumps) else 0.5
    return Sign(sure, period_ms=round(median(gaps)), events=round(median(map(weight, lumps))))


def _longest_gap(steps: Sequence[Arrival]) -> float:
    return max(gaps_of(list(steps)), default=0.0)


def one_behind(meter: Meter) -> Sign | None:
    """Each event becomes readable only when the next event arrives."""
    layers, events = meter.layers, meter.counts.events
    if len(meter.rhythm.steps) < 5 or buffered_blocks(meter):
        return None
    if layers.with_next >= 3 and layers.with_next * 5 >= events * 3:
        return Sign(0.9, events=layers.with_next)  # the end of each event waits for the next event
    apart = opening_gap(meter)
    if not apart or coalesced(meter):
        return None
    last = meter.event_steps[-1]
    if not last.tokens or last.events == last.tokens:
        return None  # the end came later than the last text, so nothing was held until the end
    # The first event was held until the next one came, which takes the time of one token.
    usual, long = map(meter.rhythm.gaps.percentile, (50, 95))
    fits = usual >= 8 and 0.3 * usual <= apart <= max(3 * usual, long)
    if fits or (meter.answer.api == "responses" and apart >= 100):
        return Sign(0.7, events=events)
    return Sign(0.4, events=events) if apart >= 100 else None


def opening_gap(meter: Meter) -> float | None:
    """Return the milliseconds between the first event and those written with it, or 0 if they
    arrived together.

    A server writes some events together, such as the role and the first text of a chat completion,
    or `response.created` and `response.in_progress`. A hop that always holds back the last event
    separates them. Returns None if the answer does not show this.
    """
    steps = meter.event_steps
    if len(steps) < 3 or meter.answer.api not in ("chat", "responses"):
        return None
    first, second = steps[0], steps[1]
    if first.events > 1 or first.tokens:
        return 0.0
    if meter.answer.api == "chat" and first.at - (meter.head_ms or 0) < 100:
        return None  # the server sends the role before it has text
    return second.at - first.at


def burst_after_stall(meter: Meter) -> Sign | None:
    """For seconds nothing arrived, and then all events of that time arrived at once."""
    steps = list(meter.rhythm.steps)
    if len(steps) < 6 or coalesced(meter) or buffered_blocks(meter) or not is_stream(meter):
        return None
    usual = meter.rhythm.gaps.percentile(50)
    large = max(8, 5 * median(map(weight, steps)))
    # A model that pauses, and then a busy machine that reads late, look the same up to a point.
    short = meter.rhythm.gaps.percentile(25)
    late = LATE_READ / max(short, 1) * median(map(weight, steps))
    for step, gap in zip(steps[1:], gaps_of(steps), strict=True):
        if gap >= max(VERY_LONG_WAIT, 10 * usual) and weight(step) >= max(large, late):
            return Sign(0.7, seconds=round(gap / 1000, 1), tokens=weight(step))
    return None


def head_held(meter: Meter) -> Sign | None:
    """The head arrived late, at the same time as the first byte of the body."""
    head, body, gaps = meter.head_ms, meter.body_ms, meter.rhythm.gaps
    if head is None or body is None or body - head > 5 or not is_stream(meter):
        return None
    if not (meter.counts.events or meter.may_be_endless):
        return None  # a file
    # A busy machine reads late, but then it reads the rest of the stream late, too.
    is_calm = gaps.count >= FEW_TOKENS and head >= max(CALM_LATE_HEAD, 2 * gaps.max)
    is_calm |= gaps.count >= MANY_TOKENS and head >= max(VERY_CALM_LATE_HEAD, 5 * gaps.max)
    is_lump = head >= VERY_LONG_WAIT / 2 and bool(lumps_of(meter))
    if is_calm or is_lump or head >= max(LATE_HEAD, 2 * gaps.percentile(95)):
        return Sign(0.8, head_ms=round(head))
    return None


def nagle(meter: Meter) -> Sign | None:
    """The second part of an event arrives 40 ms after the first, which is the time of a delayed
    acknowledgment."""
    layers = meter.layers
    in_chunks = layers.torn - layers.split_by_chunks  # events that were torn inside a chunk
    # Load tears events, too, but not always for the same time.
    many = layers.ack_delays >= 3 and layers.ack_delays * 10 >= layers.torn * 7
    many = many and in_chunks * 2 >= layers.torn
    if many and not meter.coding and not one_behind(meter):
        return Sign(0.8, events=layers.ack_delays)
    return None


def live(meter: Meter) -> Sign | None:
    """The text arrived in many small parts, or so fast that nobody had to wait."""
    steps = meter.rhythm.steps
    if not steps or not is_stream(meter):
        return None
    enough = len(steps) >= 4 and not opening_gap(meter)
    return Sign(0.9 if enough else 0.5, tokens=meter.counts.tokens, moments=len(steps))


# What this file does not do: tell whether a hop or the server is the cause. For this, compare
# several paths to the server (compare.py), or several requests (probe.py).
