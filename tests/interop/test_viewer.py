"""The page of a recording in Chromium: played, stepped through, and without losing a byte."""

import json
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from protocol.recording import RecordedRead, read_recording
from workshop.xray.recordings.page import write_page

from .peers import unavailable
from .test_page_layout import AXE
from .visiting import Visit

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = 'data: {"text": "你\\\\好"}\n\n'.encode()
LAST = b'id: 4\ndata: {"text": "", "end": "stop"}\n\n'
CHUNKS = b"%x\r\n%b\r\n" % (len(EVENT), EVENT) * 3 + b"%x\r\n%b\r\n" % (len(LAST), LAST)
BODY = CHUNKS + b"0\r\n\r\n"
PARTS = [HEAD, BODY[:22], BODY[22:60], BODY[60:], b"\xff\x00 after the end"]
READS = [
    RecordedRead(0.0, "client", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", url="http://h/"),
    *[RecordedRead(1000.0 * number, "server", part) for number, part in enumerate(PARTS, 1)],
    RecordedRead(6500.0, "server", end="reset"),
]
STORY = [
    "0 ms[request 27 B]GET / HTTP/1.1",
    f"1,000 ms[HTTP head {len(HEAD)} B]HTTP/1.1 200 OK",
    '2,000 ms[chunk 0x1c = 28 B][event 1][JSON 20 B]"你\\好"',
    '3,000 ms[chunk 0x1c = 28 B][event 2][JSON 20 B]"你\\好"',
    '4,000 ms[chunk 0x1c = 28 B][event 3][JSON 20 B]"你\\好"',
    '4,000 ms[chunk 0x29 = 41 B][event 4][JSON 27 B]{"text": "", "end": "stop"}',
    "4,000 ms[last chunk 0]the body is complete",
    "5,000 ms[after-end 16 B]‹ff 00 20 61 66 74 65 72 20 74 68 65 20 65 6e 64›",
    "6,500 ms[end]reset (RST)",
]

SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]

# The window has this width, and the drawn rows reach from the top of the list to its bottom.
FILLED = """(width) => {
    const list = document.querySelector(".rows");
    const box = (element) => element.getBoundingClientRect();
    const drawn = list.querySelectorAll("li");
    const isAtTop = box(drawn[0]).top <= box(list).top + 2;
    return innerWidth === width && list.clientWidth < width && isAtTop
        && box(drawn[drawn.length - 1]).bottom >= box(list).bottom - 2;
}"""


def open_page(visit: Visit, folder: Path, reads: list[RecordedRead]) -> Page:
    file = folder / "recording.html"
    file.write_text(write_page(reads), encoding="utf-8")
    visit.page.set_viewport_size({"width": 1280, "height": 1400})
    visit.page.goto(file.as_uri())
    expect(visit.page.locator(".rows li").first).to_be_attached()
    return visit.page


@pytest.fixture
def viewer(visit: Visit, tmp_path: Path) -> Page:
    """The page, with its clock in our hands."""
    requested = visit.note_requests()
    visit.page.clock.install(time=0)
    page = open_page(visit, tmp_path, READS)
    page.clock.pause_at(1000)
    assert visit.problems == []
    assert requested == [(tmp_path / "recording.html").as_uri()]
    return page


def shows(page: Page, count: int) -> None:
    """This number of reads is shown, and every element that shows the number agrees."""
    expect(page.locator(".rows li")).to_have_count(count)
    expect(page.get_by_role("slider", name="Position in the recording")).to_have_value(str(count))
    output = page.locator(".controls output")
    if count:
        expect(output).to_contain_text(f"read {count} of {len(READS)} · ")
        expect(page.locator("[aria-current=step] strong")).to_have_text(f"#{count}")
    else:
        expect(output).to_have_text(f"before the first of {len(READS)} reads")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def test_three_depths(viewer: Page) -> None:
    """The story has a line for each token. Bytes and hex have a row for each read, with each byte
    once; a character that two reads share is shown in hex."""
    rows = viewer.locator(".rows li")
    assert rows.all_text_contents() == STORY
    button(viewer, "Bytes").click()
    shows(viewer, 7)
    torn = rows.nth(2).locator(".text")
    expect(torn).to_have_text("‹e4 bd›")
    titles = viewer.locator(".server code span").evaluate_all("all => all.map((e) => e.title)")
    places = [title.split(" · ")[0].rpartition(" ")[2].split("–") for title in titles]
    ends = [-1, *(int(last) for _, last in places)]
    assert [int(first) for first, _ in places] == [end + 1 for end in ends[:-1]]
    assert ends[-1] == sum(len(part) for part in PARTS) - 1
    button(viewer, "Hex").click()
    codes = viewer.locator(".rows code")
    expect(codes).to_have_count(6)
    expect(codes.first).to_have_css("word-break", "normal")  # no line ends inside a byte
    spans = codes.evaluate_all(
        "all => all.map((row) => [...row.children].map((e) => e.textContent))"
    )
    assert [bytes.fromhex(" ".join(row)) for row in spans] == [READS[0].bytes, *PARTS]


