"""`workshop xray --listen … --top` shows the streams that pass through a tap, as a live table.

    http://localhost:9000/ > https://api.example.com
      time request         state      ttft tok/s   p50   p99   last verdict
     12.4s POST /v1/chat/… streaming 412ms  31.2  21ms  44ms   20ms live
      0.3s POST /v1/respo… waiting                            300ms
     41.0s POST /v1/chat/… done      390ms  24.1   1ms  1.6s        buffered-blocks
    2 running · 812 tokens · 1.2 MB · 1 finished: 1 buffered-blocks

On a pipe there is no table, but one line for each stream that has ended (lines.py).

The rules this file keeps:

1. Only masked text is shown (watch.py masks it).
2. A thread judges the streams, arranges the rows and writes them. On a slow terminal the table is
   drawn less often, but nothing else changes.
3. A narrow terminal shows fewer columns. A low terminal shows fewer rows, and the rows of finished
   streams are left out first.
"""

from functools import partial
from typing import NamedTuple

import trio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..judge.verdicts import report
from ..report import Report
from .lines import amount, count, duration, ended_words, request_of
from .tapped import State, TappedExchange
from .watch import Watch

__all__ = ["Frame", "Top", "layout"]

FRAME_SECONDS = 0.25
STOP_SECONDS = 1.0
JUDGE_MS = 1_000.0  # seconds after which a running stream is judged again

STYLES: dict[State, str] = {
    "waiting": "dim",
    "streaming": "green",
    "silent": "yellow",
    "done": "",
    "cut": "bold red",
    "left": "dim",
}

# Columns, their widths, and the smallest width of a terminal that shows them. Because widths are
# fixed, columns do not move while numbers change. "request" gets the remaining width.
COLUMNS = (
    ("time", 6, 56),
    ("request", 0, 0),
    ("state", 9, 0),
    ("ttft", 5, 64),
    ("tok/s", 5, 64),
    ("p50", 5, 100),
    ("p99", 5, 92),
    ("last", 6, 40),
    ("verdict", 16, 64),
    ("verdict", 12, 40),
)
FINE = ("live", "no-stream")
WORDS = ("request", "state", "verdict")  # the other columns are numbers


class Row(NamedTuple):
    """One stream as text, with a field for each column of the table."""

    time: str
    request: str
    state: State
    ttft: str
    rate: str
    p50: str
    p99: str
    last: str
    verdict: str


# The names of the columns, in the order of the row's fields.
NAMES = tuple(dict.fromkeys(name for name, _, _ in COLUMNS))


class Frame(NamedTuple):
    """The content of the table at one time."""

    title: str
    running: list[Row]
    finished: list[Row]
    totals: str
    problem: str


class Top:
    """The table.

    Args:
        watch: The watch whose streams are shown.
        console: The terminal.
        title: The first line, with the tap's address and its upstream.
    """

    def __init__(self, watch: Watch, console: Console, title: str) -> None:
        self._watch = watch
        self._console = console
        self._title = title
        # time and report of the last judgment
        self._judged: dict[int, tuple[float, Report | None]] = {}

    async def run(self) -> None:
        """Show the table until cancelled."""
        live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        await trio.to_thread.run_sync(live.start)
        try:
            while True:
                draw = partial(self._draw, live, await self.frame())
                await trio.to_thread.run_sync(draw, abandon_on_cancel=True)
                await trio.sleep(FRAME_SECONDS)
        finally:
            # A paused terminal (Ctrl-S) must not prevent the program from ending.
            with trio.move_on_after(STOP_SECONDS, shield=True):
                await trio.to_thread.run_sync(live.stop, abandon_on_cancel=True)

    def _draw(self, live: Live, frame: Frame) -> None:
        live.update(layout(frame, self._console.size.width), refresh=True)

    async def frame(self) -> Frame:
        """Return the content to show now."""
        room = max(1, self._console.size.height - 4)
        now = self._watch.now()
        finished = list(self._watch.finished)
        running = list(self._watch.running.values())
        shown = running[:room]
        rows = []
        for exchange in shown:
            rows.append(row_of(exchange, await self._judge(exchange, now), now))
        left = room - len(shown)
        ended = finished[max(0, len(finished) - left) :] if left else []
        numbers = self._judged.keys() & self._watch.running.keys()
        self._judged = {number: self._judged[number] for number in numbers}
        more = len(running) - len(shown)
        totals = totals_line(self._watch)
        totals = f"{more} more, {totals}" if more else totals
        finished_rows = [row_of(exchange, exchange.report, now) for exchange in ended]
        return Frame(self._title, rows, finished_rows, totals, self._watch.problem)

    async def _judge(self, exchange: TappedExchange, now: float) -> Report | None:
        """Return the report on a running stream, which may be up to a second old."""
        when, said = self._judged.get(exchange.number, (-JUDGE_MS, None))
        if exchange.meter is None or not exchange.is_measured:
            return None
        if now - when >= JUDGE_MS or said is None:
            async with self._watch.lock:
                when, said = now, await trio.to_thread.run_sync(report, exchange.meter)
        self._judged[exchange.number] = when, said
        return said


