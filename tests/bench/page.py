"""The cost of a long answer on the chat page: `python -m tests.bench.page` (--quick for a part).

    Markdown, pane closed, 1,000/s: longest task 19 ms (12), frame p99 17 ms (5), heap 7 MB, …

An answer has 25,000 tokens. They come at 1,000 a second, or as fast as they can, with the wire
pane closed or open. Each case shows the longest task, the time between two frames (p99), the heap
after the answer, and the rows that the pane has lost. In parentheses is the processor time of the
page's main thread, because on a busy machine the clock measures the other programs too.

The bounds: tasks 50 ms (100 with the pane open), frames 33 ms, heap 80 MB, no row lost. "busy": the
bounds are kept in processor time, but not by the clock. "MISSED": a bound is not kept.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from servers.llm.model.texts import TEXTS
from servers.llm.model.tokens import tokenize

from ..interop.peers import running
from .devtools import Browser, Tab, browser

TOKENS = 25_000
WIDTHS = {"closed": 1000, "open": 1400}  # of the window: in a wide one the wire pane is open
PACES = {"1,000/s": "", "instant": "instant"}
# The beginning of each text, and the part that repeats, of at least ten tokens.
KINDS = {
    "Markdown": ("", "\n".join(TEXTS) + "\n\n"),
    "one paragraph": ("", "Of all the words in it, not one is as long as six, or as odd as xyz. "),
    "one block of code": ("```\n", "for token in answer:\n    print(token)\n"),
}
TASK_MS = {"closed": 50, "open": 100}
FRAME_MS = 33.5  # two frames of a screen that draws 60 a second
HEAP_MB = 80
# Rows of the recording without a token: the request, the head, the role, the finish_reason, [DONE],
# the last chunk, the end.
OTHER_ROWS = 7

FIRST = """if (location.protocol === "http:") localStorage["workshop.settings"] = %s;
globalThis.frames60 = [];
requestAnimationFrame(function next(now) { frames60.push(now); requestAnimationFrame(next); });"""
ASK = """(() => {
    const prompt = document.querySelector("#prompt");
    prompt.value = "Hi";
    document.querySelector("#composer").requestSubmit();
})()"""
WAIT = """new Promise((done) => {
    const look = () => (%s) ? done(true) : setTimeout(look, 100);
    look();
})"""
READY = "document.querySelector('#send')?.disabled === false"
ENDING = "document.querySelector('[data-ending]')?.dataset.ending"
RECORDED = "document.querySelector('#wire .note')?.textContent.includes('server: done')"
ROWS = "Number(document.querySelector('#wire .rows li:last-child').ariaSetSize)"
SHOW = "document.querySelector('#toggle').click()"


@dataclass
class Costs:
    """What one answer cost.

    Attributes:
        task, task_own: The longest task, by the clock and in processor time, in milliseconds.
        frame, frame_own: The same for the time between two frames, p99.
        heap: Memory in use after the answer, in MB.
        lost: Number of rows that the pane has lost.
        script: Time in scripts, in seconds.
        work: Processor time of all tasks, in seconds.
    """

    task: float
    task_own: float
    frame: float
    frame_own: float
    heap: float
    lost: float
    script: float
    work: float


def costs(chromium: Browser, url: str, kind: str, pane: str, pace: str) -> Costs:
    """Show one answer."""
    settings = json.dumps(json.dumps({"model": f"script:{kind}", "pace": PACES[pace]}))
    with chromium.tab(WIDTHS[pane], 800, FIRST % settings) as tab:
        tab.send("Page.navigate", url=url)
        tab.evaluate(WAIT % READY)
        tab.evaluate("frames60.length = 0")
        before = tab.metrics()
        chromium.send("Tracing.start", categories="toplevel,devtools.timeline")
        tab.evaluate(ASK)
        tab.evaluate(WAIT % (ENDING if pane == "closed" else f"{ENDING} && {RECORDED}"))
        # A text over 128 KiB would end with "length".
        if (ending := tab.evaluate(ENDING)) != "complete":
            raise RuntimeError(f"the answer ended otherwise: {ending}")
        frames = percentile(b - a for a, b in pairwise(tab.evaluate("frames60")))
        script = tab.metrics()["ScriptDuration"] - before["ScriptDuration"]
        tasks = list(main_thread(chromium.trace()))
        if pane == "closed":
            tab.evaluate(SHOW)
            tab.evaluate(WAIT % RECORDED)
        lost = TOKENS + OTHER_ROWS - tab.evaluate(ROWS)
        return Costs(
            max(task["dur"] for task in tasks) / 1000,
            max(task["tdur"] for task in tasks) / 1000,
            frames,
            percentile(frame_work(tasks)),
            heap(tab),
            lost,
            script,
            sum(task["tdur"] for task in tasks) / 1e6,
        )


def main_thread(events: Iterable[Any]) -> Iterator[Any]:
    """The tasks of the page's main thread, in order. "isFrame": whether a task draws a frame."""
    threads: dict[tuple[int, int], list[Any]] = {}
    names = {}
    for event in events:
        thread = event["pid"], event["tid"]
        if event["name"] == "thread_name":
            names[thread] = event["args"]["name"]
        elif event["ph"] == "X" and "tdur" in event:
            threads.setdefault(thread, []).append(event)
    frames = {
        thread: sum(event["name"] == "FireAnimationFrame" for event in found)
        for thread, found in threads.items()
        if names.get(thread) == "CrRendererMain"
    }
    busiest = max(frames, key=frames.__getitem__)  # the page draws the most frames
    task: dict[str, Any] = {}
    for event in sorted(threads[busiest], key=lambda event: event["ts"]):
        if event["name"].endswith("RunTask") and event["ts"] >= task.get("end", 0):
            if task:
                yield task
            task = {**event, "end": event["ts"] + event["dur"], "isFrame": False}
        elif event["name"] == "FireAnimationFrame":
            task["isFrame"] = True
    yield task


