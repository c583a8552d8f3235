"""Where things are on the chat page: two columns from the first paint, or a sheet where there is no
room for two; popovers at their buttons; paper; and for every kind of eyes and hands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from .peers import ROOT, SAFETY, RunningServer, running, unavailable
from .test_node_clients import INSTALL
from .visiting import MILLISECONDS, Visit


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--ttft", "0.7", "--itl", "0.001") as server:
        yield server


@pytest.fixture(scope="module")
def instant() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


def size(visit: Visit, width: int, height: int = 800) -> None:
    visit.page.set_viewport_size({"width": width, "height": height})


def box(element: Locator) -> dict[str, float]:
    """Its place in the window: left, top, right, bottom."""
    found: dict[str, float] = element.evaluate("it => it.getBoundingClientRect().toJSON()")
    return found


# ---- No jump

# A shift less than half a second after a key or a click is expected by the reader, and not counted.
SHIFTS = """() => {
    globalThis.shifts = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
            if (!entry.hadRecentInput) shifts.push(entry.value);
        }
    }).observe({ type: "layout-shift", buffered: true });
}"""
TAKE = "() => shifts.splice(0).reduce((sum, value) => sum + value, 0)"


@pytest.mark.parametrize("width", [1440, 1180, 390])
def test_nothing_jumps(width: int, visit: Visit, server: RunningServer) -> None:
    """The sum of all layout shifts, from the first paint to the end of each of two questions. The
    model is silent for longer than a click excuses a shift."""
    size(visit, width)
    visit.open(server.url, model="lorem")
    visit.evaluate(SHIFTS)
    for question in ("first", "second"):
        message = visit.ask(question)
        expect(message).to_have_attribute("data-ending", "complete")
        # The observer is told of a shift after its frame.
        visit.evaluate("() => new Promise(go => requestAnimationFrame(() => setTimeout(go)))")
        assert visit.evaluate(TAKE) < 0.05


def test_two_columns_from_the_first_paint(visit: Visit, instant: RunningServer) -> None:
    """Without any script, the text is where it is afterwards."""
    size(visit, 1440)
    visit.page.route("**/*.js", lambda route: route.abort())
    visit.page.goto(instant.url)
    before = [box(visit.page.locator(name)) for name in ("#intro h2", "#wire", ".box")]
    visit.page.unroute("**/*.js")
    visit.page.goto(instant.url)
    visit.is_ready()
    assert [box(visit.page.locator(name)) for name in ("#intro h2", "#wire", ".box")] == before
    assert before[0]["right"] < before[1]["left"]


# ---- The pane


def test_the_pane_is_closed_and_its_width_given_back(visit: Visit, instant: RunningServer) -> None:
    """The button says which it is, also after a reload, where nothing of the pane is painted."""
    size(visit, 1440)
    visit.open(instant.url)
    toggle, pane, text = (visit.page.locator(name) for name in ("#toggle", "#wire", "#composer"))
    expect(toggle).to_have_attribute("aria-expanded", "true")
    middle = (box(text)["left"] + box(text)["right"]) / 2
    assert middle < 1440 / 2 - 100
    toggle.click()
    for _ in range(2):
        expect(toggle).to_have_attribute("aria-expanded", "false")
        expect(pane).to_be_hidden()
        assert abs(box(text)["left"] + box(text)["right"] - 1440) < 20
        visit.reload()
    visit.page.keyboard.press("Alt+w")
    expect(pane).to_be_visible()
    assert (box(text)["left"] + box(text)["right"]) / 2 == middle


@pytest.mark.parametrize("width", [1180, 390])
def test_a_sheet_where_there_is_no_room(width: int, visit: Visit, instant: RunningServer) -> None:
    """The button "Bytes" under an answer opens the sheet. The sheet covers neither the composer nor
    the end of the next answer, to which the page scrolls."""
    size(visit, width, 844)
    visit.open(instant.url)
    toggle, pane = visit.page.locator("#toggle"), visit.page.locator("#wire")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    expect(pane).to_be_hidden()
    visit.ask("Hello").get_by_role("button", name="Bytes").click()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    message = visit.ask("Hello")
    expect(message).to_have_attribute("data-ending", "complete")
    expect(visit.page.locator(".bytes:visible")).to_have_count(0)
    expect(pane).to_contain_text("server: done")
    expect(message.locator(".stats")).to_be_in_viewport()
    composer, sheet, stats = box(visit.page.locator("#composer")), box(pane), box(message)
    assert stats["bottom"] <= composer["top"] + 40  # its upper edge is transparent
    assert composer["bottom"] <= sheet["top"] + 1
    assert (sheet["bottom"], sheet["right"]) == (844, width)
    visit.page.get_by_role("button", name="Close the wire").click()
    expect(pane).to_be_hidden()
    expect(toggle).to_be_focused()
    assert box(visit.page.locator("#composer"))["bottom"] == 844


# ---- Popovers

PLACES = ["history", "settings", "models", "paces", "faults"]


@pytest.mark.parametrize("width", [1440, 390])
def test_a_popover_stands_at_its_button(width: int, visit: Visit, instant: RunningServer) -> None:
    """Below or above it, and inside the window."""
    size(visit, width)
    visit.open(instant.url)
    for name in PLACES:
        button = visit.page.locator(f"[popovertarget={name}]")
        button.click()
        popover = visit.page.locator(f"#{name}")
        if name in PLACES[2:]:
            expect(popover.locator("input").first).to_be_visible()
        shown, at = box(popover), box(button)
        assert 0 <= shown["left"] < at["right"] + 1, name
        assert at["left"] - 1 < shown["right"] <= width, name
        below, above = shown["top"] - at["bottom"], at["top"] - shown["bottom"]
        assert 0 <= max(below, above) < 12, name
        assert shown["top"] >= 0, name
        assert shown["bottom"] <= 800, name
        visit.page.keyboard.press("Escape")


# ---- Paper, hands, eyes


def test_paper(visit: Visit, instant: RunningServer) -> None:
    """A print has the conversation alone, over the whole width, in black on white."""
    size(visit, 1440)
    visit.open(instant.url)
    expect(visit.ask("Hello")).to_have_attribute("data-ending", "complete")
    visit.page.emulate_media(media="print", color_scheme="dark")
    for name in ("body > header", "#composer", "#wire", "#intro"):
        expect(visit.page.locator(name)).to_be_hidden()
    expect(visit.page.locator("[data-role]")).to_have_count(2)
    assert box(visit.page.locator("main"))["left"] == 0
    colour = str(visit.evaluate("() => getComputedStyle(document.body).color"))
    assert sum(map(int, re.findall("[0-9]+", colour))) < 3 * 60


SMALL = """() => [...document.querySelectorAll("button, input, select, textarea, summary, label")]
    .filter((each) => each.checkVisibility() && !each.matches("[type=radio], .unseen, .wire *"))
    .map((each) => [each.textContent || each.name || each.id, each.getBoundingClientRect()])
    .filter(([, { width, height }]) => height && (height < 44 || width < 24))
    .map(([name, { width, height }]) => `${name}: ${width} x ${height}`)"""


def test_targets_for_a_thumb(visit: Visit, instant: RunningServer) -> None:
    """Whatever is pressed on a phone is 44 CSS pixels high. The strip says what each button is, on
    one line; and the card of a fault does not push the answer's end out of the window."""
    size(visit, 390, 844)
    visit.open(instant.url)
    assert visit.evaluate(SMALL) == []
    strip = visit.page.locator(".strip [popovertarget]")
    labels = ["Model sim-1", "Pace as started", "Fault none"]
    expect(strip).to_have_text(labels, use_inner_text=True)
    assert len({box(button)["top"] for button in strip.all()}) == 1
    for name in PLACES:
        visit.page.locator(f"[popovertarget={name}]").click()
        if name in PLACES[2:]:
            expect(visit.page.locator(f"#{name} input").first).to_be_visible()
        assert visit.evaluate(SMALL) == []
        visit.page.keyboard.press("Escape")
    visit.choose(model="lorem", fault="fin@100")
    message = visit.ask("Hello")
    expect(message.locator(".card")).to_be_visible()
    expect(message.locator(".card h2")).to_be_in_viewport()
    expect(message.locator(".ending")).to_be_in_viewport()
    assert visit.evaluate(SMALL) == []


