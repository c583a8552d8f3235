"""The parts of the wire pane: long recordings in little work, what a limit took, and colours."""

import base64
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .peers import RunningServer
from .test_wire import ask, depth
from .visiting import Visit

TOKENS = 25_000

# A recording of 25,000 tokens, in a viewer. Returns the most elements that were made, and the most
# rows that were in the document, in one update.
LONG = """async (tokens) => {
    const { newRecording } = await import("/page/viewer/recording.js");
    const { viewer } = await import("/page/viewer/viewer.js");
    await import("/page/wire/wire.js");
    const css = document.createElement("link");
    Object.assign(css, { rel: "stylesheet", href: "/page/viewer/viewer.css" });
    const isStyled = new Promise((resolve) => (css.onload = resolve));
    document.head.append(css);
    await isStyled;
    const element = document.createElement("section");
    element.id = "long";
    element.style.height = "900px";
    document.querySelector("main").append(element);
    const recording = newRecording();
    const page = {
        reads: () => 0, readAt: () => 0, readOf: () => null, paintedAt: () => 0,
        name: () => "x", began: () => 0,
    };
    const view = viewer(element, recording, { page });
    globalThis.long = { recording, view };
    const data = `data: {"content":"word"}\\n\\n`;
    const bytes = `${data.length.toString(16)}\\r\\n${data}\\r\\n`;
    const sizes = [
        ["chunk-size", 2], ["CRLF", 2], ["field-name", 4], [":", 1], ["space", 1], ["json", 12],
        ["token", 4], ["json", 2], ["end-of-line", 1], ["blank-line", 1], ["CRLF", 2],
    ];
    await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
    recording.add({ at: 0, sender: "client", bytes: btoa("GET / HTTP/1.1"), spans: [] });
    const create = document.createElement;
    let made = 0;
    document.createElement = function (...tag) {
        made += 1;
        return create.apply(this, tag);
    };
    let [most, rows, offset] = [0, 0, 0];
    for (let token = 1; token <= tokens; token += 1) {
        recording.add({ at: token, sender: "server", offset, bytes: btoa(bytes), body: token });
        recording.name(sizes.map(([label, size]) => {
            offset += size;
            return [label, offset - size, offset, token, token, label === "token" ? token : 0];
        }));
        if (token % 5000) continue;
        made = 0;
        view.update();
        most = Math.max(most, made);
        rows = Math.max(rows, element.querySelectorAll(".rows li").length);
    }
    document.createElement = create;
    recording.isOver = true;
    view.update();
    return [recording.length, recording.tokens.length, most, rows];
}"""


@pytest.fixture
def page(visit: Visit, chat_server: RunningServer) -> Page:
    visit.page.goto(chat_server.url)
    return visit.page


def test_25000_tokens_lose_no_row(page: Page) -> None:
    """Each can be reached, and the work of an update does not grow with the recording."""
    length, tokens, most, rows = page.evaluate(LONG, TOKENS)
    assert (length, tokens) == (TOKENS + 1, TOKENS)
    assert most < 1000
    assert 0 < rows <= 60
    pane = page.locator("#long")
    last = pane.locator(".rows li").last
    expect(last).to_contain_text("[chunk 0x1a = 26 B][event 25000][JSON 18 B]")
    for jump, text in (("Request", "GET / HTTP/1.1"), ("First token", "[event 1]")):
        depth(pane, jump)
        expect(pane.locator(".rows .selected")).to_contain_text(text)
        expect(pane.locator(".rows .selected")).to_be_in_viewport()
    for name in ("Bytes", "Hex"):
        depth(pane, name)
        depth(pane, "First token")
        expect(pane.locator(".rows code .selected").first).to_be_in_viewport()
        pane.get_by_role("slider").fill("12345")
        expect(last.locator("strong")).to_have_text("#12344")
    depth(pane, "End")
    expect(last.locator("strong")).to_have_text("#25000")