def frame_work(tasks: Iterable[Any]) -> Iterator[float]:
    """Processor time from one frame to the next, in milliseconds."""
    work = 0.0
    for task in tasks:
        work += task["tdur"] / 1000
        if task["isFrame"]:
            yield work
            work = 0.0


def heap(tab: Tab) -> float:
    """Memory in use without garbage, in MB."""
    tab.send("HeapProfiler.collectGarbage")
    used: dict[str, float] = tab.send("Runtime.getHeapUsage")
    names = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
    return sum(used.get(name, 0) for name in names) / 1e6


def percentile(values: Iterable[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(values, n=100)[-1]


def told(found: Costs, pane: str) -> str:
    verdict = "ok"
    if found.task > TASK_MS[pane] or found.frame > FRAME_MS:
        verdict = "busy"
    if found.task_own > TASK_MS[pane] or found.frame_own > FRAME_MS:
        verdict = "MISSED"
    if found.lost or found.heap > HEAP_MB:
        verdict = "MISSED"
    return (
        f"longest task {found.task:.0f} ms ({found.task_own:.0f}), "
        f"frame p99 {found.frame:.0f} ms ({found.frame_own:.0f}), heap {found.heap:.0f} MB, "
        f"{found.lost:.0f} rows lost, {found.script:.1f} s of script, {found.work:.1f} s of work: "
        f"{verdict}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only Markdown, as fast as it comes")
    parser.add_argument("--runs", type=int, default=1, help="runs of each case; medians are shown")
    asked = parser.parse_args()
    texts = {
        kind: "".join(tokenize(first + text * (TOKENS // 10))[:TOKENS])
        for kind, (first, text) in KINDS.items()
    }
    # The other kinds at 1,000/s would take 25 s each, and cost less than the Markdown.
    cases = [
        case
        for case in product(KINDS, PACES, WIDTHS)
        if case[:2] == ("Markdown", "instant")
        or (not asked.quick and (case[0] == "Markdown" or case[1] == "instant"))
    ]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        scripts = Path(folder, "scripts.json")
        turns = {kind: {"turns": [{"text": text}]} for kind, text in texts.items()}
        scripts.write_text(json.dumps(turns), encoding="utf-8")
        flags = ("--scripts", str(scripts), "--ttft", "0.1", "--itl", "0.001")
        with running("servers.chat", *flags) as server, browser() as chromium:
            for number, (kind, pace, pane) in enumerate(cases, 1):
                runs = []
                for run in range(1, asked.runs + 1):
                    progress = f"case {number} of {len(cases)}, run {run} of {asked.runs}"
                    print(
                        f"{progress}, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True
                    )
                    runs.append(costs(chromium, server.url, kind, pane, pace))
                middle = map(statistics.median, zip(*map(astuple, runs), strict=True))
                print(f"{kind}, pane {pane}, {pace}: {told(Costs(*middle), pane)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
