"""What a reader does with the chat page, and where: keys, scrolling, settings, languages, other
windows, the proxy, no script at all. Its history: test_page_history.py."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FloatRect, Request, ViewportSize, expect

from servers.chat import PAGE
from servers.llm.pace import PROFILES

from .held import Held
from .peers import SAFETY, RunningServer, running
from .test_proxy import proxy_of
from .visiting import MILLISECONDS, NARROW, Visit, chromium, flags, shows


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


@pytest.fixture
def viewport() -> ViewportSize:
    return NARROW


# ---- The page as it is sent


# Bytes of all bodies as they are sent, compressed. A quarter of them is comments.
MAX_FIRST = 30_000  # the page as it can be used
MAX_ANSWER = 56_000  # what the first answer needs besides, without the wire pane


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_weight(locale: str, browser: Browser, server: RunningServer) -> None:
    """What a browser loads before a question, and for its answer. The files are sent compressed; a
    stream is not."""
    # The pane is loaded when it is opened.
    with browser.new_context(locale=locale, viewport=NARROW) as context:
        context.set_default_timeout(SAFETY * MILLISECONDS)
        page = context.new_page()
        loaded: dict[str, int] = {}
        streams = []

        def note(request: Request) -> None:
            reply = request.response()
            assert reply
            path = request.url.removeprefix(server.url)
            if path != "/" and not path.startswith("/page/"):
                streams.append("content-encoding" in reply.headers)
                return
            assert reply.headers["content-encoding"] == "gzip" or path.endswith(".svg")
            loaded[path] = int(reply.headers["content-length"])

        page.on("requestfinished", note)
        page.goto(server.url)
        visit = Visit(page)
        visit.is_ready()
        page.wait_for_load_state("networkidle")
        first = dict(loaded)
        later = {"/page/wire/wire.js", "/page/markdown/parser.js", "/page/menus.js"}
        assert not later & first.keys()
        assert sum(first.values()) < MAX_FIRST
        expect(visit.ask("Hi")).to_have_attribute("data-ending", "complete")
        assert "/page/wire/wire.js" not in loaded
        assert sum(loaded.values()) - sum(first.values()) < MAX_ANSWER
        other = {"en": "words/chinese.js", "zh": "words/english.js"}[locale]
        assert f"/page/{other}" not in loaded
        assert streams.count(True) == 0


def test_first_paint_needs_no_script(visit: Visit, server: RunningServer) -> None:
    """The words are there and look right before any script has been loaded."""
    visit.page.route("**/*.js", lambda route: route.abort())
    visit.page.goto(server.url)
    expect(visit.page.locator("h1")).to_be_visible()
    shows(visit.page.locator("#send"), "Send")
    assert visit.page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
    assert "curl -N" in (PAGE / "index.html").read_text(encoding="utf-8").partition("noscript")[2]


@pytest.mark.parametrize(("locale", "word"), [("en-US", "Send"), ("zh-TW", "发送")])
def test_languages(locale: str, word: str, browser: Browser, server: RunningServer) -> None:
    """Every text in the page has its translation."""
    with browser.new_context(locale=locale) as context:
        page = context.new_page()
        page.goto(server.url)
        shows(page.locator("#send"), word)
        datasets = "all => all.flatMap(({ dataset: { word, label } }) => [word, label])"
        named = page.locator("[data-word], [data-label]").evaluate_all(datasets)
        words = page.evaluate("async () => (await import('/page/words/words.js')).page")
        assert not words or words.keys() == set(named) - {None}
        assert page.evaluate("document.documentElement.lang") == ("zh-CN" if words else "en")


# ---- Keys


def test_keys(visit: Visit, held: Held) -> None:
    """Enter sends, Shift+Enter does not, Esc stops, / goes to the message, Alt+N begins anew."""
    visit.open(held.url, model="echo")
    page = visit.page
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    shows(page.locator(".question"), "one\ntwo")
    held.release()
    message = page.locator("[data-role=assistant]")
    shows(message.locator(".answer"), "one")
    page.keyboard.press("Escape")
    expect(message).to_have_attribute("data-ending", "stopped")
    expect(page.locator("#announcer")).to_contain_text("Stopped by you")

    page.locator("h1").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("/")
    expect(page.locator("#prompt")).to_be_focused()
    expect(page.locator("#prompt")).to_have_value("")
    page.keyboard.press("Alt+n")
    expect(page.locator("[data-role]")).to_have_count(0)
    expect(page.locator("#intro")).to_be_visible()


# ---- Scrolling


def test_it_follows_only_at_the_bottom(visit: Visit, held: Held) -> None:
    """A reader who scrolls up stays there, and the pill announces new text. The pill, or the end,
    starts to follow again."""
    visit.open(held.url, model="lorem")
    page = visit.page
    page.set_viewport_size({"width": 400, "height": 400})
    message = visit.ask("Hi")
    pill = page.locator("#pill")
    held.release(120)
    expect(message.locator(".stats")).to_contain_text("120 tokens")
    expect(message.locator(".stats")).to_be_in_viewport()

    page.mouse.move(200, 150)
    page.mouse.wheel(0, -300)
    expect(message.locator(".stats")).not_to_be_in_viewport()
    before = page.evaluate("scrollY")
    expect(pill).to_be_hidden()
    held.release(80)
    expect(pill).to_be_visible()
    assert page.evaluate("scrollY") == before

    pill.click()
    expect(message.locator(".stats")).to_be_in_viewport()
    expect(pill).to_be_hidden()
    held.release(40)
    expect(message.locator(".stats")).to_contain_text("240 tokens")
    expect(message.locator(".stats")).to_be_in_viewport()
    page.mouse.wheel(0, -300)
    expect(message.locator(".stats")).not_to_be_in_viewport()
    held.release(1000)
    expect(message).to_have_attribute("aria-busy", "false")
    expect(message.locator(".stats")).not_to_be_in_viewport()
    expect(visit.ask("And again").locator(".stats")).to_be_in_viewport()


# ---- Settings


def test_settings(visit: Visit, server: RunningServer) -> None:
    """The menus offer the server's choices. What is chosen is sent with the next question, and is
    kept over a reload, but for the fault."""
    visit.open(server.url)
    page = visit.page
    page.locator("[popovertarget=models]").click()
    expect(page.locator("#models .option span").first).not_to_be_empty()
    assert page.locator("#models .option:has(span:empty)").count() == 0  # each says what it does
    page.get_by_role("radio", name="echo").check()
    page.keyboard.press("Enter")
    page.locator("[popovertarget=paces]").click()
    paces = page.locator("#paces input").evaluate_all("all => all.map(input => input.value)")
    assert paces == ["", *PROFILES]
    page.locator("#paces b", has_text="fast-api").click()
    expect(page.locator("#paces")).to_be_hidden()
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("System prompt").fill("Be brief.")
    page.get_by_role("button", name="Done").click()
    visit.choose(fault="no-done")
    for fault in ("no-done", None):
        with page.expect_request("**/v1/chat/completions") as asked:
            message = visit.ask("Hi")
        headers, body = asked.value.headers, asked.value.post_data_json or {}
        assert (headers["x-pace"], headers.get("x-fault")) == ("fast-api", fault)
        assert (body["model"], body["messages"][0]) == (
            "echo", {"role": "system", "content": "Be brief."},
        )  # fmt: skip
        expect(message).to_have_attribute("data-ending", "complete")
        if fault:
            visit.reload()
    assert visit.problems == []


def test_settings_without_a_server(visit: Visit, server: RunningServer) -> None:
    """The menus say that there is no reply, and the page goes on: nothing is thrown that nobody
    catches."""
    visit.open(server.url)
    visit.page.route("**/v1/models", lambda route: route.abort("connectionrefused"))
    visit.page.route("**/faults", lambda route: route.abort("connectionrefused"))
    for name in ("models", "faults"):
        visit.page.locator(f"[popovertarget={name}]").click()
        expect(visit.page.locator(":popover-open")).to_contain_text(f"No reply from {server.url}")
        visit.page.keyboard.press("Escape")
    assert all("ERR_CONNECTION_REFUSED" in problem for problem in visit.problems)


HOUR = 3600 * MILLISECONDS


def test_the_answer_again(visit: Visit, server: RunningServer) -> None:
    """And a copy of it in the clipboard: the Markdown; of code the code alone."""
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.clock.install(time=0)
    visit.open(server.url, model="echo")
    question = "```py\na < b\n```\n\n**end**"
    message = visit.ask(question)
    expect(message).to_have_attribute("data-ending", "complete")
    page.clock.pause_at(HOUR)  # "Copied" stands there for 1.5 s
    for name, copied in ((".copy-answer", question), (".code .copy", "a < b\n")):
        message.locator(name).click()
        shows(message.locator(name), "Copied")
        assert page.evaluate("navigator.clipboard.readText()") == copied
        page.clock.run_for(1500)
        shows(message.locator(name), "Copy")
    page.clock.resume()
    with page.expect_request("**/v1/chat/completions") as asked:
        message.locator(".again").press("Enter")
    expect(page.locator("#prompt")).to_be_focused()
    assert len((asked.value.post_data_json or {})["messages"]) == 1
    expect(page.locator("[data-ending=complete]")).to_have_count(1)
    expect(page.locator("[data-role]")).to_have_count(2)

    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    message.locator(".copy-answer").click()
    shows(message.locator(".copy-answer"), "Not permitted")
    assert visit.problems == []


def test_the_numbers_of_a_list_are_whole(visit: Visit, server: RunningServer) -> None:
    """The numbers are left of their group, which is not painted beyond its border while it is
    invisible."""
    visit.page.set_viewport_size({"width": 1000, "height": 700})
    visit.open(server.url, model="echo")
    message = visit.ask("\n".join(f"{number}. item" for number in range(1000, 1003)))
    expect(message).to_have_attribute("data-ending", "complete")
    box = message.locator("ol").bounding_box()
    assert box
    left = FloatRect(x=box["x"] - 60, y=box["y"], width=100, height=box["height"])
    painted = visit.page.screenshot(clip=left)
    group = message.locator(".answer > div")
    group.evaluate("group => { group.style.contentVisibility = 'visible'; }")
    assert visit.page.screenshot(clip=left) == painted


# ---- Other servers, other windows


def test_the_proxy(browser: Browser, server: RunningServer) -> None:
    """The page may ask port 8005 of this machine, and sends it no fields of the simulator."""
    with proxy_of(server, "--cors", server.url) as base_url:
        port = base_url.removesuffix("/v1").rpartition(":")[2]
        rules = f"MAP localhost:8005 127.0.0.1:{port} , "
        rules += "MAP localhost 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
        other = browser.browser_type.launch(executable_path=chromium(), args=flags(rules))
        with other, other.new_context(locale="en-US") as context:
            context.set_default_timeout(SAFETY * MILLISECONDS)
            visit = Visit(context.new_page())
            visit.open(server.url, server="http://localhost:8005", model="sim-1", fault="rst")
            with visit.page.expect_request("**/v1/chat/completions") as asked:
                message = visit.ask("Hi")
            assert asked.value.url == "http://localhost:8005/v1/chat/completions"
            assert not {"x-fault", "x-pace", "x-wire"} & asked.value.headers.keys()
            expect(message).to_have_attribute("data-ending", "complete")
            expect(message.locator(".stats")).to_contain_text("req_")
            assert visit.problems == []


def test_no_proxy_there(visit: Visit, server: RunningServer) -> None:
    """The error names the server that did not answer."""
    visit.page.route("http://localhost:8005/**", lambda route: route.abort("connectionrefused"))
    visit.open(server.url, server="http://localhost:8005")
    message = visit.ask("Hi")
    expect(message.locator(".ending")).to_contain_text("No reply from http://localhost:8005")


# As a reader types: the first letter loads what an answer needs.
TYPE = """async () => {
    document.querySelector("#prompt").value = "Hi";
    await document.querySelector("#prompt").oninput();
}"""
SUBMIT = """() => document.querySelector("#composer").requestSubmit()"""


SMALL = ViewportSize(width=400, height=300)


def test_the_seventh_window_says_why_it_waits(browser: Browser) -> None:
    """A browser opens six connections to a server; and when one is free, the window goes on.
    Chromium decides when it closes one; the heartbeat detects that. The wire pane is closed in
    these narrow windows: an open one has a connection of its own."""
    silent = running("servers.chat", "--ttft", "3600", "--heartbeat", "0.2")
    with silent as server, browser.new_context(locale="en-US", viewport=SMALL) as context:
        context.set_default_timeout(SAFETY * MILLISECONDS)
        context.clock.install(time=0)
        windows = [Visit(context.new_page()) for _ in range(8)]
        for visit in windows:
            visit.open(server.url)
            visit.evaluate(TYPE)
        context.clock.pause_at(MILLISECONDS)
        for visit in windows:  # a click in a window behind others would take its time
            visit.evaluate(SUBMIT)
        stats = [visit.page.locator(".stats") for visit in windows]
        for each in stats[:6]:
            expect(each).to_contain_text("req_")
        context.clock.run_for(6 * MILLISECONDS)
        for each in stats:
            expect(each).to_contain_text("nothing came for 6 s")
        hints = ["six connections" in each.inner_text() for each in stats]
        assert hints == [False] * 6 + [True] * 2
        for visit in windows[:2]:
            visit.page.close()
        for each in stats[6:]:
            expect(each).to_contain_text("req_")
