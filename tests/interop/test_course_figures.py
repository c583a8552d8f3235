"""The figures of the lessons in Chromium: each is used with the keyboard alone, and real servers
answer it. Without scripts it is a still picture."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from servers import chat
from servers.llm.pace import Pace
from workshop.course.routes import course_routes

from .held import Held, hold
from .peers import unavailable
from .test_course import AXE, faults
from .test_node_clients import INSTALL
from .visiting import Visit

LESSONS = {
    "pipe": "01_generator_basics",
    "envelope": "05_openai_stream",
    "listener": "10_tls",
    "chunk": "03_http_chunked",
    "cut": "04_sse_protocol",
    "leaving": "07_leaving",
    "reader": "08_back_pressure",
    "hop": "09_proxies_and_buffering",
    "seam": "11_reconnect_and_resume",
    "wheel": "12_ten_thousand_streams",
}


@pytest.fixture(scope="module")
def course() -> Iterator[Held]:
    with hold(chat.routes(Pace(0, 0), pages=course_routes())) as server:
        server.release(10_000)
        yield server


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One page for all figures: to start a context takes as long as to use a figure."""
    with browser.new_context(locale="en-US") as context:
        page = context.new_page()
        visit = Visit(page)
        yield page
        # One test lets the server be busy.
        assert [line for line in visit.problems if "503" not in line] == []


def open_lesson(page: Page, course: Held, name: str, language: str = "") -> Locator:
    page.goto(f"{course.url}/course/{language}workshop/{LESSONS[name]}/README.md.html")
    figure = page.locator(f".figure.{name}")
    expect(figure.locator("form")).to_be_visible()
    return figure


def press(page: Page, *keys: str) -> None:
    """Press keys; a text is typed."""
    for key in keys:
        if key in ("Tab", "Enter", "Space") or key.startswith(("Arrow", "Shift")):
            page.keyboard.press(key)
        else:
            page.keyboard.type(key)


def told(figure: Locator) -> Locator:
    """Wait for the end of a run. Returns the verdict."""
    expect(figure).to_have_attribute("data-state", "done")
    verdict = figure.locator("> .verdict")
    expect(verdict).not_to_contain_text("{")
    return verdict


def test_chunk(page: Page, course: Held) -> None:
    figure = open_lesson(page, course, "chunk")
    expect(figure.locator(".stage .chips")).to_have_count(0)  # first the prediction, then the truth
    figure.locator("[name=word]").focus()
    page.keyboard.press("Control+A")
    press(page, "你好吗?", "Tab", "a", "Enter")
    expect(told(figure)).to_contain_text("Yes: 你好吗? is 10 bytes long (characters: 4)")
    expect(figure.locator(".stage .chunk-size b")).to_have_text("a")
    expect(figure.locator(".stage .chunk-data i")).to_have_text("e4 bd a0 e5 a5 bd e5 90 97 3f")
    page.keyboard.press("Control+A")
    press(page, "4", "Enter")
    expect(figure.locator("> .verdict")).to_contain_text("Not 4, but a")


def test_small_figures(page: Page, course: Held) -> None:
    figure = open_lesson(page, course, "pipe")
    figure.locator("[name=how]:checked").focus()
    press(page, "Tab", "Space", "Enter")  # print, and "one piece, at the end"
    expect(told(figure)).to_contain_text("As you said. The program made each token in time.")
    expect(figure.locator(".stage circle.dot")).to_have_count(5 + 1)

    figure = open_lesson(page, course, "envelope")
    figure.locator("[name=guess]").focus()
    press(page, "9", "Enter")
    expect(told(figure)).to_contain_text("You said 9. “你” has 3 bytes, and the event")
    expect(figure.locator(".stage .token b")).to_have_text("你")

    figure = open_lesson(page, course, "listener")
    figure.locator("[name=guess]").first.focus()
    press(page, "Space", "ArrowRight", "ArrowRight", "Enter")
    expect(told(figure)).to_contain_text("As you said. 6 of 6 lengths are right.")
    expect(figure.locator(".stage .chips i")).to_have_text(
        ["Nobody", " can", " read", " this", " ", "🌊"]
    )


def test_cut(page: Page, course: Held) -> None:
    """The slider has the focus when it appears; each arrow key moves the cut by one byte."""
    figure = open_lesson(page, course, "cut")
    figure.locator("[name=guess]").first.focus()
    press(page, "Space", "ArrowRight", "Enter")
    expect(told(figure)).to_have_text("Yes: wherever you cut, there are 3 events.")
    counts = figure.locator(".stage .counts")
    inside = "Events of the first piece: 1. Of the second one: 2. The cut is inside a character"
    expect(counts).to_contain_text(inside)
    press(page, "ArrowRight", "ArrowRight")
    expect(counts).to_have_text("Events of the first piece: 1. Of the second one: 2.")
    expect(figure.locator(".stage .piece")).to_contain_text("🌊")
    page.keyboard.press("End")
    expect(counts).to_have_text("Events of the first piece: 3. Of the second one: 0.")
    expect(figure.locator(".stage .events .came")).to_have_count(3)
    # The mouse drags the cut to the byte under it: into the middle of the first event's data.
    end = figure.locator(".stage .piece").bounding_box()
    assert end
    page.mouse.move(end["x"] + 30, end["y"] + end["height"] / 2)
    page.mouse.down()
    expect(counts).not_to_contain_text("Of the second one: 0.")
    page.mouse.move(end["x"] + 5, end["y"] + 5)
    expect(counts).to_have_text("Events of the first piece: 0. Of the second one: 3.")
    page.mouse.up()
    page.mouse.move(end["x"] + 30, end["y"] + end["height"] - 5)
    expect(counts).to_have_text("Events of the first piece: 0. Of the second one: 3.")


