"""Every fault of the simulated model on the chat page: the ending shown, and the text kept."""

from typing import Any

import pytest
from playwright.sync_api import ViewportSize, expect

from servers.llm.faults import FAULTS

from .faults import PAGE
from .faults import Page as Table
from .peers import RunningServer, running
from .visiting import NARROW, Visit, shows

# For each outcome of `browser fetch` in servers/FAULTS.md, the ending on the page. If the server
# leaves a connection open, the test presses Stop, because the page itself would wait for minutes.
ENDINGS = {
    ": all": "complete",
    ": **wrong text**": "complete",  # which nobody can know
    "silent loss": "cut",
    "0 chunks, then TypeError": "error",
    "TypeError": "cut",
    "TimeoutError": "stopped",
    "an error event": "error",
    "SyntaxError": "error",
    "no stream but": "error",
    "status ": "error",
}
# Where the page knows better than a plain `fetch`.
BETTER = {
    "error-flat": "error",  # "message" without "choices"
    "empty-data": "complete",  # no event that says anything
    "open-after-done": "complete",  # [DONE] is the end
    "open-after-finish": "complete",  # nothing can follow a finish_reason but the usage
}
# The last word is there, unless a busy browser discarded it together with the broken connection.
LAST_WORD = {
    "no-last-chunk": "complete",
    "error-nested": "error",
    "error-flat": "error",
    "error-string": "error",
}
WORDS = {
    "complete": ("",),
    "cut": ("Cut off: ",),
    "stopped": ("Stopped by you. ",),
    "error": ("Error", "The server ", "No reply from "),
}
SAID = "one two three 你好 👩🏽‍🚀 مرحبا é"

# All faults are tested in parallel, but six at a time, and each in its own window. If one stops
# moving, the test presses Stop.
ASK_ALL = """async ([names, said]) => {
    const { receiveAnswer, showAnswer } = await import("/page/conversation/message.js");
    const conversation = document.querySelector("#conversation");
    document.querySelector("#intro").hidden = true;

    async function ask(name) {
        const view = showAnswer(conversation);
        const article = conversation.lastElementChild;
        const controller = new AbortController();
        const silent = ["half-chunk", "stall", "stall-heartbeat", "drip", "hang"];
        const messages = [{ role: "user", content: said }];
        const asked = { server: "", model: "echo", pace: "instant", fault: name, messages };
        if (silent.includes(name)) {
            const stop = () => controller.abort();
            if (name === "hang") setTimeout(stop);
            else new MutationObserver(stop).observe(
                article.querySelector(".answer"), { childList: true });
        }
        const { signal } = controller;
        const [kind, wording, lesson] = await receiveAnswer(view, asked, signal, () => {});
        const shown = article.querySelector(".answer").textContent;
        return { kind, wording, lesson, text: view.record.content, shown };
    }

    const left = [...names];
    const outcomes = {};
    const work = async () => {
        for (let name; (name = left.pop()); ) outcomes[name] = await ask(name);
    };
    await Promise.all([1, 2, 3, 4, 5, 6].map(work));
    return outcomes;
}"""


@pytest.fixture(scope="module")
def server() -> Any:
    with running("servers.chat", "--ttft", "0", "--itl", "0.002") as server:
        yield server


@pytest.fixture
def viewport() -> ViewportSize:
    return NARROW


def test_every_fault_has_the_right_ending(visit: Visit, server: RunningServer) -> None:
    """The ending matches the measured table. Text before the fault is kept."""
    rows = Table.read(PAGE.read_text(encoding="utf-8")).rows
    expected = {
        name: next(kind for words, kind in ENDINGS.items() if words in rows[name][2])
        for name in FAULTS
    } | BETTER
    visit.page.goto(server.url)
    found = visit.evaluate(ASK_ALL, [list(FAULTS), SAID])
    for name, kind in LAST_WORD.items():
        expected[name] = kind if found[name]["kind"] == kind else "cut"
    assert any(expected[name] == kind for name, kind in LAST_WORD.items())
    assert {name: outcome["kind"] for name, outcome in found.items()} == expected

    for name, outcome in found.items():
        kind, text = outcome["kind"], outcome["text"]
        assert outcome["shown"] == text.rstrip(), name  # a paragraph ends without a space
        assert outcome["wording"].startswith(WORDS[kind]), name
        assert (outcome["lesson"] > 0) == (kind != "complete"), name
        if kind == "complete" and name not in ("invalid-utf8", "duplicate"):
            assert text == SAID, name
        elif kind != "complete":
            assert SAID.startswith(text), name
            assert text or name == "hang" or kind != "stopped", name


