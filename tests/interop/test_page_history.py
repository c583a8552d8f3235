"""Saved conversations of the chat page: their addresses, the list of them, and a storage that is
damaged or full. What is stored: test_page_storage.py."""

from collections.abc import Iterator
from json import dumps
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, ViewportSize, expect

from .held import Held
from .peers import SAFETY, RunningServer, running
from .visiting import MILLISECONDS, NARROW, Visit, shows


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


@pytest.fixture
def viewport() -> ViewportSize:
    return NARROW


def half_answered(visit: Visit, held: Held) -> Locator:
    """A conversation whose answer has two of three words. Returns the answer's locator."""
    visit.open(held.url, model="echo")
    message = visit.ask("one two three")
    held.release(2)
    shows(message.locator(".answer"), "one two")
    return message


def list_history(visit: Visit) -> Locator:
    """Open the history. Returns its rows."""
    visit.page.locator("[popovertarget=history]").click()
    return visit.page.locator("#history li")


def answered(visit: Visit, question: str) -> Locator:
    message = visit.ask(question)
    expect(message).to_have_attribute("data-ending", "complete")
    return message


def test_a_conversation_has_an_address(visit: Visit, server: RunningServer) -> None:
    """A reload shows the same conversation, which can continue. Back and forward go through the
    conversations. A request contains the earlier messages."""
    visit.open(server.url)
    page = visit.page
    message = answered(visit, "What is kept?")
    answer, stats = message.locator(".answer").inner_html(), message.locator(".stats").inner_text()
    assert "?chat=" in page.url
    expect(page).to_have_title("What is kept? · Streaming workshop")

    visit.reload()
    expect(message).to_have_count(1)
    assert message.locator(".answer").inner_html() == answer
    shows(message.locator(".stats"), stats)
    expect(message.locator("summary")).to_contain_text("Thought for")
    with page.expect_request("**/v1/chat/completions") as asked:
        visit.ask("And then?")
    sent = asked.value.post_data_json or {}
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    expect(message.last).to_have_attribute("data-ending", "complete")

    page.locator("#new").click()
    expect(message).to_have_count(0)
    expect(page).to_have_title("Streaming workshop")
    assert "?" not in page.url
    answered(visit, "Another")
    questions = page.locator(".question")
    page.go_back()
    expect(questions).to_have_text(["What is kept?", "And then?"])
    page.go_forward()
    expect(questions).to_have_text(["Another"])
    page.goto(f"{server.url}/?chat=nobody")
    expect(page.locator("#notice")).to_contain_text("not in this browser")
    expect(questions).to_have_count(0)
    assert "?" not in page.url
    assert visit.problems == []


def test_delete_and_undo(visit: Visit, server: RunningServer) -> None:
    visit.open(server.url, model="echo")
    page = visit.page
    answered(visit, "One")
    page.locator("#new").click()
    answered(visit, "Two")
    rows = list_history(visit)
    expect(rows).to_have_text(["Two✕", "One✕"])
    expect(rows.locator("[aria-current=true]")).to_have_text(["Two"])  # it is open
    page.get_by_role("button", name="Delete: Two").press("Enter")
    expect(page.locator("[data-role]")).to_have_count(0)
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    expect(rows).to_have_text(["Deleted: TwoUndo", "One✕"])
    undo.press("Enter")
    expect(rows).to_have_text(["Two✕", "One✕"])
    expect(page.locator(".question")).to_have_text("Two")

    page.get_by_role("button", name="Delete: Two").click()
    page.get_by_role("button", name="Delete: One").click()
    visit.reload()
    list_history(visit)
    expect(page.locator("#history p").first).to_be_visible()
    expect(rows).to_have_count(0)
    assert visit.problems == []


