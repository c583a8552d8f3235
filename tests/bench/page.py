"""The cost of a long answer on the chat page: `python -m tests.bench.page`.

For 25,000 and 50,000 tokens, with the wire pane closed and open: seconds of script and of all work
(Chromium's own counters), the second as a multiple of the first, and the longest task. A reader
notices a task over 50 ms.
"""

import sys
from collections.abc import Iterator
from itertools import cycle, islice, product
from typing import Any

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from servers.llm.model.texts import LOREM, TEXTS
from servers.llm.model.tokens import tokenize

from ..interop.peers import running
from ..interop.visiting import Visit, chromium, flags

COUNTS = (25_000, 50_000)
WIDTHS = {"closed": 1000, "open": 1400}  # of the window: in a wide one the wire pane is open
KINDS = {
    "Markdown": "\n".join(TEXTS),
    "one paragraph": LOREM + " ",
    "one block of code": "for token in answer:\n    print(token)\n",
}
# PerformanceObserver tells of each task over 50 ms.
WATCH = """window.longest = 0;
new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(longest, duration);
}).observe({ type: "longtask" });"""


def costs(browser: Browser, url: str, text: str, width: int) -> dict[str, float]:
    """Shows an answer, and returns the counters and the longest of the tasks over 50 ms, or 0."""
    with browser.new_context(viewport=ViewportSize(width=width, height=800)) as context:
        context.set_default_timeout(300_000)
        visit = Visit(context.new_page())
        visit.page.add_init_script(WATCH)
        visit.open(url, model="echo")
        counters = context.new_cdp_session(visit.page)
        counters.send("Performance.enable")
        # A question so long would take its own time to be shown: what is sent is another one.
        messages = [{"role": "user", "content": text}]
        visit.page.route(
            "**/v1/chat/completions",
            lambda route: route.continue_(
                post_data=route.request.post_data_json | {"messages": messages}
            ),
        )
        before = dict(metrics(counters))
        visit.ask("Hi")
        visit.page.locator("[data-ending=complete]").wait_for()
        after = dict(metrics(counters))
        found = {name: after[name] - before[name] for name in ("ScriptDuration", "TaskDuration")}
        return found | {"longest": visit.evaluate("longest")}


def metrics(counters: Any) -> Iterator[tuple[str, float]]:
    for each in counters.send("Performance.getMetrics")["metrics"]:
        yield each["name"], each["value"]


def main() -> int:
    pace = ("--ttft", "0.1", "--itl", "0.0005")
    with sync_playwright() as playwright, running("servers.chat", *pace) as server:
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags())
        for (kind, text), (pane, width) in product(KINDS.items(), WIDTHS.items()):
            tokens = tokenize(text)
            before: dict[str, float] = {}
            for count in COUNTS:
                answer = "".join(islice(cycle(tokens), count))
                if kind == "one block of code":
                    answer = "```\n" + answer
                found = costs(browser, server.url, answer, width)
                line = f"{kind}, wire pane {pane}, {count:,} tokens: "
                line += f"{found['ScriptDuration']:.2f} s of script"
                line += f", {found['TaskDuration']:.2f} s of work"
                line += f", longest task {found['longest']:.0f} ms"
                if before:
                    ratio = found["ScriptDuration"] / before["ScriptDuration"]
                    line += f", {ratio:.2f} times the script"
                print(line)
                before = found
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
