"""The first screen of the chat page: one sentence, one character's event, four cards, the strip;
and what a fault teaches, from its menu to its card."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import ViewportSize, expect

from servers import chat
from servers.llm.faults import FAULTS
from servers.llm.pace import Pace
from servers.llm.teaching import GROUPS, lesson_of, measured
from workshop.course.routes import course_routes

from .held import hold
from .peers import RunningServer, running
from .visiting import NARROW, Visit, shows


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


@pytest.fixture
def viewport() -> ViewportSize:
    return NARROW


# ---- The first screen


def test_the_still_event_is_right(visit: Visit, server: RunningServer) -> None:
    """The chunk-size is that of the event, and the caption's numbers are right."""
    visit.open(server.url)
    still = visit.page.locator(".still")
    shown = "".join(still.locator("code").all_text_contents())
    chunk = shown.replace("\\r", "\r").replace("\\n", "\n").encode()
    length, _, rest = chunk.partition(b"\r\n")
    event, end = rest[:-2], rest[-2:]
    assert (int(length, 16), end) == (len(event), b"\r\n")
    assert event == b'data: {"choices":[{"delta":{"content":"\xe4\xbd\xa0"}}]}\n\n'
    numbers = re.findall("0x[0-9a-f]+|[0-9]+", still.locator("figcaption").inner_text())
    framing = len(chunk) - len(event)
    assert numbers == ["3", str(len(chunk)), f"0x{length.decode()}", str(len(event)), str(framing)]


CARDS = {
    # the card: the settings that it is asked with, and how it ends
    "hello": ("sim-1", None, None, "complete"),
    "break": ("echo", None, "rst@5", "cut"),
    "markdown": ("torture", "fast-api", None, None),
    "slow": ("echo", "slow", None, None),
}


def test_the_cards_send_at_once(visit: Visit, server: RunningServer) -> None:
    """And the strip shows with which settings, so that the reader finds them again. They are only
    for this conversation: in the next one, the reader's own are back."""
    visit.open(server.url)
    page = visit.page
    for name, (model, pace, fault, ending) in CARDS.items():
        with page.expect_request("**/v1/chat/completions") as asked:
            page.locator(f"[data-card={name}]").click()
        headers, body = asked.value.headers, asked.value.post_data_json or {}
        sent = body["model"], headers.get("x-pace"), headers.get("x-fault")
        assert sent == (model, pace, fault), name
        shows(page.locator("#model"), model)
        shows(page.locator("#pace"), pace or "as started")
        if ending:
            expect(page.locator("[data-ending]")).to_have_attribute("data-ending", ending)
        page.locator("#new").click()
        expect(page.locator("#intro")).to_be_visible()
        for setting, own in (("model", "sim-1"), ("pace", "as started"), ("fault", "none")):
            shows(page.locator(f"#{setting}"), own)
    page.locator("[data-card=break]").click()
    visit.choose(pace="human")  # what is chosen meanwhile is the reader's own
    page.locator("#new").click()
    shows(page.locator("#model"), "sim-1")
    shows(page.locator("#pace"), "human")


def test_the_course_is_linked_where_it_is_served(visit: Visit, server: RunningServer) -> None:
    """Otherwise the page says how to get it."""
    visit.open(server.url)
    expect(visit.page.locator("#intro .alone")).to_contain_text("Start it with workshop")
    expect(visit.page.locator("#intro a:visible")).to_have_count(0)
    with hold(chat.routes(Pace(0, 0), pages=course_routes())) as held:
        visit.open(held.url)
        link = visit.page.locator("#intro a:visible")
        expect(link).to_have_attribute("href", "/course/")
        expect(visit.page.locator("#intro .alone")).to_be_hidden()
        for number in range(1, 13):
            path = visit.evaluate(
                "async (it) => (await import('/page/course.js')).lessonHref(it)", number
            )
            assert visit.evaluate("async (it) => (await fetch(it)).status", path) == 200
        visit.choose(model="echo", fault="rst@3")
        message = visit.ask("one two three four")
        held.release(10)
        expect(message.locator(".card .lesson")).to_contain_text(lesson_of("rst"))
        expect(message.locator("a")).to_have_text(["Lesson 3"])  # its ending has the link already


def test_a_page_that_cannot_load_the_rest(visit: Visit, server: RunningServer) -> None:
    """The question stays where it was typed, the page says why, and the next try is answered."""
    visit.open(server.url, model="echo")
    visit.page.route("**/conversations.js", lambda route: route.abort("connectionrefused"))
    visit.page.locator("#prompt").fill("Hi")
    visit.page.locator("#send").click()
    expect(visit.page.locator("#trouble")).to_contain_text(f"No reply from {server.url}")
    expect(visit.page.locator("#prompt")).to_have_value("Hi")
    visit.page.unroute("**/conversations.js")
    visit.page.locator("#send").click()
    expect(visit.page.locator("[data-ending]")).to_have_attribute("data-ending", "complete")
    expect(visit.page.locator("#trouble")).to_be_hidden()
    expect(visit.page.locator("#prompt")).to_have_value("")


def test_an_address_that_cannot_be_opened(visit: Visit, server: RunningServer) -> None:
    """The first screen of a conversation's address is not painted, unless nothing else can be."""
    visit.page.route("**/conversations.js", lambda route: route.abort("connectionrefused"))
    visit.page.goto(f"{server.url}/?chat=none")
    expect(visit.page.locator("#trouble")).to_contain_text("No reply")
    expect(visit.page.locator("#intro")).to_be_visible()
    visit.page.route("**/chat.js", lambda route: route.abort("connectionrefused"))
    visit.page.reload()
    expect(visit.page.locator("#intro")).to_be_hidden()


# ---- The fault: its menu