def test_search(visit: Visit, server: RunningServer) -> None:
    """From eight conversations on, there is a field that searches titles and messages."""
    chat = {"saved": 1, "messages": [{"role": "user", "content": "x"}]}
    said = {"role": "assistant", "content": "many words (and\none umbrella) and others"}
    for number in range(8):
        messages = [*chat["messages"], *([said] if number == 3 else [])]  # type: ignore[misc]
        text = dumps(dumps(chat | {"title": f"Number {number}", "messages": messages}))
        visit.page.add_init_script(f"localStorage['workshop.chat.{number}'] = {text}")
    visit.open(server.url)
    rows = list_history(visit)
    search = visit.page.get_by_role("searchbox", name="Search")
    for text, found in {
        "number 7": ["Number 7✕"],
        "UMBRELLA others": ["Number 3many words (and one umbrella) and others✕"],
        "(and": ["Number 3many words (and one umbrella) and others✕"],
        "nobody": [],
    }.items():
        search.fill(text)
        expect(rows).to_have_text(found)
    expect(visit.page.locator("#history .note")).to_have_text("Nothing found.")
    search.fill("number 7")
    rows.locator("button").first.click()
    expect(visit.page.locator(".question")).to_have_text("x")
    assert visit.problems == []


def test_drafts(visit: Visit, server: RunningServer) -> None:
    """What was typed and not sent is kept, for each conversation."""
    visit.open(server.url, model="echo")
    page = visit.page
    prompt = page.locator("#prompt")
    answered(visit, "One")
    expect(prompt).to_have_value("")
    prompt.fill("to be continued")
    page.locator("#new").click()
    expect(prompt).to_have_value("")
    prompt.fill("something new")
    page.go_back()
    expect(prompt).to_have_value("to be continued")
    page.go_forward()
    expect(prompt).to_have_value("something new")
    visit.reload()
    expect(prompt).to_have_value("something new")
    answered(visit, "Two")
    visit.reload()
    expect(prompt).to_have_value("")


def test_two_windows(browser: Browser, viewport: ViewportSize, held: Held) -> None:
    """A second window shows what the first one asked. If two ask at the same time, both answers
    are kept, in two conversations."""
    stored = dumps({"title": "One", "saved": 1, "messages": [QUESTION]})
    with browser.new_context(locale="en-US", viewport=viewport) as context:
        context.set_default_timeout(SAFETY * MILLISECONDS)
        context.add_init_script(f"localStorage['workshop.chat.a'] ??= {dumps(stored)}")
        first, second, third = windows = [Visit(context.new_page()) for _ in range(3)]
        for window in windows:
            window.open(f"{held.url}/?chat=a")
        answers = [first.ask("Two"), second.ask("Three")]
        expect(second.page.locator("#notice")).to_contain_text("saved as a copy")
        held.release(1000)
        for answer in answers:
            expect(answer).to_have_attribute("data-ending", "complete")
        expect(third.page.locator(".question")).to_have_text(["asked", "Two"])
        expect(list_history(third)).to_have_count(2)
        for window, question in ((first, "Two"), (second, "Three")):
            window.reload()
            expect(window.page.locator(".question")).to_have_text(["asked", question])
            assert window.problems == []


def test_an_answer_on_its_way_is_kept(visit: Visit, held: Held) -> None:
    """The part that came before the page was closed. (A reload runs the old page's `pagehide`
    before the new page; a window that is closed may run it afterwards.)"""
    message = half_answered(visit, held)
    visit.reload()
    shows(message.locator(".answer"), "one two")
    expect(message.locator(".ending")).to_contain_text("the page was closed")


def test_the_running_conversation_in_the_history(visit: Visit, held: Held) -> None:
    """The conversation is already open, and its answer continues."""
    message = half_answered(visit, held)
    list_history(visit).locator("button").first.click()
    held.release(100)
    expect(message).to_have_attribute("data-ending", "complete")
    shows(message.locator(".answer"), "one two three")


def test_an_answer_that_is_deleted_while_it_runs(visit: Visit, held: Held) -> None:
    """It is stopped. If the deletion is undone, the text so far is there."""
    message = half_answered(visit, held)
    list_history(visit)
    visit.page.get_by_role("button", name="Delete: one").click()
    expect(message).to_have_count(0)
    visit.page.get_by_role("button", name="Undo").click()
    shows(message.locator(".answer"), "one two")


def test_an_answer_that_was_left_is_kept(visit: Visit, held: Held) -> None:
    """The part that came before the reader opened another conversation."""
    message = half_answered(visit, held)
    visit.page.keyboard.press("Alt+n")
    expect(message).to_have_count(0)
    list_history(visit).locator("button").first.click()
    shows(message.locator(".answer"), "one two")
    expect(message.locator(".ending")).to_contain_text("Stopped by you")