def test_steps(viewer: Page) -> None:
    """The reader can step with buttons, keys and the slider, but not beyond the ends."""
    button(viewer, "Bytes").click()
    shows(viewer, 7)
    button(viewer, "Previous read").click()
    shows(viewer, 6)
    button(viewer, "Next read").click()
    button(viewer, "Next read").click()
    shows(viewer, 7)
    viewer.locator("body").press("Home")
    shows(viewer, 0)
    viewer.get_by_role("slider").press("ArrowRight")
    viewer.get_by_role("slider").press("ArrowRight")
    shows(viewer, 2)
    viewer.get_by_role("slider").fill("5")
    shows(viewer, 5)
    viewer.locator("body").press("End")
    shows(viewer, 7)
    expect(viewer.locator(".rows li").last).to_contain_text("reset (RST)")


def test_plays(viewer: Page) -> None:
    """Playback begins at the start, keeps the recorded times, can be faster, and stops at the
    end."""
    button(viewer, "Bytes").click()
    button(viewer, "Play").click()
    viewer.clock.run_for(1)
    shows(viewer, 1)
    viewer.clock.run_for(990)
    shows(viewer, 1)
    viewer.clock.run_for(10)
    shows(viewer, 2)
    viewer.locator("body").press(" ")
    viewer.clock.run_for(9000)
    shows(viewer, 2)
    viewer.get_by_role("combobox", name="Speed").select_option("10")
    button(viewer, "Play").click()
    viewer.clock.run_for(201)
    shows(viewer, 4)
    viewer.clock.run_for(1000)
    shows(viewer, 7)
    expect(button(viewer, "Play")).to_be_visible()


def test_from_token_to_token(viewer: Page) -> None:
    """The arrow keys select a token: its line, its bytes, and its journey. The jumps lead to the
    other lines."""
    selected = viewer.locator(".rows .selected")
    steps = viewer.locator(".journey li")
    body = viewer.locator("body")
    body.press("ArrowRight")
    expect(selected).to_have_text(STORY[2])
    assert steps.all_text_contents() == [
        'yielded"你\\\\好"token 1 · 8 B',
        "event128 B",
        "chunk10x1c = 28 B",
        "read3,000 msread 4",  # the read that completed it
    ]
    body.press("ArrowRight")
    body.press("ArrowRight")
    body.press("ArrowRight")  # there is no fourth token
    expect(selected).to_have_text(STORY[4])
    body.press("ArrowLeft")
    expect(selected).to_have_text(STORY[3])
    button(viewer, "Bytes").click()
    assert "".join(selected.all_text_contents()).replace("‹", "").startswith("1c\\r\\ndata: {")
    button(viewer, "Story").click()
    for name, line in (("Request", 0), ("Head", 1), ("First token", 2), ("End", 8)):
        button(viewer, name).click()
        expect(selected).to_have_text(STORY[line])
    viewer.locator(".rows li").nth(3).click()
    expect(selected).to_have_text(STORY[3])
    expect(viewer.locator("path.lit")).to_have_attribute("d", "M225 0v40")  # at 3,000 ms
    expect(viewer.get_by_role("slider")).to_have_value("4")
    button(viewer, "Play").click()
    expect(selected).to_have_count(0)


def test_a_narrow_window(viewer: Page) -> None:
    viewer.set_viewport_size({"width": 390, "height": 844})
    assert viewer.evaluate("document.documentElement.scrollWidth") == 390
    for element in (button(viewer, "Play"), viewer.locator(".controls output")):
        element.scroll_into_view_if_needed()
        expect(element).to_be_in_viewport()
    scale = viewer.locator(".scale span").last  # a number and its unit are not on two lines
    lines = "(text) => text.offsetHeight / parseFloat(getComputedStyle(text).lineHeight)"
    assert scale.evaluate(lines) < 2.5
    for each in viewer.get_by_role("button").all():
        box = each.bounding_box()
        assert box is None or min(box["width"], box["height"]) >= 44


def test_accessibility(visit: Visit, tmp_path: Path) -> None:
    """axe-core finds nothing at all, at any depth, with a token selected, in light and in dark."""
    if not AXE.is_file():
        unavailable("axe-core is missing in node_modules")
    page = open_page(visit, tmp_path, READS)
    visit.evaluate(AXE.read_text(encoding="utf-8"))
    page.locator("body").press("ArrowRight")
    for depth in ("Story", "Bytes", "Hex"):
        button(page, depth).click()
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            found = visit.evaluate("() => axe.run({resultTypes: ['violations']})")["violations"]
            assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], scheme


