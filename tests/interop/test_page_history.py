"""Saved conversations of the chat page: while an answer runs, afterwards, and with damaged
storage."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from .held import Held
from .peers import RunningServer, running
from .visiting import Visit, shows


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


def half_answered(visit: Visit, held: Held) -> Locator:
    """A conversation whose answer has two of three words. Returns the answer's locator."""
    visit.open(held.url, model="echo")
    message = visit.ask("one two three")
    held.release(2)
    shows(message.locator(".answer"), "one two")
    return message


def test_history(visit: Visit, server: RunningServer) -> None:
    """After a reload a conversation is there unchanged, and can continue; it can be deleted."""
    visit.open(server.url)
    page = visit.page
    message = visit.ask("What is kept?")
    expect(message).to_have_attribute("data-ending", "complete")
    answer, stats = message.locator(".answer").inner_html(), message.locator(".stats").inner_text()

    visit.reload()
    expect(page.locator("[data-role]")).to_have_count(0)
    page.get_by_role("button", name="History").click()
    page.get_by_role("button", name="What is kept?", exact=True).click()
    assert message.locator(".answer").inner_html() == answer
    shows(message.locator(".stats"), stats)
    expect(message.locator("summary")).to_contain_text("Thought for")
    with page.expect_request("**/v1/chat/completions") as asked:
        visit.ask("And then?")
    sent = asked.value.post_data_json or {}
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    expect(page.locator("[data-role=assistant]").last).to_have_attribute("data-ending", "complete")

    page.get_by_role("button", name="History").click()
    page.get_by_role("button", name="Delete: What is kept?").press("Enter")
    expect(page.locator("#history p")).to_be_visible()
    expect(page.locator("[data-role]")).to_have_count(0)
    visit.reload()
    assert json.loads(page.evaluate("localStorage['workshop.chats']")) == []
    assert visit.problems == []


def test_an_answer_on_its_way_is_kept(visit: Visit, held: Held) -> None:
    """The part that came before the page was closed. (A reload runs the old page's `pagehide`
    before the new page; a window that is closed may run it afterwards.)"""
    message = half_answered(visit, held)
    visit.reload()
    expect(message).to_have_count(0)
    visit.page.locator("[popovertarget=history]").click()
    visit.page.locator("#history li button").first.click()
    shows(message.locator(".answer"), "one two")
    shows(message.locator(".ending"), "cut off")


def test_the_running_conversation_in_the_history(visit: Visit, held: Held) -> None:
    """The conversation is already open, and its answer continues."""
    message = half_answered(visit, held)
    visit.page.locator("[popovertarget=history]").click()
    visit.page.locator("#history li button").first.click()
    held.release(100)
    expect(message).to_have_attribute("data-ending", "complete")
    shows(message.locator(".answer"), "one two three")


ODD: list[Any] = [None, True, 7, -1.5, "", "text", [], [[]], {}, {"length": 1}, {"toString": 1}]
FIELDS = ["role", "content", "thinking", "ending", "seconds", "stats"]
FORM = ["server", "model", "pace", "fault", "system"]
WHOLE = {
    **dict.fromkeys(FIELDS, "said"),
    "role": "assistant",
    "seconds": 1,
    "ending": ["complete", ""],
}
QUESTION = {"role": "user", "content": "asked"}

# In each case, another program has left this value as the settings, and as one conversation of the
# history.
DAMAGED_SETTINGS: list[Any] = [
    *ODD,
    *({name: odd} for name in FORM for odd in ODD),
    *({name: "x"} for name in ("elements", "length", "name", "note", "onsubmit", "__proto__")),
]
DAMAGED_CHATS: list[Any] = [
    *ODD,
    *({"id": odd, "title": "t", "messages": [WHOLE]} for odd in ODD),
    *({"id": 1, "title": odd, "messages": [WHOLE]} for odd in ODD),
    *({"id": 1, "title": "t", "messages": odd} for odd in ODD),
    *({"id": 1, "title": "t", "messages": [odd]} for odd in ODD),
    *(
        {"id": 1, "title": "t", "messages": [message | {name: odd}]}
        for message in (WHOLE, QUESTION)
        for name in FIELDS
        for odd in [*ODD, [1, None], [{}, {}]]
    ),
    {"id": 1, "title": "t", "messages": [QUESTION, QUESTION, WHOLE, WHOLE]},
]