def row_of(exchange: TappedExchange, said: Report | None, now: float) -> Row:
    """Return the row of one stream.

    Args:
        exchange: The stream.
        said: The report of x-ray on the stream, or None.
        now: Milliseconds since the tap started.
    """
    end = now if exchange.ended is None else exchange.ended
    gaps = said.gaps_ms if said else None
    ttft = said.ttft_ms if said else None
    code = exchange.codes(said)[0]
    return Row(
        time=duration(end - exchange.began),
        request=request_of(exchange),
        state=exchange.state(now),
        ttft=duration(ttft),
        rate=rate_of(exchange),
        p50=duration(gaps.p50 if gaps else None),
        p99=duration(gaps.p99 if gaps else None),
        last="" if exchange.ended is not None else duration(now - exchange.last),
        verdict="" if code in ("none", "unsure") else code,
    )


def rate_of(exchange: TappedExchange) -> str:
    """Return the tokens per second, from the first token to the last."""
    meter = exchange.meter
    if meter is None or meter.ttft_ms is None or meter.text_ms is None:
        return ""
    seconds = (meter.text_ms - meter.ttft_ms) / 1000
    tokens = meter.counts.tokens - 1
    if seconds <= 0 or tokens <= 0:
        return ""
    rate = tokens / seconds
    return f"{rate:.1f}" if rate < 99.95 else f"{rate:.0f}"


def totals_line(watch: Watch) -> str:
    """Return the totals: running streams, ended streams by verdict, tokens, and bytes."""
    words = [f"{len(watch.running)} running", count(watch.tokens, "token"), amount(watch.size)]
    if watch.unmeasured:
        words.append(f"{count(watch.unmeasured, 'read')} not measured")
    return " · ".join([*words, ended_words(watch)])


def layout(frame: Frame, width: int) -> RenderableType:
    """Return the table of a frame, for a terminal of this width."""
    widths: dict[str, int] = {}
    for name, column, least in COLUMNS:
        if width >= least:
            widths.setdefault(name, column)
    table = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style="bold")
    for name, column in widths.items():
        table.add_column(
            name,
            justify="left" if name in WORDS else "right",
            width=column or None,
            ratio=None if column else 1,
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in [*frame.running, *frame.finished]:
        styles = {"state": STYLES[row.state], "verdict": "" if row.verdict in FINE else "bold"}
        cells = dict(zip(NAMES, row, strict=True))
        table.add_row(
            *(Text(cells[name], styles.get(name, "")) for name in widths),
            style="dim" if row.state in ("done", "left") else None,
        )
    lines: list[RenderableType] = [line_of(frame.title, "bold"), table, line_of(frame.totals)]
    if frame.problem:
        lines.append(line_of(frame.problem, "red"))
    return Group(*lines)


def line_of(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


# What this file does not do: relay, measure, or judge.