def test_the_menu_of_faults(visit: Visit, server: RunningServer) -> None:
    """All faults in their groups, each with its sentence."""
    visit.open(server.url)
    page = visit.page
    page.locator("[popovertarget=faults]").click()
    menu = page.locator("#faults")
    expect(menu.locator("details")).to_have_count(len(GROUPS))
    for group, names in zip(menu.locator("details").all(), GROUPS.values(), strict=True):
        values = "all => all.map(input => input.value)"
        assert group.locator("input").evaluate_all(values) == list(names)
        lines = group.locator("label span").all_text_contents()
        assert lines == [FAULTS[name].description.replace("`", "") for name in names]


def test_a_place_only_where_it_applies(visit: Visit, server: RunningServer) -> None:
    """A fault that takes no place is given none, also after another one that had a place."""
    visit.open(server.url)
    page = visit.page
    page.locator("[popovertarget=faults]").click()
    menu, place = page.locator("#faults"), page.locator(".place")
    expect(place).to_be_hidden()
    menu.locator("summary", has_text="Cut").click()
    menu.locator("label", has_text="rst-mid-event").click()
    expect(place.locator("input")).to_have_attribute("placeholder", "3")
    place.locator("input").fill("7")
    place.locator("input").press("Enter")
    shows(page.locator("#fault"), "rst-mid-event, event 7")
    expect(menu).to_be_hidden()
    expect(page.locator("[popovertarget=faults]")).to_be_focused()
    page.locator("[popovertarget=faults]").click()
    expect(menu.get_by_role("radio", name="rst-mid-event")).to_be_checked()
    expect(place.locator("input")).to_have_value("7")
    for group, name in (("Cut", "no-last-chunk"), ("Status", "429")):
        if group != "Cut":
            menu.locator("summary", has_text=group).click()
        menu.locator("label", has_text=name).click()
        expect(place).to_be_hidden()
        shows(page.locator("#fault"), name)
    with page.expect_request("**/v1/chat/completions") as asked:
        menu.get_by_role("button", name="Done").click()
        visit.ask("Hi")
    assert asked.value.headers["x-fault"] == "429"


def test_a_fault_is_seen_removed_and_not_kept(visit: Visit, server: RunningServer) -> None:
    """It has a warning colour and a button that takes it away; a reload forgets it, also one that
    an older page had saved."""
    visit.page.add_init_script("localStorage['workshop.settings'] ??= '{\"fault\":\"rst\"}'")
    visit.open(server.url)
    page = visit.page
    shows(page.locator("#fault"), "none")
    expect(page.locator("#heal")).to_be_hidden()
    colour = "element => getComputedStyle(element).color"
    plain = page.locator("#fault").evaluate(colour)
    visit.choose(fault="stall@2", model="echo")
    shows(page.locator("#fault"), "stall, event 2")
    assert page.locator("#fault").evaluate(colour) != plain
    page.locator("#heal").click()
    shows(page.locator("#fault"), "none")
    expect(page.locator("[popovertarget=faults]")).to_be_focused()
    visit.choose(fault="stall@2")
    visit.reload()
    shows(page.locator("#fault"), "none")
    shows(page.locator("#model"), "echo")


# ---- The fault: its card


def test_the_card_of_a_fault(visit: Visit, server: RunningServer) -> None:
    """It says what the server did, what this browser made of it, what was measured of others, and
    the lesson; and the same question is asked again without the fault."""
    visit.open(server.url, model="echo", fault="rst@5")
    message = visit.ask("one two three four five six")
    card = message.locator(".card")
    expect(card).to_be_visible()
    server_did, browser_made, *others = card.locator("dd").all_text_contents()
    assert server_did == f"{FAULTS['rst'].description} Here: at event 5."
    # An RST discards bytes that the browser has not read yet.
    came = r"(It read [0-9,]+ bytes? in [0-9]+ reads?\. )?"
    assert re.match(f"{came}The read failed inside the body", browser_made)
    assert browser_made.endswith("A reset can lose bytes that the server had sent and the page had "
                                 "not read yet.")  # fmt: skip
    assert list(measured()["rst"].values()) == ["exit code 56", "APIConnectionError from ReadError"]
    assert others == [
        "Exit code 56: reset, or bad chunked coding", "It raised APIConnectionError."
    ]  # fmt: skip
    expect(card.locator(".measured")).to_contain_text("measured with another answer")
    expect(card.locator(".lesson")).to_contain_text(lesson_of("rst"))
    visit.reload()  # the card of an answer that is shown again knows less of its body
    expect(card.locator("dd").nth(1)).to_contain_text("The read failed inside the body")
    with visit.page.expect_request("**/v1/chat/completions") as asked:
        card.get_by_role("button").click()
    assert "x-fault" not in asked.value.headers
    expect(visit.page.locator("[data-ending]")).to_have_attribute("data-ending", "complete")
    expect(visit.page.locator(".card")).to_have_count(0)


BROWSER_MADE = {
    "clean-cut": "no finish_reason had come",
    "429": "Rate limit reached",
    "crlf": "nothing looked wrong",
}


def test_what_this_browser_made_of_it(visit: Visit, server: RunningServer) -> None:
    visit.open(server.url, model="echo")
    for fault, said in BROWSER_MADE.items():
        visit.choose(fault=fault)
        card = visit.ask("one two three four").locator(".card")
        expect(card.locator("dd").nth(1)).to_contain_text(said)


def test_an_answer_without_a_fault_has_no_card(visit: Visit, server: RunningServer) -> None:
    requested = visit.note_requests()
    visit.open(server.url, model="echo")
    expect(visit.ask("one")).to_have_attribute("data-ending", "complete")
    expect(visit.page.locator(".card")).to_have_count(0)
    assert not [url for url in requested if url.endswith(("faults/card.js", "/faults"))]