ODD: list[Any] = [None, True, 7, -1.5, "", "text", [], [[]], {}, {"length": 1}, {"toString": 1}]
FORM = ["server", "model", "pace", "fault", "system"]
QUESTION = {"role": "user", "content": "asked"}
WHOLE = {"role": "assistant", "content": "said", "ending": ["complete", ""]}

# In each case, another program has left this value as the settings.
DAMAGED_SETTINGS: list[Any] = [
    *ODD,
    *({name: odd} for name in FORM for odd in ODD),
    *({name: "x"} for name in ("elements", "length", "name", "note", "onsubmit", "__proto__")),
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


def test_damaged_settings(visit: Visit, server: RunningServer) -> None:
    """Whatever was stored, each setting is a text, and each choice is one of those offered. A fault
    is never kept."""
    visit.open(server.url)
    plain = {"server": "", "model": "sim-1", "pace": "", "fault": "", "system": ""}
    free = ("model", "system")  # anything may be written there
    all_found = visit.evaluate(READ_SETTINGS, DAMAGED_SETTINGS)
    for kept, found in zip(DAMAGED_SETTINGS, all_found, strict=True):
        fields = kept if isinstance(kept, dict) else {}
        texts = {name: fields[name] for name in free if isinstance(fields.get(name), str)}
        assert found == plain | texts, kept
    assert visit.problems == []


def test_the_page_goes_on_with_a_damaged_storage(visit: Visit, server: RunningServer) -> None:
    """Send works, a damaged conversation continues as a copy, and its last answer can be requested
    again. What cannot be read is told."""
    damaged: list[list[Any]] = [[WHOLE], [QUESTION, QUESTION, WHOLE, WHOLE], [QUESTION], [None]]
    older = [{"id": n, "title": f"old {n}", "messages": each} for n, each in enumerate(damaged)]
    stored = {"workshop.chats": dumps([*older, 7]), "workshop.chat.bad": "{"}
    stored["workshop.settings"] = dumps({"length": 1})
    for name, text in stored.items():
        visit.page.add_init_script(f"localStorage['{name}'] ??= {dumps(text)}")
    visit.open(server.url)
    for number, messages in enumerate(damaged):
        list_history(visit)
        note = visit.page.locator("#history .note")
        expect(note).to_contain_text("2 saved conversations cannot be read")
        visit.page.get_by_role("button", name=f"old {number}", exact=True).click()
        count = sum(each is not None for each in messages)
        expect(visit.page.locator("[data-role]")).to_have_count(count)
        expect(visit.page.locator("#notice")).to_be_visible(visible=count < len(messages))
        again = visit.page.locator(".again:visible")
        if again.count():
            again.click()
            expect(visit.page.locator("[aria-busy=true]")).to_have_count(0)
        answered(visit, "Hi")
    list_history(visit)
    assert visit.page.evaluate("localStorage['workshop.chat.bad']") == "{"
    visit.page.get_by_role("button", name="Delete what cannot be read").click()
    expect(note).to_be_hidden()
    expect(visit.page.locator("#history li")).to_have_count(5)
    assert visit.problems == []


# Other programs of this origin have filled the storage.
FILL = """() => {
    for (const size of [4_000_000, 900_000, 90_000, 9_000, 900, 90, 9]) {
        for (let n = 0; n < 10; n += 1) {
            try { localStorage[`fill.${size}.${n}`] = "x".repeat(size); } catch { break; }
        }
    }
}"""


def test_a_full_storage_is_told(visit: Visit, server: RunningServer) -> None:
    """Nothing is lost: the conversation continues, and the reader may delete the oldest ones."""
    visit.open(server.url, model="echo")
    page = visit.page
    answered(visit, "x" * 20_000)
    page.locator("#new").click()
    page.evaluate(FILL)
    answered(visit, "One " + "y" * 5_000)
    notice = page.locator("#notice")
    expect(notice).to_contain_text("full or off")
    expect(list_history(visit)).to_have_count(2)
    page.keyboard.press("Escape")
    answered(visit, "Two")
    notice.get_by_role("button", name="Delete the oldest").click()
    expect(notice).to_have_text("Deleted the 1 oldest conversation.✕")
    visit.reload()
    expect(page.locator(".question")).to_have_count(2)
    assert visit.problems == []
