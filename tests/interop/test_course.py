"""The course's pages in Chromium: they fit every window, a screen reader and the keyboard find
their way, and the search and the copy buttons work, on a server and in a folder of files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from servers import chat
from servers.llm.pace import Pace
from workshop.course.build import build
from workshop.course.routes import course_routes
from workshop.course.tree import Tree

from ..test_laws import plant
from ..workshop.course.test_pages import TREE
from .held import Held, hold
from .peers import ROOT, unavailable
from .test_node_clients import INSTALL
from .visiting import Visit, shows

LESSON = "/course/workshop/03_http_chunked/README.md.html"
PATHS = ["/course/", "/course/source.html", "/course/protocol/chunked.py.html", LESSON]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    progress = tmp_path_factory.mktemp("learner") / "progress.json"
    progress.write_text('{"current":2,"passed":[1],"hints":{}}')
    with hold(chat.routes(Pace(0, 0), pages=course_routes(progress=progress))) as server:
        yield server


def test_pages_fit_their_window(visit: Visit, course: Held) -> None:
    """No horizontal scrolling except in a code box, no problem in the console, no request to
    another origin. On paper there is only the page."""
    requested = visit.note_requests()
    for path in PATHS:
        visit.page.emulate_media(media="screen")
        visit.page.goto(course.url + path, wait_until="networkidle")
        for width in (375, 1180, 1440):
            visit.page.set_viewport_size({"width": width, "height": 812})
            assert (path, visit.page.evaluate("document.documentElement.scrollWidth")) == (
                path,
                width,
            )
        visit.page.emulate_media(media="print")
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 1440
        for frame in (".skip", "header", "#\\-lessons", "footer"):
            expect(visit.page.locator(frame)).to_be_hidden()
    assert visit.problems == []
    assert {url[: len(course.url) + 1] for url in requested} == {f"{course.url}/"}


# The list of files has a hundred similar folders, and axe-core takes milliseconds for each row.
SHORTEN = """() => {
    for (const folder of [...document.querySelectorAll("main details")].slice(9)) folder.remove();
}"""


def test_accessibility(visit: Visit, course: Held) -> None:
    """axe-core finds nothing worse than "minor", in light and in dark."""
    if not AXE.is_file():
        unavailable(f"axe-core missing in node_modules: {INSTALL}")
    visit.page.set_viewport_size({"width": 1180, "height": 812})
    for path in [*PATHS, "/course/nothing.html"]:
        visit.page.goto(course.url + path, wait_until="networkidle")
        visit.evaluate(SHORTEN)
        assert faults(visit.page) == []
    search(visit.page, "chunk")
    assert faults(visit.page) == []


def faults(page: Page, part: str = "html") -> list[tuple[str, str, list[str]]]:
    """What axe-core finds in a part of the page: the rule, how bad it is, and the elements. In dark
    only the colours are different."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    run = "([part, options]) => axe.run(part, {...options, resultTypes: ['violations']})"
    page.emulate_media(color_scheme="light")
    found = page.evaluate(run, [part, {}])["violations"]
    page.emulate_media(color_scheme="dark")
    found += page.evaluate(run, [part, {"runOnly": ["color-contrast"]}])["violations"]
    return [
        (each["id"], each["impact"], [node["html"] for node in each["nodes"]])
        for each in found
        if each["impact"] != "minor"
    ]


def search(page: Page, query: str) -> None:
    """Type a query, and wait until there are results."""
    page.get_by_role("combobox", name="Search").fill(query)
    expect(page.get_by_role("option").first).to_be_visible()


def test_text_and_code_are_side_by_side(visit: Visit, course: Held) -> None:
    """A tab of the code is four columns wide, whatever stands to the left of the code."""
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

    visit.page.goto(f"{course.url}/course/servers/page/sse.js.html")
    columns = visit.evaluate("""() => {
        const code = document.querySelector(".lines code");
        const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
        const range = document.createRange();
        const at = (node, index) => {
            range.setStart(node, index);
            range.setEnd(node, index + 1);
            return range.getBoundingClientRect();
        };
        const first = at(walker.nextNode(), 0);
        let node = walker.currentNode;
        while (!node.data.includes("\\t")) node = walker.nextNode();
        const tab = at(node, node.data.indexOf("\\t"));
        return [tab.left - first.left, tab.width / first.width];
    }""")
    assert columns == pytest.approx([0, 4], abs=0.1)


