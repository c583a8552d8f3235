"""The chat page in Chromium: what a reader sees, and when."""

from collections.abc import Callable, Iterator
from json import dumps, loads

import pytest
from playwright.sync_api import ViewportSize, expect

from servers import chat, chunked
from servers.http.routes import Routes
from servers.llm.model.tokens import tokenize
from servers.llm.pace import Pace
from servers.sse import TEXT
from workshop.runner.exercises import load

from ..conftest import ROOT
from ..saying import answer
from .held import Held, hold
from .peers import SAFETY, RunningServer, running
from .visiting import MILLISECONDS, NARROW, WIDE, Visit, shows

# The model quotes the markup of a question, and the page shows it as text.
PROMPT = "<b>你好</b> <script>alert(1)</script> 👩🏽‍🚀"
SAID = answer(PROMPT)
THINKING = "".join(SAID.thinking)
WORDS = tokenize("Plain words, 你好 👩🏽‍🚀 and no mark at all")


@pytest.fixture
def viewport() -> ViewportSize:
    return NARROW


@pytest.mark.parametrize("viewport", [WIDE], ids=["wide"])
def test_an_answer_appears_token_by_token(visit: Visit, held: Held) -> None:
    """Each token is on the page before the next one exists, and thoughts are shown separately.
    There is no error, no violation of the page's policy, and no request to another origin."""
    requested = visit.note_requests()
    visit.page.goto(held.url)
    message = visit.ask(PROMPT)
    thought = message.locator(".thought")

    for count in range(1, 6):
        held.release()
        shows(thought, "".join(SAID.thinking[:count]))
        shows(message.locator(".answer"), "")
        expect(message).to_have_attribute("aria-busy", "true")
    expect(message.locator(".thinking")).to_have_attribute("open", "")

    held.release(len(SAID.thinking) - 5)
    shows(thought, THINKING)
    held.release(5)
    expect(message.locator("h2")).to_be_visible()
    expect(message.locator(".thinking")).not_to_have_attribute("open", "")
    expect(message).to_have_attribute("aria-busy", "true")

    held.release(1000)
    expect(message).to_have_attribute("aria-busy", "false")
    expect(message).to_have_attribute("data-ending", "complete")
    shows(thought, THINKING)
    shows(visit.page.locator(".question"), PROMPT)
    shows(message.locator(".ending"), "")
    tokens = len(SAID.thinking) + len(SAID.text)
    expect(message.locator(".stats")).to_contain_text(f" {tokens} tokens ")
    assert visit.page.locator("[data-role] :is(b, script)").count() == 0

    assert visit.problems == []
    assert {url[: len(held.url) + 1] for url in requested} == {f"{held.url}/"}


def test_a_text_appears_token_by_token(visit: Visit, held: Held) -> None:
    """The same for an answer: each token is on the page before the next one exists."""
    visit.open(held.url, model="echo")
    message = visit.ask("".join(WORDS))
    for count in range(1, len(WORDS) + 1):
        held.release()
        shows(message.locator(".answer"), "".join(WORDS[:count]))
        expect(message).to_have_attribute("aria-busy", "true")
    held.release(1)
    expect(message).to_have_attribute("data-ending", "complete")
    assert visit.problems == []


@pytest.fixture
def beating() -> Iterator[Held]:
    """The chat server with frequent heartbeats. Chromium closes a connection only some time after a
    click, and the next heartbeat is the write that detects this."""
    with hold(chat.routes(Pace(0, 0)), heartbeat_seconds=0.2) as server:
        yield server


def test_stop_stops_the_model(visit: Visit, beating: Held) -> None:
    """Stop closes the connection, and the handler ends without another token. The text so far stays
    on the page, and the next question is answered."""
    visit.page.goto(beating.url)
    message = visit.ask(PROMPT)
    beating.release(3)
    shows(message.locator(".thought"), "".join(SAID.thinking[:3]))

    visit.page.locator("#halt").click()
    expect(message).to_have_attribute("data-ending", "stopped")
    expect(message.locator(".ending")).to_contain_text("Stopped by you")
    assert beating.wait_until_ended() == 3
    shows(message.locator(".thought"), "".join(SAID.thinking[:3]))

    beating.release(1000)
    again = visit.ask("And now?")
    expect(again).to_have_attribute("data-ending", "complete")
    assert visit.problems == []


def test_a_window_that_is_closed_stops_the_model(visit: Visit, beating: Held) -> None:
    """The same without a click on Stop."""
    visit.page.goto(beating.url)
    message = visit.ask(PROMPT)
    beating.release()
    shows(message.locator(".thought"), SAID.thinking[0])

    visit.page.close()
    assert beating.wait_until_ended() == 1


