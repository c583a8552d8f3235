"""The course's pages in Chromium: no problems in a wide window or on a phone, and a lesson's panel
shows each piece when the server sends it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from servers import chat
from servers.chat import GREETING
from servers.llm.model.tokens import tokenize
from servers.llm.pace import Pace
from workshop.course.routes import course_routes
from workshop.course.tree import Tree

from ..test_laws import plant
from ..workshop.course.test_pages import TREE
from .held import Held, hold
from .visiting import Visit, shows

LESSON = "/course/workshop/03_http_chunked/README.md.html"


@pytest.fixture(scope="module")
def course() -> Iterator[Held]:
    with hold(chat.routes(Pace(0, 0), pages=course_routes())) as server:
        yield server


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("path", ["/course/", "/course/protocol/chunked.py.html", LESSON])
def test_pages_fit_their_window(path: str, width: int, visit: Visit, course: Held) -> None:
    """No horizontal scrolling except in a code box, no problem in the console, no request to
    another origin."""
    visit.page.set_viewport_size({"width": width, "height": 812})
    visit.page.goto(course.url + path, wait_until="networkidle")
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    visit.page.emulate_media(media="print")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert visit.problems == []
    assert {url[: len(course.url) + 1] for url in visit.requested} == {f"{course.url}/"}


def test_keyboard(visit: Visit, course: Held) -> None:
    """The first Tab skips the frame; text and code are side by side."""
    visit.page.goto(f"{course.url}/course/protocol/chunked.py.html#ChunkedDecoder.receive_data")
    section = visit.page.locator('[id="ChunkedDecoder.receive_data"]')
    expect(section).to_be_in_viewport()
    prose, code = section.locator(".prose"), section.locator(".code")
    expect(prose).to_contain_text("Take bytes as they arrive, cut anywhere.")
    expect(code).to_contain_text("def receive_data(self, data: bytes) -> list[bytes]:")
    left, right = prose.bounding_box(), code.bounding_box()
    assert left
    assert right
    assert left["x"] + left["width"] <= right["x"]

    visit.page.goto(course.url + LESSON)
    visit.page.keyboard.press("Tab")
    expect(visit.page.locator(".skip")).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(visit.page).to_have_url(f"{course.url}{LESSON}#-main")


def test_the_panel_shows_what_comes(visit: Visit, course: Held) -> None:
    """Each piece is shown before the next one exists. Stop ends the stream, and it can be started
    again."""
    visit.page.goto(course.url + LESSON)
    received, status = visit.page.locator(".came"), visit.page.locator(".status")
    button = visit.page.locator(".live form button")
    words = [*tokenize(GREETING)]
    button.click()
    for count in (1, 2, 3):
        course.release()
        shows(received, "".join(words[:count]))
    size = len("".join(words[:3]).encode())
    expect(status).to_contain_text(f"200: {size} bytes in 3 reads")
    expect(button).to_have_text("Stop")
    button.click()
    expect(status).to_contain_text("stopped")
    expect(button).to_have_text("Run")

    course.release(1000)
    visit.page.locator(".live select").select_option("POST /v1/chat/completions")
    button.click()
    expect(status).to_contain_text("complete")
    expect(received).to_contain_text("data: [DONE]")
    visit.page.locator(".live select").select_option("GET /chat/hello?fault=rst@5")
    button.click()
    expect(status).to_contain_text("cut off")
    assert [line for line in visit.problems if "net::" not in line] == []


PANE = """
export function wirePane(element) {
  const note = (text) => element.append(text + "; ");
  return {
    start() { element.replaceChildren(); note("start"); },
    opened(response, at) { element.hidden = false; note(`opened ${response.status}`); },
    received(bytes, at) { note(`received ${new TextDecoder().decode(bytes)}`); },
    closed() { note("closed"); },
    ended(kind) { note(`ended ${kind}`); },
  };
}
"""


def test_the_panel_calls_the_wire_pane(visit: Visit, tmp_path: Path) -> None:
    """The pane gets every call in order. While the pane shows the bytes, the text box does not."""
    plant(tmp_path, TREE)
    visit.page.route(
        "**/page/wire.js", lambda route: route.fulfill(body=PANE, content_type="text/javascript")
    )
    with hold(chat.routes(Pace(0, 0), pages=course_routes(Tree(tmp_path)))) as server:
        visit.page.goto(f"{server.url}/course/workshop/03_chunks/README.md.html")
        visit.page.locator(".live form button").click()
        told = "start; opened 200; "
        for word in list(tokenize(GREETING))[:3]:
            server.release()
            told += f"received {word}; "
            shows(visit.page.locator(".pane"), told)
        expect(visit.page.locator(".came")).to_be_hidden()
        server.release(1000)
        expect(visit.page.locator(".pane")).to_contain_text("; closed; ended complete; ")
    assert visit.problems == []