def test_the_keyboard(visit: Visit, course: Held) -> None:
    """The first Tab skips the frame; "/" searches; in a narrow window a button opens the list of
    lessons, which needs no script."""
    page = visit.page
    page.goto(course.url + LESSON)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{course.url}{LESSON}#-main")

    page.keyboard.press("/")
    page.keyboard.type("request smuggling")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    page.get_by_role("combobox", name="Search").fill("ChunkedDecoder")
    shows(page.get_by_role("option").first.locator("b"), "ChunkedDecoder")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{course.url}/course/protocol/chunked.py.html#ChunkedDecoder")

    lessons = page.get_by_role("navigation", name="Lessons")
    expect(lessons).to_be_hidden()
    page.get_by_role("button", name="Contents").focus()
    page.keyboard.press("Enter")
    expect(lessons.get_by_role("link")).to_have_count(12 + 5)
    expect(lessons).to_contain_text("A generator is a stream ✓, passed")
    page.keyboard.press("Escape")
    expect(lessons).to_be_hidden()
    assert visit.problems == []


def test_a_link_to_a_folder_opens_it(visit: Visit, course: Held) -> None:
    page = visit.page
    page.goto(f"{course.url}/course/servers/page/sse.js.html")
    page.locator(".crumbs").get_by_role("link", name="page").click()
    expect(page.locator('[id="servers/page"]').get_by_role("link").first).to_be_in_viewport()


def test_copy(browser: Browser, course: Held) -> None:
    """Of a transcript the button copies the commands, of any other box all of it."""
    with browser.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(course.url + LESSON)
        boxes = page.locator(".box")
        transcript = boxes.filter(has_text="curl -sN --raw")
        client = boxes.filter(has_text="--client").first
        for box, text in [
            (transcript, "curl -sN --raw http://localhost:8003/ | head -n 4"),
            (client, "python workshop/03_http_chunked --client --port 8010"),
        ]:
            box.hover()
            box.get_by_role("button").click()
            expect(box.get_by_role("button")).to_have_text("Copied")
            assert page.evaluate("navigator.clipboard.readText()") == text
        page.mouse.move(0, 0)
        expect(client.get_by_role("button")).to_have_text("Copy")


def test_a_folder_of_files(visit: Visit, tmp_path: Path) -> None:
    """Pages that were opened without a server have the search, too."""
    plant(tmp_path / "tree", TREE)
    build(tmp_path / "out", Tree(tmp_path / "tree"))
    visit.page.goto(f"file://{tmp_path}/out/workshop/03_chunks/README.md.html")
    search(visit.page, "decoder")
    visit.page.get_by_role("option").filter(has=visit.page.locator("b", has_text="Decoder")).click()
    expect(visit.page).to_have_url(f"file://{tmp_path}/out/protocol/codec.py.html#Decoder")
    assert visit.problems == []


def test_the_language(browser: Browser, course: Held) -> None:
    """The first visit is in the browser's language. The switch stays at the same place of the page,
    and from then on every page is in the chosen language."""
    with browser.new_context(locale="zh-CN", viewport={"width": 1180, "height": 400}) as context:
        page = context.new_page()
        page.goto(f"{course.url}{LESSON}#why")
        page.wait_for_url(f"{course.url}/course/zh-CN/workshop/03_http_chunked/README.md.html#why")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(page.locator("#why")).to_have_text("为什么")
        page.get_by_role("link", name="English", exact=True).first.click()
        page.wait_for_url(f"{course.url}{LESSON}#why")
        expect(page.locator("#why")).to_have_text("Why")
        page.goto(f"{course.url}/course/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Every byte of a streamed answer")