def test_a_server_that_dies_is_told(visit: Visit) -> None:
    """The page does not take an answer without its last chunk for a complete one."""
    with running("servers.chat", "--ttft", "0", "--itl", "3600") as server:
        visit.page.goto(server.url)
        message = visit.ask(PROMPT)
        shows(message.locator(".thought"), SAID.thinking[0])
        expect(message).to_have_attribute("aria-busy", "true")
        server.process.kill()
        expect(message).to_have_attribute("data-ending", "cut")
        expect(message.locator(".ending")).to_contain_text("the connection broke")
        shows(message.locator(".thought"), SAID.thinking[0])


# the routes, the path, what the first piece shows
PLACES: dict[str, tuple[Callable[[Pace], Routes], str, str]] = {
    "text": (chunked.routes, "/", "Chunks"),
    "events": (chat.routes, "/chat/hello", '"The"'),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_stream_in_the_address_bar(place: str, visit: Visit) -> None:
    """A stream that is not a page is shown as text, long before its end. Without `nosniff`, a
    browser would wait for a kilobyte of text to guess its type."""
    routes, path, text = PLACES[place]
    with hold(routes(Pace(0, 0))) as held:
        visit.page.goto(held.url + path, wait_until="commit")
        # Five tokens and not one, because a busy Chromium may parse the last bytes only together
        # with the following ones.
        held.release(5)
        expect(visit.page.locator("pre")).to_contain_text(text)


# EventSource asks again 1 or 2 s after any end; readyState 2 (CLOSED) means that it has given up.
LISTEN = """([path, safety]) => new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("EventSource did not stop")), safety);
    const source = new EventSource(path);
    const events = [];
    const note = event => events.push([event.type, event.lastEventId, event.data]);
    for (const type of ["message", "thinking", "word", "done"]) source.addEventListener(type, note);
    source.addEventListener("error", () => {
        if (source.readyState === EventSource.CLOSED) resolve(events);
    });
})"""


def test_event_source(visit: Visit, sse_server: RunningServer) -> None:
    """The browser's EventSource reads lesson 4's server. It gets each word once, asks again with
    the last id after the end, and stops at the 204."""
    visit.page.goto(f"{sse_server.url}/none")  # a 404 of the same origin, and without a policy
    *words, done = visit.page.evaluate(LISTEN, ["/", SAFETY * MILLISECONDS])

    numbered = [[str(number), word] for number, word in enumerate(tokenize(TEXT), 1)]
    assert [[i, loads(data)["text"]] for _, i, data in words] == numbered
    assert {event for event, _, _ in words} == {"word"}
    assert done[:2] == ["done", "end"]


def test_event_source_resumes_an_answer(visit: Visit, chat_server: RunningServer) -> None:
    """After two broken connections, the page has every token once, and the EventSource has stopped
    at the 204 after `done`."""
    visit.page.goto(f"{chat_server.url}/none")
    said = answer("hi")
    path = "/chat/hi?fault=rst*2@30"
    *tokens, done = visit.page.evaluate(LISTEN, [path, SAFETY * MILLISECONDS])

    named = [["thinking", token] for token in said.thinking]
    named += [["message", token] for token in said.text]
    assert [[kind, loads(data)["text"]] for kind, _, data in tokens] == named
    assert [i for _, i, _ in tokens] == [f"0-{number}" for number in range(1, len(named) + 1)]
    assert done == ["done", "0-end", '{"finish_reason":"stop"}']


SEAM = load(ROOT / "workshop/11_reconnect_and_resume/__main__.py")


def test_lesson_11_shows_the_seam(visit: Visit) -> None:
    """The page cuts the connection three times. There are four connections and four colours, but
    one text."""
    said = answer("你好")
    tokens = [*said.thinking, *said.text]
    whole = [f"event: message\ndata: {dumps({'text': token})}\n\n" for token in tokens]
    events = "".join(whole) + "event: done\ndata: {}\n\n"
    page = visit.page
    # The answer in one piece, to compare, takes none of the held pieces.
    page.route("**/chat/*", lambda it: it.fulfill(body=events, content_type="text/event-stream"))
    with hold(SEAM.routes(Pace(0, 0))) as held:
        page.goto(held.url)
        page.locator("#start").click()
        for connection in range(3):
            held.release(20)
            # An RST discards unread bytes, so some text must be on the page before the RST is sent.
            expect(page.locator(f"#answer .c{connection}").nth(10)).to_be_attached()
            held.release(5)
            expect(page.locator("#connections tr").nth(connection)).to_contain_text("✂ cut")
        held.release(10_000)
        verdict = "4 connections, one answer. The same as in one piece: yes"
        expect(page.locator("#verdict")).to_have_text(verdict)
        words = page.locator("#answer span")
        assert "".join(words.all_text_contents()) == "".join(tokens)
        expect(page.locator("#answer .c3").first).to_be_attached()
        last = visit.page.locator("#connections tr").last
        expect(last).to_contain_text("0-end")

        visit.page.locator("#ids").uncheck()
        visit.page.locator("#start").click()
        expect(visit.page.locator("#verdict")).to_contain_text("Stopped by this page")
        assert len(visit.page.locator("#connections tr").all()) == 4
    assert all("ERR_CONNECTION_RESET" in problem for problem in visit.problems)
