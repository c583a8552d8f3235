"""The page of a recording in Chromium: played, stepped through, and without losing a byte."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from protocol.recording import RecordedRead
from workshop.xray.recordings.page import write_page

from .peers import unavailable
from .test_page_layout import AXE
from .visiting import Visit

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = 'data: {"text": "你\\\\好"}\n\n'.encode()
BODY = b"%x\r\n%b\r\n" % (len(EVENT), EVENT) * 3 + b"0\r\n\r\n"
PARTS = [HEAD, BODY[:22], BODY[22:60], BODY[60:], b"\xff\x00 after the end"]
READS = [
    RecordedRead(0.0, "client", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", url="http://h/"),
    *[RecordedRead(1000.0 * number, "server", part) for number, part in enumerate(PARTS, 1)],
    RecordedRead(6500.0, "server", end="reset"),
]


@pytest.fixture
def viewer(visit: Visit, tmp_path: Path) -> Page:
    """The page, with its clock in our hands."""
    file = tmp_path / "recording.html"
    file.write_text(write_page(READS), encoding="utf-8")
    visit.page.clock.install(time=0)
    visit.page.goto(file.as_uri())
    visit.page.clock.pause_at(1000)
    expect(visit.page.locator("ol > li")).to_have_count(len(READS))
    assert visit.problems == []
    assert visit.requested == [file.as_uri()]
    return visit.page


def shows(page: Page, count: int) -> None:
    """This number of reads is shown, and every element that shows the number agrees."""
    expect(page.locator("ol > li")).to_have_count(count)
    expect(page.get_by_role("slider", name="Position in the recording")).to_have_value(str(count))
    if count:
        expect(page.locator("output")).to_contain_text(f"read {count} of {len(READS)} · ")
        expect(page.locator("[aria-current=step] strong")).to_have_text(f"#{count}")
    else:
        expect(page.locator("output")).to_have_text(f"before the first of {len(READS)} reads")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def test_steps(viewer: Page) -> None:
    """The reader can step with buttons, keys and the slider, but not beyond the ends."""
    shows(viewer, 7)
    button(viewer, "One read back").click()
    shows(viewer, 6)
    button(viewer, "One read forward").click()
    button(viewer, "One read forward").click()
    shows(viewer, 7)
    button(viewer, "Back to the start").click()
    shows(viewer, 0)
    viewer.locator("body").press("ArrowRight")
    viewer.locator("body").press("ArrowRight")
    viewer.locator("body").press("ArrowLeft")
    shows(viewer, 1)
    viewer.get_by_role("slider").press("ArrowRight")
    shows(viewer, 2)
    viewer.get_by_role("slider").fill("5")
    shows(viewer, 5)
    viewer.locator("body").press("End")
    shows(viewer, 7)
    expect(viewer.locator("ol > li").last).to_contain_text("reset (RST)")
    viewer.locator("body").press("Home")
    shows(viewer, 0)


def test_plays(viewer: Page) -> None:
    """Playback begins at the start, keeps the recorded times, can be faster, and stops at the
    end."""
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


def test_every_byte_is_shown_once(viewer: Page) -> None:
    """In hex the rows are the recording. As text, the ranges of the spans follow each other, and a
    character that two reads share is shown in hex."""
    torn = viewer.locator("ol > li").nth(2).locator(".text")
    expect(torn).to_have_text("‹e4 bd›")
    titles = viewer.locator(".server code span").evaluate_all("all => all.map((e) => e.title)")
    places = [title.split(" · ")[0].rpartition(" ")[2].split("–") for title in titles]
    ends = [-1, *(int(last) for _, last in places)]
    assert [int(first) for first, _ in places] == [end + 1 for end in ends[:-1]]
    assert ends[-1] == sum(len(part) for part in PARTS) - 1
    button(viewer, "Hex").click()
    rows = viewer.locator("ol > li code")
    expect(rows).to_have_count(6)
    spans = rows.evaluate_all(
        "all => all.map((row) => [...row.children].map((e) => e.textContent))"
    )
    assert [bytes.fromhex(" ".join(row)) for row in spans] == [READS[0].bytes, *PARTS]
    button(viewer, "Hex").click()
    expect(torn).to_have_text("‹e4 bd›")


def test_a_narrow_window(viewer: Page) -> None:
    viewer.set_viewport_size({"width": 390, "height": 844})
    assert viewer.evaluate("document.documentElement.scrollWidth") == 390
    expect(button(viewer, "Play")).to_be_in_viewport()
    expect(viewer.locator("output")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(scheme: Literal["light", "dark"], visit: Visit, tmp_path: Path) -> None:
    """axe-core finds nothing at all."""
    if not AXE.is_file():
        unavailable("axe-core is missing in node_modules")
    file = tmp_path / "recording.html"
    file.write_text(write_page(READS), encoding="utf-8")
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.goto(file.as_uri())
    expect(visit.page.locator("ol > li")).to_have_count(len(READS))
    visit.evaluate(AXE.read_text(encoding="utf-8"))
    found = visit.evaluate("() => axe.run({resultTypes: ['violations']})")["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_a_long_recording_draws_a_part_of_itself(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "recording.html"
    reads = [RecordedRead(float(at), "server", b"x") for at in range(1000)]
    file.write_text(write_page(reads), encoding="utf-8")
    visit.page.goto(file.as_uri())
    rows = visit.page.locator("ol > li")
    expect(rows).to_have_count(200)
    expect(rows.first.locator("strong")).to_have_text("#801")
    expect(visit.page.get_by_text("800 earlier reads are not drawn")).to_be_visible()
    for position, first in ((500, 301), (400, 201), (450, 251)):
        visit.page.get_by_role("slider").fill(str(position))
        expect(rows.first.locator("strong")).to_have_text(f"#{first}")
        expect(rows.last.locator("strong")).to_have_text(f"#{position}")
        shown = rows.locator("strong").all_text_contents()
        assert shown == [f"#{number}" for number in range(first, position + 1)]
    assert visit.problems == []


def test_the_cure_and_the_times(viewer: Page) -> None:
    """The cure has its own line, and the time line has times."""
    expect(viewer.locator(".remedy")).to_contain_text("Cure: Find the hop or server")
    assert viewer.locator(".axis span").all_text_contents() == [
        "0 ms",
        "1,625 ms",
        "3,250 ms",
        "4,875 ms",
        "6,500 ms",
    ]
