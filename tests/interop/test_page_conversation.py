"""A conversation on the chat page: versions of questions and answers, tool calls, refusals, the
direction of a question, and how its requests end."""

from collections.abc import AsyncGenerator, Iterator
from json import dumps
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, ViewportSize, expect

from servers import chat
from servers.http.reply import EventStream, Handler, Reply, Request
from servers.llm.model.models import Model
from servers.llm.model.schema import cut
from servers.llm.model.script import SHIPPED, load_scripts
from servers.llm.model.tokens import tokenize
from servers.llm.pace import Pace

from .held import Held, hold
from .peers import RunningServer, running
from .visiting import NARROW, Visit, shows


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


@pytest.fixture
def viewport() -> ViewportSize:
    return NARROW


def answered(visit: Visit, question: str) -> Locator:
    message = visit.ask(question)
    expect(message).to_have_attribute("data-ending", "complete")
    return message


def versions(message: Locator) -> Locator:
    return message.locator(".versions")


def test_an_edited_question(visit: Visit, server: RunningServer) -> None:
    """It begins another version of the rest; the earlier one stays, also after a reload. Esc leaves
    the question as it was."""
    visit.open(server.url, model="echo")
    page = visit.page
    answered(visit, "One")
    answered(visit, "Two")
    first, second = page.locator("[data-role=user]").all()[:2]
    first.get_by_role("button", name="Edit").press("Enter")
    field = page.locator(".editing textarea")
    expect(field).to_be_focused()
    field.fill("nothing")
    field.press("Escape")
    expect(first.get_by_role("button", name="Edit")).to_be_focused()
    expect(page.locator(".question")).to_have_text(["One", "Two"])

    first.get_by_role("button", name="Edit").click()
    ring = field.evaluate("it => parseFloat(getComputedStyle(it).outlineOffset)")
    assert ring < 0  # inside: the header would cover its top
    field.fill("First")
    with page.expect_request("**/v1/chat/completions") as asked:
        field.press("Enter")
    assert (asked.value.post_data_json or {})["messages"] == [{"role": "user", "content": "First"}]
    expect(page.locator("[data-ending=complete]")).to_have_count(1)
    expect(versions(first)).to_have_text("‹2/2›")
    expect(versions(first).get_by_role("button", name="Later version")).to_be_disabled()

    versions(first).get_by_role("button", name="Earlier version").press("Enter")
    expect(page.locator(".question")).to_have_text(["One", "Two"])
    expect(versions(first)).to_have_text("‹1/2›")
    expect(versions(first).get_by_role("button", name="Later version")).to_be_focused()
    expect(versions(second)).to_have_count(0)
    visit.reload()
    expect(page.locator(".question")).to_have_text(["One", "Two"])
    versions(first).get_by_role("button", name="Later version").click()
    expect(page.locator(".question")).to_have_text(["First"])
    assert visit.problems == []


def test_again_keeps_the_earlier_answers(visit: Visit, server: RunningServer) -> None:
    """The question continues from the version that is shown. A question can be copied."""
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.open(server.url, model="echo")
    message = answered(visit, "One")
    for count in (2, 3):
        message.get_by_role("button", name="Again").click()
        expect(message).to_have_attribute("data-ending", "complete")
        expect(versions(message)).to_have_text(f"‹{count}/{count}›")
    versions(message).get_by_role("button", name="Earlier version").click()
    expect(versions(message)).to_have_text("‹2/3›")
    with page.expect_request("**/v1/chat/completions") as asked:
        answered(visit, "Two")
    assert len((asked.value.post_data_json or {})["messages"]) == 3
    first = page.locator("[data-role=assistant]").first
    versions(first).get_by_role("button", name="Later version").click()
    expect(page.locator("[data-role]")).to_have_count(2)
    versions(first).get_by_role("button", name="Earlier version").click()
    expect(page.locator(".question")).to_have_text(["One", "Two"])

    page.locator("[data-role=user]").first.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == "One"
    assert visit.problems == []


def test_nothing_else_can_be_asked_while_an_answer_runs(visit: Visit, held: Held) -> None:
    visit.open(held.url, model="echo")
    message = visit.ask("one two")
    held.release(1)
    shows(message.locator(".answer"), "one")
    for name in ("Edit", "Again"):
        expect(visit.page.get_by_role("button", name=name)).to_have_count(0)
    held.release(100)
    expect(visit.page.get_by_role("button", name="Edit")).to_be_visible()
    expect(visit.page.get_by_role("button", name="Again")).to_be_visible()


# ---- Tool calls and refusals


@pytest.fixture
def scripted() -> Iterator[Held]:
    with hold(chat.routes(Pace(0, 0), model=Model(scripts=load_scripts(SHIPPED, cut)))) as server:
        yield server