LINES = """(element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return range.getClientRects().length;
}"""


def test_the_feet_of_an_answer_fit_a_phone(visit: Visit, instant: RunningServer) -> None:
    """No button's words are on two lines."""
    size(visit, 390, 844)
    visit.open(instant.url)
    message = visit.ask("Hello")
    expect(message).to_have_attribute("data-ending", "complete")
    for button in message.locator("footer button:visible").all():
        assert button.evaluate(LINES) == 1


AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# The window's size, and the colour schemes in which each state is checked.
LOOKS: dict[str, tuple[ViewportSize, list[Literal["light", "dark"]]]] = {
    "desk": (ViewportSize(width=1440, height=900), ["light", "dark"]),
    "phone": (ViewportSize(width=390, height=844), ["light"]),
}


@pytest.mark.parametrize("look", LOOKS)
def test_accessibility(look: str, browser: Browser, instant: RunningServer) -> None:
    """axe-core finds nothing above "minor": at the beginning, in each popover, and with answers
    that have all elements, a fault, and the wire."""
    if not AXE.is_file():
        unavailable(f"axe-core missing in node_modules: {INSTALL}")
    viewport, schemes = LOOKS[look]

    def check(page: Page) -> None:
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate("() => axe.run({resultTypes: ['violations']})")["violations"]
            assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found
                    if each["impact"] != "minor"] == [], scheme  # fmt: skip

    with browser.new_context(locale="en-US", viewport=viewport) as context:
        context.set_default_timeout(SAFETY * MILLISECONDS)
        visit = Visit(context.new_page())
        visit.open(instant.url, model="torture")
        page = visit.page
        page.evaluate(Path(AXE).read_text(encoding="utf-8"))
        check(page)
        for name in PLACES:
            page.locator(f"[popovertarget={name}]").click()
            if name in PLACES[2:]:
                expect(page.locator(f"#{name} input").first).to_be_visible()
            check(page)
            page.keyboard.press("Escape")
        visit.ask("Everything")
        expect(page.locator("[data-ending]")).to_have_count(1)
        visit.choose(model="sim-1", fault="rst@9")
        visit.ask("你好")
        expect(page.locator(".card")).to_have_count(1)
        page.locator("[popovertarget=history]").click()
        expect(page.locator("#history li")).to_have_count(1)
        check(page)


# The text that tells a state has another sign than its colour: what a border is made of.
BORDERS = """() => ["#toggle", ".faulty .fault", ".layer.text", ".card"].map((name) => {
    const style = getComputedStyle(document.querySelector(name));
    return [name, style.outlineStyle, style.borderStyle];
})"""


def test_forced_colours(browser: Browser, instant: RunningServer) -> None:
    """Where the system chooses all colours, states and layers are lines."""
    with browser.new_context(locale="en-US", forced_colors="active") as context:
        context.set_default_timeout(SAFETY * MILLISECONDS)
        visit = Visit(context.new_page())
        size(visit, 1440)
        visit.open(instant.url, model="echo", fault="rst@5")
        expect(visit.ask("one two three four").locator(".card")).to_be_visible()
        toggle, fault, layer, card = visit.evaluate(BORDERS)
        assert (toggle[1], fault[1], layer[2], card[2]) == ("solid",) * 4