def test_a_long_recording_draws_a_part_of_itself(visit: Visit, tmp_path: Path) -> None:
    """Every row can be reached, and few are in the document."""
    reads = [RecordedRead(float(at), "server", b"x") for at in range(1000)]
    page = open_page(visit, tmp_path, reads)
    button(page, "Bytes").click()
    rows = page.locator(".rows li")
    expect(rows.last.locator("strong")).to_have_text("#1000")
    for position in (500, 400, 450):
        page.get_by_role("slider").fill(str(position))
        expect(rows.last.locator("strong")).to_have_text(f"#{position}")
        shown = rows.locator("strong").all_text_contents()
        assert shown == [f"#{number + position - len(shown) + 1}" for number in range(len(shown))]
        assert len(shown) < 60
    page.locator("body").press("End")
    expect(rows.last.locator("strong")).to_have_text("#1000")
    page.locator(".rows").evaluate("(rows) => rows.scrollTo(0, 0)")
    expect(rows.first.locator("strong")).to_have_text("#1")
    page.locator(".rows").evaluate("(rows) => rows.scrollTo(0, rows.scrollHeight / 2)")
    expect(rows.first.locator("strong")).to_have_text(re.compile("#(4[89]|5[01])[0-9]$"))
    assert visit.problems == []


def test_a_read_of_many_events(visit: Visit, tmp_path: Path) -> None:
    """The story has a line for each. A row has so many spans only if the reader asks for them, but
    those of the selected token always."""
    events = [b'data: {"text":"%d"}\n\n' % number for number in range(200)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)
    page = open_page(visit, tmp_path, [RecordedRead(1.0, "server", HEAD + body)])
    page.locator("body").press("ArrowLeft")
    button(page, "First token").click()
    expect(page.locator(".rows .selected")).to_contain_text('[event 1][JSON 12 B]"0"')
    button(page, "Bytes").click()
    spans = page.locator(".rows code span")
    expect(spans).to_have_count(300)
    button(page, "Story").click()
    button(page, "End").click()
    button(page, "Bytes").click()
    expect(page.locator(".rows .selected.text")).to_have_text("199")
    button(page, "Story").click()
    for width in (300, 1280):  # lines that are wrapped elsewhere leave no room empty
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(FILLED, arg=width)
        if width == 300:
            button(page, "First token").click()
    button(page, "Bytes").click()
    button(page, "End").click()
    more = page.get_by_role("button", name="more parts")
    more.click()
    expect(page.locator(".rows .selected")).to_have_count(0)
    expect(spans).to_have_count(300)


def test_the_cure_and_the_times(viewer: Page) -> None:
    """The cure has its own line. The chart says what it is, its times, and what it means."""
    expect(viewer.locator(".remedy")).to_contain_text("Cure: Find the hop or server")
    figure = viewer.locator("figure")
    expect(figure).to_contain_text("Time between pieces, as received")
    expect(figure).to_contain_text("at most 1,000 ms")
    expect(figure).to_contain_text("¦ first token 2,000 ms")
    expect(figure.locator(".times span").last).to_have_text("5,000 ms")
    expect(figure.locator(".meaning")).to_have_text("Too few pieces to compare.")
    figure.locator(".plot").hover(position={"x": 600, "y": 20})
    expect(figure.locator("output")).to_contain_text("received at ")


def test_exports(visit: Visit, tmp_path: Path) -> None:
    """The lines are a recording again; HAR has the request, the response and its decoded body."""
    page = open_page(visit, tmp_path, READS)
    saved = {}
    for name, ending in (("Export JSON lines", "jsonl"), ("Export HAR", "har")):
        with page.expect_download() as started:
            button(page, name).click()
        assert started.value.suggested_filename == f"recording.{ending}"
        saved[ending] = Path(started.value.path()).read_bytes()
    lines = saved["jsonl"].splitlines()
    kept = list(read_recording(lines))
    assert [(read.at, read.sender, read.bytes, read.end) for read in kept] == [
        (read.at, read.sender, read.bytes, read.end) for read in READS
    ]
    assert json.loads(lines[1])["text"] == HEAD.decode()
    (entry,) = json.loads(saved["har"])["log"]["entries"]
    assert (entry["request"]["method"], entry["request"]["url"]) == ("GET", "http://h/")
    assert (entry["response"]["status"], entry["time"]) == (200, 5000)
    assert entry["response"]["content"]["text"] == (EVENT * 3 + LAST).decode()
    assert {"name": "Transfer-Encoding", "value": "chunked"} in entry["response"]["headers"]
