"""The words of an answer on the chat page, and the lines of its recording in the wire pane: each
lights the other."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from servers.llm.model.tokens import tokenize

from .peers import RunningServer, running
from .visiting import Visit

LIT = """(name) => {
    const ranges = [...(CSS.highlights.get(name) ?? [])];
    return ranges.map((range) => range.toString()).join("|");
}"""
PLACE = """(answer, word) => {
    const walker = document.createTreeWalker(answer, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const at = walker.currentNode.data.indexOf(word);
        if (at < 0) continue;
        const range = new Range();
        range.setStart(walker.currentNode, at);
        range.setEnd(walker.currentNode, at + word.length);
        const { x, y, width, height } = range.getBoundingClientRect();
        return [x + width / 2, y + height / 2];
    }
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


def ask(visit: Visit, server: RunningServer, question: str) -> Locator:
    """Ask the model that repeats, in a wide window. Returns the pane, with all of the recording."""
    visit.page.set_viewport_size({"width": 1500, "height": 1000})
    visit.open(server.url, model="echo")
    visit.ask(question)
    pane = visit.page.locator("#wire")
    expect(pane).to_contain_text("server: done")
    return pane


def point(visit: Visit, word: str) -> tuple[float, float]:
    """Move the pointer to the middle of a word of the last answer."""
    answer = visit.page.locator(".answer").last
    x, y = answer.evaluate(PLACE, word)
    visit.page.mouse.move(x, y)
    return x, y


def lit(visit: Visit, name: str = "wire-lit") -> str:
    return str(visit.evaluate(LIT, name))


def test_a_word_lights_its_bytes_and_the_reverse(visit: Visit, server: RunningServer) -> None:
    pane = ask(visit, server, "Some **bold words** &amp; a `code` here")
    lines = pane.locator(".rows li.lit")
    bar = pane.locator("path.lit")
    for word in ("Some", "bold", "words", "code", "here"):
        point(visit, word)
        expect(lines).to_have_count(1)
        expect(lines.locator(".text")).to_contain_text(word)
        assert lit(visit).strip() == word
        expect(bar).to_have_attribute("d", re.compile("^M"))
    pane.locator("h2").first.hover()
    expect(lines).to_have_count(0)
    assert lit(visit) == ""
    # The reverse. What Markdown hides has no words on the page.
    for text, shown in ((' words"', " words"), ('"*"', ""), (' here"', " here")):
        line = pane.locator(".rows li", has_text=text).first
        line.hover()
        expect(line).to_have_class(re.compile("lit"))
        assert lit(visit) == shown
    # At the depth of bytes, all bytes of the token are lit, and each leads to the word.
    point(visit, "bold")
    pane.get_by_role("button", name="Bytes").click()
    pane.locator(".rows code .text", has_text="bold").hover()
    assert lit(visit) == "bold"
    bytes_lit = "".join(pane.locator("code .lit").all_text_contents())
    assert re.fullmatch(r"e.\\r\\ndata: .*\"content\":\"bold\".*}\\n\\n\\r\\n", bytes_lit)
    assert visit.problems == []


def test_a_word_is_selected_and_left_with_the_arrow_keys(
    visit: Visit, server: RunningServer
) -> None:
    """Its journey is shown: every station, with its times, in the order of time."""
    pane = ask(visit, server, "one two three")
    x, y = point(visit, "one")
    visit.page.mouse.click(x, y)
    assert lit(visit, "wire-selected") == "one"
    visit.page.keyboard.press("ArrowRight")
    assert lit(visit, "wire-selected") == " two"
    stations = pane.locator(".journey li")
    names = ["yielded", "event", "chunk", "write", "read", "painted"]
    assert stations.locator("b").all_text_contents() == names
    expect(stations.first).to_contain_text('" two"token 2 · 4 B')
    times = [
        float(text.split()[0].replace(",", ""))
        for text in stations.locator("span").all_text_contents()[3:]
    ]
    clipped = "(list) => list.scrollWidth - list.clientWidth"
    assert pane.locator(".journey").evaluate(clipped) == 0
    assert times[1] <= times[2]  # the server's clock began a little later than the page's
    visit.page.keyboard.press("ArrowLeft")
    assert lit(visit, "wire-selected") == "one"
    visit.page.keyboard.press("Escape")
    assert lit(visit, "wire-selected") == ""
    expect(pane.locator(".journey")).to_be_hidden()


def test_an_older_answer_keeps_its_recording(visit: Visit, server: RunningServer) -> None:
    """A word of it shows it again, without asking the server again."""
    requested = visit.note_requests()
    pane = ask(visit, server, "alpha beta")
    visit.ask("gamma")
    expect(pane.locator(".rows")).to_contain_text('"gamma"')
    expect(pane).to_contain_text("server: done")
    x, y = (visit.page.locator(".answer").first.evaluate(PLACE, "beta")[index] for index in (0, 1))
    visit.page.mouse.click(x, y)
    expect(pane.locator(".rows .selected")).to_contain_text('" beta"')
    expect(pane.get_by_role("combobox", name="Which answer")).to_have_value("answer 1: alpha beta")
    assert len([url for url in requested if "/wire/req_" in url]) == 2


def test_another_version_brings_its_bytes(visit: Visit, server: RunningServer) -> None:
    """The wire follows the chat. Of an earlier time it has no bytes, and says so."""
    pane = ask(visit, server, "alpha beta")
    choice = pane.get_by_role("combobox", name="Which answer")
    visit.page.locator(".again").click()
    expect(choice).to_have_value("answer 2: alpha beta")
    expect(pane).to_contain_text("server: done")
    visit.page.locator("[data-step='-1']").click()
    expect(choice).to_have_value("answer 1: alpha beta")
    visit.page.mouse.click(*point(visit, "beta"))
    expect(pane.locator(".rows .selected")).to_contain_text('" beta"')
    visit.page.get_by_role("button", name="New chat").click()
    expect(pane.get_by_text("Ask something.")).to_be_visible()
    expect(pane.locator(".viewer")).to_have_count(0)
    visit.page.go_back()
    expect(pane.get_by_text("The bytes of these answers are not kept")).to_be_visible()
    visit.page.reload()
    expect(pane.get_by_text("The bytes of these answers are not kept")).to_be_visible()


# Each round adds tokens to an answer, and lights its last token. Returns for each round how many
# text nodes were looked at, and what was lit.
POINTED = """async ([tokens, rounds]) => {
    const { showAnswer } = await import("/page/conversation/message.js");
    const { answerWords } = await import("/page/wire/shown.js");
    const view = showAnswer(document.querySelector("#conversation"));
    const noted = { end: [], start: [], isThought: [], read: [] };
    const answer = { article: view.element, text: "", thought: "", tokens: noted };
    const words = answerWords(() => {});
    words.choose(answer, { tokens: { length: 0, line: [] } });
    let looks = 0;
    const next = TreeWalker.prototype.nextNode;
    TreeWalker.prototype.nextNode = function () {
        looks += 1;
        return next.call(this);
    };
    const found = [];
    for (let round = 0; round < rounds; round += 1) {
        for (const text of tokens) {
            view.receive({ text, thinking: "", refusal: "", calls: [] });
            noted.start.push(answer.text.length);
            answer.text += text;
            noted.end.push(answer.text.length);
            noted.isThought.push(false);
        }
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
        looks = 0;
        words.light(noted.end.length);
        found.push([looks, [...CSS.highlights.get("wire-lit")].join()]);
    }
    return found;
}"""


def test_a_running_answer_is_not_read_again(visit: Visit, server: RunningServer) -> None:
    """Only the end of a long answer changes, so the pointer costs the same at any length."""
    visit.open(server.url)
    tokens = tokenize("\n\nSome **bold** words" * 50 + "\n\nto the end")
    found = visit.evaluate(POINTED, [tokens, 8])
    assert [lit for _, lit in found] == [" end"] * 8
    looks = [count for count, _ in found]
    assert max(looks) < 3 * looks[0]  # the last two boxes, and one that has been finished


ALIGNED = """async (cases) => {
    const { align, carry } = await import("/page/wire/shown.js");
    return cases.map(([shown, sent]) => {
        const { pairs } = align(shown, sent);
        const text = shown.join("");
        return Array.from(text, (_, at) => carry(pairs, at, 0));
    });
}"""


def test_markdown_and_what_it_shows(visit: Visit, server: RunningServer) -> None:
    """For each letter that is shown, the place of that letter in what was sent."""
    visit.page.goto(server.url)
    cases = [
        [["plain"], "plain"],
        [["你好", "世界"], "**你好**世界"],
        [["a", " b"], "*a* b"],
        [["x & y"], "x &amp; y"],
        [["link", " z"], "[link](https://example.com/a/b) z"],
        [["one", "two"], "- one\n- two"],
    ]
    places = visit.evaluate(ALIGNED, cases)
    assert places[0] == [0, 1, 2, 3, 4]
    assert places[1] == [2, 3, 6, 7]
    assert places[2] == [1, 3, 4]
    assert (places[3][0], places[3][-1]) == (0, 8)
    assert places[4][:4] == [1, 2, 3, 4]
    assert places[4][-1] == len(cases[4][1]) - 1
    assert places[5] == [2, 3, 4, 8, 9, 10]