# Each update adds a token to the recording. Between two updates the browser draws.
UPDATES = """async (count) => {
    const { recording, view } = globalThis.long;
    recording.isOver = false;
    for (let update = 0; update < count; update += 1) {
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
        const at = recording.length;
        const offset = 32 * (at - 1);
        recording.add({ at, sender: "server", offset, bytes: btoa("x".repeat(32)), body: at });
        recording.name([["token", offset, offset + 32, at, at, at]]);
        view.update();
    }
    await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
}"""


def test_an_update_costs_one_layout(page: Page) -> None:
    """The rows are measured after everything else has been drawn."""
    page.evaluate(LONG, 5000)
    page.evaluate(UPDATES, 5)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def layouts() -> int:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(int(each["value"]) for each in metrics if each["name"] == "LayoutCount")

    before = layouts()
    page.evaluate(UPDATES, 20)
    assert layouts() - before <= 20 + 2
    assert page.evaluate("long.recording.tokens.length") == 5025
    session.detach()


READS = """async ([reads, count, hidden]) => {
    const { readEvents } = await import("/page/sse.js");
    let [tasks, frames] = [0, 0];
    Object.defineProperty(document, "hidden", { value: hidden });
    const [channel, request] = [MessageChannel, requestAnimationFrame];
    globalThis.MessageChannel = class extends channel {
        constructor() {
            super();
            tasks += 1;
        }
    };
    globalThis.requestAnimationFrame = (callback) => {
        frames += 1;
        return request(callback);
    };
    const bytes = new TextEncoder().encode("data: x\\n\\n".repeat(count));
    const body = new ReadableStream({
        start(controller) {
            for (let read = 0; read < reads; read += 1) controller.enqueue(bytes);
            controller.close();
        },
    });
    let events = 0;
    for await (const _ of readEvents(body)) events += 1;
    return [events, tasks, frames];
}"""


@pytest.mark.parametrize(
    ("reads", "count", "hidden", "frames"),
    [(1, 1000, False, 15), (20, 50, False, 15), (20, 50, True, 0)],
)
def test_many_events_take_many_frames(
    reads: int, count: int, hidden: bool, frames: int, page: Page
) -> None:
    """At most 64 events are handled in one task, in however many reads they came, so the browser
    can draw in between. A hidden page has no frames, and does not wait for them."""
    assert page.evaluate(READS, [reads, count, hidden]) == [1000, 15, frames]


# ---- A recording that is not whole

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
TOTALS = {
    "sends": 1,
    "chunks": 0,
    "events": 0,
    "tokens": 0,
    "size": len(HEAD),
    "body": 0,
    "text": 0,
}
SENT = {
    **TOTALS,
    "at": 1.5,
    "offset": 0,
    "bytes": base64.b64encode(HEAD).decode(),
    "spans": [["head", 0, len(HEAD), 0, 0, 0]],
}
MISSING = {"sends": 3, "bytes": 1234}
DONE = {**TOTALS, "sends": 4, "at": 9.0, "how": "done", "error": "", "spans": []}


def events(*told: tuple[str, dict[str, Any]]) -> str:
    return "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in told)


def answer(page: Page, bodies: Sequence[str]) -> list[str]:
    """Answer each request for a recording with the next of these bodies."""
    rest = list(bodies)
    page.route(
        "**/wire/req_*",
        lambda route: route.fulfill(body=rest.pop(0), content_type="text/event-stream"),
    )
    return rest


def test_what_a_limit_took_is_counted(visit: Visit, chat_server: RunningServer) -> None:
    answer(visit.page, [events(("sent", SENT), ("missing", MISSING), ("done", DONE))])
    pane = ask(visit.page, chat_server.url)
    expect(pane).to_contain_text("3 writes (1,234 B) at the end are not kept")
    expect(pane).to_contain_text("server: done sending, 9 ms")
    expect(pane.locator(".rows li")).to_have_count(3)  # the request, the head, the end