# A module of another query is another module: it reads the settings anew.
READ_SETTINGS = """async (all) => {
    const found = [];
    for (const [index, kept] of all.entries()) {
        localStorage["workshop.settings"] = JSON.stringify(kept);
        document.querySelector("#settings").reset();
        const { settings } = await import(`/page/settings.js?${index}`);
        found.push(settings());
    }
    return found;
}"""
# As a reader does: opens the history, and its first conversation in place of a new one.
OPEN_CHATS = """async (all) => {
    const history = document.querySelector("#history");
    const opened = [];
    for (const kept of all) {
        localStorage["workshop.chats"] = JSON.stringify(kept);
        await history.ontoggle();
        const title = history.querySelector("li button");
        if (title) {
            document.querySelector("#new").click();
            title.click();
        }
        opened.push(title ? document.querySelectorAll("[data-role]").length : -1);
    }
    return opened;
}"""


def test_damaged_settings(visit: Visit, server: RunningServer) -> None:
    """Whatever was stored, each setting is a text, and each choice is one of those offered."""
    visit.open(server.url)
    plain = {"server": "", "model": "sim-1", "pace": "", "fault": "", "system": ""}
    free = ("model", "system")  # anything may be written there
    all_found = visit.evaluate(READ_SETTINGS, DAMAGED_SETTINGS)
    for kept, found in zip(DAMAGED_SETTINGS, all_found, strict=True):
        fields = kept if isinstance(kept, dict) else {}
        texts = {name: fields[name] for name in free if isinstance(fields.get(name), str)}
        assert found == plain | texts, kept
    assert visit.problems == []


def test_a_damaged_history(visit: Visit, server: RunningServer) -> None:
    """Whatever was stored, a conversation is either listed and can be opened, or left out."""
    visit.open(server.url)
    for each in (DAMAGED_CHATS, [[chat] for chat in DAMAGED_CHATS]):
        opened = visit.evaluate(OPEN_CHATS, each)
        assert len(opened) == len(each)
    assert max(opened) == 4
    assert -1 in opened
    assert visit.problems == []


@pytest.mark.parametrize("messages", [[WHOLE], [QUESTION, QUESTION, WHOLE, WHOLE], [QUESTION]])
def test_the_page_goes_on_with_a_damaged_storage(
    messages: list[Any], visit: Visit, server: RunningServer
) -> None:
    """Send works, a damaged conversation continues, and its last answer can be requested again."""
    stored = {"settings": {"length": 1}, "chats": [{"id": 1, "title": "old", "messages": messages}]}
    for name, kept in stored.items():
        text = json.dumps(json.dumps(kept))
        visit.page.add_init_script(f"localStorage['workshop.{name}'] ??= {text}")
    visit.open(server.url)
    visit.page.locator("[popovertarget=history]").click()
    visit.page.get_by_role("button", name="old", exact=True).click()
    expect(visit.page.locator("[data-role]")).to_have_count(len(messages))
    again = visit.page.locator(".again:visible")
    if again.count():
        again.click()
    expect(visit.ask("Hi")).to_have_attribute("data-ending", "complete")
    assert visit.problems == []


def test_an_answer_that_was_left_is_kept(visit: Visit, held: Held) -> None:
    """The part that came before the reader opened another conversation."""
    message = half_answered(visit, held)
    visit.page.keyboard.press("Alt+n")
    expect(message).to_have_count(0)
    visit.page.locator("[popovertarget=history]").click()
    visit.page.locator("#history li button").first.click()
    shows(message.locator(".answer"), "one two")
    shows(message.locator(".ending"), "stopped by you")


# Each save is of 100,000 characters; `room` is how many the storage takes.
SAVE = """async ([count, room]) => {
    const { listChats, saveChat } = await import("/page/store.js");
    if (room !== null) {
        const storage = {};
        Object.defineProperty(window, "localStorage", { get: () => new Proxy(storage, {
            set(target, name, value) {
                if (value.length > room) throw new DOMException("full", "QuotaExceededError");
                return Reflect.set(target, name, value);
            },
        }) });
    }
    for (let id = 1; id <= count; id += 1) {
        saveChat({ id, title: "", messages: [{ role: "user", content: "x".repeat(100_000) }] });
    }
    return listChats().map(({ id }) => id);
}"""


@pytest.mark.parametrize(
    ("room", "kept"),
    [(None, [*range(12, 3, -1)]), (350_000, [12, 11, 10]), (0, [*range(12, 3, -1)])],
    ids=["enough", "little", "none"],
)
def test_history_has_a_limit(
    room: int | None, kept: list[int], visit: Visit, server: RunningServer
) -> None:
    """The oldest are evicted at our limit or the browser's. Without storage, none is saved."""
    visit.page.goto(server.url)
    assert visit.evaluate(SAVE, [12, room]) == kept
