"""The chat page and a lesson in Firefox: an answer, its bytes, a fault, a reload, a figure. The
other tests of the page use Chromium; these show that the page works without it."""

from collections.abc import Iterator

import pytest

from servers import chat
from servers.llm.pace import Pace
from workshop.course.routes import course_routes

from .firefox import Firefox, firefox
from .held import Held, hold
from .peers import unavailable
from .test_course import AXE
from .test_node_clients import INSTALL

ENDED = "document.querySelector('[data-role=assistant]:last-child')?.dataset.ending"
TEXT = "return document.querySelector('%s').textContent"


@pytest.fixture(scope="module")
def server() -> Iterator[Held]:
    with hold(chat.routes(Pace(0, 0), pages=course_routes())) as server:
        server.release(10_000)
        yield server


@pytest.fixture(scope="module")
def browser(server: Held) -> Iterator[Firefox]:
    """One browser for all tests: to start it takes longer than they do."""
    with firefox() as browser:
        yield browser
        assert browser.problems(server.url) == []


def ask(browser: Firefox, server: Held, question: str) -> None:
    """Ask the model `echo`, and wait for the end of the answer and of its recording."""
    browser.open(server.url, model="echo")
    browser.click("#prompt")
    browser.press(question, "Enter")
    assert browser.wait(ENDED) == "complete"
    browser.wait("document.querySelector('#wire').textContent.includes('server: done')")


def test_an_answer_and_its_bytes(browser: Firefox, server: Held) -> None:
    """A click on a word of the answer selects its bytes. An arrow key selects the next token."""
    ask(browser, server, "你好 **bold** words")
    assert browser.evaluate(TEXT % ".answer") == "你好 bold words"
    assert browser.evaluate(TEXT % ".answer strong") == "bold"
    x, y = browser.evaluate(
        "const { x, y } = document.querySelector('.answer strong').getBoundingClientRect();"
        "return [x + 5, y + 8]"
    )
    browser.click_at(x, y)
    browser.wait("""document.querySelector('.rows .selected .text')?.textContent === '"bold"'""")
    browser.press("ArrowRight", "ArrowRight", "ArrowRight")  # over "*" and "*"
    browser.wait("[...(CSS.highlights.get('wire-selected') ?? [])].join() === ' words'")
    browser.click(".depths button:nth-child(2)")  # bytes
    browser.wait(
        "[...document.querySelectorAll('.rows code .selected')]"
        """.map((part) => part.textContent).join('').includes('"content":" words"')"""
    )


def test_an_address_survives_a_reload(browser: Firefox, server: Held) -> None:
    ask(browser, server, "- one\n")
    address = browser.evaluate("return location.href")
    assert "?chat=" in address
    browser.call("WebDriver:Refresh")
    assert browser.wait(ENDED) == "complete"
    assert browser.evaluate(TEXT % ".answer li") == "one"
    assert browser.evaluate("return location.href") == address


def test_a_fault_has_its_card(browser: Firefox, server: Held) -> None:
    browser.open(server.url)
    browser.click("[data-card=break]")
    assert browser.wait(ENDED) == "cut"
    assert "rst" in browser.wait("document.querySelector('.card h2')?.textContent")


def test_accessibility(browser: Firefox, server: Held) -> None:
    """axe-core finds nothing above "minor"."""
    if not AXE.is_file():
        unavailable(f"axe-core missing in node_modules: {INSTALL}")
    ask(browser, server, "| a |\n|-|\n| b |")
    browser.evaluate(AXE.read_text(encoding="utf-8") + "\nwindow.axe = axe;")
    found = browser.evaluate("return axe.run({resultTypes: ['violations']})")["violations"]
    assert [each["id"] for each in found if each["impact"] != "minor"] == []


def test_a_figure_of_the_course(browser: Firefox, server: Held) -> None:
    """Lesson 4: the cut through the bytes moves with the arrow keys."""
    browser.open(f"{server.url}/course/workshop/04_sse_protocol/README.md.html")
    browser.click(".figure.cut [name=guess]")
    browser.press("Space", "ArrowRight", "Enter")
    browser.wait("document.querySelector('.figure.cut').dataset.state === 'done'")
    told = "Yes: wherever you cut, there are 3 events."
    assert browser.evaluate(TEXT % ".figure.cut > .verdict") == told
    browser.press("End")
    counts = "Events of the first piece: 3. Of the second one: 0."
    browser.wait(f"document.querySelector('.figure.cut .stage .counts').textContent === '{counts}'")