def test_a_recording_that_breaks_is_read_on(visit: Visit, chat_server: RunningServer) -> None:
    """The pane does not claim that there is no recording. It reads on when it is opened again, and
    shows each write once."""
    first, whole = events(("sent", SENT)), events(("sent", SENT), ("done", DONE))
    rest = answer(visit.page, [first, whole])
    pane = ask(visit.page, chat_server.url)
    expect(pane).to_contain_text("the recording stops after 1 write: it ended early")
    expect(pane).not_to_contain_text("no recording")
    visit.evaluate("() => (pane.show(false), pane.show(true))")
    expect(pane).to_contain_text("server: done")
    expect(pane).not_to_contain_text("the recording stops")
    expect(pane.locator(".rows li")).to_have_count(3)
    assert not rest


def test_a_closed_pane_reads_nothing(visit: Visit, chat_server: RunningServer) -> None:
    """What it missed is there once it is opened."""
    requested = visit.note_requests()
    pane = ask(visit.page, chat_server.url)
    expect(pane).to_contain_text("server: done")
    visit.evaluate("() => pane.show(false)")
    before = len([url for url in requested if "/wire/req_" in url])
    visit.evaluate(
        """async () => {
            pane.start();
            const init = {headers: {"X-Wire": "1"}};
            const response = await fetch("/", init);
            pane.opened(response, performance.now(), init);
            for await (const bytes of response.body) pane.received(bytes, performance.now());
            pane.closed();
            pane.ended("complete", "complete");
        }"""
    )
    assert len([url for url in requested if "/wire/req_" in url]) == before
    visit.evaluate("() => pane.show(true)")
    expect(pane).to_contain_text("server: done")
    depth(pane, "Request")
    expect(pane.locator(".rows")).to_contain_text("GET / HTTP/1.1")


KEPT = """async (maxKept) => {
    const { wirePane } = await import("/page/wire/wire.js");
    const { wireLog } = await import("/page/wire/log.js");
    const element = document.createElement("section");
    element.id = "pane";
    document.querySelector("main").append(element);
    const pane = wirePane(element, wireLog(), maxKept);
    const init = { headers: { "X-Wire": "1" } };
    for (const path of ["/?one", "/?two"]) {
        pane.start();
        pane.opened(await fetch(path, init), performance.now(), init);
    }
}"""


@pytest.mark.parametrize(("max_kept", "requests"), [(1_000_000, 2), (0, 3)])
def test_older_answers_keep_theirs_within_a_bound(
    max_kept: int, requests: int, visit: Visit, chat_server: RunningServer
) -> None:
    """Without room for the first one's recording, the server is asked for it again."""
    requested = visit.note_requests()
    visit.page.goto(chat_server.url)
    visit.evaluate(KEPT, max_kept)
    pane = visit.page.locator("#pane")
    expect(pane).to_contain_text("server: done")
    visit.page.get_by_role("combobox", name="Which answer").select_option(index=0)
    expect(pane).to_contain_text("server: done")
    expect(pane.locator(".rows li").last).to_contain_text("done")
    assert len([url for url in requested if "/wire/req_" in url]) == requests


# ---- Colours


def seen(colour: str) -> list[float]:
    """A colour as an eye without green cones sees it (Viénot, Brettel and Mollon 1999)."""
    red, green, blue = (
        (int(part) / 255) ** 2.2 for part in colour.removeprefix("rgb(").rstrip(")").split(",")
    )
    both = 0.29275 * red + 0.70725 * green
    return [both, both, -0.02234 * red + 0.02234 * green + blue]


def test_the_layers_differ_for_every_eye(visit: Visit, chat_server: RunningServer) -> None:
    """Parts of the bar that are side by side differ in lightness under deuteranopia, and the bar
    keeps its colours where the system chooses the colours."""
    pane = ask(visit.page, chat_server.url)
    expect(pane).to_contain_text("server: done")
    look = "(all) => all.map((part) => getComputedStyle(part).backgroundColor)"
    parts = pane.locator(".layers i")
    colours = parts.evaluate_all(look)
    assert len(set(colours)) == 7
    lightness = [sum(seen(colour)[:2]) / 2 for colour in colours[:5]]  # of every answer
    for one, other in pairwise(lightness):
        assert (max(one, other) + 0.05) / (min(one, other) + 0.05) > 3
    visit.page.emulate_media(forced_colors="active")
    assert parts.evaluate_all(look) == colours