def test_leaving(page: Page, course: Held) -> None:
    figure = open_lesson(page, course, "leaving")
    figure.locator("[name=how]:checked").focus()
    press(page, "Tab", "Space", "ArrowRight", "Enter")  # a close, and "at its next write"
    expect(told(figure)).to_contain_text("As you said. Your FIN did not tell")
    expect(figure.locator(".stage .cross title")).to_have_text("close the connection")
    expect(figure.locator(".stage .end title")).to_have_text("the server stops its model")
    expect(figure.locator(".stage circle.ring")).to_have_count(1)


def test_reader(page: Page, course: Held) -> None:
    """The slider changes the speed of the run that goes on. Over the picture is what its colours
    mean, under it the time."""
    figure = open_lesson(page, course, "reader")
    figure.locator("[name=guess]").first.focus()
    press(page, "Space", "ArrowRight", "Enter")
    expect(figure.locator(".stage rect.read").first).to_be_attached()
    figure.locator("[name=rate]").focus()
    with page.expect_request(lambda request: '"change":true' in (request.post_data or "")):
        page.keyboard.press("Home")
    expect(figure.locator("output")).to_have_text("1")
    expect(told(figure)).to_contain_text("As you said. The model made")
    expect(figure.locator("> .verdict")).to_be_in_viewport()
    expect(figure.locator(".stage .flow li")).to_have_text(["made, and on the way", "read by you"])
    expect(figure.locator(".stage .axis text").last).to_have_text("6 s")
    expect(figure.locator(".stage .flow text").first).to_contain_text("tokens")
    expect(figure.locator(".stage rect.read")).to_have_count(60)


def test_hop(page: Page, course: Held) -> None:
    figure = open_lesson(page, course, "hop")
    figure.locator("[name=mode]:checked").focus()
    press(page, "ArrowLeft", "Tab", "Space", "Enter")  # none, and "each event at once"
    expect(told(figure)).to_contain_text("As you said. The hop held an event for")
    expect(figure.locator(".stage circle.dot")).to_have_count(20)


def test_seam(page: Page, course: Held) -> None:
    """The bytes in the form follow the slider. Cut one byte later, and the event is complete."""
    figure = open_lesson(page, course, "seam")
    figure.locator("[name=at]").focus()
    page.keyboard.press("Home")
    for _ in range(len('id: 0-1\nretry: 1000\ndata: {"text":"one"}\n\n') - 1):
        page.keyboard.press("ArrowRight")
    expect(figure.locator("form .piece")).to_have_text(
        r'id: 0-1\n retry: 1000\n data: {"text":"one"}\n \n'
    )
    press(page, "Tab")
    figure.locator("[name=guess]").focus()
    press(page, "ArrowDown", "ArrowDown", "Tab", "Enter")
    verdict = told(figure)
    expect(verdict).to_contain_text("As you said. 0-1 is the last event")
    expect(verdict).to_contain_text("“one two three four”")
    expect(figure.locator(".stage .connections li")).to_have_text(
        ["connection 1 one ✂", "connection 2 Last-Event-ID: 0-1 two three four"],
        use_inner_text=True,
    )


def test_wheel(page: Page, course: Held) -> None:
    figure = open_lesson(page, course, "wheel", "zh-CN/")
    figure.locator("[name=streams]:checked").focus()
    press(page, "ArrowLeft", "Tab", "Space", "ArrowRight", "Enter")  # 100 streams, 200 times
    expect(told(figure)).to_contain_text("你猜对了。每个时间片最多唤醒一次")
    expect(figure.locator(".stage .turning circle")).to_have_count(10)
    assert figure.locator(".stage .turning text").all_text_contents() == ["10"] * 10


def test_accessibility(page: Page, course: Held) -> None:
    """axe-core finds nothing worse than "minor" in figures that have run, and on a page with one.
    `test_course.py` looks at the page around the other."""
    if not AXE.is_file():
        unavailable(f"axe-core missing in node_modules: {INSTALL}")
    for name, guess, part in (("seam", "0-2", "html"), ("chunk", "1", ".figure.chunk")):
        figure = open_lesson(page, course, name)
        field = figure.locator("[name=guess]")
        field.select_option(guess) if name == "seam" else field.fill(guess)
        figure.locator("form button").click()
        told(figure)
        assert faults(page, part) == []


def test_a_server_that_is_gone_is_told(page: Page, course: Held) -> None:
    figure = open_lesson(page, course, "chunk")
    page.route("**/course/run/*", lambda route: route.fulfill(status=503, body="too many"))
    figure.locator("[name=guess]").fill("3")
    figure.locator("form button").click()
    expect(told(figure)).to_have_text("The experiment did not run. Is the server still there?")
    page.unroute("**/course/run/*")


def test_a_still_picture_on_paper(page: Page, course: Held) -> None:
    """What the reader has tried is not printed: on paper it would have no question."""
    figure = open_lesson(page, course, "leaving")
    expect(figure.locator(".still")).to_be_hidden()
    page.emulate_media(media="print")
    expect(figure.locator(".still .lane").first).to_be_visible()
    for part in ("form", ".stage", ".verdict"):
        expect(figure.locator(part)).to_be_hidden()
    page.emulate_media(media="screen")


def test_a_still_picture_without_scripts(browser: Browser, course: Held) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{course.url}/course/workshop/{LESSONS['chunk']}/README.md.html")
        figure = page.locator(".figure.chunk")
        expect(figure.locator(".still .chunk-size b")).to_have_text("3")
        expect(figure.locator("form")).to_be_hidden()
        expect(figure.locator(".still p")).to_contain_text("the size counts bytes")