BROKEN = "the connection broke"
# the fault, the ending, its words, the lesson
ENDS = {
    "": ("complete", "", None),
    "clean-cut": ("cut", "the body ended, but no finish_reason came", "05_openai_stream"),
    "rst@3": ("cut", BROKEN, "03_http_chunked"),
    "429": ("error", "The server is busy", "06_complete_chat"),
    "400": ("error", "The server refused the question", "06_complete_chat"),
    "500": ("error", "The server failed", "06_complete_chat"),
    "error-open": ("error", "Error inside the stream", "06_complete_chat"),
}


def test_endings_are_explained(visit: Visit, server: RunningServer) -> None:
    """In words, with a link to the lesson where the course is served; the same after a reload."""
    visit.open(server.url, model="echo")
    page = visit.page
    faults = list(ENDS)
    page.route(
        "**/v1/chat/completions",
        lambda route: route.continue_(headers=route.request.headers | {"x-fault": faults.pop(0)}),
    )
    page.evaluate("document.documentElement.dataset.course = ''")
    for kind, words, lesson in ENDS.values():
        message = visit.ask(SAID)
        expect(message).to_have_attribute("data-ending", kind)
        expect(message.locator(".ending")).to_contain_text(words)
        stats = message.locator(".stats")
        expect(stats).to_contain_text("req_")
        # Without a token there is no time. A reset can discard the tokens before it.
        has_token = message.locator(".answer").inner_text() != ""
        assert ("first token" in stats.inner_text()) == has_token
        assert has_token or kind == "error" or words == BROKEN
        link = message.locator(".ending a")
        expect(link).to_have_count(int(lesson is not None))
        if lesson:
            assert f"/course/workshop/{lesson}/" in (link.get_attribute("href") or "")
    visit.reload()
    expect(message.locator(".ending")).to_contain_text(words)


def test_length_limit(visit: Visit, server: RunningServer) -> None:
    """Shows an answer of a model that had to stop early. `lorem` does so only if the request has a
    limit, which the page does not set. So the test changes the answer on its way."""

    def limited(route: Any) -> None:
        body = route.request.post_data_json | {"max_tokens": 3}
        route.continue_(post_data=body)

    visit.page.route("**/v1/chat/completions", limited)
    visit.open(server.url, model="lorem")
    message = visit.ask(SAID)
    expect(message).to_have_attribute("data-ending", "length")
    expect(message.locator(".ending")).to_contain_text("Length limit")
    shows(message.locator(".answer"), "Lorem ipsum dolor")


# Finish reasons before [DONE] or in place of it, as no server should say them.
ASK_ODD = """async (reasons) => {
    const { receiveAnswer, showAnswer } = await import("/page/conversation/message.js");
    const headers = { "Content-Type": "text/event-stream" };
    const endings = [];
    for (const finish_reason of reasons) {
        const data = { choices: [{ delta: { content: "x" }, finish_reason }] };
        const body = `data: ${JSON.stringify(data)}\\n\\n`;
        globalThis.fetch = async () => new Response(body, { headers });
        const view = showAnswer(document.querySelector("#conversation"));
        const { signal } = new AbortController();
        endings.push(await receiveAnswer(view, { server: "" }, signal, () => {}));
    }
    return endings;
}"""


def test_what_is_no_finish_reason(visit: Visit, server: RunningServer) -> None:
    """Such an answer is incomplete. An object in place of a text does not stop the page."""
    visit.page.goto(server.url)
    reasons = ["", {"toString": 1, "valueOf": 1}, 0, None, "tool_calls"]
    found = [kind for kind, *_ in visit.evaluate(ASK_ODD, reasons)]
    assert found == ["cut", "cut", "cut", "cut", "other"]
