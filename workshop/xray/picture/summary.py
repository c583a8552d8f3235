"""Shows the findings about a response on one screen, in at most 24 lines.

    POST http://localhost:8000/v1/chat/completions

    ✗ buffered-blocks by nginx, 95 % sure
      The text comes in blocks of 4,096 bytes.
      Cure: proxy_buffering off;

    status       200
    head         1,910 ms
    first token  1,910 ms
    last byte    3,511 ms, then closed (FIN)
    gaps         p50 0.1 · p95 1,600 · p99 1,600 · max 1,600 ms
                 ▁▁▁▁▁▁▁▁▁▁█▁▁▁▁▁▁▁▁▁▁█
    came         3 reads · 3 chunks · 33 events · 30 tokens
    bytes        7,911 on the wire, 210 of text: 37.7 to 1

The verdict comes first, because it is the most important. If there are several verdicts, as many
are explained as fit. The others are shown only by their codes.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import wrap

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from protocol.recording import End

from ..meter.measure import Meter
from ..report import Report, Verdict
from .draw import ENDS

__all__ = ["Summary", "sparkline", "summary", "verdict_lines"]

MAX_LINES = 24
LABEL = 13  # width of the words on the left, in cells
NARROW = 60  # on a narrower screen than this, values are below their words

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-:=+*#"
SPARKS = 60  # largest width of a sparkline, in cells

SILENCE = 0.5  # seconds before an end that are worth a word
STOPPED = "x-ray stopped reading (--max-time or Ctrl-C)"

CLAIM = 0.5  # a verdict with less certainty than this is a guess

Lines = list[Text]


def summary(report: Report, meter: Meter) -> "Summary":
    """The summary of a response, for `rich.console.Console.print`.

    Args:
        report: The findings.
        meter: The measurements.
    """
    return Summary(
        report,
        method=meter.method,
        coding=meter.coding,
        gaps=meter.gap_line,
        last_ms=meter.last_ms,
        end=meter.end,
    )


class Summary:
    """See `summary`.

    Args:
        report: The findings.
        method: Method of the request.
        coding: Content coding of the body, such as "gzip", or "".
        gaps: Milliseconds between reads, in order.
        last_ms: Milliseconds from the request to the last byte, or None if none arrived.
        end: How the server's side ended, or "" if it has not ended or the connection stays open.
    """

    def __init__(
        self,
        report: Report,
        *,
        method: str = "GET",
        coding: str = "",
        gaps: Sequence[float] = (),
        last_ms: float | None = None,
        end: End = "",
    ) -> None:
        self._report = report
        self._method = method
        self._coding = coding
        self._gaps = list(gaps)
        self._last_ms = last_ms
        self._end: End = end

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width, 8)
        title = self._title(width)
        facts = list(self._facts(width, options.ascii_only))
        room = MAX_LINES - len(title) - len(facts) - 2
        verdicts = self._verdicts(console, width, room)
        for line in [*title, Text(), *verdicts, Text(), *facts]:
            line.rstrip()
            if options.ascii_only:
                plain = line.plain.replace("…", "~")
                line.plain = plain.encode("ascii", "backslashreplace").decode()
            line.no_wrap, line.overflow = True, "crop"
            yield line

    def _title(self, width: int) -> Lines:
        """Return the method and the URL, in at most two lines."""
        url = _printable(f"{self._method} {self._report.url}".strip())
        return [Text(line, "bold") for line in wrap(url, width, max_lines=2, placeholder="…")]

    # ---- Verdicts

    def _verdicts(self, console: Console, width: int, room: int) -> Lines:
        """Return as many verdicts as fit, but at least the code of the first one."""
        lines: Lines = []
        verdicts = self._report.verdicts
        for number, verdict in enumerate(verdicts):
            more = verdict_lines(verdict, console, width)
            is_last = number == len(verdicts) - 1
            left = room - len(lines) - (not is_last)  # the other codes need one line
            if len(more) > left:
                if number:
                    codes = ", ".join(verdict.code for verdict in verdicts[number:])
                    lines.append(_cropped(f"  and: {codes}", width))
                    break
                more = [*more[: max(left - 1, 1)], Text("  …", "dim")]
            lines += more
        return lines

    # ---- Facts

    def _facts(self, width: int, ascii_only: bool) -> Iterator[Text]:
        report = self._report
        dot = " - " if ascii_only else " · "
        yield from _fact("status", [str(report.status) if report.status else "no head came"], width)
        yield from _fact("head", [_time(report.head_ms)], width)
        yield from _fact("first token", [_time(report.ttft_ms)], width)
        if self._last_ms is not None:
            end = [f"then {self._ended()}"] if self._end or report.end else []
            yield from _fact("last byte", [_time(self._last_ms), *end], width, ", ")
        if report.gaps_ms is not None:
            gaps = report.gaps_ms
            values = {"p50": gaps.p50, "p95": gaps.p95, "p99": gaps.p99, "max": gaps.max}
            words = [f"{name} {_ms(value)}" for name, value in values.items()]
            words[-1] += " ms"
            yield from _fact("gaps", words, width, dot)
        if len(self._gaps) > 1:  # one bar alone says nothing
            indent = LABEL if width >= NARROW else 2
            bars = ASCII_BARS if ascii_only else BARS
            yield Text(" " * indent + sparkline(self._gaps, min(width - indent, SPARKS), bars))
        counts = report.counts
        words = [
            _count(counts.reads, "read"),
            _count(counts.chunks, "chunk"),
            _count(counts.events, "event"),
            _count(counts.tokens, "token"),
        ]
        yield from _fact("came", words, width, dot)
        yield from _fact("bytes", list(self._sizes()), width, ", ")

    def _ended(self) -> str:
        """How the response ended, and the silence before that."""
        report = self._report
        if report.end == "stopped":
            return STOPPED
        if self._end == "silent" or report.end_ms is None or self._last_ms is None:
            return ENDS[self._end]
        silence = (report.end_ms - self._last_ms) / 1000
        after = f" after {silence:.1f} s of silence" if silence >= SILENCE else ""
        return ENDS[self._end] + after

    def _sizes(self) -> Iterator[str]:
        wire, text = self._report.wire_bytes, self._report.text_bytes
        yield f"{wire:,} on the wire" + (f" ({_printable(self._coding)})" if self._coding else "")
        yield f"{text:,} of text: {wire / text:,.1f} to 1" if text else "no text"


def verdict_lines(verdict: Verdict, console: Console, width: int) -> Lines:
    """Return a verdict as lines of this width at most: its code, its sentence and its cure."""
    ascii_only = console.options.ascii_only
    is_good, is_claim = verdict.code == "live", verdict.sure > CLAIM
    mark = ("ok" if ascii_only else "✓") if is_good else ("x" if ascii_only else "✗")
    style = "bold green" if is_good else "bold red"
    if not is_claim or verdict.code == "unsure":
        mark, style = "?", "bold yellow"
    hop = f" by {_printable(verdict.hop)}" if verdict.hop else ""
    title = f"{mark} {verdict.code}{hop}"
    sure = f"{verdict.sure:.0%}".replace("%", "\xa0%")
    for words in (f", {sure} sure", f", {sure}"):
        if cell_len(title + words) <= width:
            title += words.replace("\xa0", " ")
            break
    lines = [_cropped(title, width, style)]
    cure = f"Cure: {verdict.cure}" if verdict.cure else ""
    for words, style in ((verdict.say, ""), (cure, "cyan")):
        if words:
            wrapped = Text(_printable(words), style).wrap(console, width - 2)
            lines += [Text.assemble("  ", line) for line in wrapped]
    return lines


def _fact(name: str, words: Sequence[str], width: int, joint: str = " ") -> Iterator[Text]:
    """Yield lines with a word on the left and its values on the right. No value is divided between
    two lines."""
    joined = joint.join(word.replace(" ", "\xa0") for word in words)
    narrow = width < NARROW
    first = f"{name}:".ljust(len(name) + 2) if narrow else name.ljust(LABEL)
    rest = "  " if narrow else " " * LABEL
    for line in wrap(first + joined, width, subsequent_indent=rest, drop_whitespace=True):
        text = Text(line.replace("\xa0", " ").rstrip(joint.rstrip()).rstrip())
        if line.startswith(name):
            text.stylize("dim", 0, len(first.rstrip()))
        yield text


def sparkline(values: Sequence[float], width: int, bars: str = BARS) -> str:
    """Draw values as bars beside each other. The tallest bar is the largest value.

    Args:
        values: Numbers of 0 or more, in order.
        width: Largest number of cells. If there are more values, each cell shows the largest of
            several neighbours, so no peak is lost.
        bars: The bars, from the lowest to the tallest.
    """
    cells = min(len(values), max(width, 1))
    if not cells:
        return ""
    edges = [number * len(values) // cells for number in range(cells + 1)]
    peaks = [max(values[start:end]) for start, end in pairwise(edges)]
    tallest = max(peaks)
    if not tallest:
        return bars[0] * cells
    return "".join(bars[min(int(peak / tallest * len(bars)), len(bars) - 1)] for peak in peaks)


def _ms(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _time(value: float | None) -> str:
    return "did not come" if value is None else f"{_ms(value)} ms"


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}" + "s" * (number != 1)


def _cropped(text: str, width: int, style: str = "") -> Text:
    return Text(text if len(text) <= width else text[: width - 1] + "…", style)


def _printable(text: str) -> str:
    """Make a text safe for the terminal, because a peer may have written a part of it."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


# What this file does not do: judge (workshop/xray/judge/verdicts.py), or show the bytes
# (workshop/xray/picture/view.py).
