"""Prints the lines of a tap: one for each stream that has ended, and a summary at the end.

    200 POST /v1/responses 137 events 120 tokens ttft 412 ms gap p50 21 ms p99 44 ms done: live
    200 POST /v1/responses 24 events 23 tokens ttft 390 ms gap p50 20 ms p99 31 ms client left: live

    0 still running, 2 finished: 1 live, 1 client left
    143 tokens, 61.2 kB in 41.0s
    ttft p50 390ms p99 412ms, gaps p50 21ms p99 44ms

The lines have no escape sequences, so they can go to a pipe or a file. All keys in them have been
masked before (watch.py).
"""

from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import Console

from protocol.anatomy import ByteSpan
from protocol.recording import End
from servers.http.log import QueuedLog

from .tapped import TappedExchange
from .watch import Watch

__all__ = [
    "Lines",
    "Printer",
    "amount",
    "count",
    "duration",
    "ended_summary",
    "ended_words",
    "finished_line",
    "request_of",
]


class Printer:
    """Prints lines in a thread, so that no task waits for the output (servers/http/log.py).

    Args: console: The lines are written to its file.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        try:
            self._queue: QueuedLog | None = QueuedLog(console.file.fileno())
        except OSError:  # a file in memory
            self._queue = None

    def put(self, line: str) -> None:
        """Print a line."""
        if self._queue is None:
            self._console.file.write(line + "\n")
        else:
            self._queue.put(line)

    def flush(self) -> None:
        """Wait until all lines are printed, but at most one second."""
        if self._queue is not None:
            self._queue.flush()


class Lines:
    """A `WatchObserver` that prints a line for each stream that has ended.

    Args:
        put: A function that takes a line without its line end. It must not wait.
    """

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def received(
        self, exchange: TappedExchange, at: float, data: bytes, spans: Sequence[ByteSpan]
    ) -> None:
        pass

    def ended(
        self, exchange: TappedExchange, at: float, end: End, spans: Sequence[ByteSpan]
    ) -> None:
        self._put(finished_line(exchange))

    def refused(self, problem: str) -> None:
        self._put(f"refused: {problem}")


def finished_line(exchange: TappedExchange) -> str:
    """Return one line about a stream that has ended."""
    said = exchange.report
    words = [str(said.status) if said and said.status else "-", request_of(exchange)]
    if said is None:
        words.append(f"{count(exchange.reads, 'read')} {count(exchange.size, 'byte')}")
    else:
        words += [count(said.counts.events, "event"), count(said.counts.tokens, "token")]
        if said.ttft_ms is not None:
            words.append(f"ttft {said.ttft_ms:.0f} ms")
        if said.gaps_ms is not None:
            words.append(f"gap p50 {said.gaps_ms.p50:.0f} ms p99 {said.gaps_ms.p99:.0f} ms")
    how = {"left": "client left", "cut": "cut"}.get(exchange.how, "done")
    if exchange.unmeasured:
        return " ".join([*words, f"{how}: {count(exchange.unmeasured, 'read')} not measured"])
    return " ".join([*words, f"{how}: {', '.join(exchange.codes(said))}"])


def ended_summary(watch: Watch) -> str:
    """Return a summary in a few lines, for the end of the tap."""
    lines = [
        f"{len(watch.running)} still running, {ended_words(watch)}",
        f"{count(watch.tokens, 'token')}, {amount(watch.size)} in {duration(watch.now())}",
    ]
    if watch.refused:
        lines.append(f"{count(watch.refused, 'connection')} refused: {watch.problem}")
    times = [
        f"{name} p50 {duration(times.percentile(50))} p99 {duration(times.percentile(99))}"
        for name, times in (("ttft", watch.ttft_ms), ("gaps", watch.gap_ms))
        if times.count
    ]
    return "\n".join([*lines, *([", ".join(times)] if times else [])])


# ---- Words


def request_of(exchange: TappedExchange) -> str:
    """Return the method and the target. Both are printable ASCII, because `HeadReader` has checked
    them."""
    return f"{exchange.method} {exchange.target}" if exchange.method else "(not HTTP/1)"


def duration(ms: float | None) -> str:
    """Return a time in at most six characters, such as "412ms", "12.4s", "3m05s" or "2h07m", or ""
    for None."""
    if ms is None:
        return ""
    if ms < 999.5:
        return f"{ms:.0f}ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f}s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def count(number: int, name: str) -> str:
    """Return a number with its noun: "1 token", "2 tokens"."""
    return f"{number} {name}" + "s" * (number != 1)


def amount(size: int) -> str:
    """Return a number of bytes with its unit: "812 B", "1.2 MB"."""
    if size < 1000:
        return f"{size} B"
    value, units = size / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        del units[0]
    return f"{value:.0f} {units[0]}" if value >= 99.5 else f"{value:.1f} {units[0]}"


def ended_words(watch: Watch) -> str:
    """Return how many streams have ended with each verdict."""
    ended = sum(watch.verdicts.values())
    counts = Counter[str]()
    for (how, code), number in watch.verdicts.items():
        counts["client left" if how == "left" else code] += number
    details = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    return f"{ended} finished" + (f": {details}" if details else "")


# What this file does not do: judge (verdicts.py), or draw a table (top.py).