def test_a_tool_call_grows_and_gets_its_result(visit: Visit, scripted: Held) -> None:
    """Its arguments arrive piece by piece. The reader gives the result, and the model goes on."""
    held = scripted
    visit.open(held.url, model="script:weather")
    page = visit.page
    message = visit.ask("The weather?")
    card, code = message.locator(".tool"), message.locator(".tool pre")
    before = len(tokenize("I have no window. I will ask somebody who has.")) + 1  # the call's name
    held.release(before)
    expect(card.locator("summary")).to_have_text("Tool call get_weather")
    text, shown = '{"city":"Paris","unit":"celsius"}', ""
    for _ in range(5):
        held.release(1)
        expect(code).not_to_have_text(shown)
        shown = code.inner_text().rstrip("\n")
        assert text.startswith(shown)
    assert len(shown) < len(text)
    expect(card.locator("input")).to_have_count(0)
    held.release(1000)
    expect(message.locator(".ending")).to_contain_text("waits for the result of a tool")
    expect(code).to_have_text(text)

    page.get_by_label("Type the result of get_weather").fill("rain")
    with page.expect_request("**/v1/chat/completions") as asked:
        page.get_by_role("button", name="Give it to the model").click()
    _, call, result = (asked.value.post_data_json or {})["messages"]
    (called,) = call["tool_calls"]
    assert called["function"] == {"name": "get_weather", "arguments": text}
    assert result == {"role": "tool", "tool_call_id": called["id"], "content": "rain"}
    last = page.locator("[data-role=assistant]").last
    expect(last.locator(".answer")).to_contain_text("The weather station says rain.")
    expect(page.locator("[data-ending=complete]")).to_have_count(2)  # each is kept when it ends
    visit.reload()
    expect(page.locator(".tool")).to_contain_text("Result: rain")
    expect(page.locator("[data-ending=complete]")).to_have_count(2)
    assert visit.problems == []


def stream(*deltas: dict[str, Any], reason: str = "stop") -> str:
    choices = [*({"delta": delta} for delta in deltas), {"delta": {}, "finish_reason": reason}]
    events = [dumps({"choices": [choice]}) for choice in choices]
    return "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])


def test_a_refusal(visit: Visit, server: RunningServer) -> None:
    """Its text is shown, set apart, and told in words; the same after a reload."""
    body = stream({"refusal": "I cannot"}, {"refusal": " do that."})

    def refuse(route: Route) -> None:
        route.fulfill(body=body, content_type="text/event-stream")

    visit.page.route("**/v1/chat/completions", refuse)
    visit.open(server.url)
    message = visit.ask("Please")
    for _ in range(2):
        shows(message.locator(".answer"), "I cannot do that.")
        expect(message).to_have_attribute("data-refused", "")
        expect(message.locator(".ending")).to_contain_text("refused to answer")
        visit.reload()


def test_many_tool_calls(visit: Visit, server: RunningServer) -> None:
    """Calls with and without an index, interleaved; the first hundred are shown."""
    calls = [{"index": n, "id": f"c{n}", "function": {"name": f"f{n}"}} for n in range(120)]
    more = [{"index": n, "function": {"arguments": f"[{n}]"}} for n in (1, 0, 119)]
    same = [{"index": 0, "id": name, "function": {"name": name}} for name in "ab"]
    bodies = [
        stream(*({"tool_calls": [call]} for call in all_calls), reason="tool_calls")
        for all_calls in ([*calls, *more], same)
    ]
    visit.page.route(
        "**/v1/chat/completions",
        lambda route: route.fulfill(body=bodies.pop(0), content_type="text/event-stream"),
    )
    visit.open(server.url)
    message = visit.ask("Go")
    expect(message.locator(".tool")).to_have_count(100)
    expect(message.locator(".tool pre").nth(0)).to_have_text("[0]")
    expect(message.locator(".tool pre").nth(1)).to_have_text("[1]")
    message = visit.ask("Go on")
    expect(message.locator(".tool summary")).to_have_text(["Tool call a", "Tool call b"])


# ---- The question's direction, and the end of a request

# The place of a letter on the page.
PLACE = """([question, line, letter]) => {
    const text = document.querySelectorAll(".question")[question].firstChild;
    const range = document.createRange();
    const at = text.data.split("\\n").slice(0, line).join("\\n").length + (line > 0);
    range.setStart(text, at + letter);
    range.setEnd(text, at + letter + 1);
    return range.getBoundingClientRect().x;
}"""


def test_the_direction_of_each_line(visit: Visit, server: RunningServer) -> None:
    """An Arabic line of a question is read from right to left, and its code from left to right."""
    visit.open(server.url, model="echo")
    answered(visit, "مرحبا بالعالم!\nrun(1);")

    def place(line: int, letter: int) -> float:
        return float(visit.evaluate(PLACE, [0, line, letter]))

    assert place(0, 0) > place(0, 5) > place(0, 13)  # its "!" is at the left
    assert place(1, 0) < place(1, 3) < place(1, 6)


def test_a_finished_request_is_not_cancelled(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser's tools would show a body that is not read to its last chunk as cancelled. This
    server sends the last chunk later than [DONE]."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n'
        yield b": the end\n"

    async def answers(request: Request) -> EventStream:
        return EventStream(pieces())

    def find(method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        return (answers, {}) if path == "/v1/chat/completions" else others(method, path)

    routes = chat.routes(Pace(0, 0))
    others = routes.find
    monkeypatch.setattr(routes, "find", find)
    failed: list[str] = []
    visit.page.on("requestfailed", lambda request: failed.append(request.url))
    with hold(routes) as held:
        visit.open(held.url)
        with visit.page.expect_event("requestfinished", lambda it: it.url.endswith("completions")):
            message = visit.ask("Hi")
            held.release()
            shows(message.locator(".answer"), "Hi")  # the page has read [DONE], too
            held.release(10)
        expect(message).to_have_attribute("data-ending", "complete")
    assert failed == []
